"""Class activation map -> mask and box prompt.

The rule (fifth of the maximum, largest component) is the one of the original CAM paper (Zhou et
al. 2016). The TypeScript runtime implements the same rule; golden tensors keep the two equal.
"""

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from scipy import ndimage

from ..config import CAM_THRESHOLD_OF_MAX, SLICE_SIZE_PX

FOUR_CONNECTED = ndimage.generate_binary_structure(2, 1)


@dataclass(frozen=True)
class CamPrompt:
    """Prompt of one slice.

    Attributes:
        mask: bool[256, 256], the largest component.
        box: int64[4], inclusive x_min, y_min, x_max, y_max of `mask`.
        empty: the map had no positive value; mask and box are then the centre box.
    """

    mask: np.ndarray
    box: np.ndarray
    empty: bool


def cam_prompt(upsampled: np.ndarray, threshold: float = CAM_THRESHOLD_OF_MAX) -> CamPrompt:
    """Turns a rectified map float32[h, w] at slice resolution into a prompt.

    Components are 4-connected; of equally large ones the higher peak wins, then the one that
    comes first in raster order.
    """
    peak = float(upsampled.max())
    if not peak > 0:
        return centre_box_prompt(upsampled.shape)
    # float32 map against a float64 threshold, as in the runtime: this decides single pixels
    above = upsampled.astype(np.float64) >= threshold * peak
    labels, count = ndimage.label(above, structure=FOUR_CONNECTED)
    index = np.arange(1, count + 1)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    peaks = ndimage.maximum(upsampled, labels, index)
    # labels are numbered in raster order of each component's first pixel
    best = min(range(count), key=lambda i: (-areas[i], -peaks[i], i))
    mask = labels == best + 1
    return CamPrompt(mask, bounding_box(mask), False)


def centre_box_prompt(shape: tuple[int, int]) -> CamPrompt:
    """The fallback for an empty map: the middle half of each axis."""
    h, w = shape
    mask = np.zeros(shape, dtype=bool)
    mask[h // 4 : 3 * h // 4, w // 4 : 3 * w // 4] = True
    return CamPrompt(mask, bounding_box(mask), True)


def bounding_box(mask: np.ndarray) -> np.ndarray:
    """Inclusive x_min, y_min, x_max, y_max of a non-empty bool[h, w]."""
    rows = np.flatnonzero(mask.any(axis=1))
    cols = np.flatnonzero(mask.any(axis=0))
    return np.array([cols[0], rows[0], cols[-1], rows[-1]])


def cam_prompts(cam: torch.Tensor, threshold: float = CAM_THRESHOLD_OF_MAX) -> list[CamPrompt]:
    """Prompts for raw signed maps float32[n, 1, g, g]; detached, on the CPU."""
    size = (SLICE_SIZE_PX, SLICE_SIZE_PX)
    upsampled = F.interpolate(torch.relu(cam.detach()), size=size, mode="bilinear")
    return [cam_prompt(u, threshold) for u in upsampled[:, 0].float().cpu().numpy()]


def prompts_to_tensors(prompts: list[CamPrompt]) -> tuple[torch.Tensor, torch.Tensor]:
    """Stacks to mask float32[n, 1, 256, 256] and box float32[n, 4]."""
    masks = torch.from_numpy(np.stack([p.mask for p in prompts])[:, None].astype(np.float32))
    boxes = torch.from_numpy(np.stack([p.box for p in prompts]).astype(np.float32))
    return masks, boxes
