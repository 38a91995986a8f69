"""A training request: one JSON object, checked field by field before anything is downloaded.

{
  "schemaVersion": 1,
  "id": "liver-50",                           also the name of the run in storage
  "dataPrefix": "training/data/liver/",       a data folder, see the trainer's README
  "phantomsPrefix": null,                     scans made by `sammix phantom`, or null
  "checkpoint": null,                         or {"key", "input": "sam" | "unit", "licence"}
  "imageSize": null,                          side of the ViT's input, or null for the default
  "config": {"size": "small", "labels": "50", "steps": 4000},   fields of `TrainConfig`
  "measureTest": false                        whether to score the test patients
}

`config` takes every field of `TrainConfig` except `model`, by its Python name and with its type
there; an integer may stand for a float. New fields come with a default, so older requests stay
valid: `label_source`, `adapt` and `small_liver_exponent` are such, and a site's schema need not
offer them. `adapt` other than "all" needs LoRA, so here a `checkpoint`.
"""

import dataclasses
import json
import re
from dataclasses import dataclass
from pathlib import Path

from ..config import MODEL_SIZES, ModelConfig, TrainConfig
from ..model.sam.checkpoint import INPUT_RANGES, read_checkpoint, vit_config

FIELDS = {
    "schemaVersion": int,
    "id": str,
    "dataPrefix": str,
    "phantomsPrefix": (str, type(None)),
    "checkpoint": (dict, type(None)),
    "imageSize": (int, type(None)),
    "config": dict,
    "measureTest": bool,
}
OPTIONAL = {"phantomsPrefix": None, "checkpoint": None, "imageSize": None, "measureTest": False}
ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,127}")
PREFIX = re.compile(r"training/data/[A-Za-z0-9][A-Za-z0-9._+/-]*/")
CHECKPOINT_KEY = re.compile(r"models/[A-Za-z0-9][A-Za-z0-9._+/-]*\.(pth|pt|bin|safetensors)")


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
    """A checked request; see the module's description."""

    id: str
    data_prefix: str
    phantoms_prefix: str | None
    checkpoint: BaseCheckpoint | None
    image_size: int | None
    config: dict
    measure_test: bool

    def train_config(self, checkpoint: Path | None = None) -> TrainConfig:
        """The run's configuration; a downloaded checkpoint decides the ViT's shape."""
        size = self.config.get("size", "vit_b" if self.checkpoint else "small")
        if size not in MODEL_SIZES:
            raise RequestError(
                f"config.size: expected one of {sorted(MODEL_SIZES)}, found {size!r}"
            )
        if self.checkpoint and size != "vit_b":
            raise RequestError(f"config.size: a SAM checkpoint fits vit_b, not {size}")
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
    """Checks a request; raises RequestError that says what was expected and found.

    Args:
        text: the object's content.
        expected_id: the name of its file without ".json"; the id must equal it.
    """
    try:
        raw = json.loads(text)
    except ValueError as error:
        raise RequestError(f"expected a JSON object: {error}") from error
    if not isinstance(raw, dict):
        raise RequestError(f"expected a JSON object, found {type(raw).__name__}")
    raw = {**OPTIONAL, **raw}
    _check_fields(raw, FIELDS, "")
    if raw["schemaVersion"] != 1:
        raise RequestError(f"schemaVersion: expected 1, found {raw['schemaVersion']}")
    if raw["id"] != expected_id or not ID.fullmatch(raw["id"]) or ".." in raw["id"]:
        raise RequestError(
            f"id: expected {expected_id!r}, as the file is called (letters, digits and ._+-), "
            f"found {raw['id']!r}"
        )
    for name in ("dataPrefix", "phantomsPrefix"):
        _check_key(raw[name], PREFIX, name, "training/data/<folder>/")
    request = TrainRequest(
        id=raw["id"],
        data_prefix=raw["dataPrefix"],
        phantoms_prefix=raw["phantomsPrefix"],
        checkpoint=_checkpoint(raw["checkpoint"]),
        image_size=raw["imageSize"],
        config=_config(raw["config"]),
        measure_test=raw["measureTest"],
    )
    request.train_config()  # its own checks
    return request


def _check_fields(raw: dict, fields: dict, where: str) -> None:
    unknown, missing = raw.keys() - fields.keys(), fields.keys() - raw.keys()
    if unknown or missing:
        raise RequestError(
            f"{where or 'request'}: unknown fields {sorted(unknown)}, "
            f"missing fields {sorted(missing)}"
        )
    for name, kind in fields.items():
        # bool is an int in Python, and no size or count here is a truth value
        wrong_bool = isinstance(raw[name], bool) and kind is not bool
        if wrong_bool or not isinstance(raw[name], kind):
            raise RequestError(f"{where}{name}: found a value of type {type(raw[name]).__name__}")


def _check_key(value: str | None, pattern: re.Pattern, name: str, form: str) -> None:
    if value is not None and (not pattern.fullmatch(value) or ".." in value):
        raise RequestError(f"{name}: expected {form}, found {value!r}")


def _checkpoint(raw: dict | None) -> BaseCheckpoint | None:
    if raw is None:
        return None
    _check_fields(raw, {"key": str, "input": str, "licence": str}, "checkpoint.")
    _check_key(raw["key"], CHECKPOINT_KEY, "checkpoint.key", "models/<name>.pth or .safetensors")
    if raw["input"] not in INPUT_RANGES:
        raise RequestError(f"checkpoint.input: expected one of {INPUT_RANGES}")
    return BaseCheckpoint(**raw)


def _config(raw: dict) -> dict:
    """Fields of `TrainConfig` with the types they have there; integers may stand for floats."""
    types = {f.name: f.type for f in dataclasses.fields(TrainConfig) if f.name != "model"}
    checked = {}
    for name, value in raw.items():
        if name not in types:
            raise RequestError(f"config.{name}: expected one of {sorted(types)}")
        if types[name] is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        if type(value) is not types[name]:
            raise RequestError(
                f"config.{name}: expected {types[name].__name__}, found {type(value).__name__}"
            )
        checked[name] = value
    if not checked.get("minutes") and checked.get("steps", 1) < 1:
        raise RequestError("config.steps: expected at least 1")
    return checked
