"""A small convolution + ViT image encoder for CPUs, in the spirit of SAM 2's pyramid.

Strides 2, 4 and 8 are convolutional, stride 16 is a short global-attention ViT with the same
blocks as SAM's encoder (so LoRA applies), and a top-down path leads what it knows back to stride 8,
the embedding, and on to strides 4 and 2, whose features go to the mask decoder as in SAM 2 (Ravi et
al. 2024). Going down to the fine strides too is the U-Net's part in it (Ronneberger et al. 2015):
the decoder's last steps then add features that know what organ they show, not bare edges.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .image_encoder import Block


def conv_norm_relu(c_in: int, c_out: int, stride: int = 1) -> nn.Sequential:
    """3x3 convolution, batch norm, ReLU."""
    return nn.Sequential(
        nn.Conv2d(c_in, c_out, kernel_size=3, stride=stride, padding=1, bias=False),
        nn.BatchNorm2d(c_out),
        nn.ReLU(inplace=True),
    )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions with a skip connection, same width."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv_norm_relu(channels, channels)
        self.conv2 = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.norm2(self.conv2(self.conv1(x))))


class TopDown(nn.Module):
    """A coarse map, enlarged, joins the features of twice its resolution.

    float32[n, c_coarse, h, w] and float32[n, c_skip, 2h, 2w] -> float32[n, c_out, 2h, 2w].
    """

    def __init__(self, c_coarse: int, c_skip: int, c_out: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(c_coarse, c_out, kernel_size=1)
        self.lateral = nn.Conv2d(c_skip, c_out, kernel_size=1)
        self.mix = ResidualBlock(c_out)

    def forward(self, coarse: Tensor, skip: Tensor) -> Tensor:
        enlarged = F.interpolate(self.reduce(coarse), scale_factor=2.0, mode="nearest")
        return self.mix(enlarged + self.lateral(skip))


class HybridEncoder(nn.Module):
    """float32[n, 1, 256, 256] in [0, 1] -> embedding and two high-resolution feature maps.

    Outputs: float32[n, c, 32, 32], float32[n, c / 4, 64, 64], float32[n, c / 8, 128, 128].

    Args:
        widths: channels at strides 2, 4, 8 and 16; the last is the ViT's width.
        residual_blocks: residual blocks at strides 2, 4 and 8.
        depth: number of ViT blocks.
        num_heads: attention heads of each block.
        out_channels: c, the decoder's width.
        image_size: side of the input in pixels.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        residual_blocks: tuple[int, int, int],
        depth: int,
        num_heads: int,
        out_channels: int,
        image_size: int = 256,
    ) -> None:
        super().__init__()
        s2, s4, s8, s16 = widths
        grid = image_size // 16
        self.stage2, self.stage4, self.stage8 = (
            nn.Sequential(
                conv_norm_relu(c_in, c_out, stride=2), *(ResidualBlock(c_out) for _ in range(count))
            )
            for c_in, c_out, count in zip((1, s2, s4), (s2, s4, s8), residual_blocks, strict=True)
        )
        self.stage16 = nn.Sequential(
            nn.Conv2d(s8, s16, kernel_size=3, stride=2, padding=1, bias=False),
            nn.BatchNorm2d(s16),
        )
        self.pos_embed = nn.Parameter(torch.zeros(1, grid, grid, s16))
        self.blocks = nn.ModuleList(Block(s16, num_heads, grid, 0, 4.0) for _ in range(depth))
        self.norm = nn.LayerNorm(s16)
        self.lateral16 = nn.Conv2d(s16, out_channels, kernel_size=1)
        self.lateral8 = nn.Conv2d(s8, out_channels, kernel_size=1)
        self.smooth = nn.Sequential(
            nn.Conv2d(out_channels, out_channels, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out_channels),
        )
        self.down4 = TopDown(out_channels, s4, out_channels // 4)
        self.down2 = TopDown(out_channels // 4, s2, out_channels // 8)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        s2 = self.stage2(image)
        s4 = self.stage4(s2)
        s8 = self.stage8(s4)
        tokens = self.stage16(s8).permute(0, 2, 3, 1) + self.pos_embed
        for block in self.blocks:
            tokens = block(tokens)
        top = self.lateral16(self.norm(tokens).permute(0, 3, 1, 2))
        top = F.interpolate(top, scale_factor=2.0, mode="nearest")
        embedding = self.smooth(top + self.lateral8(s8))
        high_res_s4 = self.down4(embedding, s4)
        return embedding, high_res_s4, self.down2(high_res_s4, s2)
