"""What choosing slices is worth against drawing them: `python -m sammix_train.tables.choice`.

A simulated reader starts from scans without a label, labels what `sammix label --propose` names, as
the data set's own labels have it, and trains; the next round proposes with that bundle. Everything
else of a scan stays `ignore`. The patients that validate are labelled in every row.

Slices are asked for a few at a time, as the page asks for one: each answer steers what comes next.
A proposed slice that turns out to be empty counts as labelled: it cost a look. So 20 slices hold
fewer masks here than the 20 of `few_labels`, which draws among those with the target.
"""

import argparse
import json
import shlex
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np

from ..config import TrainConfig
from ..data.dataset import Dataset, read_dataset, read_split
from ..data.sampling import StepSampler
from ..data.slices import load_training
from ..export.checkpoint import read_bundle
from ..export.export_run import export_run
from .few_labels import Experiment, begin_fitted, scored, table, train_networks
from .run import write_row

IGNORE = 255
BATCH = 5


@dataclass(frozen=True)
class Reader:
    """Who is asked for labels, one data set of its own per order and seed.

    Attributes:
        truth: data set whose labels are given, slice by slice.
        folder: the data set as the reader sees it; made by `open_scans`.
        cases: of the patients that are learnt from; all have a label in `truth`.
    """

    truth: Dataset
    folder: Path
    cases: tuple[str, ...]

    def open_scans(self) -> None:
        """Scans by link, the labels of validation, and none of the others."""
        split = read_split(self.truth, seed=0)
        for part in ("imagesTr", "labelsTr"):
            (self.folder / part).mkdir(parents=True)
        described = json.loads((self.truth.root / "dataset.json").read_text())
        described["labels"]["ignore"] = IGNORE
        (self.folder / "dataset.json").write_text(json.dumps(described))
        fold = {"train": list(self.cases), "val": split["val"]}
        (self.folder / "splits_final.json").write_text(json.dumps([fold]))
        shutil.copy(self.truth.root / "patients.csv", self.folder)
        for case in self.truth.cases:
            if case.id in (*fold["train"], *fold["val"]):
                (self.folder / "imagesTr" / case.image.name).symlink_to(case.image.resolve())
            if case.id in fold["val"]:
                shutil.copy(case.label, self.folder / "labelsTr")

    def answer(self, proposal: list[dict]) -> None:
        """Labels the proposed slices: canonical planes, counted from the feet."""
        wanted: dict[str, list[int]] = {}
        for one in proposal:
            wanted.setdefault(one["caseId"], []).append(one["slice"])
        label_of = {case.id: case.label for case in self.truth.cases}
        for case, planes in wanted.items():
            path = self.folder / "labelsTr" / label_of[case].name
            truth = nib.load(label_of[case])
            values = canonical(truth)
            known = canonical(nib.load(path)) if path.exists() else np.full_like(values, IGNORE)
            known[..., planes] = values[..., planes]
            native = nib.orientations.apply_orientation(known, from_canonical(truth))
            nib.save(nib.Nifti1Image(native, truth.affine, truth.header), path)


def canonical(image: nib.Nifti1Image) -> np.ndarray:
    """Label values uint8[x, y, z] on nibabel's closest canonical axes (RAS+)."""
    return np.asarray(nib.as_closest_canonical(image).dataobj).astype(np.uint8)


def from_canonical(image: nib.Nifti1Image) -> np.ndarray:
    """Orientation that takes canonical axes back to the image's own."""
    own = nib.io_orientation(image.affine)
    return nib.orientations.ornt_transform(np.array([[0, 1], [1, 1], [2, 1]]), own)


@dataclass(frozen=True)
class Choice:
    """One order of labelling: "next" or "random", with the seed of both draw and training."""

    experiment: Experiment
    sammix: tuple[str, ...]
    order: str
    seed: int

    @property
    def name(self) -> str:
        """Of its files."""
        target = self.experiment.target.replace(" ", "-")
        return f"{target}-{self.order}-seed{self.seed}"

    def run(self, rounds: list[int]) -> list[dict]:
        """Labels up to each count in turn, trains and scores; returns the rows."""
        truth = read_dataset(self.experiment.data)
        labelled = {case.id for case in truth.cases if case.label}
        cases = tuple(c for c in read_split(truth, seed=0)["train"] if c in labelled)
        folder = self.experiment.out / self.name
        shutil.rmtree(folder, ignore_errors=True)
        reader = Reader(truth, folder / "data", cases)
        reader.open_scans()
        bundle, known, rows = self.experiment.origin.path, 0, []
        for count in rounds:
            while known < count:
                asked = min(BATCH, count - known)
                reader.answer(self.proposed(reader, bundle, asked, known))
                known += asked
            row, bundle = self.trained(reader, count, folder / f"{count}")
            rows.append(row)
        return rows

    def proposed(self, reader: Reader, bundle: Path, count: int, known: int) -> list[dict]:
        """What `sammix label --propose` says when `known` slices are labelled."""
        call = [*self.sammix, "label", str(reader.folder), "--target", self.experiment.target]
        call += ["--propose", str(count), "--order", self.order]
        call += ["--seed", str(1000 * self.seed + known)]
        call += ["--bundle", str(bundle), "--cases", ",".join(reader.cases), "--json"]
        done = subprocess.run(call, check=True, capture_output=True, text=True)
        return json.loads(done.stdout)["proposal"]

    def trained(self, reader: Reader, count: int, run: Path) -> tuple[dict, Path]:
        """A row from what is labelled so far, and its bundle."""
        experiment = self.experiment
        loaded = load_training(reader.folder, experiment.target, seed=0)
        config: TrainConfig = experiment.config("all", self.seed)
        sampler = StepSampler(loaded.train, config)
        state = begin_fitted(experiment, config, loaded)
        predict, trained = train_networks(state, loaded, run)
        bundle = run / "bundle"
        bundle.mkdir()
        export_run(run, bundle, reader.folder)
        row = {
            "target": experiment.target,
            "method": self.order,
            "labels": str(count),
            "seed": self.seed,
            "labelledSlices": len(sampler.labelled),
            "emptySlices": len(loaded.train.indices(has_target=False)),
            **trained,
            **scored(experiment, predict),
        }
        write_row(experiment.out / f"{self.name}-{count}.json", row)
        return row, bundle


def main(arguments: list[str] | None = None) -> None:
    """Runs every order and seed, and prints the table after each."""
    p = argparse.ArgumentParser(prog="sammix_train.tables.choice", description=__doc__)
    p.add_argument("--data", type=Path, required=True)
    p.add_argument("--target", required=True)
    p.add_argument("--bundle", type=Path, required=True)
    p.add_argument("--sammix", default="npx sammix", help="the command")
    p.add_argument("--orders", nargs="+", default=["next", "random"])
    p.add_argument("--rounds", type=int, nargs="+", default=[20, 50])
    p.add_argument("--seeds", type=int, nargs="+", default=[0])
    p.add_argument("--steps", type=int, default=180)
    p.add_argument("--out", type=Path, required=True)
    options = p.parse_args(arguments)
    experiment = Experiment(
        options.data, options.target, read_bundle(options.bundle), options.steps, options.out
    )
    rows: list[dict] = []
    for seed in options.seeds:
        for order in options.orders:
            choice = Choice(experiment, tuple(shlex.split(options.sammix)), order, seed)
            rows += choice.run(options.rounds)
            print(table(rows), flush=True)


if __name__ == "__main__":
    main()
