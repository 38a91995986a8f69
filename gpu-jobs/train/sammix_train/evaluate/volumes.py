"""Whole scans: gate, segment, back to the scan's grid, largest component, holes."""

import math
from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage, stats

from ..data.dataset import Case, Dataset
from ..data.preprocess import (
    CanonicalVolume,
    letterbox,
    logits_to_slices,
    slices_to_input,
    window_to_unit,
)
from ..data.slices import read_label, read_volume
from ..model.cam import cam_prompts, prompts_to_tensors
from ..model.sam_mix import best_mask
from .slices import dice

FEWEST_SCANS = 5  # fewer say too little of the scatter
CONNECTED_26 = ndimage.generate_binary_structure(3, 3)


@dataclass(frozen=True)
class VolumeResult:
    """Scores of one scan.

    Attributes:
        dice: volume Dice of the final mask on the scan's own grid.
        raw_dice: the same before component and hole clean-up.
        volume_error_percent: final mask minus truth, in per cent of the truth; NaN without any.
        probability: per slice, float32[k].
        positive: whether the truth shows the target, bool[k].
    """

    dice: float
    raw_dice: float
    volume_error_percent: float
    probability: np.ndarray
    positive: np.ndarray


@torch.no_grad()
def segment_volume(
    model: object, volume: CanonicalVolume, threshold: float, batch: int = 8
) -> tuple[np.ndarray, np.ndarray]:
    """Mask bool[k, rows, cols] on the canonical grid and probabilities float32[k].

    Args:
        model: has `classifier` and `segment` (a `SamMix` in eval mode or a `BundleModel`).
        volume: CT in Hounsfield units.
        threshold: slices with a lower probability stay empty.
        batch: slices at a time.
    """
    rows, cols = volume.slices.shape[1:]
    box = letterbox(rows, cols, volume.row_spacing_mm, volume.col_spacing_mm)
    mask = np.zeros(volume.slices.shape, dtype=bool)
    probability = np.zeros(len(mask), dtype=np.float32)
    for start in range(0, len(mask), batch):
        chunk = slices_to_input(window_to_unit(volume.slices[start : start + batch]), box)
        x = torch.from_numpy(chunk)[:, None]
        logit, cam = model.classifier(x)
        probability[start : start + batch] = logit[:, 0].sigmoid().numpy()
        passed = np.flatnonzero(probability[start : start + batch] >= threshold)
        if not len(passed):
            continue
        cam_mask, prompt_box = prompts_to_tensors(cam_prompts(cam[passed]))
        logits = best_mask(*model.segment(x[passed], cam_mask, prompt_box)).numpy()
        mask[start + passed] = logits_to_slices(logits, box, rows, cols) > 0
    return mask, probability


def clean_mask(mask: np.ndarray) -> np.ndarray:
    """Largest 26-connected component (the first, if tied) with its enclosed holes filled."""
    labels, count = ndimage.label(mask, structure=CONNECTED_26)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())[1:]
    return ndimage.binary_fill_holes(labels == 1 + int(np.argmax(sizes)))


def volume_limits(errors_percent: list[float]) -> tuple[float, float] | None:
    """Where the volume error of 95 % of further scans is expected; None below `FEWEST_SCANS`.

    Limits of agreement (Bland and Altman 1999) in their exact form for few scans: mean -+
    t(.975, n - 1) sd sqrt(1 + 1/n).
    """
    n = len(errors_percent)
    if n < FEWEST_SCANS:
        return None
    mean, sd = float(np.mean(errors_percent)), float(np.std(errors_percent, ddof=1))
    half = float(stats.t.ppf(0.975, n - 1)) * sd * math.sqrt(1 + 1 / n)
    return mean - half, mean + half


def score_volume(
    model: object, dataset: Dataset, case: Case, target: str, threshold: float
) -> VolumeResult:
    """Segments one labelled scan and compares on its own grid."""
    volume = read_volume(case.image, "image")
    truth = np.isin(read_label(dataset, case, volume), dataset.target_values(target))
    mask, probability = segment_volume(model, volume, threshold)
    positive = truth.any(axis=(1, 2))
    final, voxels = clean_mask(mask), int(truth.sum())
    return VolumeResult(
        dice=dice(final, truth),
        raw_dice=dice(mask, truth),
        volume_error_percent=100 * (int(final.sum()) - voxels) / voxels if voxels else math.nan,
        probability=probability,
        positive=positive,
    )
