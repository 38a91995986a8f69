"""Writes a bundle: graphs, golden tensors, model card and the manifest that ties them together."""

import hashlib
import json
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from .. import __version__
from ..config import (
    CAM_THRESHOLD_OF_MAX,
    SLICE_SIZE_PX,
    WINDOW_HU,
    TrainConfig,
    config_from_dict,
    config_sha256,
)
from ..model.sam_mix import SamMix
from ..step.state import Stage
from .checkpoint import write_checkpoint
from .golden import GOLDEN_CASES, golden_tolerance, write_golden
from .graphs import OPSET, bundle_graphs, export_graphs

EMPTY_SHA256 = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True)
class Training:
    """How the weights came about, as recorded by the run.

    Attributes:
        stages: what was trained one after another; `config` is the last one's.
        labelled_slices, unlabelled_slices: pool sizes.
        labelled_ids_sha256: hash of the labelled slice ids.
        split_sha256: hash of the split, as run.json has it.
        base: `base_record` of the SAM checkpoint that the weights started from, or None.
        device: machine.
        data_notes: what the data set says of itself.
    """

    stages: tuple[Stage, ...]
    labelled_slices: int = 0
    unlabelled_slices: int = 0
    labelled_ids_sha256: str = EMPTY_SHA256
    split_sha256: str = EMPTY_SHA256
    base: dict | None = None
    device: str = "cpu"
    data_notes: tuple[str, ...] = ()

    @property
    def config(self) -> TrainConfig:
        """The last stage's configuration."""
        return config_from_dict(self.stages[-1].config)

    @property
    def config_sha256(self) -> str:
        """Hash over the configurations of all stages."""
        return config_sha256(*(stage.config for stage in self.stages))

    @property
    def seconds(self) -> float:
        """Training time of all stages."""
        return sum(stage.seconds for stage in self.stages)

    @property
    def epochs(self) -> float:
        """Passes over as many slices as there are labelled ones, in all stages."""
        seen = sum(stage.steps * stage.config["labelled_per_step"] for stage in self.stages)
        return round(seen / max(1, self.labelled_slices), 2)


@dataclass(frozen=True)
class BundleContents:
    """What the caller knows and the model does not.

    Attributes:
        threshold: the classifier gate's probability, in (0, 1).
        training: provenance.
        licences: entries {source, licence, use}.
        metrics: entries {name, dataset, protocol, value, n}.
        model_card: Markdown.
        golden_cases: which reference slices to write; fewer keep a fixture small.
    """

    threshold: float
    training: Training
    licences: list[dict] = field(default_factory=list)
    metrics: list[dict] = field(default_factory=list)
    model_card: str = ""
    golden_cases: tuple[str, ...] = GOLDEN_CASES


def write_bundle(model: SamMix, contents: BundleContents, folder: Path) -> dict[str, float]:
    """Writes all files of a bundle; returns each graph's difference to PyTorch."""
    errors = export_graphs(model, folder)
    write_checkpoint(model, contents.training.stages, folder)
    write_golden(model.cpu().eval(), folder, contents.golden_cases)
    if contents.model_card:
        (folder / "MODEL_CARD.md").write_text(contents.model_card)
    manifest = bundle_manifest(model, contents, folder)
    (folder / "bundle.json").write_text(json.dumps(manifest, indent=1) + "\n")
    return errors


def bundle_manifest(model: SamMix, contents: BundleContents, folder: Path) -> dict:
    """The content of bundle.json, for the files already in `folder`."""
    graphs = bundle_graphs(model.config)
    return {
        "schemaVersion": 1,
        "name": model.config.name,
        "createdAt": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "trainer": {
            "version": __version__,
            "commit": source_commit(),
            "configSha256": contents.training.config_sha256,
        },
        "target": {"name": contents.training.config.target, "labelValue": 1},
        "licences": contents.licences,
        "base": contents.training.base,
        "preprocess": {
            "orientation": "rows-AP-columns-RL",
            "windowHu": list(WINDOW_HU),
            "sliceSizePx": SLICE_SIZE_PX,
            "resize": "triangle-letterbox-mm",
        },
        "classifier": {
            "graph": graphs["classifier"].describe(),
            "threshold": contents.threshold,
        },
        "cam": {
            "activation": "relu",
            "upsample": "bilinear-half-pixel",
            "thresholdOfMax": CAM_THRESHOLD_OF_MAX,
            "component": "largest",
            "connectivity": 4,
            "emptyFallback": "centre-box",
        },
        "encoder": {"graph": graphs["encoder"].describe()},
        "decoder": {
            "graph": graphs["decoder"].describe(),
            "select": "max-score",
            "maskThresholdLogit": 0,
        },
        "postprocess": {"largestComponent3d": True, "fillHoles": True},
        "onnx": {"opset": OPSET, "precision": "fp32", "minRuntime": "1.20"},
        "training": training_record(contents.training),
        "metrics": contents.metrics,
        "golden": {
            "file": "golden.json",
            "tolerance": golden_tolerance(folder),
        },
        "files": file_entries(folder),
    }


def training_record(training: Training) -> dict:
    """The training object of bundle.json."""
    labels = training.config.labels
    return {
        "protocol": "all slices of whole scans for the class, CAM-prompted masks",
        "labels": labels if labels == "all" else int(labels),
        "labelledSlices": training.labelled_slices,
        "unlabelledSlices": training.unlabelled_slices,
        "seed": training.config.seed,
        "epochs": training.epochs,
        "lambdaMax": training.config.lambda_max,
        "split": {"file": "run.json", "sha256": training.split_sha256},
        "labelledIdsSha256": training.labelled_ids_sha256,
        "durationSeconds": round(training.seconds, 1),
        "device": training.device,
    }


def file_entries(folder: Path) -> list[dict]:
    """Size and sha256 of every file except the manifest."""
    return [
        {"path": path.name, "bytes": path.stat().st_size, "sha256": file_sha256(path)}
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name != "bundle.json"
    ]


def file_sha256(path: Path) -> str:
    """Lower-case hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_commit() -> str:
    """Commit of the training code; "unknown" where it is not from a repository of its own."""
    folder = str(Path(__file__).parent)

    def git(*arguments: str) -> str | None:
        command = ["git", "-C", folder, *arguments]
        found = subprocess.run(command, capture_output=True, text=True, check=False)
        return found.stdout.strip() if found.returncode == 0 else None

    try:
        # an installed package may lie in somebody else's repository
        own = git("ls-files", "--error-unmatch", Path(__file__).name)
        return (own and git("rev-parse", "HEAD")) or "unknown"
    except OSError:  # no git here
        return "unknown"
