"""LoRA starts as a no-op, merges exactly, and leaves k alone."""

import copy

import torch
from torch import nn

from sammix_train.export.graphs import export_modules
from sammix_train.model.sam.image_encoder import ImageEncoderViT
from sammix_train.model.sam.lora import LoraQkv, add_lora, merge_lora
from sammix_train.model.sam_mix import SamMix

from .conftest import tiny_vit_config


def small_vit() -> ImageEncoderViT:
    torch.manual_seed(0)
    return ImageEncoderViT(
        image_size=64, dim=24, depth=2, num_heads=2, out_channels=16, window=3, global_blocks=(1,)
    )


def test_fresh_lora_changes_nothing() -> None:
    encoder, x = small_vit(), torch.rand(1, 3, 64, 64)
    before = encoder(x)
    add_lora(encoder, rank=4)
    assert torch.equal(encoder(x), before)


def test_merge_is_exact() -> None:
    encoder, x = small_vit(), torch.rand(1, 3, 64, 64)
    add_lora(encoder, rank=4)
    for module in encoder.modules():
        if isinstance(module, LoraQkv):
            nn.init.normal_(module.b_q.weight, std=0.2)
            nn.init.normal_(module.b_v.weight, std=0.2)
    adapted = encoder(x)
    merged = copy.deepcopy(encoder)
    merge_lora(merged)
    assert not any(isinstance(m, LoraQkv) for m in merged.modules())
    assert torch.allclose(merged(x), adapted, atol=1e-5)


def test_k_is_never_adapted() -> None:
    layer = LoraQkv(nn.Linear(12, 36), rank=2)
    nn.init.normal_(layer.b_q.weight)
    nn.init.normal_(layer.b_v.weight)
    x = torch.rand(5, 12)
    q, k, v = (layer(x) - layer.base(x)).chunk(3, dim=-1)
    assert torch.equal(k, torch.zeros_like(k))
    assert q.abs().max() > 1e-4
    assert v.abs().max() > 1e-4


def test_only_lora_trains_in_the_encoder() -> None:
    encoder = small_vit()
    add_lora(encoder, rank=4)
    trainable = [n for n, p in encoder.named_parameters() if p.requires_grad]
    assert len(trainable) == 2 * 4
    assert all(n.split(".")[-2] in ("a_q", "b_q", "a_v", "b_v") for n in trainable)


def test_export_merges_a_copy() -> None:
    model = SamMix(tiny_vit_config(lora_rank=2))
    modules = export_modules(model)
    assert not any(isinstance(m, LoraQkv) for m in modules["encoder"].modules())
    assert any(isinstance(m, LoraQkv) for m in model.modules())
