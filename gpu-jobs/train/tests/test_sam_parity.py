"""Our modules equal the reference package, given its weights under the same names."""

import pytest
import torch

from sammix_train.model.sam.image_encoder import ImageEncoderViT
from sammix_train.model.sam.mask_decoder import MaskDecoder
from sammix_train.model.sam.prompt_encoder import PromptEncoder

reference = pytest.importorskip(
    "segment_anything.modeling", reason="the reference package is not installed"
)


def randomise(module: torch.nn.Module) -> None:
    """Gives every parameter (also those that start at 0) a value that matters."""
    torch.manual_seed(3)
    for parameter in module.parameters():
        torch.nn.init.normal_(parameter, std=0.15)


def reference_encoder(image_size: int, window: int) -> torch.nn.Module:
    return reference.ImageEncoderViT(
        img_size=image_size,
        embed_dim=48,
        depth=3,
        num_heads=3,
        out_chans=32,
        use_rel_pos=True,
        window_size=window,
        global_attn_indexes=(1,),
        norm_layer=lambda dim: torch.nn.LayerNorm(dim, eps=1e-6),
    )


@pytest.mark.parametrize(("image_size", "window"), [(128, 3), (96, 6), (64, 4)])
def test_image_encoder(image_size: int, window: int) -> None:
    theirs = reference_encoder(image_size, window).eval()
    randomise(theirs)
    ours = ImageEncoderViT(
        image_size=image_size,
        dim=48,
        depth=3,
        num_heads=3,
        out_channels=32,
        window=window,
        global_blocks=(1,),
    ).eval()
    ours.load_state_dict(theirs.state_dict())
    x = torch.rand(2, 3, image_size, image_size)
    with torch.no_grad():
        assert torch.allclose(ours(x), theirs(x), atol=2e-5, rtol=1e-4)


def prompt_encoders(grid: int = 16) -> tuple[PromptEncoder, torch.nn.Module]:
    theirs = reference.PromptEncoder(
        embed_dim=32,
        image_embedding_size=(grid, grid),
        input_image_size=(256, 256),
        mask_in_chans=16,
    )
    randomise(theirs)
    ours = PromptEncoder(32, grid, 256)
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_prompt_encoder() -> None:
    ours, theirs = prompt_encoders()
    box = torch.tensor([[3.0, 9, 200, 255], [0, 0, 17, 21]])
    mask = torch.randn(2, 1, 64, 64)
    points = torch.rand(2, 2, 2) * 255
    positive = torch.tensor([[True, False], [True, True]])
    with torch.no_grad():
        sparse, dense = theirs(points=None, boxes=box, masks=mask)
        with_points, no_mask = theirs(points=(points, positive.long()), boxes=None, masks=None)
        assert torch.allclose(ours.embed_boxes(box), sparse, atol=1e-5)
        assert torch.allclose(ours.embed_masks(mask), dense, atol=1e-5)
        assert torch.allclose(ours.embed_points(points, positive), with_points, atol=1e-5)
        assert torch.equal(ours.no_mask(2), no_mask)
        assert torch.allclose(ours.dense_pe(), theirs.get_dense_pe(), atol=1e-5)


def mask_decoders() -> tuple[MaskDecoder, torch.nn.Module]:
    theirs = reference.MaskDecoder(
        transformer_dim=32,
        transformer=reference.TwoWayTransformer(depth=2, embedding_dim=32, num_heads=8, mlp_dim=64),
        num_multimask_outputs=3,
        iou_head_depth=3,
        iou_head_hidden_dim=32,
    ).eval()
    randomise(theirs)
    ours = MaskDecoder(channels=32, mlp_dim=64, score_hidden=32).eval()
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_mask_decoder_of_one_image() -> None:
    ours, theirs = mask_decoders()
    embedding, pe = torch.randn(1, 32, 16, 16), torch.randn(1, 32, 16, 16)
    sparse, dense = torch.randn(1, 2, 32), torch.randn(1, 32, 16, 16)
    with torch.no_grad():
        masks, scores = ours(embedding, pe, sparse, dense)
        expected_masks, expected_scores = theirs(
            image_embeddings=embedding,
            image_pe=pe,
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=True,
        )
    assert torch.allclose(masks, expected_masks, atol=1e-5, rtol=1e-5)
    assert torch.allclose(scores, expected_scores, atol=1e-5, rtol=1e-5)


def test_mask_decoder_batches_images_with_their_own_prompts() -> None:
    ours, _ = mask_decoders()
    embedding, pe = torch.randn(3, 32, 16, 16), torch.randn(1, 32, 16, 16)
    sparse, dense = torch.randn(3, 2, 32), torch.randn(3, 32, 16, 16)
    with torch.no_grad():
        batched, _ = ours(embedding, pe, sparse, dense)
        for i in range(3):
            single, _ = ours(embedding[[i]], pe, sparse[[i]], dense[[i]])
            assert torch.allclose(batched[[i]], single, atol=1e-5)
