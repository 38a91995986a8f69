"""Trains and measures single rows of the comparison table, and keeps what is done."""

import dataclasses
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..config import TrainConfig, config_to_dict
from ..data.dataset import read_dataset, read_split
from ..data.sampling import StepSampler, of_sources
from ..data.slices import SlicePool, load_training
from ..evaluate.slices import predict_slices
from ..frozen.embeddings import keep_embeddings
from ..model.sam.checkpoint import load_sam
from ..model.sam_mix import SamMix, to_device
from ..step.loop import StopRequest
from ..step.run_record import device_description
from ..step.state import RunState, freeze_unadapted, parameter_groups
from ..step.teacher import averaged_copy
from .baselines import (
    UnetShape,
    fit_oracle_prompted,
    fit_unet,
    predict_unet,
    predict_with_truth,
    prompted_model,
    unet,
)
from .image_level import fit_classifier
from .optimise import train_to_best
from .paper_protocol import held_out_slices, slice_results, summary
from .rows import ROW_BY_KEY, Row


@dataclass(frozen=True)
class Settings:
    """What is common to all rows.

    Attributes:
        data: data folder.
        out: output folder.
        config: SAM-Mix's configuration; rows change labels, seed and their ablation.
        unet: shape of the U-Net.
        unet_factor: length of the U-Net's schedule in SAM-Mix's.
        unet_learning_rate: of the U-Net.
        imagenet: weights of the encoders of those U-Nets that start from ImageNet, or None.
        checkpoint: SAM checkpoint to start from, or None.
        checkpoint_input: see `load_sam`.
        base: `base_record` of the checkpoint, or None.
        embeddings: where a frozen encoder's embeddings are kept, or None to compute them anew.
        classifier_steps: so long one classifier a seed is trained, for all rows, from no mask at
            all (`image_level`); 0 has each row train its own.
        tests: test sides by the name that the table gives them: folder, and sources of it or all.
        device: "cpu" or "cuda".
    """

    data: Path
    out: Path
    config: TrainConfig
    unet: UnetShape
    unet_factor: float
    unet_learning_rate: float
    imagenet: Path | None
    checkpoint: Path | None
    checkpoint_input: str
    base: dict | None
    embeddings: Path | None
    classifier_steps: int
    tests: dict[str, tuple[Path, tuple[str, ...]]]
    device: str

    def unet_shape(self, row: Row) -> UnetShape:
        """Of a row's U-Net."""
        return dataclasses.replace(self.unet, imagenet=self.imagenet if row.pretrained else None)

    def row_config(self, row: Row, seed: int) -> TrainConfig:
        """The configuration that trains a row."""
        config = dataclasses.replace(self.config, labels=row.labels, seed=seed, **row.overrides)
        if row.method != "unet":
            return config
        return dataclasses.replace(
            config,
            steps=round(config.steps * self.unet_factor),
            minutes=config.minutes * self.unet_factor,
            learning_rate=self.unet_learning_rate,
        )

    def fingerprint(self, row: Row, seed: int) -> str:
        """Hash of everything that decides a row's numbers, besides the code."""
        decisive = {
            "config": config_to_dict(self.row_config(ROW_BY_KEY[row.training], seed)),
            "unet": str(self.unet_shape(row)) if row.method == "unet" else None,
            "base": self.base,
            "checkpointInput": self.checkpoint_input,
            "classifierSteps": self.classifier_steps,
            "split": read_split(read_dataset(self.data), seed=0),
            "tests": {name: sources for name, (_, sources) in self.tests.items()},
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Slices:
    """All slices of a table; `train` and `validation` share no patient with the others.

    `validation` has those of all sources, `mask_validation` of those whose masks are learnt from.
    """

    train: SlicePool
    validation: SlicePool
    mask_validation: SlicePool
    tests: dict[str, SlicePool]


def load_slices(settings: Settings) -> Slices:
    """Reads every side once."""
    config = settings.config
    loaded = load_training(settings.data, config.target, seed=0)
    everything = np.arange(len(loaded.validation))
    learnt = of_sources(loaded.validation, everything, config.learnt_sources)
    return Slices(
        train=loaded.train,
        validation=loaded.validation,
        mask_validation=loaded.validation.subset(learnt),
        tests={
            name: held_out_slices(folder, config.target, sources)
            for name, (folder, sources) in settings.tests.items()
        },
    )


class TableRun:
    """Runs rows one after another; stops cleanly on SIGTERM or SIGINT."""

    def __init__(self, settings: Settings, slices: Slices) -> None:
        self.settings, self.slices = settings, slices
        self.stop = StopRequest()
        self.stop.listen()

    def run(self, row: Row, seed: int) -> Path:
        """Measures one row for one seed, unless it is done; returns its JSON file."""
        path = self.settings.out / "rows" / f"{row.key}-seed{seed}.json"
        wanted = self.settings.fingerprint(row, seed)
        if path.exists():
            found = json.loads(path.read_text())["settingsSha256"]
            if found != wanted:
                raise ValueError(f"{path} was made with other settings; choose another --out")
            return path
        model, trained = self._trained(ROW_BY_KEY[row.training], seed)
        entry = {
            "row": row.key,
            "title": row.title,
            "seed": seed,
            "promptAtTest": row.source,
            "settingsSha256": wanted,
            "config": config_to_dict(self.settings.row_config(row, seed)),
            "model": self.settings.config.model.name,
            "base": self.settings.base,
            "device": device_description(),
            **trained,
            **self._measured(row, model),
        }
        write_row(path, entry)
        return path

    def _measured(self, row: Row, model: nn.Module) -> dict:
        results = {
            name: slice_results(self._logits(row, model, pool), pool)
            for name, pool in self.slices.tests.items()
        }
        return {"tests": {n: summary(r) for n, r in results.items()}, "perSlice": results}

    def _logits(self, row: Row, model: nn.Module, pool: SlicePool) -> np.ndarray:
        device = self.settings.device
        if row.method == "unet":
            return predict_unet(model, pool, device)
        if row.source == "CAM":
            return predict_slices(model, pool.images, device=device).logits
        return predict_with_truth(model, pool, row.source.removeprefix("truth "), device)

    def _trained(self, row: Row, seed: int) -> tuple[nn.Module, dict]:
        """The row's weights in eval mode and what it took; trains them if they are not there."""
        path = self.settings.out / "weights" / f"{row.key}-seed{seed}.pt"
        wanted = self.settings.fingerprint(row, seed)
        config = self.settings.row_config(row, seed)
        if path.exists():
            stored = torch.load(path, map_location=self.settings.device, weights_only=True)
            if stored["settingsSha256"] == wanted:
                model = self._fresh(row, config)
                model.load_state_dict(stored["weights"])
                return model.eval(), stored["trained"]
        model, trained = self._train(row, config)
        content = {"weights": model.state_dict(), "trained": trained, "settingsSha256": wanted}
        save(content, path)
        return model, trained

    def _fresh(self, row: Row, config: TrainConfig) -> nn.Module:
        """The networks as a row starts with them; what it does not adapt does not learn."""
        settings = self.settings
        if row.method == "unet":
            return unet(settings.unet_shape(row)).to(settings.device)
        model = prompted_model(config.model, row.prompts, config.seed)
        if settings.checkpoint:
            load_sam(model, settings.checkpoint, settings.checkpoint_input)
        if settings.classifier_steps and row.source == "CAM":
            model.classifier.load_state_dict(self._classifier(config))
        freeze_unadapted(model, config.adapt)
        if settings.embeddings:
            keep_embeddings(model, settings.embeddings)
        return to_device(model, settings.device)

    def _classifier(self, config: TrainConfig) -> dict:
        """Weights of the seed's classifier, or of one that masks are shown; trained once."""
        settings = self.settings
        own = dataclasses.replace(config, steps=settings.classifier_steps, minutes=0.0)
        if config.labels == "0":
            own = dataclasses.replace(own, cam_weight=0.0)
        masks = f"-{config.labels}-masks" if own.cam_weight else ""
        path = settings.out / "weights" / f"classifier-{own.steps}{masks}-seed{config.seed}.pt"
        if path.exists():
            return torch.load(path, map_location="cpu", weights_only=True)
        fresh = to_device(prompted_model(config.model, "mask+box", config.seed), settings.device)
        pools = (self.slices.train, self.slices.validation)
        done = fit_classifier(
            fresh.classifier, own, *pools, settings.device, lambda: self.stop.requested
        )
        weights = {name: value.cpu() for name, value in done.model.state_dict().items()}
        save(weights, path)
        return weights

    def _train(self, row: Row, config: TrainConfig) -> tuple[nn.Module, dict]:
        if row.labels == "0":
            return self._fresh(row, config).eval(), _account(config, 0, 0, 0, 0.0)
        sampler = StepSampler(self.slices.train, config)
        labelled, unlabelled = len(sampler.labelled), len(sampler.unlabelled)
        if row.method == "sammix":
            model, steps, seconds = self._train_sammix(row, config)
            if config.lambda_max == 0:
                unlabelled = 0
        else:
            model, steps, seconds = self._fit(row, config)
            unlabelled = 0
        return model, _account(config, labelled, unlabelled, steps, seconds)

    def _fit(self, row: Row, config: TrainConfig) -> tuple[nn.Module, int, float]:
        pools = (self.slices.train, self.slices.mask_validation)
        tail = (config, *pools, self.settings.device, lambda: self.stop.requested)
        if row.method == "unet":
            done = fit_unet(self.settings.unet_shape(row), *tail)
        else:
            done = fit_oracle_prompted(self._fresh(row, config), row.prompts, *tail)
        return done.model, done.steps, done.seconds

    def _train_sammix(self, row: Row, config: TrainConfig) -> tuple[SamMix, int, float]:
        model = self._fresh(row, config)
        groups = parameter_groups(model, config.weight_decay)
        optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)
        rng = np.random.default_rng(config.seed)
        state = RunState(config, model, averaged_copy(model), optimiser, rng)
        folder = self.settings.out / "runs" / f"{row.key}-seed{config.seed}"
        pools = (self.slices.train, self.slices.mask_validation)
        state = train_to_best(state, *pools, folder, self.settings.device)
        self.stop.listen()  # `train` listens with its own flag
        return state.average, state.step, state.elapsed_s


def _account(
    config: TrainConfig, labelled: int, unlabelled: int, steps: int, seconds: float
) -> dict:
    return {
        "labelledSlices": labelled,
        "unlabelledSlices": unlabelled,
        "steps": steps,
        "epochs": round(steps * config.labelled_per_step / max(1, labelled), 2),
        "trainSeconds": round(seconds, 1),
    }


def save(content: dict, path: Path) -> None:
    """Tensors in a file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path.with_suffix(".part"))
    os.replace(path.with_suffix(".part"), path)


def write_row(path: Path, entry: dict) -> None:
    """A row's JSON file, whole or not at all."""
    text = json.dumps(entry, indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)
