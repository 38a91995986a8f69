"""The paper's measurements: per-slice Dice and region Hausdorff distance in pixels."""

import math
from pathlib import Path

import numpy as np
from scipy import ndimage

from ..config import SLICE_SIZE_PX
from ..data.dataset import read_dataset
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


def held_out_slices(root: Path, target: str, sources: tuple[str, ...] = ()) -> SlicePool:
    """Slices with the target of a data set's test side; of the named sources, if there are any."""
    dataset = read_dataset(root)
    tested = [case for case in dataset.cases if case.is_test and case.label]
    chosen = [case.id for case in tested if not sources or case.source in sources]
    return with_target(load_pool(dataset, chosen, target))


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
