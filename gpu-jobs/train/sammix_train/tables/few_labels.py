"""What a fit to few labels is worth: `python -m sammix_train.tables.few_labels`.

For one target, every seed and count of labels: the bundle fitted (`fit`'s own settings), the same
networks from random weights, and a U-Net, all from the same labelled slices and with as much CPU
time. Each trained row leaves a JSON file in OUT, and a second call skips what is there.
"""

import argparse
import dataclasses
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ..config import TrainConfig
from ..data.sampling import StepSampler
from ..data.slices import SlicePool, TrainingData, load_training
from ..evaluate.slices import predict_slices
from ..export.checkpoint import read_bundle
from ..fit.settings import begin_head, fit_config
from ..step.loop import train
from ..step.state import RunState, new_state, start_from
from .baselines import Fit, UnetShape, fit_unet, predict_unet
from .paper_protocol import in_domain_slices, slice_results, summary

METHODS = ("fit", "scratch", "unet")
# as small as the networks it is compared with, so that it takes as many steps in the same time
UNET = UnetShape("timm-mobilenetv3_small_minimal_100", (64, 48, 32, 16, 8))
UNET_LEARNING_RATE = 2e-3
CALIBRATION_STEPS = 5


@dataclass(frozen=True)
class Experiment:
    """What all rows share; `bundle` is where "fit" starts, and whose networks "scratch" has."""

    data: Path
    target: str
    bundle: Path
    steps: int
    out: Path


def run_row(experiment: Experiment, method: str, labels: str, seed: int) -> dict:
    """Trains one row, scores the test side once, and returns what its file says."""
    target = experiment.target.replace(" ", "-")
    path = experiment.out / f"{target}-{method}-{labels}-seed{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    loaded = load_training(experiment.data, experiment.target, seed=0)
    config = row_config(experiment, labels, seed)
    cpu_seconds = None
    if method == "unet":
        cpu_seconds = run_row(experiment, "fit", labels, seed)["cpuSeconds"]
    started = time.process_time()
    run = path.with_suffix("")
    predict, trained = TRAINED[method](experiment, config, loaded, run, cpu_seconds)
    cpu_seconds = time.process_time() - started
    test = in_domain_slices(experiment.data, experiment.target)
    results = slice_results(predict(test), test)
    entry = {
        "target": experiment.target,
        "method": method,
        "labels": labels,
        "seed": seed,
        "startsFrom": experiment.bundle.name if method == "fit" else None,
        "labelledSlices": len(StepSampler(loaded.train, config).labelled),
        "cpuSeconds": round(cpu_seconds, 1),
        **trained,
        "test": summary(results),
        "perSlice": results,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(entry, indent=1) + "\n")
    return entry


def row_config(experiment: Experiment, labels: str, seed: int) -> TrainConfig:
    """`fit`'s configuration."""
    origin = read_bundle(experiment.bundle)
    return fit_config(origin, experiment.target, labels, seed=seed, steps=experiment.steps)


Trained = tuple[Callable[[SlicePool], np.ndarray], dict]


def train_fit(
    experiment: Experiment, config: TrainConfig, loaded: TrainingData, run: Path, _: float | None
) -> Trained:
    """From the bundle, as `fit` does it."""
    state = new_state(config, "cpu")
    start_from(state, read_bundle(experiment.bundle))
    begin_head(state, StepSampler(loaded.train, config))
    return _trained(state, loaded, run)


def train_scratch(
    experiment: Experiment, config: TrainConfig, loaded: TrainingData, run: Path, _: float | None
) -> Trained:
    """The same networks and steps from random weights; everything learns."""
    shape = dataclasses.replace(config.model, lora_rank=0)
    config = dataclasses.replace(config, model=shape, adapt="all")
    return _trained(new_state(config, "cpu"), loaded, run)


def _trained(state: RunState, loaded: TrainingData, run: Path) -> Trained:
    state = train(state, loaded.train, loaded.validation, run, "cpu")
    if state.progress < 1:
        raise InterruptedError(f"stopped after step {state.step}")
    best = torch.load(run / "best.pt", map_location="cpu", weights_only=True)
    state.average.load_state_dict(best["average"])
    average = state.average.eval()

    def predict(pool: SlicePool) -> np.ndarray:
        return predict_slices(average, pool.images).logits

    return predict, {"steps": state.step, "validationDice": round(state.best_dice, 5)}


def train_unet(
    experiment: Experiment,
    config: TrainConfig,
    loaded: TrainingData,
    run: Path,
    cpu_seconds: float | None,
) -> Trained:
    """U-Net on the same labelled slices, for about `cpu_seconds`."""
    config = dataclasses.replace(config, learning_rate=UNET_LEARNING_RATE)

    def fitted(steps: int) -> Fit:
        schedule = dataclasses.replace(config, steps=steps)
        return fit_unet(UNET, schedule, loaded.train, loaded.validation, "cpu")

    def timed(steps: int) -> float:
        started = time.process_time()
        fitted(steps)
        return time.process_time() - started

    # both have their validations, so that the difference is of steps alone
    step_seconds = (timed(4 * CALIBRATION_STEPS) - timed(CALIBRATION_STEPS)) / (
        3 * CALIBRATION_STEPS
    )
    started = time.process_time()
    done = fitted(max(1, round(cpu_seconds / step_seconds)))
    spent = round(time.process_time() - started, 1)
    trained = {
        "steps": done.steps,
        "validationDice": round(done.validation_dice, 5),
        "cpuSeconds": spent,
    }

    def predict(pool: SlicePool) -> np.ndarray:
        return predict_unet(done.model, pool)

    return predict, trained


TRAINED = {"fit": train_fit, "scratch": train_scratch, "unet": train_unet}


def table(entries: list[dict]) -> str:
    """Markdown: per-slice Dice on the test side, mean and deviation over seeds."""
    lines = ["| Target | Labels | Method | Seeds | Test Dice | Median | CPU min |"]
    lines.append("| --- | --- | --- | --- | --- | --- | --- |")
    kinds = dict.fromkeys((e["target"], e["labels"], e["method"]) for e in entries)
    for kind in kinds:
        target, labels, method = kind
        rows = [e for e in entries if (e["target"], e["labels"], e["method"]) == kind]
        means = [row["test"]["dice"] for row in rows]
        median = np.mean([np.median([s["dice"] for s in row["perSlice"]]) for row in rows])
        minutes = np.mean([row["cpuSeconds"] for row in rows]) / 60
        spread = f" ± {np.std(means, ddof=1):.3f}" if len(means) > 1 else ""
        lines.append(
            f"| {target} | {labels} | {method} | {len(rows)} | {np.mean(means):.3f}{spread} "
            f"| {median:.3f} | {minutes:.1f} |"
        )
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> None:
    """Runs rows seed by seed, so that an early end leaves whole comparisons."""
    p = argparse.ArgumentParser(prog="sammix_train.tables.few_labels", description=__doc__)
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--target", required=True)
    p.add_argument("--bundle", type=Path, required=True)
    p.add_argument("--labels", nargs="+", default=["50"])
    p.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS))
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    p.add_argument("--steps", type=int, default=240)
    p.add_argument("--out", type=Path, required=True)
    options = p.parse_args(arguments)
    experiment = Experiment(
        options.data, options.target, options.bundle, options.steps, options.out
    )
    entries = []
    for seed in options.seeds:
        for labels in options.labels:
            for method in options.methods:
                entries.append(run_row(experiment, method, labels, seed))
                print(table(entries), flush=True)


if __name__ == "__main__":
    main()
