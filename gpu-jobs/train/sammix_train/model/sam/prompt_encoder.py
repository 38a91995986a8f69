"""SAM's prompt encoder: boxes, points and mask logits to token and dense embeddings.

Source: Kirillov et al. 2023 (Segment Anything); random Fourier features after Tancik et al. 2020.
"""

import math

import torch
from torch import Tensor, nn

from .layers import LayerNorm2d

BOX_TOP_LEFT, BOX_BOTTOM_RIGHT = 2, 3


class PositionEmbeddingRandom(nn.Module):
    """Fourier features of positions in [0, 1]^2 with a fixed random projection."""

    def __init__(self, half_channels: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, half_channels))

    def encode(self, xy: Tensor) -> Tensor:
        """float32[..., 2] (x, y) in [0, 1] -> float32[..., 2 * half_channels]."""
        phase = 2 * math.pi * ((2 * xy - 1) @ self.positional_encoding_gaussian_matrix)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)

    def forward(self, grid: int) -> Tensor:
        """Encodings of a square grid's cell centres: float32[2 * half_channels, grid, grid]."""
        matrix = self.positional_encoding_gaussian_matrix
        centres = (torch.arange(grid, device=matrix.device, dtype=matrix.dtype) + 0.5) / grid
        y, x = torch.meshgrid(centres, centres, indexing="ij")
        return self.encode(torch.stack([x, y], dim=-1)).permute(2, 0, 1)


class PromptEncoder(nn.Module):
    """Encodes prompts given in pixels of a square `prompt_size_px` image."""

    def __init__(
        self, channels: int, grid: int, prompt_size_px: int, mask_channels: int = 16
    ) -> None:
        super().__init__()
        self.grid = grid
        self.prompt_size_px = prompt_size_px
        self.pe_layer = PositionEmbeddingRandom(channels // 2)
        # negative point, positive point, box top-left, box bottom-right
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, channels) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, channels)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, kernel_size=2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, channels, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, channels)

    def dense_pe(self) -> Tensor:
        """Position encoding of the embedding grid: float32[1, channels, grid, grid]."""
        return self.pe_layer(self.grid)[None]

    def embed_boxes(self, box: Tensor) -> Tensor:
        """float32[n, 4] inclusive x0, y0, x1, y1 in pixels -> float32[n, 2, channels]."""
        corners = (box.reshape(-1, 2, 2) + 0.5) / self.prompt_size_px
        kinds = torch.cat(
            [
                self.point_embeddings[BOX_TOP_LEFT].weight,
                self.point_embeddings[BOX_BOTTOM_RIGHT].weight,
            ]
        )
        return self.pe_layer.encode(corners) + kinds

    def embed_points(self, xy: Tensor, positive: Tensor) -> Tensor:
        """Points float32[n, k, 2] in pixels, bool[n, k] -> float32[n, k + 1, channels].

        The extra token is SAM's padding point, which marks that no box was given.
        """
        encoded = self.pe_layer.encode((xy + 0.5) / self.prompt_size_px)
        kinds = torch.where(
            positive[..., None], self.point_embeddings[1].weight, self.point_embeddings[0].weight
        )
        padding = self.not_a_point_embed.weight.expand(xy.shape[0], 1, -1)
        return torch.cat([encoded + kinds, padding], dim=1)

    def embed_masks(self, mask_logits: Tensor) -> Tensor:
        """float32[n, 1, 4 * grid, 4 * grid] logits -> float32[n, channels, grid, grid]."""
        return self.mask_downscaling(mask_logits)

    def no_mask(self, n: int) -> Tensor:
        """Dense embedding for "no mask given": float32[n, channels, grid, grid]."""
        return self.no_mask_embed.weight[:, :, None, None].expand(n, -1, self.grid, self.grid)
