"""Edge cases of the map -> prompt rule."""

import numpy as np
import torch

from sammix_train.model.cam import cam_prompt, cam_prompts


def blobs(*squares: tuple[int, int, int, float]) -> np.ndarray:
    """Zeros with squares (x, y, side, value)."""
    cam = np.zeros((256, 256), dtype=np.float32)
    for x, y, side, value in squares:
        cam[y : y + side, x : x + side] = value
    return cam


def test_negative_map_gives_the_filled_centre_box() -> None:
    prompt = cam_prompts(torch.full((1, 1, 8, 8), -2.0))[0]
    assert prompt.empty
    assert prompt.box.tolist() == [64, 64, 191, 191]
    assert prompt.mask.sum() == 128 * 128
    assert prompt.mask[64:192, 64:192].all()


def test_zero_map_counts_as_empty() -> None:
    assert cam_prompts(torch.zeros(1, 1, 16, 16))[0].empty


def test_flat_positive_map_covers_the_slice() -> None:
    prompt = cam_prompts(torch.ones(1, 1, 8, 8))[0]
    assert not prompt.empty
    assert prompt.mask.all()
    assert prompt.box.tolist() == [0, 0, 255, 255]


def test_largest_component_wins_over_the_higher_peak() -> None:
    prompt = cam_prompt(blobs((10, 20, 30, 0.5), (200, 200, 10, 1.0)))
    assert prompt.box.tolist() == [10, 20, 39, 49]


def test_equal_areas_go_to_the_higher_peak() -> None:
    prompt = cam_prompt(blobs((10, 20, 12, 0.5), (200, 200, 12, 1.0)))
    assert prompt.box.tolist() == [200, 200, 211, 211]


def test_equal_areas_and_peaks_go_to_the_first_in_raster_order() -> None:
    prompt = cam_prompt(blobs((200, 20, 12, 1.0), (10, 60, 12, 1.0)))
    assert prompt.box.tolist() == [200, 20, 211, 31]


def test_diagonal_contact_does_not_connect() -> None:
    prompt = cam_prompt(blobs((10, 10, 10, 1.0), (20, 20, 11, 1.0)))
    assert prompt.box.tolist() == [20, 20, 30, 30]


def test_threshold_is_a_share_of_the_maximum() -> None:
    cam = blobs((100, 100, 20, 0.19), (120, 100, 20, 1.0))
    assert cam_prompt(cam).box.tolist() == [120, 100, 139, 119]
    cam[100:120, 100:120] = 0.21
    assert cam_prompt(cam).box.tolist() == [100, 100, 139, 119]


def test_map_at_the_border_keeps_its_box_inside() -> None:
    cam = torch.zeros(1, 1, 8, 8)
    cam[0, 0, 0, 7] = 1
    x0, y0, x1, y1 = cam_prompts(cam)[0].box.tolist()
    assert (y0, x1) == (0, 255)
    assert x0 > 200
    assert y1 < 56
