"""Rows measured for several seeds -> one table, as Markdown and JSON."""

import json
import statistics
from pathlib import Path

from .rows import ROWS, Row

PUBLISHED_HEADING = "as published; prompt source at test unknown"
HEADINGS = ("row", "prompt at test", "labelled slices", "epochs", "seeds")
NOTES = """
Mean ± standard deviation over a row's seeds; one seed has no deviation. Slices are 256 x 256, of
patients that are not trained on, and all show the target: {tests}. Dice per slice, then the mean.
Region HD: symmetric Hausdorff distance of all mask pixels, in pixels of the 256 grid; an empty
prediction costs 362. Rows named "oracle" take their prompt from the truth, at test and, unless said
otherwise, in training: they are not results of the method. Epochs: passes over as many slices as
the row has labels for. Model {model}, trained on {device}{base}.
"""


def read_rows(folder: Path) -> list[dict]:
    """Every measured (row, seed) of an output folder."""
    return [json.loads(path.read_text()) for path in sorted((folder / "rows").glob("*.json"))]


def aggregate(entries: list[dict]) -> list[dict]:
    """One entry per row in the table's order, with mean and SD of each column over seeds."""
    table = []
    for row in ROWS:
        mine = [entry for entry in entries if entry["row"] == row.key]
        if mine:
            table.append(_aggregated(row, mine))
    return table


def _aggregated(row: Row, entries: list[dict]) -> dict:
    return {
        "row": row.key,
        "title": row.title,
        "promptAtTest": row.source,
        "seeds": [entry["seed"] for entry in entries],
        "labelledSlices": sorted({entry["labelledSlices"] for entry in entries}),
        "epochs": mean_sd([entry["epochs"] for entry in entries]),
        "tests": {
            name: {
                "dice": mean_sd([entry["tests"][name]["dice"] for entry in entries]),
                "hausdorffPx": mean_sd([entry["tests"][name]["hausdorffPx"] for entry in entries]),
            }
            for name in entries[0]["tests"]
        },
        "asPublished": row.published,
    }


def mean_sd(values: list[float | None]) -> dict:
    """Mean and sample standard deviation; None where they do not exist."""
    known = [value for value in values if value is not None]
    return {
        "mean": statistics.fmean(known) if known else None,
        "sd": statistics.stdev(known) if len(known) > 1 else None,
    }


def cell(value: dict, digits: int) -> str:
    """ "0.948 ± 0.003", "0.948" or "-"."""
    if value["mean"] is None:
        return "-"
    spread = "" if value["sd"] is None else f" ± {value['sd']:.{digits}f}"
    return f"{value['mean']:.{digits}f}{spread}"


def published_cell(published: dict) -> str:
    """Every published figure of a row."""
    names = {"dice": "Dice {:.3f}", "hausdorffPx": "HD {:.1f}", "crossDice": "cross Dice {:.3f}"}
    return ", ".join(names[key].format(value) for key, value in published.items()) or "-"


def markdown(table: list[dict], entries: list[dict]) -> str:
    """The table and what its columns mean."""
    columns = [f"{name} {what}" for name in table[0]["tests"] for what in ("Dice", "region HD, px")]
    headings = (*HEADINGS, *columns, PUBLISHED_HEADING)
    lines = ["| " + " | ".join(headings) + " |", "|" + " --- |" * len(headings)]
    for row in table:
        cells = (
            row["title"],
            row["promptAtTest"],
            ", ".join(str(n) for n in row["labelledSlices"]),
            cell(row["epochs"], 1),
            ", ".join(str(seed) for seed in row["seeds"]),
            *(
                text
                for found in row["tests"].values()
                for text in (cell(found["dice"], 3), cell(found["hausdorffPx"], 1))
            ),
            published_cell(row["asPublished"]),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n" + NOTES.format(**_facts(entries))


def _facts(entries: list[dict]) -> dict:
    first = entries[0]
    base = first["base"]
    return {
        "tests": ", ".join(f"{found['n']} of {name}" for name, found in first["tests"].items()),
        "model": first["model"],
        "device": ", ".join(sorted({entry["device"] for entry in entries})),
        "base": f", started from {base['checkpoint']}" if base else ", from random weights",
    }


def write_table(folder: Path) -> str:
    """Writes table.json and table.md from the rows measured so far; returns the Markdown."""
    entries = read_rows(folder)
    table = aggregate(entries)
    text = markdown(table, entries)
    (folder / "table.json").write_text(json.dumps(table, indent=1) + "\n")
    (folder / "table.md").write_text(text)
    return text
