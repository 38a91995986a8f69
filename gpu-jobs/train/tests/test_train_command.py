"""The train command: where weights start, and what the run remembers of it."""

import argparse
import dataclasses
import json
import shlex
from pathlib import Path

import pytest
import torch

from sammix_train.config import MODEL_SIZES, TrainConfig, config_to_dict
from sammix_train.data.sampling import StepSampler
from sammix_train.data.slices import SlicePool
from sammix_train.model.sam.checkpoint_names import CheckpointError
from sammix_train.step.run_record import write_run_record
from sammix_train.step.state import load_state, new_state, save_state
from sammix_train.tables import table
from sammix_train.train_command import add_train_command, initial_state

from .reference_sam import reference_sam

TINY = TrainConfig(size="tiny", model=MODEL_SIZES["tiny"])


def options(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_train_command(parser.add_subparsers())
    where = ("--data", "data", "--out", "run", "--device", "cpu")
    return parser.parse_args(["train", *where, *arguments])


def saved_run(path: Path) -> Path:
    state = new_state(TINY, "cpu")
    state.step, state.elapsed_s = 10, 5.0
    save_state(state, path)
    return path


def test_starts_from_sam_at_the_image_size_asked_for(tmp_path: Path, pool: SlicePool) -> None:
    sam = reference_sam(256)
    torch.save(sam.state_dict(), tmp_path / "sam.pth")
    chosen = ("--image-size", "128", "--pixel-loss", "focal", "--lora-rank", "2")
    state = initial_state(options("--checkpoint", str(tmp_path / "sam.pth"), *chosen))
    model = state.config.model
    assert (model.encoder, model.image_size, model.lora_rank) == ("vit", 128, 2)
    assert state.config.pixel_loss == "focal"
    own = state.average.decoder.mask_decoder.state_dict()
    assert all(torch.equal(own[k], v) for k, v in sam.mask_decoder.state_dict().items())
    assert state.base["checkpoint"] == "sam.pth"

    # the record, and a resumed run, still know
    write_run_record(tmp_path / "run.json", state, StepSampler(pool, state.config), None)
    assert json.loads((tmp_path / "run.json").read_text())["base"] == state.base
    save_state(state, tmp_path / "last.pt")
    assert load_state(tmp_path / "last.pt", "cpu").base == state.base


def documented_commands(module: str) -> list[list[str]]:
    """Arguments of every command of a module in the reproduction guide."""
    text = (Path(__file__).parents[1] / "REPRODUCE.md").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if f"-m {module} " in line]
    return [shlex.split(line.split(f"-m {module} ", 1)[1]) for line in lines]


def test_the_documented_commands_are_understood() -> None:
    trained = [c for c in documented_commands("sammix_train") if c[0] == "train"]
    assert len(trained) == 1
    wanted = options(*trained[0][1:])
    assert wanted.checkpoint == Path("sam_vit_b_01ec64.pth")
    assert (wanted.labels, wanted.pixel_loss, wanted.lambda_max) == ("50", "focal", 0)
    tables = [table.parser().parse_args(c) for c in documented_commands("sammix_train.tables")]
    assert len(tables) == 4
    for settings in tables:
        for setting in settings.set:
            table.parse_field(setting)
    assert tables[0].checkpoint == wanted.checkpoint
    for setting in tables[0].set:
        name, value = table.parse_field(setting)
        assert getattr(wanted, name) == value, name
    assert (wanted.steps, wanted.image_size) == (tables[0].steps, tables[0].image_size)


def test_a_small_model_does_not_take_sam(tmp_path: Path) -> None:
    torch.save(reference_sam(256).state_dict(), tmp_path / "sam.pth")
    with pytest.raises(CheckpointError, match="not 'hybrid'"):
        initial_state(options("--checkpoint", str(tmp_path / "sam.pth"), "--size", "small"))


def test_a_further_stage_takes_model_and_weights_of_the_first(tmp_path: Path) -> None:
    first = saved_run(tmp_path / "best.pt")
    state = initial_state(options("--start-from", str(first), "--learning-rate", "1e-4"))
    assert state.config == dataclasses.replace(TINY, learning_rate=1e-4)
    assert (state.step, state.best_dice) == (0, -1)
    stored = torch.load(first, weights_only=True)["average"]
    assert all(torch.equal(v, stored[k]) for k, v in state.model.state_dict().items())
    assert [(s.steps, s.seconds) for s in state.stages] == [(10, 5.0), (0, 0.0)]


def test_resuming_with_other_settings_is_a_further_stage(tmp_path: Path) -> None:
    saved_run(tmp_path / "last.pt")
    out = ("--out", str(tmp_path), "--resume")
    same = initial_state(options(*out))
    assert (same.step, len(same.stages)) == (10, 1)
    other = initial_state(options(*out, "--weight-decay", "0.05"))
    assert (other.step, [s.steps for s in other.stages]) == (10, [10, 0])
    assert other.stages[0].config == config_to_dict(TINY)
    # and a third one counts its own steps only
    other.step, other.elapsed_s = 14, 9.0
    save_state(other, tmp_path / "last.pt")
    third = initial_state(options(*out, "--weight-decay", "0.02"))
    assert [(s.steps, s.seconds) for s in third.stages] == [(10, 5.0), (4, 4.0), (0, 0.0)]
