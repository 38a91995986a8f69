"""Augmentation moves image and mask together and stays in range."""

import numpy as np
import torch

from sammix_train.data.augment import (
    WARP_SIGMA,
    augment_geometry,
    augment_intensity,
    body_bounds,
    smooth_warp,
)
from sammix_train.data.slices import SlicePool


def test_mask_follows_the_image() -> None:
    rng = np.random.default_rng(0)
    image = np.zeros((8, 256, 256), dtype=np.uint8)
    image[:, 90:170, 60:120] = 200
    moved, mask = augment_geometry(image, (image > 0).astype(np.uint8), rng)
    seen = moved > 200 / 255 / 2
    overlap = 2 * (seen & (mask > 0)).sum() / (seen.sum() + mask.sum())
    assert overlap > 0.98
    assert not torch.equal(moved[0], moved[1])


def test_geometry_never_flips() -> None:
    rng = np.random.default_rng(1)
    image = np.zeros((32, 256, 256), dtype=np.uint8)
    image[:, 100:150, 40:90] = 100  # left
    image[:, 100:150, 165:215] = 250  # right
    moved, _ = augment_geometry(image, np.zeros_like(image), rng)
    column = torch.arange(256.0)
    for x in moved[:, 0]:
        bright, dim = (x > 0.7).float(), ((x > 0.3) & (x < 0.45)).float()
        bright_x = (bright.sum(0) * column).sum() / bright.sum().clamp(min=1)
        dim_x = (dim.sum(0) * column).sum() / dim.sum().clamp(min=1)
        if bright.sum() > 200 and dim.sum() > 200:
            assert dim_x < bright_x


def test_intensity_stays_in_range_and_changes(pool: SlicePool) -> None:
    image = torch.from_numpy(pool.images[:6]).float()[:, None] / 255
    strong = augment_intensity(image, np.random.default_rng(0))
    assert strong.shape == image.shape
    assert strong.min() >= 0
    assert strong.max() <= 1
    assert (strong - image).abs().mean() > 0.01


def test_same_seed_same_batch(pool: SlicePool) -> None:
    first, second = (
        augment_geometry(pool.images[:3], pool.masks[:3], np.random.default_rng(5))
        for _ in range(2)
    )
    assert torch.equal(first[0], second[0])


def test_body_bounds() -> None:
    image = np.zeros((256, 256), dtype=np.uint8)
    image[64:192, 32:224] = 80
    image[3, 3] = 255  # a lone bright pixel is not the body
    cx, cy, half = body_bounds(image)
    assert (cx, cy) == (0, 0)
    assert half == 0.75
    assert body_bounds(np.zeros_like(image)) == (0.0, 0.0, 1.0)


def test_warp_bends_without_tearing() -> None:
    field = smooth_warp(8, 256, np.random.default_rng(0))
    assert field.shape == (8, 256, 256, 2)
    assert 0.3 * WARP_SIGMA < field.std() < 1.5 * WARP_SIGMA
    # one pixel is 2 / 256 wide: neighbours never overtake each other
    pixel = 2 / 256
    assert field[..., 0].diff(dim=2).abs().max() < pixel
    assert field[..., 1].diff(dim=1).abs().max() < pixel
    assert not torch.equal(field[0], field[1])
