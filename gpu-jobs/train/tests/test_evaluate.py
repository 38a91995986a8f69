"""Scores against values worked out by hand."""

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from sammix_train.data.dataset import read_dataset
from sammix_train.evaluate.slices import box_recall_iou, dice, gate_threshold, roc_auc
from sammix_train.evaluate.volumes import clean_mask, volume_limits
from sammix_train.evaluate.worst import draw_failures, worst_cases
from sammix_train.export.model_card import failure_table

from .drawn_data import write_data_folder


def test_dice() -> None:
    a, b = np.zeros((4, 4), dtype=bool), np.zeros((4, 4), dtype=bool)
    assert dice(a, b) == 1
    a[0, :2] = True
    assert dice(a, b) == pytest.approx(0, abs=1e-6)
    b[0, 1:4] = True
    assert dice(a, b) == pytest.approx(2 / 5, abs=1e-5)


def test_roc_auc_counts_ties_half() -> None:
    positive = np.array([True, True, False, False])
    assert roc_auc(np.array([0.9, 0.8, 0.2, 0.1]), positive) == 1
    assert roc_auc(np.array([0.5, 0.5, 0.5, 0.5]), positive) == 0.5
    assert roc_auc(np.array([0.9, 0.3, 0.3, 0.1]), positive) == pytest.approx(0.875)
    assert np.isnan(roc_auc(np.ones(2), np.ones(2, dtype=bool)))


def test_gate_is_the_highest_that_keeps_the_sensitivity() -> None:
    probability = np.linspace(0, 1, 201)
    positive = np.ones(201, dtype=bool)
    threshold = gate_threshold(probability, positive, 0.995)
    assert (probability >= threshold).mean() >= 0.995
    assert (probability >= threshold + 1e-6).mean() < 0.995


def test_box_recall_and_iou() -> None:
    truth = np.zeros((256, 256), dtype=bool)
    truth[10:20, 10:20] = True
    assert box_recall_iou(np.array([10, 10, 19, 19]), truth) == (1.0, 1.0)
    recall, iou = box_recall_iou(np.array([15, 10, 24, 19]), truth)
    assert recall == 0.5
    assert iou == pytest.approx(50 / 150)


def test_clean_mask_keeps_the_largest_part_and_fills_it() -> None:
    mask = np.zeros((12, 20, 20), dtype=bool)
    mask[2:10, 2:12, 2:12] = True
    mask[5, 6, 6] = False
    mask[0, 18, 18] = True
    cleaned = clean_mask(mask)
    assert cleaned[5, 6, 6]
    assert not cleaned[0, 18, 18]
    assert ndimage.label(cleaned)[1] == 1
    assert not clean_mask(np.zeros((2, 2, 2), dtype=bool)).any()


def test_volume_limits_hold_the_next_scan_as_often_as_they_say() -> None:
    assert volume_limits([1.0, 2.0, 3.0, 4.0]) is None
    # by hand: mean 3, sd sqrt(2.5), t(.975, 4) 2.776445
    lower, upper = volume_limits([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * np.sqrt(2.5) * np.sqrt(1.2)
    assert (lower, upper) == (pytest.approx(3 - half), pytest.approx(3 + half))
    rng = np.random.default_rng(0)
    draws = rng.normal(-2, 3, size=(4000, 6))
    limits = [volume_limits(list(draw[:5])) for draw in draws]
    inside = [low <= draw[5] <= high for (low, high), draw in zip(limits, draws, strict=True)]
    assert np.mean(inside) == pytest.approx(0.95, abs=0.012)


class DrawsWhatIsBright:
    """A model that takes whatever is bright for the target."""

    def classifier(self, image: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(len(image), 1), torch.ones(len(image), 1, 16, 16)

    def segment(self, image: torch.Tensor, *_: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        logits = torch.where(image > 0.5, 1.0, -1.0)
        return logits, torch.ones(len(image), 1)


def test_worst_cases_are_one_slice_of_each_and_nameless(tmp_path: Path) -> None:
    dataset = read_dataset(write_data_folder(tmp_path / "data"))
    ids = [case.id for case in dataset.cases]
    found = worst_cases(DrawsWhatIsBright(), dataset, ids, "liver", 4)
    every = worst_cases(DrawsWhatIsBright(), dataset, ids, "liver", len(ids))
    labelled = [case for case in dataset.cases if case.label]
    assert len(found) == 4
    assert len(every) == len(labelled)
    assert [f.dice for f in every] == sorted(f.dice for f in every)
    assert [f.dice for f in every[:4]] == [f.dice for f in found]
    for failure in every:
        assert failure.dice == pytest.approx(dice(failure.image > 127.5, failure.truth))
    table = failure_table(every)
    assert not any(case.id in table for case in dataset.cases)
    assert table.count("\n") == len(every) + 1
    draw_failures(found, tmp_path / "pictures" / "worst.png")
    width, height = Image.open(tmp_path / "pictures" / "worst.png").size
    assert width > height
