"""A tiny model of the reference package with random weights, and the configuration that fits it."""

import torch
from segment_anything.modeling import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    Sam,
    TwoWayTransformer,
)

from sammix_train.config import ModelConfig

TINY = ModelConfig(
    name="sammix-tiny-vit",
    encoder="vit",
    image_size=256,
    classifier_width=8,
    classifier_blocks=(1, 1, 1, 1),
    cam_grid=8,
    vit_dim=64,
    vit_depth=2,
    vit_heads=2,
    global_blocks=(1,),
    channels=32,
    decoder_mlp=64,
    lora_rank=4,
)


def reference_sam(image_size: int, seed: int = 0) -> torch.nn.Module:
    """A tiny `segment_anything` model in which every parameter matters."""
    encoder = ImageEncoderViT(
        img_size=image_size,
        embed_dim=TINY.vit_dim,
        depth=TINY.vit_depth,
        num_heads=TINY.vit_heads,
        out_chans=TINY.channels,
        use_rel_pos=True,
        window_size=TINY.window,
        global_attn_indexes=TINY.global_blocks,
        norm_layer=lambda dim: torch.nn.LayerNorm(dim, eps=1e-6),
    )
    c, grid = TINY.channels, image_size // 16
    prompts = PromptEncoder(
        embed_dim=c,
        image_embedding_size=(grid, grid),
        input_image_size=(256, 256),
        mask_in_chans=16,
    )
    decoder = MaskDecoder(
        transformer_dim=c,
        transformer=TwoWayTransformer(
            depth=2, embedding_dim=c, num_heads=8, mlp_dim=TINY.decoder_mlp
        ),
        num_multimask_outputs=3,
        iou_head_depth=3,
        iou_head_hidden_dim=c,
    )
    sam = Sam(encoder, prompts, decoder).eval()
    torch.manual_seed(seed)
    for parameter in sam.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return sam
