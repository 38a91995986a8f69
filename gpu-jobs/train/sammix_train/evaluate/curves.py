"""A run's log as one picture: losses, validation Dice, CAM quality."""

import json
from collections.abc import Iterable
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

PANELS = (
    ("train", ("seg", "cls", "unlabelled", "cam"), "loss"),
    ("validation", ("dice", "dice_lits", "dice_ircad"), "Dice, CAM prompt"),
    ("validation", ("box_recall", "box_iou", "auc"), "CAM box, slice AUC"),
)


def read_log(lines: Iterable[str], kind: str) -> list[dict]:
    """Entries of one kind ("train" or "validation")."""
    return [entry for entry in map(json.loads, lines) if entry["kind"] == kind]


def draw_curves(log: Path, out: Path) -> None:
    """Draws log.jsonl over the step number into a PNG."""
    lines = log.read_text().splitlines()
    figure, axes = plt.subplots(1, len(PANELS), figsize=(15, 4), layout="constrained")
    for axis, (kind, names, title) in zip(axes, PANELS, strict=True):
        entries = read_log(lines, kind)
        for name in names:
            known = [(e["step"], e[name]) for e in entries if name in e]
            if known:
                axis.plot(*zip(*known, strict=True), label=name, marker="." * (kind != "train"))
        axis.set_title(title)
        axis.set_xlabel("step")
        axis.grid(alpha=0.3)
        if axis.lines:
            axis.legend()
    figure.savefig(out, dpi=110)
    plt.close(figure)
