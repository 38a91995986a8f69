"""Batched augmentation. Geometry moves image and mask together; intensity touches the image only.

There are no flips: the liver is on one side.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

MAX_ROTATION_DEG = 15.0
SCALE_RANGE = (0.75, 1.3)
ANISOTROPY = 0.08
MAX_SHIFT = 0.08  # share of the image side
BODY_CROP_SHARE = 0.25
BODY_THRESHOLD = 0.06
MAX_BLUR_FACTOR = 3.0
# How a slice is cut out: "plain"; "free" for slices without the target, which may show a limb or a
# head that lies anyhow; "beside", a window of a slice that shows body and not its target.
CUTS = ("plain", "free", "beside")
FREE_CHANCE, FREE_TURN_CHANCE, FREE_FLIP_CHANCE = 0.5, 0.3, 0.2
FREE_SCALE_RANGE, FREE_SHIFT = (0.7, 2.5), 0.7  # the shift in half sides of the body
BESIDE_SCALE_RANGE, BESIDE_ROTATION_DEG, BESIDE_MARGIN, BESIDE_TRIES = (1.4, 3.0), 6.0, 1.2, 12
WARP_KNOTS = 6  # control points across the slice
WARP_SIGMA = 0.025  # of [-1, 1]: 3 px at 256


def body_bounds(image: np.ndarray) -> tuple[float, float, float]:
    """Centre x, centre y in [-1, 1] and half side of the body of uint8[h, w].

    Single bright pixels (noise, the table) are ignored by asking for five of them in a row
    or column.
    """
    bright = image > 255 * BODY_THRESHOLD
    cols = np.flatnonzero(bright.sum(axis=0) >= 5)
    rows = np.flatnonzero(bright.sum(axis=1) >= 5)
    if len(cols) < 32 or len(rows) < 32:
        return 0.0, 0.0, 1.0
    h, w = image.shape
    x0, x1 = 2 * cols[0] / w - 1, 2 * (cols[-1] + 1) / w - 1
    y0, y1 = 2 * rows[0] / h - 1, 2 * (rows[-1] + 1) / h - 1
    return (x0 + x1) / 2, (y0 + y1) / 2, max(x1 - x0, y1 - y0) / 2


def random_affine(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Output -> input map float64[2, 3] in grid_sample's [-1, 1] coordinates."""
    angle = math.radians(rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG))
    scale = math.exp(rng.uniform(*np.log(SCALE_RANGE)))
    centre = rng.uniform(-2 * MAX_SHIFT, 2 * MAX_SHIFT, size=2)
    if rng.random() < BODY_CROP_SHARE:
        cx, cy, half = body_bounds(image)
        scale = rng.uniform(0.92, 1.03) / half
        centre = np.array([cx, cy]) + rng.uniform(-0.05, 0.05, size=2)
    stretch = math.exp(rng.uniform(-ANISOTROPY, ANISOTROPY))
    zoom = np.diag([stretch / scale, 1 / (stretch * scale)])
    return np.concatenate([rotation(angle) @ zoom, centre[:, None]], axis=1)


def free_affine(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """As `random_affine`, half of the time with any zoom, turn and flip."""
    if rng.random() > FREE_CHANCE:
        return random_affine(image, rng)
    angle = math.radians(rng.uniform(-MAX_ROTATION_DEG, MAX_ROTATION_DEG))
    if rng.random() < FREE_TURN_CHANCE:
        angle = rng.uniform(-math.pi, math.pi)
    scale = math.exp(rng.uniform(*np.log(FREE_SCALE_RANGE)))
    flip = -1.0 if rng.random() < FREE_FLIP_CHANCE else 1.0
    cx, cy, half = body_bounds(image)
    reach = FREE_SHIFT * half * max(0.2, 1 - 1 / scale)
    centre = np.array([cx, cy]) + rng.uniform(-reach, reach, size=2)
    zoom = np.diag([flip / scale, 1 / scale])
    return np.concatenate([rotation(angle) @ zoom, centre[:, None]], axis=1)


def beside_affine(image: np.ndarray, mask: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A window around a pixel of the body without any of the mask; any window if none is found."""
    h, w = mask.shape
    ys, xs = np.nonzero(image > 255 * BODY_THRESHOLD)
    for _ in range(BESIDE_TRIES if len(xs) else 0):
        scale = math.exp(rng.uniform(*np.log(BESIDE_SCALE_RANGE)))
        i = rng.integers(len(xs))
        reach = BESIDE_MARGIN * w / 2 / scale
        y0, x0 = max(0, int(ys[i] - reach)), max(0, int(xs[i] - reach))
        if not mask[y0 : int(ys[i] + reach) + 1, x0 : int(xs[i] + reach) + 1].any():
            turn = math.radians(rng.uniform(-BESIDE_ROTATION_DEG, BESIDE_ROTATION_DEG))
            centre = np.array([2 * (xs[i] + 0.5) / w - 1, 2 * (ys[i] + 0.5) / h - 1])
            return np.concatenate([rotation(turn) / scale, centre[:, None]], axis=1)
    return random_affine(image, rng)


def rotation(angle: float) -> np.ndarray:
    """float64[2, 2] of an angle in radians."""
    return np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])


def augment_geometry(
    images: np.ndarray,
    masks: np.ndarray,
    rng: np.random.Generator,
    cuts: list[str] | None = None,
) -> tuple[Tensor, Tensor]:
    """uint8[n, h, w] twice -> image float32[n, 1, h, w] in [0, 1] and mask of 0 and 1."""
    affines = []
    for image, mask, cut in zip(images, masks, cuts or ["plain"] * len(images), strict=True):
        if cut == "free":
            affines.append(free_affine(image, rng))
        elif cut == "beside":
            affines.append(beside_affine(image, mask, rng))
        else:
            affines.append(random_affine(image, rng))
    theta = torch.from_numpy(np.stack(affines)).float()
    both = torch.from_numpy(np.stack([images, masks * np.uint8(255)], axis=1)).float() / 255
    grid = F.affine_grid(theta, list(both.shape), align_corners=False)
    grid = grid + smooth_warp(len(images), images.shape[-1], rng)
    moved = F.grid_sample(both, grid, mode="bilinear", align_corners=False)
    return moved[:, :1], (moved[:, 1:] > 0.5).float()


def smooth_warp(count: int, size: int, rng: np.random.Generator) -> Tensor:
    """Displacements float32[count, size, size, 2] in grid_sample's coordinates.

    Random at a coarse grid of knots, bicubic between them: organs of other shapes, not torn ones.
    """
    knots = rng.normal(0, WARP_SIGMA, (count, 2, WARP_KNOTS, WARP_KNOTS)).astype(np.float32)
    field = F.interpolate(
        torch.from_numpy(knots), size=(size, size), mode="bicubic", align_corners=True
    )
    return field.permute(0, 2, 3, 1)


def augment_intensity(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Strong view of float32[n, 1, h, w] in [0, 1]: contrast, gamma, blur, noise."""
    n = len(image)
    scale = _column(np.exp(rng.uniform(-0.25, 0.25, n)))
    offset = _column(rng.uniform(-0.08, 0.08, n))
    gamma = _column(np.exp(rng.uniform(-0.3, 0.3, n)))
    # air and fat sit at 0 whatever the contrast phase, so only what is above 0 is shifted
    shifted = torch.where(image > 0.02, image * scale + offset, image).clamp(0, 1)
    out = shifted.clamp(min=1e-4) ** gamma
    out = torch.stack([_blur(x, rng) for x in out])
    sigma = _column(rng.uniform(0, 0.05, n) * (rng.random(n) < 0.6))
    noise = torch.from_numpy(rng.standard_normal(out.shape, dtype=np.float32))
    return (out + sigma * noise).clamp(0, 1)


def _blur(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Down- and upsamples float32[1, h, w], as an enlarged low-resolution scan looks."""
    if rng.random() > 0.4:
        return image
    size = image.shape[-1]
    small = int(size / rng.uniform(1.2, MAX_BLUR_FACTOR))
    low = F.interpolate(image[None], size=(small, small), mode="bilinear", antialias=True)
    return F.interpolate(low, size=(size, size), mode="bilinear")[0]


def _column(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[:, None, None, None]
