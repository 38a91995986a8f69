"""CT volume -> canonical slices -> network input, and masks back to the slice grid.

The TypeScript runtime repeats these steps; both sides are held together by golden tensors. All
resampling is float32 and separable.
"""

import math
from dataclasses import dataclass

import nibabel as nib
import numpy as np

from ..config import SLICE_SIZE_PX, WINDOW_HU

CANONICAL_AXES = ("L", "P", "S")


@dataclass(frozen=True)
class CanonicalVolume:
    """Axial slices as a radiologist sees them.

    Attributes:
        slices: [k, rows, cols]; rows run anterior to posterior, columns patient right to left,
            slices foot to head.
        row_spacing_mm, col_spacing_mm, slice_spacing_mm: distances between voxel centres.
    """

    slices: np.ndarray
    row_spacing_mm: float
    col_spacing_mm: float
    slice_spacing_mm: float


def canonical_volume(image: nib.Nifti1Image) -> CanonicalVolume:
    """Reorients a NIfTI image by axis flips and permutations only (no resampling)."""
    current = nib.io_orientation(image.affine)
    target = nib.orientations.axcodes2ornt(CANONICAL_AXES)
    reoriented = image.as_reoriented(nib.orientations.ornt_transform(current, target))
    spacing = reoriented.header.get_zooms()[:3]
    slices = np.asarray(reoriented.dataobj).transpose(2, 1, 0)
    return CanonicalVolume(slices, float(spacing[1]), float(spacing[0]), float(spacing[2]))


def window_to_unit(hu: np.ndarray) -> np.ndarray:
    """Maps the intensity window to [0, 1], float32."""
    low, high = WINDOW_HU
    return np.clip((hu.astype(np.float32) - low) / (high - low), 0, 1).astype(np.float32)


def round_half_up(value: float) -> int:
    """Rounding that JavaScript and Python agree on."""
    return math.floor(value + 0.5)


@dataclass(frozen=True)
class Letterbox:
    """Placement of a slice in the square network input, in pixels: rows y0.. and columns x0.."""

    x0: int
    y0: int
    width: int
    height: int


def letterbox(rows: int, cols: int, row_spacing_mm: float, col_spacing_mm: float) -> Letterbox:
    """Fits the physical extent of a slice into the square, keeping millimetres isotropic."""
    side_mm = max(cols * col_spacing_mm, rows * row_spacing_mm)
    pixel_mm = side_mm / SLICE_SIZE_PX
    width = min(max(round_half_up(cols * col_spacing_mm / pixel_mm), 1), SLICE_SIZE_PX)
    height = min(max(round_half_up(rows * row_spacing_mm / pixel_mm), 1), SLICE_SIZE_PX)
    return Letterbox((SLICE_SIZE_PX - width) // 2, (SLICE_SIZE_PX - height) // 2, width, height)


def triangle_weights(n: int, out: int) -> np.ndarray:
    """Triangle-filter resampling matrix float32[out, n], as Pillow's bilinear on floats."""
    scale = n / out
    support = max(1.0, scale)
    matrix = np.zeros((out, n), dtype=np.float64)
    for i in range(out):
        centre = (i + 0.5) * scale
        first = max(0, math.floor(centre - support + 0.5))
        last = min(n, math.floor(centre + support + 0.5))
        positions = np.arange(first, last) + 0.5
        weights = np.maximum(0, 1 - np.abs(positions - centre) / support)
        matrix[i, first:last] = weights / weights.sum()
    return matrix.astype(np.float32)


def bilinear_weights(n: int, out: int) -> np.ndarray:
    """Half-pixel bilinear matrix float32[out, n] with edge clamp and no antialiasing."""
    matrix = np.zeros((out, n), dtype=np.float64)
    for i in range(out):
        source = min(max((i + 0.5) * n / out - 0.5, 0.0), n - 1.0)
        low = math.floor(source)
        high = min(low + 1, n - 1)
        matrix[i, low] += 1 - (source - low)
        matrix[i, high] += source - low
    return matrix.astype(np.float32)


def slices_to_input(unit: np.ndarray, box: Letterbox) -> np.ndarray:
    """Resizes float32[k, rows, cols] in [0, 1] into zeros: float32[k, 256, 256]."""
    rows = triangle_weights(unit.shape[1], box.height)
    cols = triangle_weights(unit.shape[2], box.width)
    out = np.zeros((len(unit), SLICE_SIZE_PX, SLICE_SIZE_PX), dtype=np.float32)
    region = np.s_[:, box.y0 : box.y0 + box.height, box.x0 : box.x0 + box.width]
    out[region] = rows @ (unit @ cols.T)
    return out


def logits_to_slices(logits: np.ndarray, box: Letterbox, rows: int, cols: int) -> np.ndarray:
    """Crops the letterbox of float32[k, 256, 256] and resizes: float32[k, rows, cols]."""
    crop = logits[:, box.y0 : box.y0 + box.height, box.x0 : box.x0 + box.width]
    return bilinear_weights(box.height, rows) @ (crop @ bilinear_weights(box.width, cols).T)
