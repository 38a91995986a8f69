"""Run folder -> bundle folder: choose the checkpoint, calibrate the gate, measure, write."""

import dataclasses
import hashlib
import json
from pathlib import Path

from ..config import WINDOW_HU
from ..data.dataset import Dataset, read_dataset
from ..data.slices import load_pool
from ..evaluate.gate import THRESHOLD_RANGE, calibrate
from ..evaluate.measure import measure_side
from ..evaluate.worst import WORST_CASES, Failure, worst_cases
from ..step.state import RunState, load_state
from .bundle import EMPTY_SHA256, BundleContents, Training, write_bundle
from .bundle_model import BundleModel
from .golden import GOLDEN_CASES
from .model_card import model_card


def export_run(
    run: Path,
    out: Path,
    data: Path | None,
    checkpoint: str = "best",
    measure_test: bool = False,
    golden_cases: tuple[str, ...] = GOLDEN_CASES,
    elsewhere: tuple[Path, ...] = (),
) -> dict[str, float]:
    """Writes a bundle from a run's averaged weights; returns the graphs' parity errors.

    Args:
        run: run folder with run.json and the checkpoint.
        out: bundle folder.
        data: the run's data set, for the gate and the scores; without it the gate is the last
            validation's.
        checkpoint: "best" or "last".
        measure_test: score the test side too, and not only the validation side.
        golden_cases: which reference slices to write.
        elsewhere: further data sets whose test side is scored.
    """
    state = load_state(run / f"{checkpoint}.pt", "cpu")
    record = json.loads((run / "run.json").read_text())
    model, target = state.average.eval(), state.config.target
    dataset = read_dataset(data) if data else None
    if dataset:
        threshold = calibrate(model, load_pool(dataset, record["split"]["val"], target))
    else:
        threshold = logged_threshold(run)
    training = training_of(record, state)
    contents = BundleContents(threshold, training, record["licences"], golden_cases=golden_cases)
    errors = write_bundle(model, contents, out)
    scored = [test_side(root) for root in elsewhere]
    if dataset:
        sides = ("val", "test") if measure_test else ("val",)
        scored.insert(0, (dataset, {side: record["split"][side] for side in sides}))
    metrics = [entry for one in scored for entry in measure_bundle(out, *one, target)]
    failures = worst_of(out, scored, target)
    card = model_card(model, training, threshold, contents.licences, metrics, WINDOW_HU, failures)
    write_bundle(model, dataclasses.replace(contents, metrics=metrics, model_card=card), out)
    return errors


def measure_bundle(
    folder: Path, dataset: Dataset, split: dict[str, list[str]], target: str
) -> list[dict]:
    """Scores the exported graphs themselves, not the PyTorch model, on the sides of a split."""
    bundle = BundleModel(folder)
    threshold = bundle.manifest["classifier"]["threshold"]
    return [
        entry
        for side, ids in split.items()
        for entry in measure_side(bundle, dataset, ids, target, threshold, side)
    ]


def worst_of(
    folder: Path, scored: list[tuple[Dataset, dict[str, list[str]]]], target: str
) -> list[Failure]:
    """The worst of the test sides; of the validation sides where nothing was tested."""
    bundle = BundleModel(folder)
    found = []
    for side in ("test", "val"):
        for dataset, split in scored:
            found += worst_cases(bundle, dataset, split.get(side, []), target)
        if found:
            break
    return sorted(found, key=lambda failure: failure.dice)[:WORST_CASES]


def test_side(root: Path) -> tuple[Dataset, dict[str, list[str]]]:
    """A data set that only tests: its cases in imagesTs."""
    dataset = read_dataset(root)
    return dataset, {"test": [case.id for case in dataset.cases if case.is_test]}


def logged_threshold(run: Path) -> float:
    """The gate of the last validation in the log, or one half."""
    log = run / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    gates = [entry["gate"] for entry in map(json.loads, lines) if "gate" in entry]
    low, high = THRESHOLD_RANGE
    return min(max(gates[-1], low), high) if gates else 0.5


def training_of(record: dict, state: RunState) -> Training:
    """Provenance from run.json and the checkpoint."""
    text = json.dumps(record["split"], sort_keys=True)
    split = hashlib.sha256(text.encode()).hexdigest() if record["split"] else EMPTY_SHA256
    return Training(
        stages=state.stages,
        labelled_slices=record["labelledSlices"],
        unlabelled_slices=record["unlabelledSlices"],
        labelled_ids_sha256=record["labelledIdsSha256"],
        split_sha256=split,
        base=state.base,
        data_notes=tuple(record["dataNotes"]),
        device=record["machine"],
    )
