"""Fixtures: small pools of drawn slices, a tiny model, and the real data when it is there."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.config import MODEL_SIZES
from sammix_train.data.slices import SlicePool, SliceRecord
from sammix_train.export.golden import drawn_slice
from sammix_train.model.sam_mix import SamMix

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The real data folder; tests that need it are skipped where SAMMIX_DATA is not set."""
    root = os.environ.get("SAMMIX_DATA")
    if not root:
        pytest.skip("SAMMIX_DATA is not set: this test reads the real data folder")
    return Path(root)


def drawn_pool(patients: int = 6, per_patient: int = 3) -> SlicePool:
    """LiTS-like positives, IRCAD-like positives and negatives, unlabelled slices."""
    images, masks, records = [], [], []
    for source in ("lits", "ircad", "negative", "unlabelled"):
        for p in range(patients):
            for k in range(per_patient):
                radius = 0.02 if source == "negative" else 0.25 + 0.02 * k
                centre = (-0.4 + 0.02 * p, 0.02 * k)
                image = drawn_slice(centre, radius, seed=100 * p + k)
                has_target = {"negative": False, "unlabelled": None}.get(source, True)
                mask = (np.abs(image - 0.42) < 0.1) if has_target else np.zeros_like(image)
                images.append((image * 255).astype(np.uint8))
                masks.append(mask.astype(np.uint8))
                slice_id = f"{source}_{p}/{k:03d}"
                has_mask = source != "unlabelled"
                records.append(SliceRecord(source, f"{p}", slice_id, has_target, has_mask))
    return SlicePool(np.stack(images), np.stack(masks), tuple(records))


@pytest.fixture(scope="session")
def pool() -> SlicePool:
    return drawn_pool()


def tiny_model(seed: int = 0) -> SamMix:
    """A tiny model with random weights and lively batch statistics, in eval mode."""
    torch.manual_seed(seed)
    model = SamMix(MODEL_SIZES["tiny"])
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)
            module.weight.data.uniform_(0.5, 1.5)
    return model.eval()
