"""The training loop: schedule, logging, validation, checkpoints, clean stops."""

import json
import math
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ..data.sampling import StepSampler
from ..data.slices import SlicePool
from ..evaluate.gate import GATE_SENSITIVITY
from ..evaluate.slices import dice, gate_threshold, predict_slices, slice_scores
from ..model.sam_mix import SamMix
from .pipeline import StepPipeline
from .run_record import write_run_record
from .state import RunState, save_state
from .teacher import update_average

LOG_EVERY_STEPS = 20
SAVE_EVERY_S = 120.0


class StopRequest:
    """Set by SIGTERM or SIGINT; the loop then saves and returns after the current step."""

    def __init__(self) -> None:
        self.requested = False

    def listen(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._request)

    def _request(self, *_: object) -> None:
        self.requested = True


def learning_rate_factor(step: int, progress: float, warmup_steps: int) -> float:
    """Linear warm-up in steps times cosine decay to 0 over the schedule."""
    warmup = min(1.0, (step + 1) / max(1, warmup_steps))
    return warmup * 0.5 * (1 + math.cos(math.pi * progress))


def train(
    state: RunState,
    pool: SlicePool,
    validation: SlicePool,
    out: Path,
    device: str,
    data_record: dict | None = None,
    follow: Callable[[dict], None] | None = None,
) -> RunState:
    """Runs the schedule to its end, or until asked to stop; returns the state it saved last.

    Args:
        state: fresh or resumed.
        pool: training slices.
        validation: validation slices; the best CAM-prompted Dice on them is kept as `best.pt`.
        out: run folder; receives log.jsonl, run.json, last.pt and best.pt.
        device: "cpu" or "cuda".
        data_record: `TrainingData.record`.
        follow: is told every line of log.jsonl.
    """
    out.mkdir(parents=True, exist_ok=True)
    sampler = StepSampler(pool, state.config)
    write_run_record(out / "run.json", state, sampler, data_record)
    pipeline = StepPipeline(state, sampler, device)
    stop = StopRequest()
    stop.listen()
    recent: dict[str, list[float]] = defaultdict(list)
    last_save = last_evaluation = state.elapsed_s
    while state.progress < 1 and not stop.requested:
        started = time.monotonic()
        for key, value in optimise_once(state, pipeline).items():
            recent[key].append(value)
        state.elapsed_s += time.monotonic() - started
        if state.step % LOG_EVERY_STEPS == 0:
            log_line(out, {"kind": "train", **_position(state), **_means(recent)}, follow)
            recent.clear()
        if state.elapsed_s - last_save > SAVE_EVERY_S:
            save_state(state, out / "last.pt")
            last_save = state.elapsed_s
        if state.elapsed_s - last_evaluation > state.config.evaluate_every_s:
            validate(state, validation, out, device, follow)
            last_evaluation = state.elapsed_s
    if not stop.requested:
        validate(state, validation, out, device, follow)
    save_state(state, out / "last.pt")
    return state


def optimise_once(state: RunState, pipeline: StepPipeline) -> dict[str, float]:
    """One optimiser step; returns what to log."""
    config = state.config
    factor = learning_rate_factor(state.step, state.progress, config.warmup_steps)
    for group in state.optimiser.param_groups:
        group["lr"] = config.learning_rate * factor
    set_training_mode(state.model)
    state.optimiser.zero_grad(set_to_none=True)
    parts = pipeline.gradients()
    norms = clip_gradients(state.model, config.grad_clip)
    if not all(math.isfinite(norm) for norm in norms.values()):
        raise FloatingPointError(f"gradient norms {norms} at step {state.step}: {parts}")
    state.optimiser.step()
    state.step += 1
    update_average(state.average, state.model, state.step, config.ema_decay)
    return {**parts, **norms, "lr": config.learning_rate * factor}


def clip_gradients(model: SamMix, limit: float) -> dict[str, float]:
    """Clips the classifier's and the mask networks' gradients, each to a norm of `limit`.

    They share no parameters, so a slice that the classifier gets badly wrong is no reason to
    learn less from the masks. Returns the norms before.
    """
    masks = [p for name, p in model.named_parameters() if not name.startswith("classifier.")]
    clip = torch.nn.utils.clip_grad_norm_
    return {
        "grad_norm_classifier": float(clip(model.classifier.parameters(), limit)),
        "grad_norm_masks": float(clip(masks, limit)),
    }


def set_training_mode(model: nn.Module) -> None:
    """Training mode, but for frozen batch norms: their statistics belong to what is frozen."""
    model.train()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d) and not module.weight.requires_grad:
            module.eval()


def validate(
    state: RunState,
    validation: SlicePool,
    out: Path,
    device: str,
    follow: Callable[[dict], None] | None = None,
) -> dict[str, float]:
    """Scores the averaged weights with CAM prompts, logs, and keeps the best checkpoint."""
    started = time.monotonic()
    predictions = predict_slices(state.average, validation.images, device=device)
    scores = slice_scores(predictions, validation.masks)
    positive = np.array([bool(record.has_target) for record in validation.records])
    scores["gate"] = gate_threshold(predictions.probability, positive, GATE_SENSITIVITY)
    passed = predictions.probability >= scores["gate"]
    for source in sorted({record.source for record in validation.records}):
        shown = validation.indices(source=source, has_target=True)
        hidden = validation.indices(source=source, has_target=False)
        if len(shown):
            dices = [dice(predictions.logits[i] > 0, validation.masks[i] > 0) for i in shown]
            scores[f"dice_{source}"] = float(np.mean(dices))
        if len(hidden):
            scores[f"passed_{source}"] = float(passed[hidden].mean())
    seconds = time.monotonic() - started
    state.elapsed_s += seconds
    entry = {"kind": "validation", **_position(state), **scores, "seconds": seconds}
    log_line(out, entry, follow)
    if scores["dice"] > state.best_dice:
        state.best_dice = scores["dice"]
        save_state(state, out / "best.pt")
    return scores


def log_line(out: Path, entry: dict, follow: Callable[[dict], None] | None = None) -> None:
    """Appends one JSON line to the run's log, and tells who follows it; NaN becomes null."""
    rounded = {k: _rounded(v) if isinstance(v, float) else v for k, v in entry.items()}
    with (out / "log.jsonl").open("a") as handle:
        handle.write(json.dumps(rounded) + "\n")
    if follow:
        follow(rounded)


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None


def _position(state: RunState) -> dict:
    return {
        "step": state.step,
        "elapsed_s": round(state.elapsed_s, 1),
        "progress": round(state.progress, 4),
    }


def _means(values: dict[str, list[float]]) -> dict[str, float]:
    return {key: float(np.mean(v)) for key, v in values.items()}
