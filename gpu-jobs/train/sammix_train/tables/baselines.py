"""What SAM-Mix is compared with: U-Net, the SAM branch with prompts from truth, and ablations.

Every baseline learns from the same slices, with the same draws and augmentation, as SAM-Mix.
Rows that take a box or a point from the truth are oracles, and are named so wherever they appear.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from scipy import ndimage
from torch import Tensor, nn

from ..config import ModelConfig, TrainConfig
from ..data.sampling import StepSampler
from ..data.slices import SlicePool
from ..evaluate.slices import dice
from ..model.cam import bounding_box
from ..model.sam_mix import PromptedDecoder, SamMix, best_mask, to_device
from ..step.losses import dice_loss, segmentation_loss
from ..step.training_step import labelled_batch, make_batch
from .imagenet import Centred, load_imagenet
from .optimise import Fit, fit

PROMPT_KINDS = ("mask+box", "box", "mask", "point")


class PromptSubsetDecoder(PromptedDecoder):
    """`PromptedDecoder` that sees only some prompts; its parameters have the same names.

    Args:
        config: shapes.
        prompts: "mask+box" (the method), "box" or "mask" (one of them), or "point": the first two
            numbers of each box are then the x and y of a positive point.
    """

    def __init__(self, config: ModelConfig, prompts: str) -> None:
        if prompts not in PROMPT_KINDS:
            raise ValueError(f"prompts must be one of {PROMPT_KINDS}, got {prompts!r}")
        super().__init__(config)
        self.prompts = prompts

    def forward(self, encoded: tuple[Tensor, ...], cam_mask: Tensor, box: Tensor) -> tuple:
        """As `PromptedDecoder.forward`."""
        masks, scores = self.mask_decoder(
            encoded[0],
            self.prompt_encoder.dense_pe(),
            self._sparse(box),
            self._dense(cam_mask),
            encoded[1:] or None,
        )
        return F.interpolate(masks, size=cam_mask.shape[2:], mode="bilinear"), scores

    def _sparse(self, box: Tensor) -> Tensor:
        if self.prompts == "point":
            positive = torch.ones(len(box), 1, dtype=torch.bool, device=box.device)
            return self.prompt_encoder.embed_points(box[:, None, :2], positive)
        tokens = self.prompt_encoder.embed_boxes(box)
        return tokens[:, :0] if self.prompts == "mask" else tokens

    def _dense(self, cam_mask: Tensor) -> Tensor:
        if self.prompts in ("mask+box", "mask"):
            return self.dense_prompt(cam_mask)
        return self.prompt_encoder.no_mask(len(cam_mask))


def prompted_model(config: ModelConfig, prompts: str, seed: int) -> SamMix:
    """A `SamMix` with fresh weights whose decoder sees only `prompts`."""
    torch.manual_seed(seed)
    model = SamMix(config)
    model.decoder = PromptSubsetDecoder(config, prompts)
    return model


@dataclass(frozen=True)
class UnetShape:
    """Encoder name of segmentation_models_pytorch, and channels from the deepest level up.

    `imagenet` is the encoder's weights, see `load_imagenet`; random ones without it.
    """

    encoder: str = "resnet34"
    decoder_channels: tuple[int, ...] = (256, 128, 64, 32, 16)
    imagenet: Path | None = None


def unet(shape: UnetShape) -> nn.Module:
    """U-Net float32[n, 1, h, w] in [0, 1] -> logits of that shape."""
    model = smp.Unet(
        encoder_name=shape.encoder,
        encoder_weights=None,
        in_channels=1,
        classes=1,
        decoder_channels=shape.decoder_channels,
    )
    if shape.imagenet is None:
        return model
    load_imagenet(model.encoder, shape.imagenet)
    return nn.Sequential(Centred(), model)


def centre_point(mask: np.ndarray) -> tuple[int, int]:
    """x and y of the pixel of bool[h, w] that lies deepest inside; the first one, if tied."""
    depth = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    y, x = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return int(x), int(y)


def truth_prompts(masks: np.ndarray, kind: str) -> tuple[Tensor, Tensor]:
    """Oracle prompts from non-empty truth bool[n, h, w]: mask float32[n, 1, h, w], box [n, 4].

    "box": the truth's bounding box, and as mask prompt that box filled, so that no finer shape
    leaks. "point": the deepest pixel, as a box of one pixel.
    """
    boxes, filled = [], np.zeros(masks.shape, dtype=np.float32)
    for i, mask in enumerate(masks):
        if kind == "point":
            x, y = centre_point(mask)
            box = np.array([x, y, x, y])
        else:
            box = bounding_box(mask)
        x0, y0, x1, y1 = box
        filled[i, y0 : y1 + 1, x0 : x1 + 1] = 1
        boxes.append(box.astype(np.float32))
    return torch.from_numpy(filled)[:, None], torch.from_numpy(np.stack(boxes))


@torch.no_grad()
def predict_with_truth(
    model: SamMix, pool: SlicePool, kind: str, device: str = "cpu", batch: int = 8
) -> np.ndarray:
    """Best mask's logits float32[n, 256, 256], prompted by an oracle box or point."""
    model.eval()
    logits = []
    for start in range(0, len(pool), batch):
        part = slice(start, start + batch)
        cam_mask, box = truth_prompts(pool.masks[part] > 0, kind)
        image = torch.from_numpy(pool.images[part].astype(np.float32) / 255)[:, None]
        found = model.segment(image.to(device), cam_mask.to(device), box.to(device))
        logits.append(best_mask(*found).float().cpu().numpy())
    return np.concatenate(logits)


@torch.no_grad()
def predict_unet(
    model: nn.Module, pool: SlicePool, device: str = "cpu", batch: int = 8
) -> np.ndarray:
    """Logits float32[n, 256, 256]."""
    model.eval()
    logits = []
    for start in range(0, len(pool), batch):
        image = torch.from_numpy(pool.images[start : start + batch].astype(np.float32) / 255)
        logits.append(model(image[:, None].to(device))[:, 0].float().cpu().numpy())
    return np.concatenate(logits)


def mean_dice(logits: np.ndarray, pool: SlicePool) -> float:
    """Mean per-slice Dice."""
    scores = [dice(a > 0, b > 0) for a, b in zip(logits, pool.masks, strict=True)]
    return float(np.mean(scores))


def with_target(pool: SlicePool) -> SlicePool:
    """The slices whose mask shows liver."""
    keep = np.flatnonzero(pool.masks.any(axis=(1, 2)))
    return SlicePool(pool.images[keep], pool.masks[keep], tuple(pool.records[i] for i in keep))


def fit_unet(
    shape: UnetShape,
    config: TrainConfig,
    pool: SlicePool,
    validation: SlicePool,
    device: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Fit:
    """U-Net on the labelled slices alone; BCE + Dice."""
    torch.manual_seed(config.seed)
    model = unet(shape).to(device, memory_format=torch.channels_last)
    sampler = StepSampler(pool, config)
    rng = np.random.default_rng(config.seed)

    def batch_loss() -> Tensor:
        batch = make_batch(pool, sampler.masked(rng), rng, device)
        logits = model(batch.strong)
        cross_entropy = F.binary_cross_entropy_with_logits(logits, batch.mask)
        return cross_entropy + dice_loss(logits.sigmoid(), batch.mask).mean()

    positives = with_target(validation)

    def score(average: nn.Module) -> float:
        return mean_dice(predict_unet(average, positives, device), positives)

    return fit(model, config, batch_loss, score, stopped)


def fit_oracle_prompted(
    model: SamMix,
    kind: str,
    config: TrainConfig,
    pool: SlicePool,
    validation: SlicePool,
    device: str,
    stopped: Callable[[], bool] = lambda: False,
) -> Fit:
    """The SAM branch on the labelled slices, prompted by their true boxes or centre points."""
    model = to_device(model, device)
    sampler = StepSampler(pool, config)
    rng = np.random.default_rng(config.seed)

    def batch_loss() -> Tensor:
        # augmentation can push a small liver out of the slice: it then has no box
        while True:
            batch = labelled_batch(sampler, rng, device)
            visible = batch.mask.sum(dim=(1, 2, 3)) > 0
            if visible.any():
                break
        mask = batch.mask[visible]
        cam_mask, box = truth_prompts(mask[:, 0].cpu().numpy() > 0, kind)
        logits, scores = model.segment(batch.strong[visible], cam_mask.to(device), box.to(device))
        return segmentation_loss(logits, scores, mask, config.pixel_loss, config.all_masks_weight)

    positives = with_target(validation)

    def score(average: SamMix) -> float:
        return mean_dice(predict_with_truth(average, positives, kind, device), positives)

    return fit(model, config, batch_loss, score, stopped)
