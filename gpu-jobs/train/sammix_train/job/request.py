"""A training request: one JSON object, checked before anything is downloaded.

Its contract is `TrainRequest` in site/contract/training.ts, written as train-request.schema.json by
`npm run train-schema`. Here is what a JSON schema cannot say: the id is the file's name, a SAM
checkpoint fits one size, and `TrainConfig`'s own checks.
"""

import dataclasses
import json
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from ..config import MODEL_SIZES, ModelConfig, TrainConfig
from ..model.sam.checkpoint import read_checkpoint, vit_config

SCHEMA = json.loads(resources.files(__package__).joinpath("train-request.schema.json").read_text())
VALIDATOR = Draft202012Validator(SCHEMA)
SAM_SIZES = ("vit_b", "lite_medsam")
CONFIG_TYPES = {f.name: f.type for f in dataclasses.fields(TrainConfig) if f.name != "model"}


class RequestError(ValueError):
    """The request, or what it points to, cannot be used: the same on every attempt."""


@dataclass(frozen=True)
class BaseCheckpoint:
    """Where the weights start.

    Attributes:
        key: in the bucket, below models/.
        input: see `load_sam`.
        licence: of the checkpoint, for the bundle.
    """

    key: str
    input: str
    licence: str


@dataclass(frozen=True)
class TrainRequest:
    """A checked request; the fields are documented in the contract."""

    id: str
    data_prefix: str | None
    dataset: str | None
    checkpoint: BaseCheckpoint | None
    image_size: int | None
    config: dict
    measure_test: bool

    def train_config(self, checkpoint: Path | None = None) -> TrainConfig:
        """The run's configuration; a downloaded checkpoint decides the ViT's shape."""
        size = self.config.get("size", "vit_b" if self.checkpoint else "small")
        if self.checkpoint and size not in SAM_SIZES:
            raise RequestError(f"config.size: a SAM checkpoint fits {SAM_SIZES}, not {size}")
        try:
            model = _model(size, self.image_size, checkpoint)
            return TrainConfig(**{**self.config, "size": size}, model=model)
        except ValueError as error:
            raise RequestError(f"config: {error}") from error


def _model(size: str, image_size: int | None, checkpoint: Path | None) -> ModelConfig:
    model = MODEL_SIZES[size]
    if checkpoint:
        return vit_config(read_checkpoint(checkpoint)[0], image_size or model.image_size)
    return dataclasses.replace(model, image_size=image_size) if image_size else model


def parse_request(text: str | bytes, expected_id: str) -> TrainRequest:
    """Checks a request; raises RequestError that names the field and what is wrong with it.

    Args:
        text: the object's content.
        expected_id: the name of its file without ".json"; the id must equal it.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise RequestError(f"expected a JSON object: {error}") from error
    problem = best_match(VALIDATOR.iter_errors(raw))
    if problem is not None:
        raise RequestError(f"{problem.json_path}: {problem.message}")
    if raw["id"] != expected_id:
        raise RequestError(f"$.id: expected {expected_id!r}, as the file is called")
    checkpoint = raw.get("checkpoint")
    if ("dataPrefix" in raw) == ("dataset" in raw):
        raise RequestError("$.dataPrefix: expected a folder of training data, or a dataset")
    if "startFrom" in raw and "dataset" not in raw:
        raise RequestError("$.startFrom: expected none, unless uploads are learnt from")
    request = TrainRequest(
        id=raw["id"],
        data_prefix=raw.get("dataPrefix"),
        dataset=raw.get("dataset"),
        checkpoint=BaseCheckpoint(**checkpoint) if checkpoint else None,
        image_size=raw.get("imageSize"),
        # JSON has one kind of number: 1 may stand for a float, 1.0 for an integer
        config={name: CONFIG_TYPES[name](value) for name, value in raw["config"].items()},
        measure_test=raw.get("measureTest", False),
    )
    if request.dataset is None:
        request.train_config()  # its own checks
    return request
