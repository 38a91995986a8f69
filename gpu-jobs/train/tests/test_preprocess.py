"""Letterbox, resampling and orientation."""

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from sammix_train.data.preprocess import (
    Letterbox,
    bilinear_weights,
    canonical_volume,
    letterbox,
    logits_to_slices,
    slices_to_input,
    triangle_weights,
    window_to_unit,
)


@pytest.mark.parametrize(("rows", "cols"), [(512, 512), (300, 256), (101, 122), (256, 700)])
def test_triangle_filter_equals_pillow_bilinear(rows: int, cols: int) -> None:
    image = np.random.default_rng(0).random((rows, cols), dtype=np.float32)
    ours = triangle_weights(rows, 256) @ image @ triangle_weights(cols, 256).T
    theirs = np.asarray(Image.fromarray(image).resize((256, 256), Image.Resampling.BILINEAR))
    assert np.abs(ours - theirs).max() < 3e-5


def test_weights_sum_to_one() -> None:
    for matrix in (triangle_weights(512, 256), triangle_weights(122, 256), bilinear_weights(9, 31)):
        assert np.allclose(matrix.sum(axis=1), 1, atol=1e-6)


def test_square_slice_fills_the_input() -> None:
    assert letterbox(512, 512, 0.7, 0.7) == Letterbox(0, 0, 256, 256)


def test_wide_slice_is_letterboxed_in_millimetres() -> None:
    # 101 rows and 122 columns of 3 mm: 212 px high, centred
    assert letterbox(101, 122, 3.0, 3.0) == Letterbox(0, 22, 256, 212)


def test_anisotropic_pixels_keep_their_proportions() -> None:
    assert letterbox(100, 200, 2.0, 1.0) == Letterbox(0, 0, 256, 256)
    assert letterbox(100, 100, 1.0, 2.0) == Letterbox(0, 64, 256, 128)


def test_logits_return_to_the_slice_grid() -> None:
    rows, cols = 101, 122
    box = letterbox(rows, cols, 3.0, 3.0)
    y, x = np.mgrid[:rows, :cols]
    disc = ((x - 50) ** 2 + (y - 60) ** 2 < 25**2).astype(np.float32)
    logits = slices_to_input(disc[None], box) - 0.5
    back = logits_to_slices(logits, box, rows, cols)[0] > 0
    assert 2 * (back & (disc > 0)).sum() / (back.sum() + disc.sum()) > 0.99


def test_window_clamps() -> None:
    unit = window_to_unit(np.array([-1000, 0, 51, 255, 3000], dtype=np.int16))
    assert unit.dtype == np.float32
    assert np.allclose(unit, [0, 0, 0.2, 1, 1])


@pytest.mark.parametrize("codes", ["RAS", "LPS", "LAS", "SPR", "AIL"])
def test_any_axis_order_gives_the_same_slices(codes: str) -> None:
    reference = np.arange(4 * 5 * 6).reshape(4, 5, 6).astype(np.int16)
    affine = np.diag([-1.0, -2.0, 3.0, 1.0])  # LPS
    image = nib.Nifti1Image(reference, affine)
    start = nib.io_orientation(affine)
    target = nib.orientations.axcodes2ornt(tuple(codes))
    turned = image.as_reoriented(nib.orientations.ornt_transform(start, target))
    volume = canonical_volume(turned)
    assert np.array_equal(volume.slices, reference.transpose(2, 1, 0))
    spacing = (volume.slice_spacing_mm, volume.row_spacing_mm, volume.col_spacing_mm)
    assert spacing == (3.0, 2.0, 1.0)
