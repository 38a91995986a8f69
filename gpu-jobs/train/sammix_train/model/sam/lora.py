"""Low-rank adaptation of the q and v projections of SAM's fused `qkv` layers.

Source: Hu et al. 2021 (LoRA). q and v only; scale 1; A ~ N(0, 0.01), B = 0, so the adapted
layer starts as the original one.
"""

import torch
from torch import Tensor, nn


class LoraQkv(nn.Module):
    """Wraps `nn.Linear(dim, 3 * dim)`; the k third is left alone."""

    def __init__(self, qkv: nn.Linear, rank: int) -> None:
        super().__init__()
        dim = qkv.in_features
        self.base = qkv
        self.a_q = nn.Linear(dim, rank, bias=False)
        self.b_q = nn.Linear(rank, dim, bias=False)
        self.a_v = nn.Linear(dim, rank, bias=False)
        self.b_v = nn.Linear(rank, dim, bias=False)
        for down, up in ((self.a_q, self.b_q), (self.a_v, self.b_v)):
            nn.init.normal_(down.weight, std=0.01)
            nn.init.zeros_(up.weight)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.base(x).chunk(3, dim=-1)
        return torch.cat([q + self.b_q(self.a_q(x)), k, v + self.b_v(self.a_v(x))], dim=-1)

    def merged(self) -> nn.Linear:
        """The equivalent plain linear layer, for export."""
        dim = self.base.in_features
        merged = nn.Linear(dim, 3 * dim, bias=self.base.bias is not None)
        with torch.no_grad():
            weight = self.base.weight.clone()
            weight[:dim] += self.b_q.weight @ self.a_q.weight
            weight[-dim:] += self.b_v.weight @ self.a_v.weight
            merged.weight.copy_(weight)
            if self.base.bias is not None:
                merged.bias.copy_(self.base.bias)
        return merged


def add_lora(encoder: nn.Module, rank: int) -> None:
    """Wraps every block's `attn.qkv` of `encoder` and freezes everything else in it."""
    for parameter in encoder.parameters():
        parameter.requires_grad_(False)
    for block in encoder.blocks:
        block.attn.qkv = LoraQkv(block.attn.qkv, rank)


def merge_lora(encoder: nn.Module) -> None:
    """Replaces every `LoraQkv` by its merged linear layer, in place."""
    for block in encoder.blocks:
        if isinstance(block.attn.qkv, LoraQkv):
            block.attn.qkv = block.attn.qkv.merged()
