"""The comparison table on a drawn data folder: a few steps, every kind of row, resuming."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from sammix_train.evaluate.slices import dice
from sammix_train.model.sam.checkpoint import load_sam, vit_config
from sammix_train.tables import table
from sammix_train.tables.baselines import predict_with_truth, prompted_model
from sammix_train.tables.paper_protocol import (
    EMPTY_HAUSDORFF_PX,
    held_out_slices,
    region_hausdorff_px,
)
from sammix_train.tables.report import PUBLISHED_HEADING, mean_sd
from sammix_train.tables.rows import ROW_BY_KEY, ROWS

from .drawn_data import write_data_folder, write_elsewhere
from .reference_sam import reference_sam

ROWS_RUN = [
    "unet-50",
    "sammix-50",
    "sammix-50-no-dense",
    "sammix-50-no-box",
    "sammix-50-map",
    "sammix-50-oracle-box",
    "sam-box-50-oracle",
    "sam-point-50-oracle",
]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_elsewhere(root / "elsewhere")
    return write_data_folder(root / "drawings")


@pytest.fixture(autouse=True)
def keep_signal_handlers() -> Iterator[None]:
    kept = {n: signal.getsignal(n) for n in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


def run_table(data: Path, out: Path, rows: list[str], *more: str) -> None:
    tests = f"--test own={data} --test stacks={data}:stack --test other={data.parent / 'elsewhere'}"
    places = f"--data {data} {tests} --out {out}"
    shape = "--size tiny --device cpu --unet-encoder mobilenet_v2"
    small = (
        "labelled_per_step=2",
        "unlabelled_per_step=1",
        "classifier_positives_per_step=2",
        "negatives_per_step=2",
    )
    settings = [word for setting in small for word in ("--set", setting)]
    table.main([*places.split(), *shape.split(), *settings, "--rows", *rows, *more])


def test_every_kind_of_row(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run_table(data, tmp_path, ROWS_RUN, "--seeds", "0", "--steps", "2")
    rows = {key: json.loads((tmp_path / f"rows/{key}-seed0.json").read_text()) for key in ROWS_RUN}
    for key, row in rows.items():
        # two patients with three slices, one with four
        counts = {name: found["n"] for name, found in row["tests"].items()}
        assert counts == {"own": 10, "stacks": 6, "other": 4}, key
        assert 0 <= row["tests"]["own"]["dice"] <= 1, key
        assert 0 <= row["tests"]["other"]["hausdorffPx"] <= EMPTY_HAUSDORFF_PX + 1e-3, key
        assert (row["labelledSlices"], row["steps"], row["epochs"]) == (50, 2, 0.08), key
        tested = {entry["slice"].split("/")[0] for entry in row["perSlice"]["own"]}
        assert tested == {"s020", "s021", "scan2"}, key
    # the oracle row is measured with the same weights as the method's own row
    assert rows["sammix-50-oracle-box"]["trainSeconds"] == rows["sammix-50"]["trainSeconds"]
    assert not (tmp_path / "weights/sammix-50-oracle-box-seed0.pt").exists()
    assert rows["sammix-50"]["unlabelledSlices"] == 4 + 3 + 4
    assert rows["unet-50"]["unlabelledSlices"] == 0

    text = (tmp_path / "table.md").read_text()
    assert text in capsys.readouterr().out
    assert PUBLISHED_HEADING in text.splitlines()[0]
    line = next(x for x in text.splitlines() if x.startswith("| SAM-Mix-50 |"))
    assert line.endswith("| Dice 0.948, HD 9.8, cross Dice 0.923 |")
    oracle = next(x for x in text.splitlines() if x.startswith("| SAM-point, oracle, 50 labels |"))
    assert "| truth point | 50 |" in oracle
    by_key = {row["row"]: row for row in json.loads((tmp_path / "table.json").read_text())}
    assert list(by_key) == [row.key for row in ROWS if row.key in ROWS_RUN]
    mean = by_key["unet-50"]["tests"]["own"]["dice"]["mean"]
    assert mean == pytest.approx(rows["unet-50"]["tests"]["own"]["dice"])


def test_goes_on_where_it_stopped(data: Path, tmp_path: Path) -> None:
    run_table(data, tmp_path, ["sam-box-50-oracle"], "--seeds", "0", "--steps", "1")
    file = tmp_path / "rows/sam-box-50-oracle-seed0.json"
    first = file.stat().st_mtime_ns
    run_table(data, tmp_path, ["sam-box-50-oracle"], "--seeds", "0", "1", "--steps", "1")
    assert file.stat().st_mtime_ns == first
    assert (tmp_path / "rows/sam-box-50-oracle-seed1.json").exists()
    entry = json.loads((tmp_path / "table.json").read_text())[0]
    assert entry["seeds"] == [0, 1]
    assert entry["tests"]["own"]["dice"]["sd"] is not None
    # weights alone are enough: the row is measured again, not trained again
    file.unlink()
    run_table(data, tmp_path, ["sam-box-50-oracle"], "--seeds", "0", "--steps", "1")
    assert json.loads(file.read_text())["tests"]["own"]["n"] == 10
    with pytest.raises(ValueError, match="other settings"):
        run_table(data, tmp_path, ["sam-box-50-oracle"], "--seeds", "0", "--steps", "2")


def test_zero_shot_row_starts_from_a_checkpoint(data: Path, tmp_path: Path) -> None:
    checkpoint = tmp_path / "sam_tiny.pth"
    torch.save(reference_sam(256).state_dict(), checkpoint)
    start = ("--size", "vit_b", "--image-size", "128", "--checkpoint", str(checkpoint))
    run_table(data, tmp_path, ["sam-box-0-oracle"], "--seeds", "0", *start)
    row = json.loads((tmp_path / "rows/sam-box-0-oracle-seed0.json").read_text())
    assert (row["labelledSlices"], row["steps"], row["epochs"]) == (0, 0, 0)
    assert row["base"]["checkpoint"] == "sam_tiny.pth"
    assert row["model"] == "sammix-vit-64"
    text = (tmp_path / "table.md").read_text()
    assert "| SAM-box, oracle, zero-shot | truth box | 0 |" in text
    assert "started from sam_tiny.pth" in text
    # the same weights, prompted by hand
    model = prompted_model(vit_config(reference_sam(256).state_dict(), 128), "box", seed=0)
    load_sam(model, checkpoint)
    pool = held_out_slices(data, "liver")
    logits = predict_with_truth(model, pool, "box")
    expected = [round(dice(a > 0, b > 0), 5) for a, b in zip(logits, pool.masks, strict=True)]
    assert [r["dice"] for r in row["perSlice"]["own"]] == expected


def test_a_frozen_sam_is_encoded_once_and_classified_by_one_network_a_seed(
    data: Path, tmp_path: Path
) -> None:
    checkpoint = tmp_path / "sam_tiny.pth"
    torch.save(reference_sam(256).state_dict(), checkpoint)
    start = ["--size", "vit_b", "--image-size", "128", "--checkpoint", str(checkpoint)]
    frozen = ["adapt=decoder", "views=2", "unlabelled_slices=4", "mask_sources=stack"]
    unseen = (*frozen, "empty_chance=0", "cam_weight=0")
    settings = [word for setting in unseen for word in ("--set", setting)]
    kept = ["--embeddings", str(tmp_path / "kept"), "--classifier-steps", "3", "--seeds", "0"]
    rows = ["sammix-50", "sammix-50-no-box", "sammix-50-map", "sam-box-50-oracle", "sam-box-0"]
    out = tmp_path / "out"
    run_table(data, out, rows, *start, *settings, *kept, "--steps", "2")
    classifier = torch.load(out / "weights/classifier-3-seed0.pt", weights_only=True)
    trained = torch.load(out / "weights/sammix-50-seed0.pt", weights_only=True)["weights"]
    assert all(torch.equal(trained[f"classifier.{n}"], v) for n, v in classifier.items())
    mapped = torch.load(out / "weights/sammix-50-map-seed0.pt", weights_only=True)["weights"]
    own = torch.load(out / "weights/classifier-3-50-masks-seed0.pt", weights_only=True)
    assert all(torch.equal(mapped[f"classifier.{n}"], v) for n, v in own.items())
    assert not torch.equal(own["trunk.fc.weight"], classifier["trunk.fc.weight"])
    base = prompted_model(vit_config(reference_sam(256).state_dict(), 128), "box", seed=0)
    load_sam(base, checkpoint)
    for name, value in base.encoder.state_dict().items():
        assert torch.equal(trained[f"encoder.{name}"], value), name
    found = {key: json.loads((out / f"rows/{key}-seed0.json").read_text()) for key in rows}
    assert found["sam-box-0"]["labelledSlices"] == found["sam-box-0"]["steps"] == 0
    assert found["sammix-50"]["unlabelledSlices"] == 4
    # at most fifty slices in two views, four unlabelled ones weak and strong, and those of the rest
    files = list(next((tmp_path / "kept").iterdir()).iterdir())
    assert len(files) <= 50 * 2 + 4 * 2 + 10 + 4 + 10


def test_region_hausdorff_is_symmetric_and_in_pixels() -> None:
    a, b = np.zeros((256, 256), dtype=bool), np.zeros((256, 256), dtype=bool)
    a[100:120, 100:120] = True
    b[100:120, 107:120] = True
    assert region_hausdorff_px(a, b) == region_hausdorff_px(b, a) == 7
    b[0, 100] = True
    assert region_hausdorff_px(a, b) == 100
    empty = np.zeros_like(a)
    assert region_hausdorff_px(a, empty) == pytest.approx(362.04, abs=0.01)
    assert region_hausdorff_px(empty, empty) == 0


def test_sd_needs_two_seeds() -> None:
    assert mean_sd([0.5]) == {"mean": 0.5, "sd": None}
    assert mean_sd([0.4, 0.6])["sd"] == pytest.approx(0.1414, abs=1e-4)
    assert mean_sd([None]) == {"mean": None, "sd": None}


def test_rows_run_where_what_they_start_from_was_given() -> None:
    def left_out(*given: str) -> set[str]:
        options = table.parser().parse_args(["--data", "d", "--out", "o", *given])
        return {row.key for row in ROWS if not table.can_run(row, options)}

    zero_shot = {"sam-box-0-oracle", "sam-point-0-oracle"}
    imagenet = {"unet-all-imagenet", "unet-50-imagenet"}
    assert left_out() == {*zero_shot, *imagenet, "sam-box-0"}
    assert left_out("--checkpoint", "c", "--unet-imagenet", "w") == {"sam-box-0"}
    assert left_out("--checkpoint", "c", "--classifier-steps", "9") == imagenet
    assert all("oracle" in r.title for r in ROWS if r.source.startswith("truth"))
    assert all(r.training in ROW_BY_KEY for r in ROWS)


def test_a_test_side_may_be_a_part_of_a_folder() -> None:
    assert table.parse_test("BTCV=data/liver:btcv,amos") == (
        "BTCV",
        (Path("data/liver"), ("btcv", "amos")),
    )
    assert table.parse_test("all=data") == ("all", (Path("data"), ()))


def test_settings_are_typed_as_their_fields() -> None:
    assert table.parse_field("learning_rate=1e-4") == ("learning_rate", 1e-4)
    assert table.parse_field("overlap=true") == ("overlap", True)
    with pytest.raises(ValueError, match="speed"):
        table.parse_field("speed=1")
