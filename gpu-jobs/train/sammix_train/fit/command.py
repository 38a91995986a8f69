"""`fit`: trains, exports and measures; `sammix train` runs it and shows what it says.

stdout is a JSON object a line, as core/contract/training-events.ts has it. OUT becomes the bundle,
RUN holds what a stopped training goes on from. Exit codes: 0 done, 3 refused, 143 stopped.
"""

import argparse
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import torch

from ..data.sampling import StepSampler, slice_ids_sha256
from ..data.slices import TrainingData, load_training
from ..export.checkpoint import read_bundle
from ..export.export_run import export_run
from ..frozen.embeddings import keep_embeddings
from ..step.loop import train
from ..step.run_record import device_description
from ..step.state import RunState, load_state
from .settings import begin_fit, fit_config

REFUSED, STOPPED = 3, 143


def add_fit_command(commands: argparse._SubParsersAction) -> None:
    """`fit`."""
    parser = commands.add_parser("fit", help="from a few labels to a bundle, for `sammix train`")
    parser.add_argument("--data", type=Path, required=True, help="data set in nnU-Net's layout")
    parser.add_argument("--target", required=True, help="name of the label; a+b joins two")
    parser.add_argument("--labels", default="all", help="how many labelled slices, or all")
    parser.add_argument("--start-from", type=Path, required=True, help="a bundle")
    parser.add_argument("--run", type=Path, required=True, dest="run_folder", help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="bundle folder")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=float)
    length.add_argument("--steps", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=("cpu", "cuda"))
    parser.set_defaults(run=run_fit)


def run_fit(options: argparse.Namespace) -> None:
    """Fits a bundle, or says why not."""
    device = options.device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        if device == "cuda" and not torch.cuda.is_available():
            raise ValueError("expected a GPU that PyTorch can use, found none; take --device cpu")
        state, data, sampler = begin(options, device)
    except ValueError as error:
        say("refused", reason=str(error))
        raise SystemExit(REFUSED) from error
    if state.config.overlap:
        torch.set_num_threads(max(1, torch.get_num_threads() // 2))
    say("data", **facts(state, data, sampler))
    run = options.run_folder
    state = train(state, data.train, data.validation, run, device, data.record, follow)
    if state.progress < 1:
        say("stopped", step=state.step)
        raise SystemExit(STOPPED)
    # `train` listened for itself: from here on there is nothing to save
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    say("exporting")
    draft = run / "bundle"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    export_run(run, draft, options.data)
    publish(draft, options.out)
    say("done", steps=state.step, seconds=round(state.elapsed_s, 1), dice=state.best_dice)


def begin(options: argparse.Namespace, device: str) -> tuple[RunState, TrainingData, StepSampler]:
    """A stopped run, or a new one; ValueError where data, bundle and options do not fit."""
    last = options.run_folder / "last.pt"
    going_on = last.exists()
    if going_on:
        state = load_state(last, device)
        config = state.config
    else:
        origin = read_bundle(options.start_from)
        length = {"minutes": options.minutes} if options.minutes else {"steps": options.steps}
        asked = (options.target, options.labels, device)
        config = fit_config(origin, *asked, seed=options.seed, **length)
    data = load_training(options.data, config.target, config.seed)
    sampler = StepSampler(data.train, config)
    if going_on:
        check_same_labels(options.run_folder, sampler)
    else:
        state = begin_fit(config, origin, data.train, device)
    if config.views:
        keep_embeddings(state.model, options.run_folder / "embeddings", state.average)
    return state, data, sampler


def check_same_labels(run: Path, sampler: StepSampler) -> None:
    """A run goes on only with the slices that it began with."""
    record = json.loads((run / "run.json").read_text())
    if record["labelledIdsSha256"] != slice_ids_sha256(sampler.pool, sampler.labelled):
        raise ValueError(
            f"{run}: expected the labelled slices that this training began with, found others;"
            " train into another folder"
        )


def facts(state: RunState, data: TrainingData, sampler: StepSampler) -> dict:
    """What is trained on, in numbers."""
    pool = data.train
    return {
        "step": state.step,
        "trainingPatients": len({record.patient for record in pool.records}),
        "validationPatients": len({record.patient for record in data.validation.records}),
        "labelledSlices": len(sampler.labelled),
        "emptySlices": len(pool.indices(has_target=False)),
        "unlabelledSlices": len(sampler.unlabelled),
        "validationSlices": len(data.validation),
        "machine": device_description(),
    }


def publish(draft: Path, out: Path) -> None:
    """Moves a bundle to where it is asked for; the manifest last, so that it stands for all."""
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(draft.iterdir(), key=lambda path: path.name == "bundle.json"):
        os.replace(path, out / path.name)
    draft.rmdir()


def follow(entry: dict) -> None:
    """Passes a line of log.jsonl on."""
    say(**entry)


def say(kind: str, **fields: object) -> None:
    """One line; when nobody listens any more, the training saves itself and ends."""
    try:
        print(json.dumps({"kind": kind, **fields}), flush=True)
    except BrokenPipeError:
        # what is buffered would be tried again, and fail again, at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        os.kill(os.getpid(), signal.SIGTERM)
