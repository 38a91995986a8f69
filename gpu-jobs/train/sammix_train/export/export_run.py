"""Run folder -> bundle folder: choose the checkpoint, set the gate, measure, write."""

import dataclasses
import json
from pathlib import Path

import torch

from ..config import WINDOW_HU
from ..data.slices import load_pool
from ..evaluate.measure import measure_extra_volumes, measure_lits, measure_volumes
from ..evaluate.slices import gate_threshold
from ..model.sam_mix import SamMix
from ..step.loop import GATE_SENSITIVITY
from ..step.state import RunState, load_state
from .bundle import BundleContents, Training, file_sha256, write_bundle
from .bundle_model import BundleModel
from .golden import GOLDEN_CASES
from .model_card import model_card

LICENCES = {
    "lits": ("LiTS (Medical Segmentation Decathlon Task03)", "CC BY-SA 4.0", "training labels"),
    "ircad": ("3D-IRCADb-01", "CC BY-NC-ND 4.0", "training labels"),
    "phantom": ("sammix phantoms (synthetic)", "Apache-2.0", "training labels"),
    "nihpancreas": ("NIH Pancreas-CT (TCIA)", "CC BY 3.0", "unlabelled training"),
    "msd08": ("Medical Segmentation Decathlon Task08", "CC BY-SA 4.0", "unlabelled training"),
    "cort_unlabelled": ("CORT", "CC0", "training slices without liver"),
    "cmb_crc_unlabelled": ("CMB-CRC (TCIA)", "CC BY 4.0", "training slices without liver"),
}


def export_run(
    run: Path,
    out: Path,
    data_root: Path | None,
    checkpoint: str = "best",
    measure_test: bool = False,
    golden_cases: tuple[str, ...] = GOLDEN_CASES,
) -> dict[str, float]:
    """Writes a bundle from a run's averaged weights; returns the graphs' parity errors.

    Args:
        run: run folder with run.json and the checkpoint.
        out: bundle folder.
        data_root: data for the gate and the scores; without it the gate is the last validation's.
        checkpoint: "best" or "last".
        measure_test: score the test patients, and not only the validation patients.
        golden_cases: which reference slices to write.
    """
    state = load_state(run / f"{checkpoint}.pt", "cpu")
    model = state.average.eval()
    training = training_of(run, state, data_root)
    threshold = validation_threshold(model, data_root) if data_root else logged_threshold(run)
    licences = licences_of(run, state)
    contents = BundleContents(threshold, training, licences, golden_cases=golden_cases)
    errors = write_bundle(model, contents, out)
    metrics = measure_bundle(out, data_root, threshold, measure_test) if data_root else []
    card = model_card(model, training, threshold, contents.licences, metrics, WINDOW_HU)
    write_bundle(model, dataclasses.replace(contents, metrics=metrics, model_card=card), out)
    return errors


def measure_bundle(out: Path, data_root: Path, threshold: float, measure_test: bool) -> list[dict]:
    """Scores the exported graphs themselves, not the PyTorch model."""
    bundle = BundleModel(out)
    metrics = []
    for side in ("val", "test") if measure_test else ("val",):
        metrics += measure_lits(bundle, data_root, side)
        metrics += measure_volumes(bundle, data_root, side, threshold)[0]
    if measure_test:
        metrics += measure_extra_volumes(bundle, data_root, threshold)
    return metrics


def validation_threshold(model: SamMix, data_root: Path) -> float:
    """The gate, from every slice of the validation patients."""
    pool = load_pool(data_root, "val")
    probability = []
    with torch.no_grad():
        for start in range(0, len(pool), 8):
            image = torch.from_numpy(pool.images[start : start + 8]).float()[:, None] / 255
            probability.append(model.classifier(image)[0][:, 0].sigmoid())
    positive = pool.masks.any(axis=(1, 2))
    threshold = gate_threshold(torch.cat(probability).numpy(), positive, GATE_SENSITIVITY)
    return min(max(threshold, 1e-4), 1 - 1e-4)


def logged_threshold(run: Path) -> float:
    """The gate of the last validation in the log, or one half."""
    log = run / "log.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    gates = [entry["gate"] for entry in map(json.loads, lines) if "gate" in entry]
    return min(max(gates[-1], 1e-4), 1 - 1e-4) if gates else 0.5


def training_of(run: Path, state: RunState, data_root: Path | None) -> Training:
    """Provenance from run.json and the checkpoint."""
    record = json.loads((run / "run.json").read_text())
    training = Training(
        stages=state.stages,
        labelled_slices=record["labelledSlices"],
        unlabelled_slices=record["unlabelledSlices"],
        labelled_ids_sha256=record["labelledIdsSha256"],
        base=state.base,
        device=record["machine"],
    )
    if data_root is None:
        return training
    return dataclasses.replace(training, split_sha256=file_sha256(data_root / "split.json"))


def licences_of(run: Path, state: RunState) -> list[dict]:
    """Licences of the sources that the run and those before it used."""
    patients = json.loads((run / "run.json").read_text())["patients"]
    used = set()
    for entry in patients:
        source, patient = entry.split("/", 1)
        used.add(source if source in LICENCES else patient.split("_")[0])
        used.add(patient)
    own = [
        {"source": name, "licence": licence, "use": use}
        for key, (name, licence, use) in LICENCES.items()
        if key in used
    ]
    return [*state.licences, *(entry for entry in own if entry not in state.licences)]
