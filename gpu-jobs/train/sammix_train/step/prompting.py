"""Prompts for training: simulated maps early, the classifier's own maps later.

The decoder has to learn from the prompts it will be given, so truth boxes are never used.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..config import CAM_THRESHOLD_OF_MAX, SLICE_SIZE_PX
from ..model.cam import CamPrompt, cam_prompt, centre_box_prompt

SIMULATED_THRESHOLD = (0.15, 0.5)
FALLBACK_CHANCE = 0.03
BOX_JITTER = 0.05


def real_cam_share(progress: float, maximum: float, ramp: float) -> float:
    """Share of real CAM prompts: linear from 0 to `maximum` over the schedule's share `ramp`."""
    return maximum * min(1.0, progress / ramp) if ramp > 0 else maximum


def simulated_cam(mask: Tensor, grid: int, rng: np.random.Generator) -> np.ndarray:
    """A map as coarse and as wrong as real ones: float32[256, 256] from a mask float32[1, h, w].

    The truth is pooled to the map's grid, smeared by up to one cell, scaled by noise, and
    sometimes given a false second focus.
    """
    pooled = F.adaptive_avg_pool2d(mask, grid)
    smeared = F.avg_pool2d(pooled, 3, stride=1, padding=1)
    mix = rng.uniform(0, 0.7)
    cam = (1 - mix) * pooled + mix * smeared
    cam = cam * torch.from_numpy(rng.uniform(0.6, 1.4, cam.shape).astype(np.float32))
    if rng.random() < 0.2 and cam.max() > 0:
        y, x = rng.integers(0, grid - 1, size=2)
        cam[:, y : y + 2, x : x + 2] += float(rng.uniform(0.2, 0.8)) * cam.max()
    size = (SLICE_SIZE_PX, SLICE_SIZE_PX)
    return F.interpolate(cam[None], size=size, mode="bilinear")[0, 0].numpy()


def jittered_box(prompt: CamPrompt, rng: np.random.Generator) -> np.ndarray:
    """The prompt's box with corners moved by up to 5 % of its sides, kept inside the slice."""
    x0, y0, x1, y1 = prompt.box
    sides = np.array([x1 - x0, y1 - y0, x1 - x0, y1 - y0], dtype=np.float64)
    moved = prompt.box + rng.uniform(-BOX_JITTER, BOX_JITTER, size=4) * sides
    return np.clip(np.round(moved), 0, SLICE_SIZE_PX - 1)


def training_prompts(
    cam: Tensor, mask: Tensor, real_share: float, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Prompts for labelled slices: mask float32[n, 1, 256, 256] and box float32[n, 4].

    Args:
        cam: raw signed maps float32[n, 1, g, g] of the averaged classifier.
        mask: truth float32[n, 1, 256, 256]; used for simulated maps only.
        real_share: chance that a slice gets its real map.
        rng: source of randomness.
    """
    size = (SLICE_SIZE_PX, SLICE_SIZE_PX)
    upsampled = F.interpolate(torch.relu(cam), size=size, mode="bilinear")[:, 0].numpy()
    masks, boxes = [], []
    for real, truth in zip(upsampled, mask, strict=True):
        if rng.random() < FALLBACK_CHANCE:
            prompt = centre_box_prompt(size)
        elif rng.random() < real_share:
            prompt = cam_prompt(real, CAM_THRESHOLD_OF_MAX)
        else:
            threshold = rng.uniform(*SIMULATED_THRESHOLD)
            prompt = cam_prompt(simulated_cam(truth, cam.shape[-1], rng), threshold)
        masks.append(prompt.mask)
        boxes.append(jittered_box(prompt, rng))
    stacked = torch.from_numpy(np.stack(masks)[:, None].astype(np.float32))
    return stacked, torch.from_numpy(np.stack(boxes).astype(np.float32))
