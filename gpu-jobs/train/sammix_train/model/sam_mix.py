"""SAM-Mix: classifier, image encoder, and prompt-conditioned mask decoder."""

from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..config import SLICE_SIZE_PX, ModelConfig
from .classifier import CamClassifier
from .sam.hybrid_encoder import HybridEncoder
from .sam.image_encoder import ImageEncoderViT
from .sam.lora import add_lora
from .sam.mask_decoder import MaskDecoder
from .sam.prompt_encoder import PromptEncoder
from .sam.tiny_vit import TinyViT

MASK_PROMPT_LOGIT = 8.0
SAM_MEAN = (123.675 / 255, 116.28 / 255, 103.53 / 255)
SAM_STD = (58.395 / 255, 57.12 / 255, 57.375 / 255)


class KeptEmbeddings(Protocol):
    """Serves what a frozen encoder would compute (`frozen.embeddings`)."""

    def encoded(self, image: Tensor) -> tuple[Tensor]:
        """As `SliceEncoder.forward`."""


class SliceEncoder(nn.Module):
    """float32[n, 1, 256, 256] in [0, 1] -> tuple of encoder outputs, the embedding first.

    With `kept`, outputs come from there: only right while the weights do not change.
    """

    kept: KeptEmbeddings | None = None

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.image_size = config.image_size
        self.encoder = config.encoder
        self.image_encoder = _image_encoder(config)
        if config.lora_rank:
            add_lora(self.image_encoder, config.lora_rank)
        self.register_buffer("mean", torch.tensor(SAM_MEAN).reshape(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(SAM_STD).reshape(1, 3, 1, 1), persistent=False)

    def forward(self, image: Tensor) -> tuple[Tensor, ...]:
        if self.kept is not None:
            return self.kept.encoded(image)
        if self.encoder == "hybrid":
            return self.image_encoder(image)
        if self.encoder == "tiny_vit":
            return (self.image_encoder(image.expand(-1, 3, -1, -1)),)
        size = (self.image_size, self.image_size)
        image = F.interpolate(image, size=size, mode="bilinear")
        return (self.image_encoder((image.expand(-1, 3, -1, -1) - self.mean) / self.std),)


class PromptedDecoder(nn.Module):
    """Encoder outputs, CAM mask and box -> mask logits on the slice grid and scores."""

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.prompt_encoder = PromptEncoder(config.channels, config.embedding_grid, SLICE_SIZE_PX)
        self.mask_decoder = MaskDecoder(
            channels=config.channels,
            mlp_dim=config.decoder_mlp,
            score_hidden=config.channels,
            high_res=config.encoder == "hybrid",
        )

    def dense_prompt(self, cam_mask: Tensor) -> Tensor:
        """float32[n, 1, 256, 256] of 0 and 1 -> float32[n, c, e, e], added to the embedding."""
        grid = 4 * self.prompt_encoder.grid
        if grid <= SLICE_SIZE_PX:
            pooled = F.avg_pool2d(cam_mask, SLICE_SIZE_PX // grid)
        else:
            pooled = F.interpolate(cam_mask, size=(grid, grid), mode="bilinear")
        return self.prompt_encoder.embed_masks((2 * pooled - 1) * MASK_PROMPT_LOGIT)

    def forward(self, encoded: tuple[Tensor, ...], cam_mask: Tensor, box: Tensor) -> tuple:
        """Returns mask logits float32[n, 3, 256, 256] and scores float32[n, 3].

        Args:
            encoded: outputs of `SliceEncoder`.
            cam_mask: float32[n, 1, 256, 256], 0 or 1.
            box: float32[n, 4], inclusive x0, y0, x1, y1 in slice pixels.
        """
        masks, scores = self.mask_decoder(
            encoded[0],
            self.prompt_encoder.dense_pe(),
            self.prompt_encoder.embed_boxes(box),
            self.dense_prompt(cam_mask),
            encoded[1:] or None,
        )
        size = (SLICE_SIZE_PX, SLICE_SIZE_PX)
        return F.interpolate(masks, size=size, mode="bilinear"), scores


class SamMix(nn.Module):
    """The three networks that one bundle holds, and a 1x1 convolution that only training uses.

    `outline` makes mask logits of the hybrid encoder's finest features (deep supervision).
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.classifier = CamClassifier(
            config.classifier_width, config.classifier_blocks, config.cam_grid
        )
        self.encoder = SliceEncoder(config)
        self.decoder = PromptedDecoder(config)
        if config.encoder == "hybrid":
            self.outline = nn.Conv2d(config.channels // 8, 1, kernel_size=1)

    def outline_logits(self, finest: Tensor) -> Tensor:
        """Mask logits float32[n, 1, 256, 256] of the hybrid encoder's last output, unprompted."""
        size = (SLICE_SIZE_PX, SLICE_SIZE_PX)
        return F.interpolate(self.outline(finest), size=size, mode="bilinear")

    def segment(self, image: Tensor, cam_mask: Tensor, box: Tensor) -> tuple[Tensor, Tensor]:
        """Mask logits float32[n, 3, 256, 256] and scores float32[n, 3] for given prompts."""
        return self.decoder(self.encoder(image), cam_mask, box)


def _image_encoder(config: ModelConfig) -> nn.Module:
    if config.encoder == "hybrid":
        return HybridEncoder(
            config.widths,
            config.residual_blocks,
            config.vit_depth,
            config.vit_heads,
            config.channels,
            config.image_size,
        )
    if config.encoder == "tiny_vit":
        return TinyViT()
    return ImageEncoderViT(
        image_size=config.image_size,
        dim=config.vit_dim,
        depth=config.vit_depth,
        num_heads=config.vit_heads,
        out_channels=config.channels,
        window=config.window,
        global_blocks=config.global_blocks,
    )


def to_device(model: SamMix, device: str) -> SamMix:
    """The model there, channels last: 6 % faster mask branch, 16 % faster classifier on a CPU.

    Not for a classifier of 8 channels: in the backward pass of its 1x1 stride-2 shortcut oneDNN
    3.13 (torch 2.15) crashes in that layout on CPUs with AVX-512.
    """
    narrow = model.config.classifier_width <= 8
    layout = torch.contiguous_format if narrow else torch.channels_last
    return model.to(device, memory_format=layout)


def best_mask(mask_logits: Tensor, scores: Tensor) -> Tensor:
    """The highest-scored mask of each slice: float32[n, 256, 256]."""
    return mask_logits[torch.arange(len(scores)), scores.argmax(dim=1)]
