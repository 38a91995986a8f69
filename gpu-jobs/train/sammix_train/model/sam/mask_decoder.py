"""SAM's mask decoder, with SAM 2's optional high-resolution features during upsampling.

Sources: Kirillov et al. 2023 (Segment Anything); Ravi et al. 2024 (SAM 2, skip features).
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from .layers import LayerNorm2d
from .transformer import TwoWayTransformer

NUM_MASKS = 3  # multi-mask outputs; token 0 is SAM's single-mask output, unused here


class TokenMlp(nn.Module):
    """ReLU MLP on a token; keys `layers.0` ... as in SAM."""

    def __init__(self, dim: int, hidden: int, out: int, depth: int) -> None:
        super().__init__()
        widths = [dim, *[hidden] * (depth - 1), out]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers[:-1]:
            x = torch.relu(layer(x))
        return self.layers[-1](x)


class RefineBlock(nn.Module):
    """Residual 3x3 convolution that mixes upsampled embedding and skip features."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, kernel_size=3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.norm(self.conv(x)))


class MaskDecoder(nn.Module):
    """Embedding float32[n, c, e, e] and prompts -> 3 masks on a 4e grid with scores.

    `high_res` adds features float32[n, c / 4, 2e, 2e] and float32[n, c / 8, 4e, 4e] while
    upsampling. It swaps the layer norm there for batch norm, which is several times faster on CPUs.
    """

    def __init__(
        self,
        channels: int = 256,
        depth: int = 2,
        num_heads: int = 8,
        mlp_dim: int = 2048,
        score_hidden: int = 256,
        high_res: bool = False,
    ) -> None:
        super().__init__()
        self.high_res = high_res
        self.transformer = TwoWayTransformer(depth, channels, num_heads, mlp_dim)
        self.iou_token = nn.Embedding(1, channels)
        self.mask_tokens = nn.Embedding(NUM_MASKS + 1, channels)
        norm = nn.BatchNorm2d if high_res else LayerNorm2d
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(channels, channels // 4, kernel_size=2, stride=2),
            norm(channels // 4),
            nn.GELU(),
            nn.ConvTranspose2d(channels // 4, channels // 8, kernel_size=2, stride=2),
            nn.GELU(),
        )
        if high_res:
            self.refine_s4 = RefineBlock(channels // 4)
            self.refine_s2 = RefineBlock(channels // 8)
        self.output_hypernetworks_mlps = nn.ModuleList(
            TokenMlp(channels, channels, channels // 8, 3) for _ in range(NUM_MASKS + 1)
        )
        self.iou_prediction_head = TokenMlp(channels, score_hidden, NUM_MASKS + 1, 3)

    def forward(
        self,
        embedding: Tensor,
        image_pe: Tensor,
        sparse: Tensor,
        dense: Tensor,
        high_res: tuple[Tensor, Tensor] | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns mask logits float32[n, 3, 4e, 4e] and scores float32[n, 3].

        Args:
            embedding: image embedding float32[n, c, e, e].
            image_pe: position encoding float32[1, c, e, e].
            sparse: prompt tokens float32[n, t, c], one set per image.
            dense: dense prompt float32[n, c, e, e], added to the embedding.
            high_res: encoder features at 2e and 4e, when the decoder was built for them.
        """
        n = embedding.shape[0]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own[None].expand(n, -1, -1), sparse], dim=1)
        tokens, image = self.transformer(embedding + dense, image_pe, tokens)
        image = image.transpose(1, 2).reshape(embedding.shape)
        upscaled = self._upscale(image, high_res)
        weights = torch.stack(
            [self.output_hypernetworks_mlps[i](tokens[:, 1 + i]) for i in range(1, NUM_MASKS + 1)],
            dim=1,
        )
        masks = (weights @ upscaled.flatten(2)).unflatten(2, upscaled.shape[2:])
        return masks, self.iou_prediction_head(tokens[:, 0])[:, 1:]

    def _upscale(self, image: Tensor, high_res: tuple[Tensor, Tensor] | None) -> Tensor:
        """float32[n, c, e, e] -> float32[n, c / 8, 4e, 4e]."""
        if not self.high_res or high_res is None:
            return self.output_upscaling(image)
        to_s4, norm, gelu, to_s2, _ = self.output_upscaling
        s4, s2 = high_res
        x = self.refine_s4(gelu(norm(to_s4(image) + s4)))
        return self.refine_s2(gelu(to_s2(x) + s2))
