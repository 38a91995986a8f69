"""LoRA starts as a no-op, merges exactly, and leaves k alone."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from sammix_train.export.graphs import export_modules
from sammix_train.model.sam.image_encoder import ImageEncoderViT
from sammix_train.model.sam.lora import LoraQkv, add_lora, merge_lora
from sammix_train.model.sam.tiny_vit import TinyViT, WindowAttention
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.loop import set_training_mode

from .conftest import tiny_vit_config


def small_vit() -> ImageEncoderViT:
    torch.manual_seed(0)
    return ImageEncoderViT(
        image_size=64, dim=24, depth=2, num_heads=2, out_channels=16, window=3, global_blocks=(1,)
    )


def small_tiny_vit() -> TinyViT:
    """LiteMedSAM's encoder as it is; small are the images it is shown."""
    torch.manual_seed(0)
    return TinyViT().eval()


ENCODERS = pytest.mark.parametrize("make", [small_vit, small_tiny_vit])


@ENCODERS
def test_fresh_lora_changes_nothing(make: Callable[[], nn.Module]) -> None:
    encoder, x = make(), torch.rand(1, 3, 64, 64)
    before = encoder(x)
    add_lora(encoder, rank=4)
    assert torch.equal(encoder(x), before)


@ENCODERS
def test_merge_is_exact(make: Callable[[], nn.Module]) -> None:
    encoder, x = make(), torch.rand(1, 3, 64, 64)
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


def test_each_head_of_a_window_gets_its_share() -> None:
    """q, k and v of a head lie beside each other there."""
    attention = WindowAttention(channels=12, heads=3, window=2)
    layer = LoraQkv(attention.qkv, rank=2, groups=attention.qkv_groups)
    nn.init.normal_(layer.b_q.weight)
    nn.init.normal_(layer.b_v.weight)
    x = torch.rand(5, 4, 12)
    change = (layer(x) - layer.base(x)).reshape(5, 4, attention.heads, -1).transpose(1, 2)
    q, k, v = change.chunk(3, dim=-1)
    assert torch.equal(k, torch.zeros_like(k))
    wanted = layer.b_q(layer.a_q(x)).reshape(5, 4, 3, 4).transpose(1, 2)
    assert torch.allclose(q, wanted, atol=1e-6)
    assert v.abs().max() > 1e-4


def test_a_tiny_vit_under_lora_keeps_its_batch_norms() -> None:
    encoder = small_tiny_vit()
    add_lora(encoder, rank=2)
    trainable = [n for n, p in encoder.named_parameters() if p.requires_grad]
    assert len(trainable) == (2 + 6 + 2) * 4
    set_training_mode(encoder)
    before = {n: b.clone() for n, b in encoder.named_buffers()}
    encoder(torch.rand(2, 3, 32, 32)).square().mean().backward()
    assert all(torch.equal(b, before[n]) for n, b in encoder.named_buffers())
    learnt = [p.grad for n, p in encoder.named_parameters() if ".b_q." in n]
    assert all(g is not None and g.abs().max() > 0 for g in learnt)


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
