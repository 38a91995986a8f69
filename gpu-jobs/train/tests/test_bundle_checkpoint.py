"""A bundle is a checkpoint: what was trained can be read back from it, bit for bit."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.config import MODEL_SIZES, TrainConfig, config_to_dict
from sammix_train.data.slices import SlicePool
from sammix_train.export.bundle import BundleContents, Training, write_bundle
from sammix_train.export.bundle_model import BundleModel
from sammix_train.export.checkpoint import CHECKPOINT_FILE, read_bundle
from sammix_train.export.quantize import quantize_bundle
from sammix_train.model.sam.lora import merge_lora
from sammix_train.model.sam_mix import SamMix
from sammix_train.step.state import Stage, new_state, start_from

from .conftest import LICENCES, tiny_model

CONFIG = TrainConfig(size="tiny", model=MODEL_SIZES["tiny"])
FIRST = Stage({**config_to_dict(CONFIG), "a_setting_of_an_earlier_version": 3}, 30, 50.0)
BASE = {"checkpoint": "sam.pth", "sha256": "0" * 64, "licence": "Apache-2.0"}


def write(model: SamMix, folder: Path, config: TrainConfig = CONFIG) -> Path:
    stages = (FIRST, Stage(config_to_dict(config), 40, 60.0))
    training = Training(stages, base=BASE)
    write_bundle(model, BundleContents(0.4, training, licences=LICENCES), folder)
    return folder


@pytest.fixture(scope="module")
def model() -> SamMix:
    """As after a training: no two norms alike, but for some biases that stayed zero."""
    model = tiny_model(seed=3)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 1 and "layer1" not in name:
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    return model


@pytest.fixture(scope="module")
def bundle(model: SamMix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(model, tmp_path_factory.mktemp("bundle"))


def test_every_weight_comes_back_bit_for_bit(model: SamMix, bundle: Path) -> None:
    origin = read_bundle(bundle)
    wanted = model.state_dict()
    assert list(origin.weights) == list(wanted)
    for name, value in wanted.items():
        assert torch.equal(origin.weights[name], value), name


def test_a_second_export_writes_the_same_files(bundle: Path, tmp_path: Path) -> None:
    state = new_state(dataclasses.replace(CONFIG, seed=9), "cpu")
    start_from(state, read_bundle(bundle))
    again = write(state.average, tmp_path)
    names = sorted(path.name for path in bundle.iterdir() if path.name != "bundle.json")
    assert "encoder.onnx" in names
    assert CHECKPOINT_FILE in names
    for name in names:
        assert (again / name).read_bytes() == (bundle / name).read_bytes(), name


def test_the_checkpoint_holds_little(bundle: Path) -> None:
    graphs = sum(path.stat().st_size for path in bundle.glob("*.onnx"))
    assert (bundle / CHECKPOINT_FILE).stat().st_size < 0.1 * graphs


def test_the_history_goes_on(bundle: Path) -> None:
    state = new_state(CONFIG, "cpu")
    start_from(state, read_bundle(bundle))
    assert [stage.steps for stage in state.stages] == [30, 40, 0]
    assert state.stages[0].config["a_setting_of_an_earlier_version"] == 3
    assert state.base == BASE
    assert list(state.licences) == LICENCES


def test_lora_comes_back_merged(tmp_path: Path) -> None:
    config = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, lora_rank=2))
    torch.manual_seed(1)
    adapted = SamMix(config.model).eval()
    for name, parameter in adapted.named_parameters():
        if ".b_q." in name or ".b_v." in name:
            torch.nn.init.normal_(parameter)
    origin = read_bundle(write(adapted, tmp_path, config))
    assert origin.model.lora_rank == 0
    merge_lora(adapted.encoder.image_encoder)
    for name, value in adapted.state_dict().items():
        assert torch.equal(origin.weights[name], value), name


def test_what_cannot_be_trained_further_is_refused(
    bundle: Path, tmp_path: Path, pool: SlicePool
) -> None:
    with pytest.raises(ValueError, match=r"no bundle\.json"):
        read_bundle(tmp_path)
    quantize_bundle(bundle, tmp_path / "int8", pool.images[:2] / np.float32(255))
    BundleModel(tmp_path / "int8")
    with pytest.raises(ValueError, match="int8"):
        read_bundle(tmp_path / "int8")
    cut = tmp_path / "cut"
    cut.mkdir()
    for path in bundle.iterdir():
        (cut / path.name).write_bytes(path.read_bytes())
    (cut / CHECKPOINT_FILE).write_bytes((bundle / CHECKPOINT_FILE).read_bytes()[:200])
    with pytest.raises(ValueError, match="expected a bundle's checkpoint"):
        read_bundle(cut)


def test_the_manifest_hashes_the_checkpoint(bundle: Path) -> None:
    files = json.loads((bundle / "bundle.json").read_text())["files"]
    assert CHECKPOINT_FILE in {entry["path"] for entry in files}
