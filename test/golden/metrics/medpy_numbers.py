"""medpy's numbers for the masks of metrics.json, in an environment of its own.

    python -m venv venv && venv/bin/pip install -r requirements-medpy.txt
    venv/bin/python medpy_numbers.py

Writes medpy.json: by case name, for cases in which neither mask is empty (medpy raises there).
"""

import json
from importlib.metadata import version
from pathlib import Path

from medpy.metric import binary

from cases import cases
from masks import build

HERE = Path(__file__).parent


def numbers(case):
    prediction, label = (build(case["shape"], case[kind]) for kind in ("prediction", "label"))
    if not prediction.any() or not label.any():
        return None
    spacing = case["spacing"]
    return {
        "dc": binary.dc(prediction, label),
        "jc": binary.jc(prediction, label),
        "hd": binary.hd(prediction, label, spacing),
        "hd95": binary.hd95(prediction, label, spacing),
        "assd": binary.assd(prediction, label, spacing),
    }


if __name__ == "__main__":
    found = {case["name"]: numbers(case) for case in cases()}
    kept = {name: {k: float(v) for k, v in row.items()} for name, row in found.items() if row}
    packages = ("medpy", "numpy", "scipy")
    made_with = {name: version(name) for name in packages}
    text = json.dumps({"madeWith": made_with, "cases": kept}, separators=(",", ":"))
    (HERE / "medpy.json").write_text(text + "\n")
    print(len(kept), "cases,", len(text), "bytes")
