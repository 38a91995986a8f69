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
from ..data.sampling import StepSampler
from ..data.slices import SlicePool, load_training
from ..evaluate.slices import predict_slices
from ..model.sam.checkpoint import load_sam
from ..model.sam_mix import SamMix, to_device
from ..step.loop import StopRequest, train
from ..step.run_record import device_description
from ..step.state import RunState, parameter_groups
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
from .paper_protocol import cross_domain_slices, in_domain_slices, slice_results, summary
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
        checkpoint: SAM checkpoint to start from, or None.
        checkpoint_input: see `load_sam`.
        base: `base_record` of the checkpoint, or None.
        device: "cpu" or "cuda".
    """

    data: Path
    out: Path
    config: TrainConfig
    unet: UnetShape
    unet_factor: float
    unet_learning_rate: float
    checkpoint: Path | None
    checkpoint_input: str
    base: dict | None
    device: str

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
            "unet": dataclasses.asdict(self.unet) if row.method == "unet" else None,
            "base": self.base,
            "checkpointInput": self.checkpoint_input,
            "split": read_split(read_dataset(self.data), seed=0),
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Slices:
    """All slices of a table; `train` and `validation` share no patient with the others."""

    train: SlicePool
    validation: SlicePool
    in_domain: SlicePool
    cross_domain: SlicePool
    cross_middle: np.ndarray


def load_slices(data: Path, elsewhere: Path, target: str) -> Slices:
    """Reads every side once."""
    loaded = load_training(data, target, seed=0)
    cross_domain, middle = cross_domain_slices(elsewhere, target)
    return Slices(
        train=loaded.train,
        validation=loaded.validation,
        in_domain=in_domain_slices(data, target),
        cross_domain=cross_domain,
        cross_middle=middle,
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
        slices = self.slices
        inside = slice_results(self._logits(row, model, slices.in_domain), slices.in_domain)
        across = slice_results(self._logits(row, model, slices.cross_domain), slices.cross_domain)
        middle = [r for r, keep in zip(across, slices.cross_middle, strict=True) if keep]
        return {
            "inDomain": summary(inside),
            "crossDomain": summary(across),
            "crossDomainMiddle": summary(middle),
            "perSlice": {"inDomain": inside, "crossDomain": across},
        }

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
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save(content, path.with_suffix(".part"))
        os.replace(path.with_suffix(".part"), path)
        return model, trained

    def _fresh(self, row: Row, config: TrainConfig) -> nn.Module:
        if row.method == "unet":
            return unet(self.settings.unet).to(self.settings.device)
        model = prompted_model(config.model, row.prompts, config.seed)
        if self.settings.checkpoint:
            load_sam(model, self.settings.checkpoint, self.settings.checkpoint_input)
        return to_device(model, self.settings.device)

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
        pools = (self.slices.train, self.slices.validation)
        tail = (config, *pools, self.settings.device, lambda: self.stop.requested)
        if row.method == "unet":
            done = fit_unet(self.settings.unet, *tail)
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
        pools = (self.slices.train, self.slices.validation)
        state = train_to_best(state, *pools, folder, self.settings.device)
        self.stop.listen()  # `train` listens with its own flag
        return state.average, state.step, state.elapsed_s


def train_to_best(
    state: RunState,
    pool: SlicePool,
    validation: SlicePool,
    folder: Path,
    device: str,
    record: dict | None = None,
) -> RunState:
    """Trains to the end; `average` then has the weights of the best validation, in eval mode.

    `record` is what an export needs to know of the data: `TrainingData.record`. Raises
    InterruptedError when it is stopped before.
    """
    state = train(state, pool, validation, folder, device, record)
    if state.progress < 1:
        raise InterruptedError(f"stopped after step {state.step}")
    best = torch.load(folder / "best.pt", map_location=device, weights_only=True)
    state.average.load_state_dict(best["average"])
    state.average.eval()
    return state


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


def write_row(path: Path, entry: dict) -> None:
    """A row's JSON file, whole or not at all."""
    text = json.dumps(entry, indent=1) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(text)
    os.replace(part, path)
