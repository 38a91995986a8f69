"""Low-rank adaptation of the q and v projections of fused `qkv` layers.

Source: Hu et al. 2021 (LoRA). q and v only; scale 1; A ~ N(0, 0.01), B = 0, so the adapted
layer starts as the original one.
"""

import torch
from torch import Tensor, nn


class LoraQkv(nn.Module):
    """Wraps `nn.Linear(dim, 3 * dim)`; its k is left alone.

    Args:
        qkv: the layer.
        rank: of both updates.
        groups: how often q, k and v follow each other in the layer's outputs: once in SAM's blocks,
            once for each head in TinyViT's.
    """

    def __init__(self, qkv: nn.Linear, rank: int, groups: int = 1) -> None:
        super().__init__()
        dim = qkv.in_features
        self.base = qkv
        self.groups = groups
        self.a_q = nn.Linear(dim, rank, bias=False)
        self.b_q = nn.Linear(rank, dim, bias=False)
        self.a_v = nn.Linear(dim, rank, bias=False)
        self.b_v = nn.Linear(rank, dim, bias=False)
        for down, up in ((self.a_q, self.b_q), (self.a_v, self.b_v)):
            nn.init.normal_(down.weight, std=0.01)
            nn.init.zeros_(up.weight)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.base(x).unflatten(-1, (self.groups, 3, -1)).unbind(-2)
        q = q + self.b_q(self.a_q(x)).unflatten(-1, (self.groups, -1))
        v = v + self.b_v(self.a_v(x)).unflatten(-1, (self.groups, -1))
        return torch.stack([q, k, v], dim=-2).flatten(-3)

    def merged(self) -> nn.Linear:
        """The equivalent plain linear layer, for export."""
        dim = self.base.in_features
        merged = nn.Linear(dim, 3 * dim, bias=self.base.bias is not None)
        with torch.no_grad():
            weight = self.base.weight.clone()
            parts = weight.view(self.groups, 3, -1, dim)
            parts[:, 0] += (self.b_q.weight @ self.a_q.weight).view(self.groups, -1, dim)
            parts[:, 2] += (self.b_v.weight @ self.a_v.weight).view(self.groups, -1, dim)
            merged.weight.copy_(weight)
            if self.base.bias is not None:
                merged.bias.copy_(self.base.bias)
        return merged


def add_lora(encoder: nn.Module, rank: int) -> None:
    """Wraps the `qkv` of every attention of `encoder` and freezes everything else in it."""
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    for attention in _attentions(encoder):
        attention.qkv = LoraQkv(attention.qkv, rank, attention.qkv_groups)


def merge_lora(encoder: nn.Module) -> None:
    """Replaces every `LoraQkv` by its merged linear layer, in place."""
    for attention in _attentions(encoder):
        if isinstance(attention.qkv, LoraQkv):
            attention.qkv = attention.qkv.merged()


def _attentions(encoder: nn.Module) -> list[nn.Module]:
    return [module for module in encoder.modules() if hasattr(module, "qkv")]
