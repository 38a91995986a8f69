"""The experiment that compares a fit with the same networks from scratch and with a U-Net."""

import json
from pathlib import Path

import pytest
import torch

from sammix_train.tables.few_labels import METHODS, main

from .conftest import tiny_bundle, tiny_model
from .drawn_data import write_data_folder


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A tiny bundle of the liver."""
    return tiny_bundle(tiny_model(seed=3), tmp_path / "bundle")


def test_every_method_learns_from_the_same_labels_and_is_scored_once(
    bundle: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    torch.set_num_threads(1)
    data = write_data_folder(tmp_path / "data")
    call = ["--data", str(data), "--target", "liver", "--bundle", str(bundle), "--labels", "12"]
    call += ["--seeds", "0", "--steps", "4", "--out", str(tmp_path / "out")]
    main(call)
    rows = [json.loads((tmp_path / f"out/liver-{m}-12-seed0.json").read_text()) for m in METHODS]
    assert {row["labelledSlices"] for row in rows} == {12}
    assert len({tuple(s["slice"] for s in row["perSlice"]) for row in rows}) == 1
    assert all(0 <= row["test"]["dice"] <= 1 and row["test"]["n"] > 0 for row in rows)
    assert "| liver | 12 | unet | 1 |" in capsys.readouterr().out
    # a second call reads what is there
    before = (tmp_path / "out/liver-unet-12-seed0.json").stat().st_mtime_ns
    main(call)
    assert (tmp_path / "out/liver-unet-12-seed0.json").stat().st_mtime_ns == before
