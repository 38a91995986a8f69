"""Saving and resuming the full state of a run, and starting a further stage from another one."""

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..config import ADAPTATIONS, ModelConfig, TrainConfig, config_from_dict, config_to_dict
from ..model.sam_mix import SamMix, to_device
from .teacher import averaged_copy


@dataclass(frozen=True)
class Stage:
    """A part of a run's training with one configuration.

    Attributes:
        config: as `config_to_dict` gives it; earlier versions knew other settings.
        steps, seconds: how long.
    """

    config: dict
    steps: int
    seconds: float


@dataclass(frozen=True)
class Origin:
    """Trained weights that a new run may start from, and how they came about.

    Attributes:
        path: run checkpoint or bundle folder, for messages.
        model: shapes.
        size: key of `MODEL_SIZES` that the shapes came from.
        weights: state of a `SamMix` of these shapes.
        stages: everything trained before, oldest first.
        base: `base_record` of the SAM checkpoint at the very start, or None.
        licences: entries {source, licence, use} of what the weights learnt from.
    """

    path: Path
    model: ModelConfig
    size: str
    weights: dict[str, Tensor]
    stages: tuple[Stage, ...]
    base: dict | None
    licences: tuple[dict, ...]


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
        earlier: stages before this configuration, oldest first.
        began: steps and seconds that were done when this configuration took over.
        base: `base_record` of the SAM checkpoint that the first weights came from, or None.
        licences: entries {source, licence, use} of what earlier runs learnt from.
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
    earlier: tuple[Stage, ...] = ()
    began: tuple[int, float] = (0, 0.0)
    base: dict | None = None
    licences: tuple[dict, ...] = ()

    @property
    def stages(self) -> tuple[Stage, ...]:
        """All stages up to now; the last one is this configuration's."""
        steps, seconds = self.began
        now = Stage(config_to_dict(self.config), self.step - steps, self.elapsed_s - seconds)
        return (*self.earlier, now)

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
        is_matrix = parameter.ndim >= 2 and "embed" not in name and "token" not in name
        (decayed if is_matrix and not is_lora(name) else plain).append(parameter)
    return [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]


def freeze_unadapted(model: SamMix, adapt: str) -> None:
    """Turns gradients off outside of what `TrainConfig.adapt` names and of LoRA in the encoder."""
    trained = ADAPTATIONS[adapt]
    if trained is None:
        return
    for name, parameter in model.named_parameters():
        adapted = adapt.startswith("lora") and is_lora(name)
        parameter.requires_grad_(adapted or name.startswith(trained))


def is_lora(name: str) -> bool:
    """Whether a parameter belongs to LoRA."""
    return any(f".{part}." in name for part in ("a_q", "b_q", "a_v", "b_v"))


def new_state(config: TrainConfig, device: str) -> RunState:
    """Freshly initialised weights from the seed."""
    torch.manual_seed(config.seed)
    model = to_device(SamMix(config.model), device)
    freeze_unadapted(model, config.adapt)
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
            "earlier": [stage_to_dict(stage) for stage in state.earlier],
            "began": state.began,
            "base": state.base,
            "licences": list(state.licences),
        },
        part,
    )
    os.replace(part, path)


def load_state(path: Path, device: str, config: TrainConfig | None = None) -> RunState:
    """Restores a run; `config` replaces the stored one and begins a further stage."""
    raw = torch.load(path, map_location=device, weights_only=True)
    stored = config_from_dict(raw["config"])
    state = new_state(config or stored, device)
    state.model.load_state_dict(raw["model"])
    state.average.load_state_dict(raw["average"])
    state.optimiser.load_state_dict(raw["optimiser"])
    state.rng.bit_generator.state = raw["rng"]
    torch.set_rng_state(raw["torch_rng"].cpu())
    state.step, state.elapsed_s = raw["step"], raw["elapsed_s"]
    state.best_dice = raw["best_dice"]
    state.earlier, state.began, state.base = _earlier(raw), tuple(raw["began"]), raw["base"]
    state.licences = tuple(raw["licences"])
    if config not in (None, stored):
        state.earlier = _stages(raw)
        state.began = (state.step, state.elapsed_s)
    return state


def stage_to_dict(stage: Stage) -> dict:
    """Plain JSON types."""
    return {"config": stage.config, "steps": stage.steps, "seconds": round(stage.seconds, 1)}


def stage_from_dict(raw: dict) -> Stage:
    """Inverse of `stage_to_dict`."""
    return Stage(raw["config"], raw["steps"], raw["seconds"])


def _earlier(raw: dict) -> tuple[Stage, ...]:
    return tuple(stage_from_dict(entry) for entry in raw["earlier"])


def _stages(raw: dict) -> tuple[Stage, ...]:
    """`RunState.stages` of a saved state."""
    steps, seconds = raw["began"]
    now = Stage(raw["config"], raw["step"] - steps, raw["elapsed_s"] - seconds)
    return (*_earlier(raw), now)


def read_run(path: Path) -> Origin:
    """The averaged weights of another run's checkpoint."""
    raw = torch.load(path, map_location="cpu", weights_only=True)
    config = config_from_dict(raw["config"])
    return Origin(
        path=path,
        model=config.model,
        size=config.size,
        weights=raw["average"],
        stages=_stages(raw),
        base=raw["base"],
        licences=tuple(raw["licences"]),
    )


def start_from(state: RunState, origin: Origin) -> None:
    """Copies trained weights into a new state: the start of a further stage.

    Schedule, optimiser and generators stay new. Weights that only the new model has keep their
    start: LoRA, whose update is zero then. ValueError when the models differ otherwise.
    """
    wanted = state.model.state_dict()
    weights = {
        adapted if (adapted := name.replace(".qkv.", ".qkv.base.")) in wanted else name: value
        for name, value in origin.weights.items()
    }
    missing, unexpected = state.model.load_state_dict(weights, strict=False)
    others = [*(name for name in missing if not is_lora(name)), *unexpected]
    if others:
        raise ValueError(f"{origin.path}: another model; it differs in {', '.join(others[:5])}")
    state.average.load_state_dict(state.model.state_dict())
    state.earlier, state.base, state.licences = origin.stages, origin.base, origin.licences
