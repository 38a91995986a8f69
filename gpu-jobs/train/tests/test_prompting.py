"""Training prompts: never the truth itself, coarse, inside the slice."""

import numpy as np
import torch

from sammix_train.model.cam import CamPrompt
from sammix_train.step.prompting import (
    jittered_box,
    real_cam_share,
    simulated_cam,
    training_prompts,
)


def disc() -> torch.Tensor:
    y, x = torch.meshgrid(torch.arange(256), torch.arange(256), indexing="ij")
    return (((x - 90) ** 2 + (y - 120) ** 2) < 50**2).float()[None]


def test_simulated_map_is_as_coarse_as_the_real_one() -> None:
    cam = simulated_cam(disc(), 8, np.random.default_rng(0))
    assert cam.shape == (256, 256)
    assert cam[120, 90] > 0
    # bilinear from 8 x 8: second differences vanish inside a cell
    row = cam[120, 17:45]
    assert np.abs(np.diff(row, 2)).max() < 1e-5


def test_share_of_real_maps_rises_then_stays() -> None:
    shares = [real_cam_share(t, 0.75, 0.3) for t in (0, 0.15, 0.3, 1)]
    assert np.allclose(shares, [0, 0.375, 0.75, 0.75])


def test_boxes_stay_inside() -> None:
    prompt = CamPrompt(np.ones((256, 256), dtype=bool), np.array([0, 0, 255, 255]), False)
    rng = np.random.default_rng(0)
    boxes = np.stack([jittered_box(prompt, rng) for _ in range(50)])
    assert boxes.min() >= 0
    assert boxes.max() <= 255
    assert len(np.unique(boxes, axis=0)) > 1


def test_real_prompts_ignore_the_truth() -> None:
    cam = torch.full((2, 1, 8, 8), -1.0)
    cam[:, :, 6:, 6:] = 3.0
    truth = disc()[None].repeat(2, 1, 1, 1)
    results = [
        training_prompts(cam, mask, 1.0, np.random.default_rng(0))
        for mask in (truth, torch.full_like(truth, float("nan")))
    ]
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])
