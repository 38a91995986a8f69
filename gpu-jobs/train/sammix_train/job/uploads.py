"""Training on a site's own uploads: a bundle is fitted to the cases that have labels.

`training/runs/<id>/uploads.json` (TrainingUploads in site/contract/training.ts) says which versions
of which objects, so that a later upload changes nothing of a training. The job's role reads uploads
by their versions only.
"""

import csv
import json
from pathlib import Path

from ..config import TrainConfig
from ..export.checkpoint import read_bundle
from ..fit.settings import fit_config
from ..step.state import Origin
from .request import RequestError, TrainRequest
from .store import BucketStore

DEFAULT_TARGET, DEFAULT_MINUTES = "liver", 20.0


def read_uploads(store: BucketStore, prefix: str) -> dict:
    """What the site has written down for this run."""
    text = store.read(f"{prefix}uploads.json")
    if text is None:
        raise RequestError("dataset: expected the record of its uploads, found none")
    return json.loads(text)


def download_uploads(store: BucketStore, uploads: dict, folder: Path) -> int:
    """Lays the pinned uploads out as a data set; returns the number of cases."""
    for case in uploads["cases"]:
        name = case["caseId"]
        for kind, place in (("image", f"imagesTr/{name}_0000"), ("label", f"labelsTr/{name}")):
            pinned = case[kind]
            ending = ".nii.gz" if pinned["key"].lower().endswith(".gz") else ".nii"
            _download(store, pinned, folder / f"{place}{ending}")
    if uploads["datasetJson"]:
        _download(store, uploads["datasetJson"], folder / "dataset.json")
    with (folder / "patients.csv").open("w", newline="") as handle:
        writer = csv.writer(handle)
        writer.writerow(["case", "patient"])
        for case in uploads["cases"]:
            writer.writerow([case["caseId"], case["patientId"] or case["caseId"]])
    return len(uploads["cases"])


def _download(store: BucketStore, pinned: dict, path: Path) -> None:
    if not store.download_version(pinned["key"], pinned["version"], path):
        # a name may be a patient's: it is not said
        raise RequestError("dataset: expected an upload in its pinned version, found it removed")


def read_start(store: BucketStore, uploads: dict, folder: Path) -> Origin:
    """The bundle that is fitted."""
    store.download_folder(f"{uploads['bundlePrefix']}/", folder)
    try:
        return read_bundle(folder)
    except ValueError as error:
        raise RequestError(f"startFrom: {error}") from error


def upload_config(request: TrainRequest, origin: Origin, device: str) -> TrainConfig:
    """As `fit` has it for few labels."""
    asked = dict(request.config)
    target = asked.pop("target", DEFAULT_TARGET)
    labels = asked.pop("labels", "all")
    if "steps" not in asked:
        asked.setdefault("minutes", DEFAULT_MINUTES)
    try:
        return fit_config(origin, target, labels, device, **asked)
    except ValueError as error:
        raise RequestError(f"config: {error}") from error
