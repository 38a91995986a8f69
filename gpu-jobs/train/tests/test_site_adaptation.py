"""A trained model fitted to a site: only LoRA (and the decoder, if asked) changes, and it helps."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.config import MODEL_SIZES, TrainConfig, config_sha256, config_to_dict
from sammix_train.data.sampling import StepSampler
from sammix_train.data.slices import SlicePool
from sammix_train.export.graphs import MAX_PARITY_ERROR, export_graphs
from sammix_train.model.sam.lora import LoraQkv
from sammix_train.step.loop import optimise_once
from sammix_train.step.losses import segmentation_loss
from sammix_train.step.pipeline import StepPipeline
from sammix_train.step.state import RunState, is_lora, new_state, read_run, save_state, start_from

from .conftest import drawn_pool

BASE = TrainConfig(
    size="tiny",
    model=MODEL_SIZES["tiny"],
    steps=25,
    labelled_per_step=3,
    classifier_positives_per_step=2,
    negatives_per_step=2,
    learning_rate=3e-3,
    lambda_max=0.0,
    ema_decay=0.9,
    warmup_steps=2,
    empty_chance=0.0,
)
SITE = dataclasses.replace(
    BASE,
    model=dataclasses.replace(BASE.model, lora_rank=4),
    adapt="lora",
    labels="5",
    learning_rate=2e-2,
)


def run(state: RunState, pool: SlicePool) -> RunState:
    pipeline = StepPipeline(state, StepSampler(pool, state.config), "cpu")
    while state.progress < 1:
        optimise_once(state, pipeline)
    return state


def at_site(pool: SlicePool) -> SlicePool:
    """The same anatomy from another scanner: darker, with less contrast."""
    return SlicePool((pool.images * 0.6).astype(np.uint8), pool.masks, pool.records)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("base") / "best.pt"
    save_state(run(new_state(BASE, "cpu"), drawn_pool()), path)
    return path


def adapted(base: Path, config: TrainConfig) -> tuple[RunState, dict[str, torch.Tensor]]:
    """A run adapted to the site, and its weights before that."""
    state = new_state(config, "cpu")
    start_from(state, read_run(base))
    before = {name: value.clone() for name, value in state.model.state_dict().items()}
    return run(state, at_site(drawn_pool())), before


def changed(state: RunState, before: dict[str, torch.Tensor]) -> set[str]:
    now = state.model.state_dict()
    return {name for name, value in before.items() if not torch.equal(now[name], value)}


def loss_at_site(state: RunState, weights: dict[str, torch.Tensor]) -> float:
    """Mask loss of the averaged model with `weights` on site slices of patients not trained on."""
    pool = at_site(drawn_pool(patients=8, per_patient=2))
    chosen = pool.indices(source="ircad")[-4:]
    image = torch.from_numpy(pool.images[chosen].astype(np.float32) / 255)[:, None]
    mask = torch.from_numpy(pool.masks[chosen].astype(np.float32))[:, None]
    box = torch.tensor([[20.0, 60, 130, 190]]).expand(len(chosen), -1)
    model = new_state(state.config, "cpu").average
    model.load_state_dict(weights)
    with torch.no_grad():
        return float(segmentation_loss(*model.segment(image, mask, box), mask, "bce", 0.25))


def test_lora_alone_adapts_to_a_site(base: Path, tmp_path: Path) -> None:
    state, before = adapted(base, SITE)
    names = changed(state, before)
    assert names
    assert all(is_lora(name) for name in names), sorted(names)
    assert loss_at_site(state, state.average.state_dict()) < loss_at_site(state, before)
    assert [stage.steps for stage in state.stages] == [25, 25]
    assert config_sha256(*(s.config for s in state.stages)) != config_sha256(config_to_dict(SITE))

    errors = export_graphs(state.average, tmp_path)
    assert max(errors.values()) < MAX_PARITY_ERROR
    assert any(isinstance(m, LoraQkv) for m in state.average.modules())  # export merged a copy


def test_the_decoder_adapts_when_asked(base: Path) -> None:
    config = dataclasses.replace(SITE, adapt="lora+decoder", steps=2)
    names = changed(*adapted(base, config))
    assert any(name.startswith("decoder.") for name in names)
    assert all(is_lora(name) or name.startswith("decoder.") for name in names), sorted(names)


def test_another_model_is_refused(base: Path) -> None:
    config = dataclasses.replace(BASE, size="mini", model=MODEL_SIZES["mini"])
    with pytest.raises(RuntimeError, match="size mismatch"):
        start_from(new_state(config, "cpu"), read_run(base))
    other = dataclasses.replace(BASE, model=dataclasses.replace(BASE.model, vit_depth=2))
    with pytest.raises(ValueError, match=r"another model; it differs in encoder.*blocks\.1"):
        start_from(new_state(other, "cpu"), read_run(base))


def test_adapting_needs_lora() -> None:
    with pytest.raises(ValueError, match="lora_rank > 0"):
        dataclasses.replace(BASE, adapt="lora")
