"""The log becomes a picture, whatever it holds so far."""

import json
from pathlib import Path

from PIL import Image

from sammix_train.evaluate.curves import draw_curves


def test_draws_a_log(tmp_path: Path) -> None:
    entries = [
        {"kind": "train", "step": 20, "seg": 1.0, "cls": 0.2},
        {"kind": "train", "step": 40, "seg": 0.5, "cls": 0.1},
        {"kind": "validation", "step": 40, "dice": 0.8, "auc": 0.9},
    ]
    log = tmp_path / "log.jsonl"
    log.write_text("\n".join(map(json.dumps, entries)) + "\n")
    draw_curves(log, tmp_path / "curves.png")
    assert Image.open(tmp_path / "curves.png").width > 1000
