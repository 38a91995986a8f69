"""Saving and resuming the full state of a run."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from .config import TrainConfig, config_from_dict, config_to_dict
from .model import SamMix
from .teacher import averaged_copy


@dataclass
class RunState:
    """Everything a run needs to go on as if it had never stopped.

    Attributes:
        config: the run's configuration.
        model, average: trained and averaged weights.
        optimiser: AdamW.
        rng: source of all sampling and augmentation.
        step: steps done.
        elapsed_s: seconds trained, over all sessions.
        best_dice: best validation Dice so far.
        prefetch_rng: generator state before the next step was prepared, if it already was.
    """

    config: TrainConfig
    model: SamMix
    average: SamMix
    optimiser: torch.optim.Optimizer
    rng: np.random.Generator
    step: int = 0
    elapsed_s: float = 0.0
    best_dice: float = -1.0
    prefetch_rng: dict | None = None

    @property
    def progress(self) -> float:
        """Share of the schedule done, in [0, 1]."""
        if self.config.minutes > 0:
            return min(1.0, self.elapsed_s / (60 * self.config.minutes))
        return min(1.0, self.step / self.config.steps)


def parameter_groups(model: SamMix, weight_decay: float) -> list[dict]:
    """Decay on matrices and kernels only: not on norms, biases, embeddings and LoRA."""
    decayed, plain = [], []
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        is_lora = any(f".{part}." in name for part in ("a_q", "b_q", "a_v", "b_v"))
        is_matrix = parameter.ndim >= 2 and "embed" not in name and "token" not in name
        (decayed if is_matrix and not is_lora else plain).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def new_state(config: TrainConfig, device: str) -> RunState:
    """Freshly initialised weights from the seed."""
    torch.manual_seed(config.seed)
    model = SamMix(config.model).to(device)
    groups = parameter_groups(model, config.weight_decay)
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)
    return RunState(
        config, model, averaged_copy(model), optimiser, np.random.default_rng(config.seed)
    )


def save_state(state: RunState, path: Path) -> None:
    """Writes atomically, so that an interrupted save leaves the previous file."""
    part = path.with_suffix(".part")
    torch.save(
        {
            "config": config_to_dict(state.config),
            "model": state.model.state_dict(),
            "average": state.average.state_dict(),
            "optimiser": state.optimiser.state_dict(),
            "rng": state.prefetch_rng or state.rng.bit_generator.state,
            "torch_rng": torch.get_rng_state(),
            "step": state.step,
            "elapsed_s": state.elapsed_s,
            "best_dice": state.best_dice,
        },
        part,
    )
    os.replace(part, path)


def load_state(path: Path, device: str, config: TrainConfig | None = None) -> RunState:
    """Restores a run; `config` replaces the stored one (a longer schedule, more data)."""
    raw = torch.load(path, map_location=device, weights_only=True)
    state = new_state(config or config_from_dict(raw["config"]), device)
    state.model.load_state_dict(raw["model"])
    state.average.load_state_dict(raw["average"])
    state.optimiser.load_state_dict(raw["optimiser"])
    state.rng.bit_generator.state = raw["rng"]
    torch.set_rng_state(raw["torch_rng"].cpu())
    state.step, state.elapsed_s = raw["step"], raw["elapsed_s"]
    state.best_dice = raw["best_dice"]
    return state
