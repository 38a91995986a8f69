"""Training to the best validation: SAM-Mix by its own loop, other networks by one loss."""

import copy
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from ..config import TrainConfig
from ..data.slices import SlicePool
from ..step.loop import learning_rate_factor, set_training_mode, train
from ..step.state import RunState, parameter_groups
from ..step.teacher import update_average

VALIDATIONS = 4  # per schedule, evenly spaced; the best weights are kept


@dataclass(frozen=True)
class Fit:
    """A finished training: averaged weights of the best validation, in `model`.

    Attributes:
        model: in eval mode.
        steps: optimiser steps done.
        seconds: wall-clock time, validations included.
        validation_score: of `model`.
    """

    model: nn.Module
    steps: int
    seconds: float
    validation_score: float


def fit(
    model: nn.Module,
    config: TrainConfig,
    batch_loss: Callable[[], Tensor],
    validation_score: Callable[[nn.Module], float],
    stopped: Callable[[], bool] = lambda: False,
) -> Fit:
    """AdamW, warm-up and cosine decay, averaged weights, best of `VALIDATIONS`: as SAM-Mix.

    Args:
        model: trained in place.
        config: schedule and optimiser settings.
        batch_loss: draws a batch and returns the loss of `model` on it.
        validation_score: of a model on the validation slices; the higher the better.
        stopped: asked after every step; InterruptedError follows when it says so.
    """
    groups = parameter_groups(model, config.weight_decay)
    optimiser = torch.optim.AdamW(groups, lr=config.learning_rate)
    average = copy.deepcopy(model).eval().requires_grad_(False)
    best, best_dice = copy.deepcopy(average.state_dict()), -1.0
    started, step, progress, validated = time.monotonic(), 0, 0.0, 0
    while progress < 1:
        factor = learning_rate_factor(step, progress, config.warmup_steps)
        for group in optimiser.param_groups:
            group["lr"] = config.learning_rate * factor
        set_training_mode(model)
        optimiser.zero_grad(set_to_none=True)
        batch_loss().backward()
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip)
        if not torch.isfinite(norm):
            raise FloatingPointError(f"gradient norm {float(norm)} at step {step}")
        optimiser.step()
        step += 1
        update_average(average, model, step, config.ema_decay)
        progress = schedule_progress(config, step, time.monotonic() - started)
        if stopped():
            raise InterruptedError(f"stopped after step {step}")
        if int(progress * VALIDATIONS) > validated:
            validated = int(progress * VALIDATIONS)
            score = validation_score(average)
            if score > best_dice:
                best, best_dice = copy.deepcopy(average.state_dict()), score
    average.load_state_dict(best)
    return Fit(average, step, time.monotonic() - started, best_dice)


def schedule_progress(config: TrainConfig, step: int, seconds: float) -> float:
    """Share of the schedule done, in [0, 1]."""
    if config.minutes > 0:
        return min(1.0, seconds / (60 * config.minutes))
    return min(1.0, step / config.steps)


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
