"""`train`: every scalar field of `TrainConfig` is an option, and so is where the weights start."""

import argparse
import dataclasses
from pathlib import Path

import torch

from .config import MODEL_SIZES, TrainConfig, config_from_dict
from .data.sampling import StepSampler
from .data.slices import load_training
from .export.checkpoint import read_bundle
from .frozen.embeddings import keep_embeddings
from .model.sam.checkpoint import INPUT_RANGES, read_checkpoint, start_from_sam, vit_config
from .step.loop import train
from .step.state import Origin, RunState, load_state, new_state, read_run, start_from

FIELDS = [field for field in dataclasses.fields(TrainConfig) if field.name != "model"]


def add_data_argument(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """--data."""
    text = "data set in nnU-Net's layout"
    parser.add_argument("--data", type=Path, required=required, help=text)


def add_train_command(commands: argparse._SubParsersAction) -> None:
    """`train`."""
    parser = commands.add_parser("train", help="train a model or resume a run")
    add_data_argument(parser)
    parser.add_argument("--out", type=Path, required=True, help="run folder")
    start = parser.add_mutually_exclusive_group()
    start.add_argument("--resume", action="store_true", help="go on from OUT/last.pt")
    start.add_argument("--start-from", type=Path, help="a bundle, or best.pt of another run")
    start.add_argument("--checkpoint", type=Path, help="SAM, MedSAM or LiteMedSAM file")
    parser.add_argument("--checkpoint-input", choices=INPUT_RANGES, default="sam")
    parser.add_argument("--checkpoint-licence", default="Apache-2.0")
    parser.add_argument("--image-size", type=int, help="side that slices are enlarged to (ViT)")
    parser.add_argument("--lora-rank", type=int, help="freeze the encoder but for LoRA")
    parser.add_argument("--embeddings", type=Path, help="folder for a frozen encoder's embeddings")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    for field in FIELDS:
        option = "--" + field.name.replace("_", "-")
        if field.type is bool:
            action = argparse.BooleanOptionalAction
            parser.add_argument(option, action=action, default=None, dest=field.name)
        else:
            parser.add_argument(option, type=field.type, default=None, dest=field.name)
    parser.set_defaults(run=run_train)


def run_train(options: argparse.Namespace) -> None:
    """Loads data, builds or restores the state, trains."""
    try:
        state = initial_state(options)
        data = load_training(options.data, state.config.target, state.config.seed)
        StepSampler(data.train, state.config)  # its own checks
        if options.embeddings:
            keep_embeddings(state.model, options.embeddings, state.average)
    except ValueError as error:
        raise SystemExit(f"Not trained: {error}") from error
    counts = f"{len(data.train)} training slices, {len(data.validation)} validation slices"
    print(counts, flush=True)
    train(state, data.train, data.validation, options.out, options.device, data.record)


def initial_state(options: argparse.Namespace) -> RunState:
    """A resumed run, a further stage of one, a start from SAM, or fresh weights."""
    if options.resume:
        last = options.out / "last.pt"
        return load_state(last, options.device, overridden(stored_config(last), options))
    if options.start_from:
        origin = read_origin(options.start_from)
        config = overridden(TrainConfig(size=origin.size, model=origin.model), options)
        state = new_state(config, options.device)
        start_from(state, origin)
        return state
    if options.checkpoint:
        size = options.image_size or MODEL_SIZES["vit_b"].image_size
        model = vit_config(read_checkpoint(options.checkpoint)[0], size)
        name = "lite_medsam" if model.encoder == "tiny_vit" else "vit_b"
        config = overridden(TrainConfig(size=name, model=model), options)
        state = new_state(config, options.device)
        licence = options.checkpoint_licence
        report = start_from_sam(state, options.checkpoint, options.checkpoint_input, licence)
        print("\n".join(report.lines()), flush=True)
        return state
    return new_state(overridden(TrainConfig(), options), options.device)


def read_origin(path: Path) -> Origin:
    """The weights of a bundle folder or of a run's checkpoint."""
    return read_bundle(path) if path.is_dir() else read_run(path)


def stored_config(path: Path) -> TrainConfig:
    """The configuration that a run's checkpoint was trained with."""
    return config_from_dict(torch.load(path, map_location="cpu", weights_only=True)["config"])


def overridden(base: TrainConfig, options: argparse.Namespace) -> TrainConfig:
    """`base` with the options that were given on the command line."""
    given = {f.name: getattr(options, f.name) for f in FIELDS}
    given = {name: value for name, value in given.items() if value is not None}
    size = given.get("size", base.size)
    model = base.model if size == base.size else MODEL_SIZES.get(size, base.model)
    shape = {"image_size": options.image_size, "lora_rank": options.lora_rank}
    shape = {name: value for name, value in shape.items() if value is not None}
    return dataclasses.replace(base, **given, model=dataclasses.replace(model, **shape))
