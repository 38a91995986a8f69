"""A bundle as a checkpoint: every trained weight can be read back by its name.

The graphs hold the weights that run; `checkpoint.safetensors` holds the rest (what only training
uses, and what an exporter may have left out or merged) and, in its metadata, the stages of the
training. So a bundle is all that a further training needs, and takes the weights' size once.
"""

import json
from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import numpy_helper
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save
from torch import Tensor

from ..config import ModelConfig, config_from_dict
from ..model.sam_mix import SamMix
from ..step.state import Origin, Stage, stage_from_dict, stage_to_dict
from .graphs import bundle_graphs, merged_model

CHECKPOINT_FILE = "checkpoint.safetensors"
# name of a module's weights in `SamMix` -> in the graph, whose decoder is wrapped
GRAPH_PREFIXES = {"classifier": "classifier.", "encoder": "encoder.", "decoder": ""}


def graph_weights(config: ModelConfig, folder: Path) -> dict[str, np.ndarray]:
    """Initialisers of the three graphs under the names they have in `SamMix`."""
    found = {}
    for name, graph in bundle_graphs(config).items():
        for tensor in onnx.load(folder / graph.file).graph.initializer:
            found[GRAPH_PREFIXES[name] + tensor.name] = numpy_helper.to_array(tensor)
    return found


def write_checkpoint(model: SamMix, stages: tuple[Stage, ...], folder: Path) -> None:
    """Writes what the graphs already in `folder` do not hold."""
    model = merged_model(model)
    exported = graph_weights(model.config, folder)
    rest = {}
    for name, tensor in model.state_dict().items():
        value = tensor.numpy()
        if name not in exported or not np.array_equal(exported[name], value):
            rest[name] = value.copy(order="C")
    record = [stage_to_dict(stage) for stage in stages]
    content = save(rest, {"stages": json.dumps(record)})
    (folder / CHECKPOINT_FILE).write_bytes(content)


def read_bundle(folder: Path) -> Origin:
    """Weights and history of a bundle, whoever trained it.

    Raises ValueError, which says what to do, where there is no bundle or no weights to train.
    """
    manifest_path, rest_path = folder / "bundle.json", folder / CHECKPOINT_FILE
    if not manifest_path.is_file():
        raise ValueError(f"{folder}: expected a bundle, found no bundle.json; name its folder")
    if not rest_path.is_file():
        raise ValueError(
            f"{folder}: expected {CHECKPOINT_FILE}, found none. Bundles of version 0.1 and int8"
            " bundles cannot be trained further: start from another one"
        )
    manifest = json.loads(manifest_path.read_text())
    try:
        with safe_open(rest_path, framework="pt") as file:
            rest = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            stages = tuple(map(stage_from_dict, json.loads(file.metadata()["stages"])))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{rest_path}: expected a bundle's checkpoint: {error}") from error
    config = config_from_dict(stages[-1].config)
    model = merged_model(SamMix(config.model))
    weights = {**_as_tensors(graph_weights(model.config, folder)), **rest}
    missing = sorted(model.state_dict().keys() - weights.keys())
    if missing:
        raise ValueError(f"{folder}: expected the weights {', '.join(missing[:5])}, found none")
    return Origin(
        path=folder,
        model=model.config,
        size=config.size,
        weights={name: weights[name] for name in model.state_dict()},
        stages=stages,
        base=manifest["base"],
        licences=tuple(manifest["licences"]),
    )


def _as_tensors(arrays: dict[str, np.ndarray]) -> dict[str, Tensor]:
    return {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
