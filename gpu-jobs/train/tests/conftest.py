"""Fixtures: small pools of drawn slices, a tiny model, and the real data when it is there."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.config import MODEL_SIZES, ModelConfig, TrainConfig, config_to_dict
from sammix_train.data.slices import SlicePool, SliceRecord
from sammix_train.export.bundle import BundleContents, Training, write_bundle
from sammix_train.export.golden import drawn_slice
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.state import Stage

LICENCES = [{"source": "Drawings", "licence": "Apache-2.0", "use": "training labels"}]

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


def tiny_bundle(model: SamMix, folder: Path) -> Path:
    """A bundle of the liver with its checkpoint, as after a stage of 40 steps."""
    folder.mkdir(exist_ok=True)
    config = TrainConfig(size="tiny", model=MODEL_SIZES["tiny"])
    training = Training((Stage(config_to_dict(config), 40, 60.0),))
    write_bundle(model, BundleContents(0.4, training, licences=LICENCES), folder)
    return folder


def tiny_vit_config(**other: object) -> ModelConfig:
    """Shapes of a SAM encoder that takes no time; `other` fields instead of these."""
    shape = {
        "encoder": "vit",
        "image_size": 64,
        "classifier_width": 8,
        "classifier_blocks": (1, 1, 1, 1),
        "vit_dim": 24,
        "vit_depth": 2,
        "vit_heads": 2,
        "window": 3,
        "channels": 32,
        "decoder_mlp": 32,
    }
    return ModelConfig(**{**shape, **other})
