"""Which checkpoint a state dict is, by its keys alone, and its keys in SAM's own naming."""

import re
from collections.abc import Iterable

from torch import Tensor


class CheckpointError(ValueError):
    """A checkpoint that this project cannot use; the message says why and what to do."""


# Key patterns of models that call themselves SAM and are not its ViT. Found in their published
# sources; each changes the forward pass, so loading what fits would give a wrong model.
REFUSED = (
    (
        r"^image_encoder\.blocks\.\d+\.[Aa]dapter\.",
        "SAM-Med2D",
        "its adapter layers are part of the forward pass",
    ),
    (
        r"^prompt_encoder\.(invalid_points|bbox_top_left_embeddings)\.",
        "EfficientSAM",
        "it has no path for mask prompts",
    ),
    (
        r"^image_encoder\.(features\.\d+|fuse_stage2)\.",
        "EdgeSAM",
        "its image encoder is a RepViT and its licence excludes commercial use",
    ),
    (r"^mask_decoder\.hf_(token|mlp)\.", "SAM-HQ", "its decoder has an additional mask token"),
    (
        r"^(sam_mask_decoder|image_encoder\.trunk|memory_attention)\.",
        "SAM 2",
        "its image encoder is a Hiera",
    ),
)

# Hugging Face's names -> SAM's, applied in order to every key.
HUGGING_FACE_RULES = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"^vision_encoder\.", "image_encoder."),
        (r"^(image_encoder\.patch_embed)\.projection\.", r"\1.proj."),
        (r"^(image_encoder)\.layers\.", r"\1.blocks."),
        (r"^(image_encoder\.neck)\.conv1\.", r"\1.0."),
        (r"^(image_encoder\.neck)\.layer_norm1\.", r"\1.1."),
        (r"^(image_encoder\.neck)\.conv2\.", r"\1.2."),
        (r"^(image_encoder\.neck)\.layer_norm2\.", r"\1.3."),
        (r"\.layer_norm(\d|_final_attn)\.", r".norm\1."),
        (
            r"^(shared_image_embedding|prompt_encoder\.shared_embedding)\.positional_embedding$",
            "prompt_encoder.pe_layer.positional_encoding_gaussian_matrix",
        ),
        (r"^(prompt_encoder)\.point_embed\.", r"\1.point_embeddings."),
        (r"^(prompt_encoder)\.mask_embed\.conv1\.", r"\1.mask_downscaling.0."),
        (r"^(prompt_encoder)\.mask_embed\.norm1\.", r"\1.mask_downscaling.1."),
        (r"^(prompt_encoder)\.mask_embed\.conv2\.", r"\1.mask_downscaling.3."),
        (r"^(prompt_encoder)\.mask_embed\.norm2\.", r"\1.mask_downscaling.4."),
        (r"^(prompt_encoder)\.mask_embed\.conv3\.", r"\1.mask_downscaling.6."),
        (r"^(mask_decoder)\.upscale_conv1\.", r"\1.output_upscaling.0."),
        (r"^(mask_decoder)\.upscale_layer_norm\.", r"\1.output_upscaling.1."),
        (r"^(mask_decoder)\.upscale_conv2\.", r"\1.output_upscaling.3."),
        (r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.layers\.0\.", r"\1.layers.1."),
        (r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.proj_in\.", r"\1.layers.0."),
        (r"(output_hypernetworks_mlps\.\d+|iou_prediction_head)\.proj_out\.", r"\1.layers.2."),
    )
)


LITE_MEDSAM_KEY = "image_encoder.patch_embed.seq.0.c.weight"


INSTEAD = "Use SAM (sam_vit_b_01ec64.pth, or facebook/sam-vit-base), MedSAM or LiteMedSAM."


def is_lite_medsam(state: dict[str, Tensor]) -> bool:
    """Whether the image encoder is LiteMedSAM's TinyViT: the one that embeds single pixels."""
    return LITE_MEDSAM_KEY in state and state[LITE_MEDSAM_KEY].shape[2:] == (1, 1)


def hugging_face_to_sam(key: str) -> str:
    """One key of `facebook/sam-vit-*` in SAM's naming."""
    for pattern, replacement in HUGGING_FACE_RULES:
        key = pattern.sub(replacement, key)
    return key


def refuse_other_models(keys: Iterable[str], name: str) -> None:
    """Raises CheckpointError, naming the model, when the keys are not those of SAM's ViT."""
    keys = list(keys)
    for pattern, model, reason in REFUSED:
        compiled = re.compile(pattern)
        if any(compiled.search(key) for key in keys):
            raise CheckpointError(f"{name} is a checkpoint of {model}: {reason}. {INSTEAD}")
    if not any(key.startswith(("image_encoder.", "vision_encoder.")) for key in keys):
        raise CheckpointError(
            f"{name} has no image encoder: expected keys image_encoder.*, prompt_encoder.* and "
            f"mask_decoder.*, found {sorted(keys)[:3]}. Is it a whole SAM checkpoint?"
        )


def in_sam_naming(state: dict[str, Tensor], name: str) -> tuple[dict[str, Tensor], str]:
    """The state dict under SAM's own key names, and which naming it came in.

    Args:
        state: tensors of a flat checkpoint.
        name: the file's name, for messages.

    Returns:
        The renamed state dict, and "sam" or "hugging-face".
    """
    if state and all(key.startswith("module.") for key in state):
        state = {key.removeprefix("module."): value for key, value in state.items()}
    refuse_other_models(state, name)
    if LITE_MEDSAM_KEY in state and not is_lite_medsam(state):
        raise CheckpointError(
            f"{name} is a checkpoint of MobileSAM or TinySAM: their TinyViT halves the image twice"
            f" before its first stage. {INSTEAD}"
        )
    if any(key.startswith("vision_encoder.") for key in state):
        return {hugging_face_to_sam(key): value for key, value in state.items()}, "hugging-face"
    return state, "sam"
