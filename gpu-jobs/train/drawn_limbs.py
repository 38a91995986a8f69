"""Drawn cross-sections of limbs: slices without an organ that no data set at hand holds.

Skin, fat, muscles with fat between them, one or two tubular bones or the bones of a joint, vessels,
at times a tumour, a second limb, the table. Only grey values and shapes are like a limb's; the
numbers are ranges of Hounsfield units from textbooks of radiology, not fitted to any scan.
"""

import math

import numpy as np
from scipy.ndimage import gaussian_filter

SIZE_PX = 256
AIR_HU = -1000.0


def drawn_limb(rng: np.random.Generator, slices: int) -> np.ndarray:
    """int16[slices, 256, 256] in Hounsfield units: one patient, each slice at another height."""
    patient = {
        "field_mm": rng.uniform(180, 500),
        "fat_hu": rng.uniform(-115, -80),
        "muscle_hu": rng.uniform(40, 75),
        "fat_share": rng.uniform(0.04, 0.35),
        "noise_hu": rng.uniform(4, 30),
        "smoothing_px": rng.uniform(0.4, 1.6),
        "both": rng.random() < 0.5,
        "tumour_hu": rng.uniform(15, 60) if rng.random() < 0.6 else None,
    }
    return np.stack([_slice(patient, rng) for _ in range(slices)])


def _slice(patient: dict, rng: np.random.Generator) -> np.ndarray:
    pixel_mm = patient["field_mm"] / SIZE_PX
    image = np.full((SIZE_PX, SIZE_PX), AIR_HU)
    radius_px = rng.uniform(28, 95) / pixel_mm
    radius_px = min(radius_px, SIZE_PX * (0.24 if patient["both"] else 0.46))
    gap_px = radius_px * rng.uniform(1.02, 1.3)
    for side in (-1, 1) if patient["both"] else (0,):
        shift = 0 if side else rng.uniform(-0.5, 0.5) * (SIZE_PX / 2 - radius_px)
        centre = (SIZE_PX / 2 + rng.normal(0, 6), SIZE_PX / 2 + side * gap_px + shift)
        _draw_limb(image, centre, radius_px, pixel_mm, patient, rng)
    if rng.random() < 0.6:
        _draw_table(image, rng)
    image = gaussian_filter(image, patient["smoothing_px"])
    noise = gaussian_filter(rng.standard_normal(image.shape), 0.7)
    image += noise / noise.std() * patient["noise_hu"]
    return np.clip(np.rint(image), -1024, 3071).astype(np.int16)


def _draw_limb(
    image: np.ndarray,
    centre: tuple[float, float],
    radius_px: float,
    pixel_mm: float,
    patient: dict,
    rng: np.random.Generator,
) -> None:
    outline = _blob(centre, radius_px, rng, 0.12)
    image[outline < 1] = patient["fat_hu"]
    image[(outline < 1) & (outline > 1 - 2 / radius_px)] = rng.uniform(0, 50)  # skin
    inside = outline < 1 - patient["fat_share"] * rng.uniform(0.7, 1.3)
    muscles = _muscles(inside, centre, radius_px, rng)
    image[muscles] = patient["muscle_hu"] + rng.normal(0, 3)
    if patient["tumour_hu"] is not None and rng.random() < 0.7:
        mass = _blob(
            _near(centre, radius_px * 0.6, rng), radius_px * rng.uniform(0.15, 0.6), rng, 0.2
        )
        image[inside & (mass < 1)] = patient["tumour_hu"]
    for _ in range(rng.integers(1, 5)):
        vessel = _blob(
            _near(centre, radius_px * 0.5, rng), rng.uniform(1.5, 5) / pixel_mm, rng, 0.05
        )
        image[inside & (vessel < 1)] = rng.uniform(40, 250)
    joint = rng.random() < 0.25
    for _ in range(rng.integers(1, 4 if joint else 3)):
        size_px = rng.uniform(14, 32) / pixel_mm if joint else rng.uniform(6, 17) / pixel_mm
        size_px = min(size_px, radius_px * 0.6)
        _draw_bone(image, _near(centre, radius_px * 0.35, rng), size_px, pixel_mm, joint, rng)


def _draw_bone(
    image: np.ndarray,
    centre: tuple[float, float],
    radius_px: float,
    pixel_mm: float,
    joint: bool,
    rng: np.random.Generator,
) -> None:
    """A tube of compact bone around marrow; at a joint a thin shell around spongy bone."""
    shape = _blob(centre, radius_px, rng, 0.2 if joint else 0.1)
    wall_px = rng.uniform(0.8, 2) / pixel_mm if joint else rng.uniform(2, 7) / pixel_mm
    image[shape < 1] = rng.uniform(600, 1600)
    marrow = rng.uniform(120, 350) if joint else rng.uniform(-80, 60)
    image[shape < 1 - wall_px / radius_px] = marrow


def _muscles(
    inside: np.ndarray, centre: tuple[float, float], radius_px: float, rng: np.random.Generator
) -> np.ndarray:
    """Cells around random points, with a seam of fat where two are almost as close."""
    points = np.array([_near(centre, radius_px * 0.8, rng) for _ in range(rng.integers(4, 16))])
    rows, cols = np.indices(inside.shape)
    distance = np.hypot(rows[..., None] - points[:, 0], cols[..., None] - points[:, 1])
    nearest = np.partition(distance, 1, axis=-1)
    return inside & (nearest[..., 1] - nearest[..., 0] > rng.uniform(0, 3.5))


def _draw_table(image: np.ndarray, rng: np.random.Generator) -> None:
    rows, cols = np.indices(image.shape)
    below = np.flatnonzero((image > AIR_HU).any(axis=1))[-1] + rng.uniform(1, 12)
    sag = rng.uniform(-0.002, 0.002) * (cols - SIZE_PX / 2) ** 2
    board = np.abs(rows - below - sag) < rng.uniform(0.8, 2.5)
    image[board & (image == AIR_HU)] = rng.uniform(-400, 150)


def _near(
    centre: tuple[float, float], reach_px: float, rng: np.random.Generator
) -> tuple[float, float]:
    angle, distance = rng.uniform(0, 2 * math.pi), reach_px * math.sqrt(rng.random())
    return centre[0] + distance * math.sin(angle), centre[1] + distance * math.cos(angle)


def _blob(
    centre: tuple[float, float], radius_px: float, rng: np.random.Generator, wobble: float
) -> np.ndarray:
    """Distance from the centre in radii of an ellipse with a wavy outline: below 1 inside."""
    rows, cols = np.indices((SIZE_PX, SIZE_PX))
    y, x = rows - centre[0], cols - centre[1]
    turn = rng.uniform(0, math.pi)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    flat = rng.uniform(0.75, 1.0)
    angle = np.arctan2(v, u)
    waves = sum(
        rng.normal(0, wobble / k) * np.cos(k * angle + rng.uniform(0, 2 * math.pi))
        for k in (2, 3, 5)
    )
    return np.hypot(u, v / flat) / (radius_px * (1 + waves))
