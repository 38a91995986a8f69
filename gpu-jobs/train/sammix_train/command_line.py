"""Argument parsing for training, export and measuring."""

import argparse
import dataclasses
import os
from pathlib import Path

import numpy as np
import torch

from .bundle_model import BundleModel
from .checkpoint_state import load_state, new_state
from .config import MODEL_SIZES, TrainConfig, config_from_dict
from .data import SlicePool, load_lits, load_phantom_pool, load_pool, read_split
from .export import export_run, measure_bundle
from .golden import GOLDEN_CASES, golden_images
from .train import train

CALIBRATION_SLICES = 32
VALIDATION_SLICE_STEP = 4  # every fourth slice of the validation scans


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and runs one command."""
    parser = argparse.ArgumentParser(prog="sammix_train")
    commands = parser.add_subparsers(required=True)
    add_train_command(commands)
    add_export_command(commands)
    add_measure_command(commands)
    add_curves_command(commands)
    add_quantize_command(commands)
    options = parser.parse_args(arguments)
    options.run(options)


def add_data_argument(parser: argparse.ArgumentParser) -> None:
    """--data, or the environment variable SAMMIX_DATA; None where neither is given."""
    default = os.environ.get("SAMMIX_DATA") or None
    parser.add_argument("--data", type=Path, default=default, help="data folder")


def add_train_command(commands: argparse._SubParsersAction) -> None:
    """`train`: every scalar field of `TrainConfig` is an option."""
    parser = commands.add_parser("train", help="train a model or resume a run")
    add_data_argument(parser)
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    parser.add_argument("--phantoms", type=Path, help="folder of synthetic scans")
    parser.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for field in dataclasses.fields(TrainConfig):
        if field.name != "model":
            option = "--" + field.name.replace("_", "-")
            if field.type is bool:
                action = argparse.BooleanOptionalAction
                parser.add_argument(option, action=action, default=None, dest=field.name)
            else:
                parser.add_argument(option, type=field.type, default=None, dest=field.name)
    parser.set_defaults(run=run_train)


def add_export_command(commands: argparse._SubParsersAction) -> None:
    """`export`: run folder to bundle folder."""
    parser = commands.add_parser("export", help="write a run's bundle")
    parser.add_argument("--run", type=Path, required=True, dest="run_folder", help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="bundle folder")
    parser.add_argument("--data", type=Path, help="data folder; sets the gate and the scores")
    parser.add_argument("--checkpoint", choices=("best", "last"), default="best")
    parser.add_argument("--test", action="store_true", help="score test patients too")
    parser.add_argument("--golden-cases", nargs="+", choices=GOLDEN_CASES, default=GOLDEN_CASES)
    parser.set_defaults(run=run_export)


def run_export(options: argparse.Namespace) -> None:
    """Exports and prints each graph's largest difference to PyTorch."""
    errors = export_run(
        options.run_folder,
        options.out,
        options.data,
        options.checkpoint,
        options.test,
        tuple(options.golden_cases),
    )
    for name, error in errors.items():
        print(f"{name}: {error:.1e} from PyTorch")


def add_measure_command(commands: argparse._SubParsersAction) -> None:
    """`measure`: scores of an existing bundle."""
    parser = commands.add_parser("measure", help="score a bundle")
    add_data_argument(parser)
    parser.add_argument("--bundle", type=Path, required=True, help="bundle folder")
    parser.add_argument("--test", action="store_true", help="score test patients too")
    parser.set_defaults(run=run_measure)


def run_measure(options: argparse.Namespace) -> None:
    """Prints one line per score."""
    if options.data is None:
        raise SystemExit("measure needs --data or SAMMIX_DATA")
    threshold = BundleModel(options.bundle).manifest["classifier"]["threshold"]
    for m in measure_bundle(options.bundle, options.data, threshold, options.test):
        print(f"{m['value']:.4f}  {m['name']}  {m['dataset']}  n={m['n']}")


def add_curves_command(commands: argparse._SubParsersAction) -> None:
    """`curves`: OUT/log.jsonl as a picture."""
    parser = commands.add_parser("curves", help="draw a run's log")
    parser.add_argument("--run", type=Path, required=True, dest="run_folder", help="run folder")
    parser.set_defaults(run=run_curves)


def run_curves(options: argparse.Namespace) -> None:
    """Writes curves.png into the run folder; imports matplotlib only here."""
    from .curves import draw_curves

    draw_curves(options.run_folder / "log.jsonl", options.run_folder / "curves.png")


def add_quantize_command(commands: argparse._SubParsersAction) -> None:
    """`quantize`: an int8 copy of a bundle."""
    parser = commands.add_parser("quantize", help="write an int8 variant of a bundle")
    add_data_argument(parser)
    parser.add_argument("--bundle", type=Path, required=True, help="float32 bundle")
    parser.add_argument("--out", type=Path, required=True, help="new bundle folder")
    parser.set_defaults(run=run_quantize)


def run_quantize(options: argparse.Namespace) -> None:
    """Calibrates on LiTS training slices, or on drawings without data."""
    from .quantize import quantize_bundle

    if options.data is None:
        images = np.stack(list(golden_images().values()))
    else:
        patients = set(read_split(options.data)["lits_slices"]["train"])
        pool = load_lits(options.data / "lits_slices", patients)
        images = pool.images[:: max(1, len(pool) // CALIBRATION_SLICES)] / np.float32(255)
    quantize_bundle(options.bundle, options.out, images)


def overridden(base: TrainConfig, options: argparse.Namespace) -> TrainConfig:
    """`base` with the options that were given on the command line."""
    names = [f.name for f in dataclasses.fields(TrainConfig) if f.name != "model"]
    given = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    if "size" in given and given["size"] in MODEL_SIZES:
        given["model"] = MODEL_SIZES[given["size"]]
    return dataclasses.replace(base, **given)


def run_train(options: argparse.Namespace) -> None:
    """Loads data, builds or restores the state, trains."""
    if options.data is None and options.phantoms is None:
        raise SystemExit("train needs --data (or SAMMIX_DATA), --phantoms, or both")
    last = options.out / "last.pt"
    if options.resume:
        stored = torch.load(last, map_location="cpu", weights_only=True)["config"]
        config = overridden(config_from_dict(stored), options)
        state = load_state(last, options.device, config)
    else:
        state = new_state(overridden(TrainConfig(), options), options.device)
    if options.data is None:
        pool = load_phantom_pool(options.phantoms, "train")
        validation = thinned(load_phantom_pool(options.phantoms, "val"))
    else:
        pool = load_pool(options.data, "train", options.phantoms)
        validation = thinned(load_pool(options.data, "val"))
    print(f"{len(pool)} training slices, {len(validation)} validation slices", flush=True)
    train(state, pool, validation, options.out, options.device)


def thinned(pool: SlicePool) -> SlicePool:
    """All LiTS slices and every fourth slice of whole scans, to keep validation short."""
    keep = [
        i
        for i, record in enumerate(pool.records)
        if record.source == "lits" or int(record.slice_id[-3:]) % VALIDATION_SLICE_STEP == 0
    ]
    return SlicePool(pool.images[keep], pool.masks[keep], tuple(pool.records[i] for i in keep))
