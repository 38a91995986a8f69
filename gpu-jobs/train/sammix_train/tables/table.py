"""Trains and measures every row of the comparison table: `python -m sammix_train.tables`.

Each (row, seed) leaves one JSON file in OUT/rows and its weights in OUT/weights; a second call
skips what is there, so an interrupted table goes on at the row it was in.
"""

import argparse
import dataclasses
import sys
from pathlib import Path

import torch

from ..config import MODEL_SIZES, TrainConfig
from ..model.sam.checkpoint import INPUT_RANGES, base_record, read_checkpoint, vit_config
from ..train_command import add_data_argument
from .baselines import UnetShape
from .report import write_table
from .rows import ROW_BY_KEY, ROWS, Row
from .run import Settings, TableRun, load_slices

INTERRUPTED = 143  # 128 + SIGTERM


def base_config(options: argparse.Namespace) -> TrainConfig:
    """SAM-Mix's configuration from the command line."""
    model = MODEL_SIZES[options.size]
    if options.checkpoint:
        image_size = options.image_size or model.image_size
        model = vit_config(read_checkpoint(options.checkpoint)[0], image_size)
    elif options.image_size:
        model = dataclasses.replace(model, image_size=options.image_size)
    schedule = {"minutes": options.minutes} if options.minutes else {"steps": options.steps}
    config = TrainConfig(size=options.size, model=model, **schedule)
    return dataclasses.replace(config, **dict(map(parse_field, options.set)))


def parse_field(text: str) -> tuple[str, object]:
    """ "learning_rate=1e-4" -> ("learning_rate", 0.0001), typed as the field of `TrainConfig`."""
    name, _, value = text.partition("=")
    types = {f.name: f.type for f in dataclasses.fields(TrainConfig) if f.name != "model"}
    if name not in types:
        raise ValueError(f"--set {text}: {name!r} is not one of {', '.join(sorted(types))}")
    if types[name] is bool:
        return name, value == "true"
    return name, types[name](value)


def parse_test(text: str) -> tuple[str, tuple[Path, tuple[str, ...]]]:
    """ "BTCV=data/liver:btcv" -> ("BTCV", (Path("data/liver"), ("btcv",)))."""
    name, _, place = text.partition("=")
    folder, _, sources = place.partition(":")
    return name, (Path(folder), tuple(filter(None, sources.split(","))))


def can_run(row: Row, options: argparse.Namespace) -> bool:
    """Whether what a row starts from was given."""
    if row.needs_checkpoint and not options.checkpoint:
        return False
    if row.labels == "0" and row.source == "CAM" and not options.classifier_steps:
        return False
    return bool(options.unet_imagenet) or not row.pretrained


def parser() -> argparse.ArgumentParser:
    """Options of the command."""
    p = argparse.ArgumentParser(prog="sammix_train.tables", description=__doc__)
    add_data_argument(p)
    p.add_argument(
        "--test",
        action="append",
        type=parse_test,
        metavar="NAME=FOLDER[:SOURCE,...]",
        help="a test side and its name; default: that of --data",
    )
    p.add_argument("--out", type=Path, required=True, help="output folder")
    p.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    length = p.add_mutually_exclusive_group()
    length.add_argument("--minutes", type=float, default=0.0, help="training minutes of a row")
    length.add_argument("--steps", type=int, default=4000, help="training steps of a row")
    p.add_argument("--rows", nargs="+", choices=list(ROW_BY_KEY), help="default: all that can run")
    p.add_argument("--size", choices=list(MODEL_SIZES), default="small")
    p.add_argument("--image-size", type=int, help="side that slices are enlarged to (ViT)")
    p.add_argument("--checkpoint", type=Path, help="SAM or MedSAM checkpoint to start from")
    p.add_argument("--checkpoint-input", choices=INPUT_RANGES, default="sam")
    p.add_argument("--unet-encoder", default=UnetShape.encoder)
    channels = UnetShape.decoder_channels
    p.add_argument("--unet-decoder-channels", type=int, nargs=5, default=channels)
    p.add_argument("--unet-factor", type=float, default=1.0, help="U-Net schedule / SAM-Mix's")
    p.add_argument("--unet-learning-rate", type=float, default=1e-3)
    p.add_argument("--unet-imagenet", type=Path, help="weights of the U-Net's encoder")
    p.add_argument("--embeddings", type=Path, help="folder for a frozen encoder's embeddings")
    p.add_argument("--classifier-steps", type=int, default=0, help="of one classifier a seed")
    p.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE")
    p.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    return p


def main(arguments: list[str] | None = None) -> None:
    """Runs all rows of all seeds and writes the table after each."""
    options = parser().parse_args(arguments)
    rows = [ROW_BY_KEY[key] for key in options.rows or []]
    rows = rows or [row for row in ROWS if can_run(row, options)]
    settings = Settings(
        data=options.data,
        out=options.out,
        config=base_config(options),
        unet=UnetShape(options.unet_encoder, tuple(options.unet_decoder_channels)),
        unet_factor=options.unet_factor,
        unet_learning_rate=options.unet_learning_rate,
        imagenet=options.unet_imagenet,
        checkpoint=options.checkpoint,
        checkpoint_input=options.checkpoint_input,
        base=base_record(options.checkpoint) if options.checkpoint else None,
        embeddings=options.embeddings,
        classifier_steps=options.classifier_steps,
        tests=dict(options.test or [("in domain", (options.data, ()))]),
        device=options.device,
    )
    table = TableRun(settings, load_slices(settings))
    try:
        for seed in options.seeds:
            for row in rows:
                print(table.run(row, seed), flush=True)
                write_table(options.out)
    except InterruptedError as error:
        print(error, file=sys.stderr)
        raise SystemExit(INTERRUPTED) from error
    print((options.out / "table.md").read_text())
