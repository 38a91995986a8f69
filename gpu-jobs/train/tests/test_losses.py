"""Loss terms against hand-computed values and the properties they are used for."""

import math

import pytest
import torch

from sammix_train.step.losses import (
    cam_overlap_loss,
    classification_loss,
    dice_loss,
    mask_losses,
    pixel_loss,
    segmentation_loss,
    unlabelled_loss,
    unlabelled_weight,
)


def test_classification_loss_is_focal() -> None:
    logit, target = torch.tensor([0.0, 2.0]), torch.tensor([1.0, 0.0])
    p = 1 / (1 + math.exp(-2))
    expected = (0.25 * math.log(2) + p**2 * -math.log(1 - p)) / 2
    assert float(classification_loss(logit, target)) == pytest.approx(expected, rel=1e-5)


def test_one_class_batches_are_refused() -> None:
    with pytest.raises(ValueError, match="with and without"):
        classification_loss(torch.zeros(3), torch.ones(3))


def test_focal_pixel_loss_at_even_odds() -> None:
    target = torch.zeros(1, 1, 4, 4)
    target[..., :2] = 1
    value = pixel_loss(torch.zeros(1, 3, 4, 4), target, "focal")
    # half the pixels have alpha .25 and half .75; (1 - .5)^2 log 2
    assert torch.allclose(value, torch.full((1, 3), 20 * 0.5 * 0.25 * math.log(2)))


def test_dice_loss_extremes() -> None:
    target = torch.zeros(1, 1, 8, 8)
    target[..., :4, :] = 1
    assert float(dice_loss(target, target)) == pytest.approx(0, abs=1e-6)
    assert float(dice_loss(1 - target, target)) > 0.98
    assert float(dice_loss(torch.zeros_like(target), torch.zeros_like(target))) == 0


def test_segmentation_loss_follows_the_best_mask_and_teaches_scores() -> None:
    target = torch.zeros(1, 1, 16, 16)
    target[..., 4:12, 4:12] = 1
    good, bad = (target * 2 - 1) * 10, (1 - target * 2) * 10
    logits = torch.cat([good, bad, bad], dim=1)
    right, wrong = torch.tensor([[1.0, 0, 0]]), torch.tensor([[0.0, 1, 1]])
    best_only = segmentation_loss(logits, right, target, "bce", 0.0)
    assert float(best_only) == pytest.approx(0, abs=1e-3)
    assert float(segmentation_loss(logits, wrong, target, "bce", 0.0)) == pytest.approx(1, abs=1e-2)
    assert segmentation_loss(logits, right, target, "bce", 0.25) > 1


def test_mask_losses_are_pixel_loss_plus_dice() -> None:
    target = torch.zeros(2, 1, 16, 16)
    target[..., 4:12, 4:12] = 1
    sure = (target * 2 - 1) * 10
    assert float(mask_losses(sure, target, "bce").mean()) == pytest.approx(0, abs=1e-3)
    even = mask_losses(torch.zeros(2, 1, 16, 16), target, "bce").mean()
    # half of everything: overlap 32, sums 128 and 64, smooth 1
    assert float(even) == pytest.approx(math.log(2) + 1 - 65 / 193, rel=1e-5)


def test_unsure_pixels_carry_no_gradient() -> None:
    logits = torch.zeros(1, 3, 8, 8, requires_grad=True)
    confident = torch.zeros(1, 1, 8, 8)
    confident[..., :4, :] = 1
    unlabelled_loss(logits, torch.ones(1, 1, 8, 8), confident).backward()
    assert logits.grad[..., 4:, :].abs().max() == 0
    assert logits.grad[..., :4, :].abs().min() > 0


def test_no_usable_slice_means_no_loss() -> None:
    empty = torch.zeros(0, 3, 8, 8)
    assert float(unlabelled_loss(empty, torch.zeros(0, 1, 8, 8), torch.zeros(0, 1, 8, 8))) == 0


def test_cam_overlap_prefers_the_mask() -> None:
    target = torch.zeros(1, 1, 256, 256)
    target[..., 64:192, 0:128] = 1
    inside = torch.full((1, 1, 8, 8), -1.0)
    inside[..., 2:6, 0:4] = 5
    assert float(cam_overlap_loss(inside, target)) < 0.01
    assert float(cam_overlap_loss(inside.flip(-1), target)) > 0.9


def test_cam_overlap_does_not_move_the_scale() -> None:
    torch.manual_seed(0)
    target = torch.zeros(2, 1, 256, 256)
    target[..., 64:160, :128] = 1
    cam = (torch.rand(2, 1, 16, 16) + 0.1).requires_grad_()
    cam_overlap_loss(cam, target).backward()
    along_scale = float((cam.grad * cam.detach()).sum())
    assert along_scale == pytest.approx(0, abs=1e-6)
    assert float(cam.grad.abs().max()) > 1e-4


def test_unlabelled_weight_ramps_up() -> None:
    weights = [unlabelled_weight(t, 0.5, 0.4, 0.15) for t in (0, 0.1, 0.15, 0.3, 0.4, 1)]
    assert weights[:2] == [0, 0]
    assert weights[2] == pytest.approx(0.5 * math.exp(-5 * 0.625**2))
    assert weights == sorted(weights)
    assert weights[-2:] == [0.5, 0.5]
