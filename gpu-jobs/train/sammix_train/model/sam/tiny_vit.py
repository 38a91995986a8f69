"""TinyViT as LiteMedSAM has it: an image encoder of 5.7 M parameters for 256 x 256 pixels.

Sources: Wu et al. 2022 (TinyViT); Ma et al. 2024 (MedSAM; its "lite" variant). The embedding has a
quarter of the image's side, since two of the usual five halvings are left out. Parameter names are
those of the published checkpoint.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .layers import LayerNorm2d

WIDTHS = (64, 128, 160, 320)
DEPTHS = (2, 2, 6, 2)
HEADS = (2, 4, 5, 10)
WINDOWS = (7, 7, 14, 7)
STRIDES = (2, 2, 1)  # between stages; stage 0 has the image's own resolution
EXPANSION = 4
EMBEDDING_CHANNELS = 256


class ConvNorm(nn.Sequential):
    """Convolution `c` without bias, batch norm `bn`."""

    def __init__(
        self, c_in: int, c_out: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        padding = kernel // 2
        conv = nn.Conv2d(c_in, c_out, kernel, stride, padding, groups=groups, bias=False)
        self.add_module("c", conv)
        self.add_module("bn", nn.BatchNorm2d(c_out))


class PatchEmbed(nn.Module):
    """Pointwise features of every pixel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.seq = nn.Sequential(ConvNorm(3, half), nn.GELU(), ConvNorm(half, channels))

    def forward(self, image: Tensor) -> Tensor:
        return self.seq(image)


class InvertedBottleneck(nn.Module):
    """MBConv: widen, depthwise 3x3, narrow, with a skip connection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        wide = EXPANSION * channels
        self.conv1 = ConvNorm(channels, wide)
        self.conv2 = ConvNorm(wide, wide, kernel=3, groups=wide)
        self.conv3 = ConvNorm(wide, channels)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(hidden))


class Merging(nn.Module):
    """To the next stage's width, and to half the resolution where its stride is 2."""

    def __init__(self, c_in: int, c_out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(c_in, c_out)
        self.conv2 = ConvNorm(c_out, c_out, kernel=3, stride=stride, groups=c_out)
        self.conv3 = ConvNorm(c_out, c_out)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class WindowAttention(nn.Module):
    """Attention within a window, with a bias for each distance |dy|, |dx|; pre-norm.

    float32[n, window * window, channels]. In `qkv`, q, k and v of a head lie beside each other.
    """

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = self.qkv_groups = heads
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        cells = torch.arange(window * window)
        y, x = cells // window, cells % window
        # biases are numbered as distances from the window's first cell, row by row
        distance = (y[:, None] - y).abs() * window + (x[:, None] - x).abs()
        self.register_buffer("distance", distance, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        n, count, channels = x.shape
        per_head = self.qkv(self.norm(x)).reshape(n, count, self.heads, -1).transpose(1, 2)
        q, k, v = per_head.chunk(3, dim=-1)
        scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
        scores = scores + self.attention_biases[:, self.distance]
        return self.proj((scores.softmax(dim=-1) @ v).transpose(1, 2).reshape(n, count, channels))


class Mlp(nn.Module):
    """Pre-norm MLP."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, EXPANSION * channels)
        self.fc2 = nn.Linear(EXPANSION * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class WindowBlock(nn.Module):
    """Window attention, a depthwise convolution across windows, MLP: float32[n, c, h, w]."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(channels, heads, window)
        self.local_conv = ConvNorm(channels, channels, kernel=3, groups=channels)
        self.mlp = Mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        x = self.local_conv(x + self._attended(x))
        return x + self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def _attended(self, x: Tensor) -> Tensor:
        """Zeros fill up the last windows, as in the published model."""
        n, c, h, w = x.shape
        side = self.window
        padded = F.pad(x, (0, -w % side, 0, -h % side))
        rows, cols = padded.shape[2] // side, padded.shape[3] // side
        cells = padded.reshape(n, c, rows, side, cols, side).permute(0, 2, 4, 3, 5, 1)
        out = self.attn(cells.reshape(-1, side * side, c))
        out = out.reshape(n, rows, cols, side, side, c).permute(0, 5, 1, 3, 2, 4)
        return out.reshape(n, c, rows * side, cols * side)[:, :, :h, :w]


class Stage(nn.Module):
    """Blocks of one resolution and the way to the next."""

    def __init__(self, blocks: list[nn.Module], merging: Merging | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = merging

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """float32[n, 3, s, s] in [0, 1] -> embedding float32[n, 256, s / 4, s / 4]."""

    def __init__(self) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(WIDTHS[0])
        stages = []
        for i, (width, depth) in enumerate(zip(WIDTHS, DEPTHS, strict=True)):
            if i == 0:
                blocks = [InvertedBottleneck(width) for _ in range(depth)]
            else:
                blocks = [WindowBlock(width, HEADS[i], WINDOWS[i]) for _ in range(depth)]
            last = i == len(WIDTHS) - 1
            merging = None if last else Merging(width, WIDTHS[i + 1], STRIDES[i])
            stages.append(Stage(blocks, merging))
        self.layers = nn.ModuleList(stages)
        self.neck = nn.Sequential(
            nn.Conv2d(WIDTHS[-1], EMBEDDING_CHANNELS, kernel_size=1, bias=False),
            LayerNorm2d(EMBEDDING_CHANNELS),
            nn.Conv2d(EMBEDDING_CHANNELS, EMBEDDING_CHANNELS, kernel_size=3, padding=1, bias=False),
            LayerNorm2d(EMBEDDING_CHANNELS),
        )

    def forward(self, image: Tensor) -> Tensor:
        x = self.patch_embed(image)
        for stage in self.layers:
            x = stage(x)
        return self.neck(x)
