"""Baselines: what each decoder variant sees, and oracle prompts."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import segmentation_models_pytorch as smp
import torch

from sammix_train.config import MODEL_SIZES, TrainConfig
from sammix_train.evaluate.slices import dice
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.losses import dice_loss
from sammix_train.tables import baselines, optimise
from sammix_train.tables.baselines import UnetShape

TINY = MODEL_SIZES["tiny"]


@pytest.mark.parametrize(
    ("prompts", "sees_mask", "sees_box"),
    [("mask+box", True, True), ("box", False, True), ("mask", True, False)],
)
def test_a_variant_ignores_what_it_must_not_see(
    prompts: str, sees_mask: bool, sees_box: bool
) -> None:
    model = baselines.prompted_model(TINY, prompts, seed=0).eval()
    image, mask = torch.rand(1, 1, 256, 256), torch.zeros(1, 1, 256, 256)
    mask[..., 40:90, 30:120] = 1
    box, other_box = torch.tensor([[30.0, 40, 119, 89]]), torch.tensor([[5.0, 100, 60, 220]])
    with torch.no_grad():
        base = model.segment(image, mask, box)[0]
        mask_changes = not torch.equal(model.segment(image, 1 - mask, box)[0], base)
        box_changes = not torch.equal(model.segment(image, mask, other_box)[0], base)
    assert (mask_changes, box_changes) == (sees_mask, sees_box)


def test_the_full_variant_is_the_method() -> None:
    variant = baselines.prompted_model(TINY, "mask+box", seed=3).eval()
    method = SamMix(TINY).eval()
    method.load_state_dict(variant.state_dict())
    image, mask = torch.rand(2, 1, 256, 256), (torch.rand(2, 1, 256, 256) > 0.5).float()
    box = torch.tensor([[30.0, 40, 119, 89], [0, 0, 255, 255]])
    with torch.no_grad():
        pairs = zip(
            variant.segment(image, mask, box), method.segment(image, mask, box), strict=True
        )
        assert all(torch.equal(a, b) for a, b in pairs)


def test_point_variant_depends_on_the_point_alone() -> None:
    model = baselines.prompted_model(TINY, "point", seed=0).eval()
    image, mask = torch.rand(1, 1, 256, 256), torch.ones(1, 1, 256, 256)
    with torch.no_grad():
        base = model.segment(image, mask, torch.tensor([[50.0, 60, 50, 60]]))[0]
        same = model.segment(image, 0 * mask, torch.tensor([[50.0, 60, 99, 99]]))[0]
        moved = model.segment(image, mask, torch.tensor([[51.0, 60, 50, 60]]))[0]
    assert torch.equal(base, same)
    assert not torch.equal(base, moved)


def test_oracle_prompts() -> None:
    masks = np.zeros((2, 256, 256), dtype=bool)
    masks[0, 10:31, 40:61] = True
    masks[1, 0:100, 0:3] = True  # at the border: beyond the slice counts as outside
    filled, box = baselines.truth_prompts(masks, "box")
    assert box.tolist() == [[40, 10, 60, 30], [0, 0, 2, 99]]
    assert torch.equal(filled[:, 0] > 0, torch.from_numpy(masks))
    _, point = baselines.truth_prompts(masks, "point")
    assert point[0].tolist() == [50, 20, 50, 20]
    assert point[1, 0] == 1
    assert masks[1, int(point[1, 1]), int(point[1, 0])]


def test_fit_keeps_the_best_average_and_stops_when_told() -> None:
    """Bright discs on dark ground: a few small convolutions find them."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(1, 8, 3, padding=1), torch.nn.ReLU(), torch.nn.Conv2d(8, 1, 1)
    )
    y, x = torch.meshgrid(torch.arange(32), torch.arange(32), indexing="ij")
    mask = (((x - 14) ** 2 + (y - 17) ** 2) < 60).float()[None, None]
    image = 0.2 + 0.5 * mask + 0.05 * torch.randn(1, 1, 32, 32)

    def batch_loss() -> torch.Tensor:
        logits = model(image)
        cross_entropy = torch.nn.functional.binary_cross_entropy_with_logits(logits, mask)
        return cross_entropy + dice_loss(logits.sigmoid(), mask).mean()

    seen = []

    def validation_dice(average: torch.nn.Module) -> float:
        with torch.no_grad():
            seen.append(dice((average(image) > 0).numpy(), mask.numpy() > 0))
        return seen[-1]

    config = TrainConfig(steps=80, warmup_steps=1, learning_rate=2e-2, ema_decay=0.9)
    done = optimise.fit(model, config, batch_loss, validation_dice)
    assert len(seen) == optimise.VALIDATIONS
    assert (done.steps, done.validation_score) == (80, max(seen))
    assert done.validation_score > 0.95
    assert validation_dice(done.model) == done.validation_score
    with pytest.raises(InterruptedError, match="after step 1"):
        optimise.fit(model, config, batch_loss, validation_dice, lambda: True)


def test_unet_has_random_weights_and_one_logit_a_pixel() -> None:
    torch.manual_seed(0)
    first, second = (baselines.unet(UnetShape("mobilenet_v2")).eval() for _ in range(2))
    with torch.no_grad():
        logits = first(torch.rand(1, 1, 64, 64))
    assert logits.shape == (1, 1, 64, 64)
    pairs = zip(first.encoder.parameters(), second.encoder.parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)


def test_a_unet_starts_from_what_imagenet_taught(tmp_path: Path) -> None:
    """timm's own network, under the other package's names, gives the same features."""
    shape = UnetShape("timm-tf_efficientnet_lite0", (32, 16, 8, 8, 8))
    torch.manual_seed(5)
    teacher = smp.encoders.get_encoder(shape.encoder, in_channels=3, weights=None).eval()
    for module in teacher.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
    stored = {f"layer{i}": value for i, value in enumerate(teacher.state_dict().values())}
    torch.save({**stored, "_fc.weight": torch.rand(1000, 1280)}, tmp_path / "lite0.pth")
    started = baselines.unet(dataclasses.replace(shape, imagenet=tmp_path / "lite0.pth")).eval()
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        wanted = teacher((2 * image - 1).expand(-1, 3, -1, -1))[1:]
        found = started[1].encoder(started[0](image))[1:]
    for one, other in zip(found, wanted, strict=True):
        assert torch.allclose(one, other, atol=1e-4)
    with pytest.raises(ValueError, match="expected the"):
        baselines.unet(UnetShape("mobilenet_v2", imagenet=tmp_path / "lite0.pth"))
