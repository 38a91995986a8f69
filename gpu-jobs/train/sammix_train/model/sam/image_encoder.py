"""SAM's ViT image encoder: windowed attention with decomposed relative positions.

Parameter names equal the reference package's, so its checkpoints load unchanged.
Source: Kirillov et al. 2023 (Segment Anything), Li et al. 2022 (ViTDet, relative positions).
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import LayerNorm2d, MlpBlock


def resize_rel_pos(rel_pos: Tensor, length: int) -> Tensor:
    """Linearly resizes float32[m, d] to float32[length, d]; a no-op when m already fits."""
    if rel_pos.shape[0] == length:
        return rel_pos
    resized = F.interpolate(rel_pos.T[None], size=length, mode="linear")
    return resized[0].T


def relative_table(grid: int, rel_pos: Tensor) -> Tensor:
    """Looks up float32[grid, grid, d]: entry (q, k) belongs to the offset q - k."""
    rel_pos = resize_rel_pos(rel_pos, 2 * grid - 1)
    coords = torch.arange(grid, device=rel_pos.device)
    offsets = coords[:, None] - coords[None, :] + grid - 1
    return rel_pos[offsets]


class Attention(nn.Module):
    """Multi-head attention over float32[b, h, w, dim] with a fused `qkv` projection."""

    qkv_groups = 1  # q of all heads, then k, then v

    def __init__(self, dim: int, num_heads: int, grid: int) -> None:
        super().__init__()
        self.num_heads = num_heads
        head_dim = dim // num_heads
        self.scale = head_dim**-0.5
        self.qkv = nn.Linear(dim, dim * 3)
        self.proj = nn.Linear(dim, dim)
        self.rel_pos_h = nn.Parameter(torch.zeros(2 * grid - 1, head_dim))
        self.rel_pos_w = nn.Parameter(torch.zeros(2 * grid - 1, head_dim))

    def forward(self, x: Tensor) -> Tensor:
        b, h, w, dim = x.shape
        qkv = self.qkv(x).reshape(b, h * w, 3, self.num_heads, -1).permute(2, 0, 3, 1, 4)
        q, k, v = qkv.reshape(3, b * self.num_heads, h * w, -1).unbind(0)
        logits = (q * self.scale) @ k.transpose(-2, -1)
        logits = logits + self._position_bias(q, h, w)
        out = logits.softmax(dim=-1) @ v
        out = out.reshape(b, self.num_heads, h, w, -1).permute(0, 2, 3, 1, 4)
        return self.proj(out.reshape(b, h, w, dim))

    def _position_bias(self, q: Tensor, h: int, w: int) -> Tensor:
        """float32[b * heads, h * w, h * w]: row offset term plus column offset term."""
        q_grid = q.reshape(q.shape[0], h, w, -1)
        rows = torch.einsum("bhwc,hkc->bhwk", q_grid, relative_table(h, self.rel_pos_h))
        cols = torch.einsum("bhwc,wkc->bhwk", q_grid, relative_table(w, self.rel_pos_w))
        bias = rows[..., :, None] + cols[..., None, :]
        return bias.reshape(q.shape[0], h * w, h * w)


def partition_windows(x: Tensor, window: int) -> tuple[Tensor, tuple[int, int]]:
    """Splits float32[b, h, w, c] into float32[b * windows, window, window, c], zero-padded."""
    b, h, w, c = x.shape
    pad_h, pad_w = -h % window, -w % window
    x = F.pad(x, (0, 0, 0, pad_w, 0, pad_h))
    padded_h, padded_w = h + pad_h, w + pad_w
    x = x.reshape(b, padded_h // window, window, padded_w // window, window, c)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, window, window, c), (padded_h, padded_w)


def merge_windows(x: Tensor, padded: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Inverse of `partition_windows`, cropping the padding away."""
    window, c = x.shape[1], x.shape[-1]
    rows, cols = padded[0] // window, padded[1] // window
    x = x.reshape(-1, rows, cols, window, window, c).permute(0, 1, 3, 2, 4, 5)
    return x.reshape(-1, padded[0], padded[1], c)[:, : size[0], : size[1]]


class Block(nn.Module):
    """Pre-norm transformer block on float32[b, h, w, dim]; `window` 0 means global attention."""

    def __init__(self, dim: int, num_heads: int, grid: int, window: int, mlp_ratio: float) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(dim, eps=1e-6)
        self.attn = Attention(dim, num_heads, window or grid)
        self.norm2 = nn.LayerNorm(dim, eps=1e-6)
        self.mlp = MlpBlock(dim, int(dim * mlp_ratio), nn.GELU)

    def forward(self, x: Tensor) -> Tensor:
        normed = self.norm1(x)
        if self.window:
            windows, padded = partition_windows(normed, self.window)
            attended = merge_windows(self.attn(windows), padded, (x.shape[1], x.shape[2]))
        else:
            attended = self.attn(normed)
        x = x + attended
        return x + self.mlp(self.norm2(x))


class PatchEmbed(nn.Module):
    """Non-overlapping patches: float32[n, 3, s, s] -> float32[n, s / patch, s / patch, dim]."""

    def __init__(self, patch: int, dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dim, kernel_size=patch, stride=patch)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)


class ImageEncoderViT(nn.Module):
    """float32[n, 3, image_size, image_size], normalised -> float32[n, out_channels, e, e]."""

    def __init__(
        self,
        image_size: int = 1024,
        patch: int = 16,
        dim: int = 768,
        depth: int = 12,
        num_heads: int = 12,
        out_channels: int = 256,
        window: int = 14,
        global_blocks: tuple[int, ...] = (2, 5, 8, 11),
    ) -> None:
        super().__init__()
        grid = image_size // patch
        self.image_size = image_size
        self.patch_embed = PatchEmbed(patch, dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, dim))
        self.blocks = nn.ModuleList(
            Block(dim, num_heads, grid, 0 if i in global_blocks else window, 4.0)
            for i in range(depth)
        )
        self.neck = nn.Sequential(
            nn.Conv2d(dim, out_channels, kernel_size=1, bias=False),
            LayerNorm2d(out_channels),
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x) + self.pos_embed
        for block in self.blocks:
            x = block(x)
        return self.neck(x.permute(0, 3, 1, 2))
