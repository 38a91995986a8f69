"""The training job: `python -m sammix_train.job`.

Reads the request named by SAMMIX_TRAINING_REQUEST from SAMMIX_BUCKET, trains, and writes

    training/runs/<id>/{run.json,log.jsonl,best.pt,last.pt,curves.png}
                                              the run; last.pt is where it goes on
    models/<name>/<digest>/...                                the bundle, as `site register` does
    training/runs/<id>/result.json                            written last

A run that was interrupted goes on from last.pt at the next attempt. Exit codes are those of all
jobs of a site: 0 done, 1 a defect, 3 refused (the same on every attempt), 75 storage did not
answer, 143 interrupted by SIGTERM.
"""

import hashlib
import json
import os
import signal
import tempfile
import traceback
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import torch

from ..config import TrainConfig
from ..data.dataset import DatasetError
from ..data.sampling import StepSampler
from ..data.slices import TrainingData, load_training
from ..evaluate.curves import draw_curves
from ..export.export_run import export_run
from ..fit.settings import begin_fit
from ..frozen.embeddings import keep_embeddings
from ..model.sam.checkpoint import start_from_sam
from ..model.sam.checkpoint_names import CheckpointError
from ..step.loop import train
from ..step.run_record import device_description
from ..step.state import RunState, load_state, new_state
from .request import RequestError, TrainRequest, parse_request
from .store import STORAGE_ERRORS, BucketStore, FolderMirror, upload_bundle
from .uploads import download_uploads, read_start, read_uploads, upload_config

DONE, DEFECT, REFUSED, TRY_AGAIN, NO_GPU, INTERRUPTED = 0, 1, 3, 75, 76, 143
REQUESTS = "training/requests/"
UPLOAD_EVERY_S = 60.0
# the best checkpoint before the last one, which knows its score
RUN_FILES = ("run.json", "log.jsonl", "best.pt", "last.pt")
CURVES = "curves.png"


class Interrupted(BaseException):
    """SIGTERM while nothing was being trained; not an Exception, so that no handler keeps it."""


@dataclass(frozen=True)
class Job:
    """One attempt at a request.

    Attributes:
        store: the site's bucket.
        request: what to train.
        scratch: an empty folder with room for the data.
        device: "cpu" or "cuda".
    """

    store: BucketStore
    request: TrainRequest
    scratch: Path
    device: str

    @property
    def prefix(self) -> str:
        """Where the run's files are."""
        return f"training/runs/{self.request.id}/"

    def run(self) -> int:
        """Trains, exports, uploads; returns the exit code."""
        if self.store.read(f"{self.prefix}result.json") is not None:
            log("nothing-to-do")
            return DONE
        folder = self.scratch / "data"
        state, data = self._from_uploads(folder) if self.request.dataset else self._begin(folder)
        log("training", step=state.step, slices=len(data.train), device=device_description())
        run = self.scratch / "run"
        mirrored = (*RUN_FILES, CURVES)
        with FolderMirror(self.store, run, self.prefix, mirrored, UPLOAD_EVERY_S):
            state = train(state, data.train, data.validation, run, self.device, data.record)
            if state.progress >= 1:
                draw_curves(run / "log.jsonl", run / CURVES)
        raise_on_sigterm()  # `train` listens for itself
        if state.progress < 1:
            log("interrupted", step=state.step)
            return INTERRUPTED
        self._finish(state, folder)
        return DONE

    def _begin(self, folder: Path) -> tuple[RunState, TrainingData]:
        """From a folder of training data."""
        self._download(folder)
        state = self._state(self._checkpoint())
        return state, load_data(folder, state.config)

    def _from_uploads(self, folder: Path) -> tuple[RunState, TrainingData]:
        """A bundle that is fitted to the labelled uploads of a dataset."""
        uploads = read_uploads(self.store, self.prefix)
        log("downloaded", count=download_uploads(self.store, uploads, folder))
        origin = read_start(self.store, uploads, self.scratch / "start")
        config = upload_config(self.request, origin, self.device)
        data = load_data(folder, config)
        if stored := self._stored():
            state = load_state(stored, self.device, config)
        else:
            state = begin_fit(config, origin, data.train, self.device)
        if config.views:
            keep_embeddings(state.model, self.scratch / "embeddings", state.average)
        return state, data

    def _stored(self) -> Path | None:
        """The checkpoint of an earlier attempt, downloaded with all that belongs to it."""
        folder = self.scratch / "run"
        stored = [self.store.download(f"{self.prefix}{n}", folder / n) for n in RUN_FILES]
        return folder / "last.pt" if stored[RUN_FILES.index("last.pt")] else None

    def _download(self, folder: Path) -> None:
        count = self.store.download_folder(self.request.data_prefix, folder)
        if count == 0:
            raise RequestError("dataPrefix: expected a data set, found nothing")
        log("downloaded", count=count)

    def _checkpoint(self) -> Path | None:
        wanted = self.request.checkpoint
        if wanted is None:
            return None
        path = self.scratch / Path(wanted.key).name
        if not self.store.download(wanted.key, path):
            raise RequestError("checkpoint.key: expected a checkpoint, found nothing")
        return path

    def _state(self, checkpoint: Path | None) -> RunState:
        """The state to go on from: the stored one, or a fresh one."""
        config = self.request.train_config(checkpoint)
        if stored := self._stored():
            return load_state(stored, self.device, config)
        state = new_state(config, self.device)
        if checkpoint and self.request.checkpoint:
            wanted = self.request.checkpoint
            report = start_from_sam(state, checkpoint, wanted.input, wanted.licence)
            log("checkpoint", count=report.loaded, resized=len(report.resized))
        return state

    def _finish(self, state: RunState, data: Path) -> None:
        bundle = self.scratch / "bundle"
        export_run(self.scratch / "run", bundle, data, "best", self.request.measure_test)
        manifest = (bundle / "bundle.json").read_bytes()
        digest = hashlib.sha256(manifest).hexdigest()
        prefix = f"models/{json.loads(manifest)['name']}/{digest[:16]}"
        upload_bundle(self.store, bundle, prefix, lambda count: log("bundle", count=count))
        result = {
            "schemaVersion": 1,
            "id": self.request.id,
            "bundlePrefix": prefix,
            "bundleDigest": digest,
            "steps": state.step,
            "trainSeconds": round(state.elapsed_s, 1),
            "device": device_description(),
            "finishedAt": now(),
        }
        self.store.write(f"{self.prefix}result.json", json.dumps(result, indent=1).encode())
        log("done", step=state.step)


def load_data(folder: Path, config: TrainConfig) -> TrainingData:
    """What the run learns from; RequestError where the data set does not do."""
    try:
        data = load_training(folder, config.target, config.seed)
        StepSampler(data.train, config)  # its own checks
        return data
    except DatasetError as error:
        # the whole text may name a patient's file
        raise RequestError(f"the data set cannot be used: {error.reason}") from error
    except ValueError as error:
        raise RequestError(f"data and config do not fit: {error}") from error
    except (OSError, KeyError) as error:
        kind, place = type(error).__name__, place_of(error)
        raise RequestError(f"the data set cannot be read: {kind} in {place}") from error


def place_of(error: BaseException) -> str:
    """The innermost frame of an error, without its text."""
    frames = traceback.extract_tb(error.__traceback__)
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "unknown"


def now() -> str:
    """UTC, as JavaScript writes it."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def log(event: str, level: str = "info", **fields: object) -> None:
    """One JSON line with ids, counts and codes: never a key or a file name."""
    site = os.environ.get("SAMMIX_SITE", "")
    line = {"timestamp": now(), "level": level, "service": "train", "site": site, "event": event}
    print(json.dumps({**line, **fields}), flush=True)


def raise_on_sigterm() -> None:
    """From now on SIGTERM raises Interrupted in the main thread."""

    def interrupt(*_: object) -> None:
        raise Interrupted

    signal.signal(signal.SIGTERM, interrupt)


def environment(name: str) -> str:
    """A variable that must be set."""
    value = os.environ.get(name, "")
    if not value:
        raise RequestError(f"{name}: expected to be set in the environment")
    return value


def run_attempt() -> int:
    """Reads the environment and the request, and runs the job in a scratch folder."""
    key = environment("SAMMIX_TRAINING_REQUEST")
    store = BucketStore(environment("SAMMIX_BUCKET"))
    if not key.startswith(REQUESTS) or not key.endswith(".json"):
        raise RequestError(f"SAMMIX_TRAINING_REQUEST: expected {REQUESTS}<id>.json")
    text = store.read(key)
    if text is None:
        raise RequestError("SAMMIX_TRAINING_REQUEST: there is no such object")
    request = parse_request(text, key.removeprefix(REQUESTS).removesuffix(".json"))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    # a site names what it pays for: a day on the CPU of a GPU instance helps nobody
    if os.environ.get("SAMMIX_DEVICE", device) != device:
        log("no-gpu", level="error", code="no-backend", device=device)
        return NO_GPU
    # an image's root is read-only at a site: SAMMIX_SCRATCH names a writable volume
    with tempfile.TemporaryDirectory(dir=os.environ.get("SAMMIX_SCRATCH")) as scratch:
        return Job(store, request, Path(scratch), device).run()


def main() -> int:
    """Runs one attempt and turns what can happen into an exit code."""
    raise_on_sigterm()
    try:
        return run_attempt()
    except Interrupted:
        log("interrupted")
        return INTERRUPTED
    except (RequestError, CheckpointError) as error:
        log("refused", level="error", reason=str(error))
        return REFUSED
    except STORAGE_ERRORS as error:
        log("storage-failed", level="error", code=type(error).__name__)
        return TRY_AGAIN
    except Exception as error:
        trace = "".join(traceback.format_tb(error.__traceback__))
        log("failed", level="error", code=type(error).__name__, trace=trace)
        return DEFECT
