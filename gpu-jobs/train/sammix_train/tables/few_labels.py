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

from ..config import TrainConfig
from ..data.sampling import StepSampler
from ..data.slices import SlicePool, TrainingData, load_training
from ..evaluate.slices import predict_slices
from ..export.checkpoint import read_bundle
from ..fit.settings import begin_fit, fit_config
from ..step.state import Origin, RunState, new_state
from .baselines import Fit, UnetShape, fit_unet, predict_unet
from .optimise import train_to_best
from .paper_protocol import held_out_slices, slice_results, summary
from .run import write_row

METHODS = ("fit", "scratch", "unet")
# as small as the networks it is compared with, so that it takes as many steps in the same time
UNET = UnetShape("timm-mobilenetv3_small_minimal_100", (64, 48, 32, 16, 8))
UNET_LEARNING_RATE = 2e-3
CALIBRATION_STEPS = 5


@dataclass(frozen=True)
class Experiment:
    """What all rows share; `origin` is where "fit" starts, and whose networks "scratch" has."""

    data: Path
    target: str
    origin: Origin
    steps: int
    out: Path

    def config(self, labels: str, seed: int) -> TrainConfig:
        """`fit`'s configuration."""
        return fit_config(self.origin, self.target, labels, "cpu", seed=seed, steps=self.steps)


def run_row(experiment: Experiment, method: str, labels: str, seed: int) -> dict:
    """Trains one row, scores the test side once, and returns what its file says."""
    target = experiment.target.replace(" ", "-")
    path = experiment.out / f"{target}-{method}-{labels}-seed{seed}.json"
    if path.exists():
        return json.loads(path.read_text())
    loaded = load_training(experiment.data, experiment.target, seed=0)
    config = experiment.config(labels, seed)
    if method == "unet":
        cpu_seconds = run_row(experiment, "fit", labels, seed)["cpuSeconds"]
        predict, trained = train_unet(config, loaded, cpu_seconds)
    else:
        begin = {"fit": begin_fitted, "scratch": begin_scratch}[method]
        state = begin(experiment, config, loaded)
        predict, trained = train_networks(state, loaded, path.with_suffix(""))
    entry = {
        "target": experiment.target,
        "method": method,
        "labels": labels,
        "seed": seed,
        "startsFrom": experiment.origin.path.name if method == "fit" else None,
        "labelledSlices": len(StepSampler(loaded.train, config).labelled),
        **trained,
        **scored(experiment, predict),
    }
    write_row(path, entry)
    return entry


Predict = Callable[[SlicePool], np.ndarray]
Trained = tuple[Predict, dict]


def scored(experiment: Experiment, predict: Predict) -> dict:
    """What the test side's slices with the target come to."""
    test = held_out_slices(experiment.data, experiment.target)
    results = slice_results(predict(test), test)
    return {"test": summary(results), "perSlice": results}


def begin_fitted(experiment: Experiment, config: TrainConfig, loaded: TrainingData) -> RunState:
    """From the bundle, as `fit` does it."""
    return begin_fit(config, experiment.origin, loaded.train, "cpu")


def begin_scratch(_: Experiment, config: TrainConfig, __: TrainingData) -> RunState:
    """The same networks and steps from random weights; everything learns."""
    shape = dataclasses.replace(config.model, lora_rank=0)
    return new_state(dataclasses.replace(config, model=shape, adapt="all"), "cpu")


def train_networks(state: RunState, loaded: TrainingData, run: Path) -> Trained:
    """SAM-Mix; its run lies in `run`."""
    started = time.process_time()
    state = train_to_best(state, loaded.train, loaded.validation, run, "cpu", loaded.record)
    spent = time.process_time() - started

    def predict(pool: SlicePool) -> np.ndarray:
        return predict_slices(state.average, pool.images).logits

    return predict, account(state.step, state.best_dice, spent)


def train_unet(config: TrainConfig, loaded: TrainingData, cpu_seconds: float) -> Trained:
    """U-Net on the same labelled slices, for about `cpu_seconds`."""
    config = dataclasses.replace(config, learning_rate=UNET_LEARNING_RATE)

    def fitted(steps: int) -> tuple[Fit, float]:
        started = time.process_time()
        schedule = dataclasses.replace(config, steps=steps)
        done = fit_unet(UNET, schedule, loaded.train, loaded.validation, "cpu")
        return done, time.process_time() - started

    # both have their validations, so that the difference is of steps alone
    (_, few), (_, more) = fitted(CALIBRATION_STEPS), fitted(4 * CALIBRATION_STEPS)
    step_seconds = (more - few) / (3 * CALIBRATION_STEPS)
    done, spent = fitted(max(1, round(cpu_seconds / step_seconds)))

    def predict(pool: SlicePool) -> np.ndarray:
        return predict_unet(done.model, pool)

    return predict, account(done.steps, done.validation_score, spent)


def account(steps: int, validation_dice: float, cpu_seconds: float) -> dict:
    """What a training took and came to."""
    return {
        "steps": steps,
        "validationDice": round(validation_dice, 5),
        "cpuSeconds": round(cpu_seconds, 1),
    }


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
        options.data, options.target, read_bundle(options.bundle), options.steps, options.out
    )
    entries = []
    for seed in options.seeds:
        for labels in options.labels:
            for method in options.methods:
                entries.append(run_row(experiment, method, labels, seed))
                print(table(entries), flush=True)


if __name__ == "__main__":
    main()
