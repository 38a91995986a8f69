"""Starts the image encoder, prompt encoder and mask decoder from a published SAM checkpoint.

Accepted: Meta's `sam_vit_b_01ec64.pth` and its ViT-L and ViT-H siblings, the same weights from
Hugging Face (`facebook/sam-vit-*`, safetensors or .bin), MedSAM, flat or under "model", with or
without `module.`, and LiteMedSAM (`lite_medsam.pth`). Others are refused by name.
"""

import dataclasses
import hashlib
import pickle
import re
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...config import MODEL_SIZES, ModelConfig
from ...step.state import RunState
from ...step.teacher import averaged_copy
from ..sam_mix import SAM_MEAN, SAM_STD, SamMix
from .checkpoint_names import CheckpointError, in_sam_naming, is_lite_medsam
from .image_encoder import resize_rel_pos

INPUT_RANGES = ("sam", "unit")
LORA_PARAMETER = re.compile(r"\.(a_q|b_q|a_v|b_v)\.weight$")
# SAM's windowed blocks have tables of 2 * 14 - 1 offsets; longer ones belong to global blocks.
WINDOW_TABLE = 27


@dataclass(frozen=True)
class LoadReport:
    """What became of a checkpoint's keys.

    Attributes:
        naming: "sam" or "hugging-face".
        loaded: number of tensors copied, resized ones included.
        resized: (key, shape in the file, shape in the model).
        missing: keys of the model that the file lacks.
        unexpected: keys of the file that the model lacks.
        mismatched: (key, shape in the file, shape in the model), not resizable.
    """

    naming: str
    loaded: int
    resized: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    def lines(self) -> list[str]:
        """One line per fact, for the log."""
        shapes = [f"resized {k}: {list(a)} -> {list(b)}" for k, a, b in self.resized]
        wrong = [f"other shape {k}: {list(a)}, not {list(b)}" for k, a, b in self.mismatched]
        missing = [f"missing {key}" for key in self.missing]
        unexpected = [f"unexpected {key}" for key in self.unexpected]
        first = f"{self.loaded} tensors loaded ({self.naming} naming)"
        return [first, *shapes, *wrong, *missing, *unexpected]


def read_checkpoint(path: Path) -> tuple[dict[str, Tensor], str]:
    """Tensors of a checkpoint file in SAM's naming, and the naming it came in.

    Nothing but tensors and plain containers is unpickled (`weights_only`). Raises CheckpointError
    for other content and for models that are not SAM's ViT.
    """
    if path.suffix == ".safetensors":
        from safetensors.torch import load_file

        return in_sam_naming(load_file(path), path.name)
    try:
        raw = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise CheckpointError(
            f"{path.name} holds pickled Python objects and not only tensors, as SlimSAM's *global* "
            "checkpoints do; unpickling them would run code. Use a state dict of SAM or MedSAM."
        ) from error
    return in_sam_naming(_flat(raw, path.name), path.name)


def _flat(raw: object, name: str) -> dict[str, Tensor]:
    """The state dict itself, or the one under "model" or "state_dict"."""
    if isinstance(raw, dict):
        for key in ("model", "state_dict"):
            if isinstance(raw.get(key), dict):
                raw = raw[key]
        if raw and all(isinstance(value, Tensor) for value in raw.values()):
            return raw
    raise CheckpointError(f"{name}: expected a state dict of tensors, found {type(raw).__name__}")


def vit_config(state: dict[str, Tensor], image_size: int, lora_rank: int = 8) -> ModelConfig:
    """The model that fits a checkpoint in SAM's naming, read off shapes.

    ViT-B, -L or -H; or LiteMedSAM, which has an image size of its own, and LoRA only where it is
    asked for: without a GPU its encoder is too slow to learn.
    """
    if is_lite_medsam(state):
        return MODEL_SIZES["lite_medsam"]
    try:
        dim = state["image_encoder.patch_embed.proj.weight"].shape[0]
        channels = state["image_encoder.neck.0.weight"].shape[0]
        decoder_mlp = state["mask_decoder.transformer.layers.0.mlp.lin1.weight"].shape[0]
        tables = _rel_pos_tables(state)
    except KeyError as error:
        raise CheckpointError(f"not SAM's layout: {error.args[0]} is missing") from error
    base = MODEL_SIZES["vit_b"]
    sizes = {768: "b", 1024: "l", 1280: "h"}
    return dataclasses.replace(
        base,
        name=f"sammix-vit-{sizes.get(dim, dim)}",
        image_size=image_size,
        vit_dim=dim,
        vit_depth=len(tables),
        vit_heads=dim // tables[0].shape[1],
        global_blocks=tuple(i for i, t in enumerate(tables) if t.shape[0] != WINDOW_TABLE),
        channels=channels,
        decoder_mlp=decoder_mlp,
        lora_rank=lora_rank,
    )


def _rel_pos_tables(state: dict[str, Tensor]) -> list[Tensor]:
    pattern = re.compile(r"^image_encoder\.blocks\.(\d+)\.")
    depth = 1 + max((int(m[1]) for m in map(pattern.match, state) if m), default=-1)
    keys = [f"image_encoder.blocks.{i}.attn.rel_pos_h" for i in range(max(1, depth))]
    return [state[key] for key in keys]


def resized(key: str, value: Tensor, shape: tuple[int, ...]) -> Tensor | None:
    """`value` resized to `shape` where `key` is a position table; None where that is impossible.

    `pos_embed` float32[1, g, g, dim] bilinearly; `rel_pos_*` float32[2 * g - 1, head_dim] linearly.
    """
    if key.endswith(".pos_embed") and value.ndim == 4 and value.shape[3] == shape[3]:
        grid = F.interpolate(value.permute(0, 3, 1, 2).float(), size=shape[1:3], mode="bilinear")
        return grid.permute(0, 2, 3, 1)
    is_table = key.endswith((".rel_pos_h", ".rel_pos_w"))
    if is_table and value.ndim == 2 and value.shape[1] == shape[1]:
        return resize_rel_pos(value.float(), shape[0])
    return None


def branch_parameters(model: SamMix) -> dict[str, Tensor]:
    """The model's tensors that a SAM checkpoint must fill, under SAM's names; LoRA is left out."""
    parts = {
        "image_encoder": model.encoder.image_encoder,
        "prompt_encoder": model.decoder.prompt_encoder,
        "mask_decoder": model.decoder.mask_decoder,
    }
    return {
        f"{part}.{key}".replace(".qkv.base.", ".qkv."): value
        for part, module in parts.items()
        for key, value in module.state_dict().items()
        if not LORA_PARAMETER.search(key)
    }


def matched(
    wanted: dict[str, Tensor], state: dict[str, Tensor], naming: str
) -> tuple[dict[str, Tensor], LoadReport]:
    """The tensors to copy, by SAM's names, and the report; works on meta tensors too."""
    found, changed, mismatched = {}, [], []
    for key, own in wanted.items():
        if key not in state:
            continue
        value, shape = state[key], tuple(own.shape)
        if tuple(value.shape) == shape:
            found[key] = value
            continue
        fitting = resized(key, value, shape)
        if fitting is None:
            mismatched.append((key, tuple(value.shape), shape))
        else:
            found[key] = fitting
            changed.append((key, tuple(value.shape), shape))
    report = LoadReport(
        naming=naming,
        loaded=len(found),
        resized=tuple(changed),
        missing=tuple(key for key in wanted if key not in state),
        unexpected=tuple(key for key in state if key not in wanted),
        mismatched=tuple(mismatched),
    )
    return found, report


@torch.no_grad()
def load_sam(model: SamMix, path: Path, input_range: str = "sam") -> LoadReport:
    """Copies a checkpoint into `model` in place. The classifier and LoRA keep their values.

    Args:
        model: built for the "vit" encoder; `vit_config` gives one that fits.
        path: the checkpoint file.
        input_range: what the checkpoint's encoder was trained on: "sam" for pixels normalised by
            SAM's mean and standard deviation, "unit" for pixels in [0, 1], as MedSAM. The files do
            not tell, so the caller must.

    Raises:
        CheckpointError: on any missing or unresizable tensor; nothing is copied then.
    """
    if model.config.encoder == "hybrid":
        raise CheckpointError("SAM checkpoints fit the encoders vit and tiny_vit, not 'hybrid'")
    if input_range not in INPUT_RANGES:
        raise CheckpointError(f"input_range must be one of {INPUT_RANGES}, got {input_range!r}")
    state, naming = read_checkpoint(path)
    wanted = branch_parameters(model)
    found, report = matched(wanted, state, naming)
    if report.missing or report.mismatched:
        raise CheckpointError("\n".join([f"{path.name} does not fit:", *report.lines()]))
    for key, value in found.items():
        wanted[key].copy_(value)
    if input_range == "unit" and model.config.encoder == "vit":
        undo_normalisation(model.encoder.image_encoder.patch_embed.proj)
    return report


def start_from_sam(
    state: RunState, path: Path, input_range: str = "sam", licence: str = "Apache-2.0"
) -> LoadReport:
    """Loads a checkpoint into a fresh run: the trained weights, their average, and its record."""
    report = load_sam(state.model, path, input_range)
    state.average = averaged_copy(state.model)
    state.base = base_record(path, licence)
    return report


@torch.no_grad()
def undo_normalisation(projection: nn.Conv2d) -> None:
    """Makes a patch projection for x in [0, 1] equal on (x - mean) / std, which the model feeds it.

    Exact, as patches are not padded; so nothing but weights tells the two kinds apart.
    """
    mean = torch.tensor(SAM_MEAN, device=projection.weight.device).reshape(1, 3, 1, 1)
    std = torch.tensor(SAM_STD, device=projection.weight.device).reshape(1, 3, 1, 1)
    projection.bias += (projection.weight * mean).sum(dim=(1, 2, 3))
    projection.weight *= std


def base_record(path: Path, licence: str = "Apache-2.0") -> dict:
    """The `base` entry of bundle.json."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while chunk := handle.read(1 << 20):
            digest.update(chunk)
    return {"checkpoint": path.name, "sha256": digest.hexdigest(), "licence": licence}
