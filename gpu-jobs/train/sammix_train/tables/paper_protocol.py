"""The paper's measurements: per-slice Dice and region Hausdorff distance in pixels."""

import math
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..config import SLICE_SIZE_PX
from ..data.dataset import Dataset, read_dataset
from ..data.slices import SlicePool, load_pool
from ..evaluate.slices import dice
from .baselines import with_target

# what an empty prediction costs: the slice's diagonal, so that a miss does not leave the mean
EMPTY_HAUSDORFF_PX = math.hypot(SLICE_SIZE_PX, SLICE_SIZE_PX)


def region_hausdorff_px(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Symmetric Hausdorff distance of all mask pixels (not only contours), in pixels.

    Two bool[h, w]. Both empty: 0. One empty: the slice's diagonal, 362 px. A pixel inside the other
    mask has distance 0, so region and contour distance can differ; the paper's is not known.
    """
    if not predicted.any() or not truth.any():
        return 0.0 if predicted.any() == truth.any() else EMPTY_HAUSDORFF_PX
    to_truth = ndimage.distance_transform_edt(~truth)[predicted].max()
    to_predicted = ndimage.distance_transform_edt(~predicted)[truth].max()
    return float(max(to_truth, to_predicted))


def middle_planes(count: int) -> range:
    """The middle 30 % of a scan's slices: ceil(c - .3 c) up to, without, floor(c + .3 c)."""
    centre = (count - 1) / 2
    return range(math.ceil(centre - 0.3 * centre), math.floor(centre + 0.3 * centre))


def in_domain_slices(root: Path, target: str) -> SlicePool:
    """Slices with the target of the data set's test side."""
    return with_target(load_pool(*_test_cases(root), target))


def cross_domain_slices(root: Path, target: str) -> tuple[SlicePool, np.ndarray]:
    """Slices with the target of another data set's test scans, and which lie in the middle 30 %."""
    pool = load_pool(*_test_cases(root), target)
    by_case: dict[str, list[str]] = {}
    for record in pool.records:
        by_case.setdefault(record.slice_id.rsplit("/", 1)[0], []).append(record.slice_id)
    middle = {ids[i] for ids in by_case.values() for i in middle_planes(len(ids))}
    positive = with_target(pool)
    return positive, np.array([r.slice_id in middle for r in positive.records], dtype=bool)


def _test_cases(root: Path) -> tuple[Dataset, list[str]]:
    dataset = read_dataset(root)
    return dataset, [case.id for case in dataset.cases if case.is_test and case.label]


def slice_results(logits: np.ndarray, pool: SlicePool) -> list[dict]:
    """One entry {slice, dice, hausdorffPx} per slice; logits float32[n, 256, 256]."""
    return [
        {
            "slice": record.slice_id,
            "dice": round(dice(found > 0, mask > 0), 5),
            "hausdorffPx": round(region_hausdorff_px(found > 0, mask > 0), 3),
        }
        for found, mask, record in zip(logits, pool.masks, pool.records, strict=True)
    ]


def summary(results: list[dict]) -> dict:
    """Means over slices; None without any."""
    if not results:
        return {"n": 0, "dice": None, "hausdorffPx": None}
    return {
        "n": len(results),
        "dice": float(np.mean([r["dice"] for r in results])),
        "hausdorffPx": float(np.mean([r["hausdorffPx"] for r in results])),
    }
