"""The command line: training, fitting, export, measuring, curves, int8."""

import argparse
from pathlib import Path

import numpy as np

from .data.dataset import SIDES, read_dataset, read_split
from .data.slices import load_training
from .evaluate.worst import draw_failures, worst_cases
from .export.bundle_model import BundleModel
from .export.export_run import export_run, measure_bundle, test_side
from .export.golden import GOLDEN_CASES, golden_images
from .export.model_card import failure_table
from .fit.command import add_fit_command
from .train_command import add_data_argument, add_train_command

CALIBRATION_SLICES = 32


def main(arguments: list[str] | None = None) -> None:
    """Parses the command line and runs one command."""
    parser = argparse.ArgumentParser(prog="sammix_train")
    commands = parser.add_subparsers(required=True)
    add_train_command(commands)
    add_fit_command(commands)
    add_export_command(commands)
    add_measure_command(commands)
    add_curves_command(commands)
    add_quantize_command(commands)
    options = parser.parse_args(arguments)
    options.run(options)


def add_export_command(commands: argparse._SubParsersAction) -> None:
    """`export`: run folder to bundle folder."""
    parser = commands.add_parser("export", help="write a run's bundle")
    parser.add_argument("--run", type=Path, required=True, dest="run_folder", help="run folder")
    parser.add_argument("--out", type=Path, required=True, help="bundle folder")
    parser.add_argument("--data", type=Path, help="the run's data set: sets gate and scores")
    parser.add_argument(
        "--elsewhere", type=Path, nargs="+", default=[], help="data sets whose test side is scored"
    )
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
        tuple(options.elsewhere),
    )
    for name, error in errors.items():
        print(f"{name}: {error:.1e} from PyTorch")


def add_measure_command(commands: argparse._SubParsersAction) -> None:
    """`measure`: scores of an existing bundle."""
    parser = commands.add_parser("measure", help="score a bundle")
    add_data_argument(parser)
    parser.add_argument("--bundle", type=Path, required=True, help="bundle folder")
    parser.add_argument("--seed", type=int, default=0, help="of the split, if it is to be drawn")
    parser.add_argument("--side", choices=SIDES, nargs="+", default=["val"])
    parser.add_argument(
        "--worst", type=Path, help="PNG of the worst slices of the worst five cases"
    )
    parser.set_defaults(run=run_measure)


def run_measure(options: argparse.Namespace) -> None:
    """Prints one line per score, or one per failure."""
    if options.side == ["test"]:
        dataset, split = test_side(options.data)
    else:
        dataset = read_dataset(options.data)
        split = read_split(dataset, options.seed)
    bundle = BundleModel(options.bundle)
    target = bundle.manifest["target"]["name"]
    sides = {side: split[side] for side in options.side}
    if options.worst:
        failures = worst_cases(bundle, dataset, [i for ids in sides.values() for i in ids], target)
        draw_failures(failures, options.worst)
        print(failure_table(failures))
        return
    for m in measure_bundle(options.bundle, dataset, sides, target):
        print(f"{m['value']:.4f}  {m['name']}  {m['dataset']}  n={m['n']}")


def add_curves_command(commands: argparse._SubParsersAction) -> None:
    """`curves`: OUT/log.jsonl as a picture."""
    parser = commands.add_parser("curves", help="draw a run's log")
    parser.add_argument("--run", type=Path, required=True, dest="run_folder", help="run folder")
    parser.set_defaults(run=run_curves)


def run_curves(options: argparse.Namespace) -> None:
    """Writes curves.png into the run folder; imports matplotlib only here."""
    from .evaluate.curves import draw_curves

    draw_curves(options.run_folder / "log.jsonl", options.run_folder / "curves.png")


def add_quantize_command(commands: argparse._SubParsersAction) -> None:
    """`quantize`: an int8 copy of a bundle."""
    parser = commands.add_parser("quantize", help="write an int8 variant of a bundle")
    add_data_argument(parser, required=False)
    parser.add_argument("--bundle", type=Path, required=True, help="float32 bundle")
    parser.add_argument("--out", type=Path, required=True, help="new bundle folder")
    parser.add_argument("--seed", type=int, default=0, help="of the split, if it is to be drawn")
    parser.set_defaults(run=run_quantize)


def run_quantize(options: argparse.Namespace) -> None:
    """Calibrates on training slices with the target, or on drawings without data."""
    from .export.quantize import quantize_bundle

    if options.data is None:
        images = np.stack(list(golden_images().values()))
    else:
        target = BundleModel(options.bundle).manifest["target"]["name"]
        pool = load_training(options.data, target, options.seed).train
        chosen = pool.indices(has_target=True)
        chosen = chosen[:: max(1, len(chosen) // CALIBRATION_SLICES)]
        images = pool.images[chosen] / np.float32(255)
    quantize_bundle(options.bundle, options.out, images)
