"""Model and training configuration: frozen dataclasses, one docstring line per field."""

import dataclasses
import hashlib
import json
from dataclasses import dataclass, field

SLICE_SIZE_PX = 256
WINDOW_HU = (0.0, 255.0)
CAM_THRESHOLD_OF_MAX = 0.2
EMBEDDING_STRIDES = {"hybrid": 8, "vit": 16, "tiny_vit": 4}
# what is trained besides LoRA; None is everything
ADAPTATIONS: dict[str, tuple[str, ...] | None] = {
    "all": None,
    "decoder": ("decoder.",),
    "decoder+classifier": ("decoder.", "classifier."),
    "lora": (),
    "lora+decoder": ("decoder.",),
    "lora+decoder+head": ("decoder.", "classifier.trunk.fc."),
    "lora+decoder+classifier": ("decoder.", "classifier."),
}


@dataclass(frozen=True)
class ModelConfig:
    """Shapes of the three networks.

    Attributes:
        name: bundle name.
        encoder: "hybrid" (convolutions + ViT, trained whole), "vit" (SAM's, adapted by LoRA) or
            "tiny_vit" (LiteMedSAM's).
        image_size: side S the slice is enlarged to before the image encoder.
        classifier_width: channels of the classifier's first stage; ResNet-38 has 64.
        classifier_blocks: residual blocks per stage; ResNet-38 has 3, 4, 8, 3.
        cam_grid: side of the class activation map, 8 or 16.
        widths: hybrid encoder channels at strides 2, 4, 8, 16.
        residual_blocks: hybrid encoder residual blocks at strides 2, 4, 8.
        vit_dim, vit_depth, vit_heads: transformer blocks (hybrid: `widths[3]` is the dim).
        window: window of SAM's windowed blocks; unused by the hybrid encoder.
        global_blocks: indices of SAM's global-attention blocks.
        channels: embedding channels C.
        decoder_mlp: hidden width of the decoder's transformer MLP.
        lora_rank: 0 trains the encoder whole.
    """

    name: str = "sammix-small"
    encoder: str = "hybrid"
    image_size: int = 256
    classifier_width: int = 16
    classifier_blocks: tuple[int, int, int, int] = (3, 4, 8, 3)
    cam_grid: int = 16
    widths: tuple[int, int, int, int] = (32, 64, 128, 160)
    residual_blocks: tuple[int, int, int] = (1, 2, 2)
    vit_dim: int = 160
    vit_depth: int = 4
    vit_heads: int = 5
    window: int = 14
    global_blocks: tuple[int, ...] = ()
    channels: int = 192
    decoder_mlp: int = 384
    lora_rank: int = 0

    def __post_init__(self) -> None:
        if self.encoder not in EMBEDDING_STRIDES:
            known = ", ".join(EMBEDDING_STRIDES)
            raise ValueError(f"encoder must be one of {known}, got {self.encoder!r}")
        if self.encoder == "tiny_vit" and self.image_size != 256:
            raise ValueError(f"tiny_vit takes images of 256 pixels, got {self.image_size}")
        if self.cam_grid not in (8, 16):
            raise ValueError(f"cam_grid must be 8 or 16, got {self.cam_grid}")
        if self.encoder == "hybrid" and self.vit_dim != self.widths[3]:
            raise ValueError(f"vit_dim {self.vit_dim} must equal widths[3] {self.widths[3]}")

    @property
    def embedding_grid(self) -> int:
        """Side E of the embedding; mask prompts and low-resolution masks have 4E."""
        return self.image_size // EMBEDDING_STRIDES[self.encoder]


MODEL_SIZES = {
    "tiny": ModelConfig(
        name="sammix-tiny",
        classifier_width=8,
        classifier_blocks=(1, 1, 1, 1),
        widths=(8, 16, 24, 48),
        residual_blocks=(0, 1, 1),
        vit_dim=48,
        vit_depth=1,
        vit_heads=3,
        channels=32,
        decoder_mlp=64,
    ),
    "mini": ModelConfig(
        name="sammix-mini",
        classifier_width=12,
        classifier_blocks=(1, 1, 2, 1),
        widths=(16, 24, 48, 96),
        residual_blocks=(0, 1, 1),
        vit_dim=96,
        vit_depth=2,
        vit_heads=3,
        channels=64,
        decoder_mlp=128,
    ),
    "small": ModelConfig(),
    "vit_b": ModelConfig(
        name="sammix-vit-b",
        encoder="vit",
        image_size=512,
        classifier_width=64,
        cam_grid=8,
        vit_dim=768,
        vit_depth=12,
        vit_heads=12,
        global_blocks=(2, 5, 8, 11),
        channels=256,
        decoder_mlp=2048,
        lora_rank=8,
    ),
    "lite_medsam": ModelConfig(
        name="sammix-lite-medsam", encoder="tiny_vit", channels=256, decoder_mlp=2048
    ),
}


@dataclass(frozen=True)
class TrainConfig:
    """One training run.

    Attributes:
        size: key of `MODEL_SIZES`.
        labels: "all" or the number of labelled slices (5 in 50 in 100, nested).
        target: name of the label to segment; "liver+cancer" joins two.
        adapt: "all" trains the three networks (of an encoder with LoRA: LoRA alone). "decoder" and
            "decoder+classifier" leave the encoder as it is. The others fit a trained model to few
            labels: "lora", and what is joined to it, the decoder, the classifier's head or all of
            the classifier. Nothing else changes, the statistics of batch norms included.
        views: 0 augments slices anew in every step. Otherwise the mask loss sees so many fixed
            views of each labelled slice, the slice itself among them, and one augmented view of
            each unlabelled one, so that a frozen encoder's embeddings can be kept.
        unlabelled_slices: 0 learns from all unlabelled slices, otherwise from so many, the same
            ones for every seed.
        seed: seeds weights, the labelled draw, sampling and augmentation.
        steps: length of the schedule in steps; used when `minutes` is 0.
        minutes: length of the schedule in wall-clock minutes. Convenient on shared machines, but
            only `steps` makes two runs with the same seed equal.
        labelled_per_step, negatives_per_step, unlabelled_per_step: slices of each kind in a step.
        classifier_positives_per_step: slices with liver that train the classifier, per step.
        empty_chance: chance that a step's mask loss sees one slice without liver, because the
            gate lets some of them through; 0 is the paper's method.
        learning_rate, weight_decay, warmup_steps, grad_clip: AdamW and its schedule.
        pixel_loss: "bce" (weight 1), or "focal" (weight 20, alpha .25, gamma 2) as SAM-Med2D has.
        all_masks_weight: weight of the mean over the three masks beside their minimum.
        lambda_max: weight of the unlabelled loss at the end of its ramp; 0 turns it off.
        ramp_fraction: share of the schedule after which lambda is lambda_max.
        unlabelled_start: share of the schedule without unlabelled slices.
        cam_weight: weight of the CAM overlap loss on labelled slices; 0 is the paper's method.
        outline_weight: weight of a mask loss on the hybrid encoder's finest features, before any
            prompt: deep supervision, dropped at export; 0 is the paper's method.
        real_cam_max: share of real CAM prompts once their ramp is done.
        real_cam_ramp: share of the schedule that the ramp takes; 0 for a model that has learnt.
        ema_decay: final decay of the averaged weights, used as teacher and for export.
        mask_sources: sources whose masks are learnt from, "lits,btcv"; of the others only whether a
            slice shows the target. Empty takes all.
        source_shares, negative_shares: how often a source of the data set is drawn, among slices
            with and without the target: "lits=.4,btcv=.3". Sources that are not named have 1.
        small_target_exponent: x of area^-x, the weight of a slice among those of its patient in
            the mask loss: slices at an organ's ends are few, and a per-slice mean counts them like
            any other.
        small_positive_exponent: the same among the classifier's slices with the target.
        crops_per_step: further slices of the classifier: windows beside the target of slices that
            show it, which make it look at the organ itself.
        clean_share: share of training slices without changes of grey value, as at run time.
        overlap: compute classifier and mask gradients in two threads, and prepare ahead.
        bfloat16: compute classifier and encoder in bfloat16 on a CPU too, as always on a GPU:
            faster where the CPU has matrix instructions for it (AMX).
        evaluate_every_s: seconds between validations.
    """

    size: str = "small"
    labels: str = "all"
    target: str = "liver"
    adapt: str = "all"
    views: int = 0
    unlabelled_slices: int = 0
    seed: int = 0
    steps: int = 4000
    minutes: float = 0.0
    labelled_per_step: int = 8
    negatives_per_step: int = 4
    unlabelled_per_step: int = 2
    classifier_positives_per_step: int = 4
    empty_chance: float = 0.3
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    warmup_steps: int = 100
    grad_clip: float = 1.0
    pixel_loss: str = "bce"
    all_masks_weight: float = 0.25
    lambda_max: float = 0.5
    ramp_fraction: float = 0.4
    unlabelled_start: float = 0.15
    cam_weight: float = 0.3
    outline_weight: float = 0.0
    real_cam_max: float = 0.75
    real_cam_ramp: float = 0.3
    ema_decay: float = 0.998
    mask_sources: str = ""
    source_shares: str = ""
    negative_shares: str = ""
    small_target_exponent: float = 0.0
    small_positive_exponent: float = 0.0
    crops_per_step: int = 0
    clean_share: float = 0.0
    overlap: bool = False
    bfloat16: bool = False
    evaluate_every_s: float = 400.0
    model: ModelConfig = field(default_factory=ModelConfig)

    def __post_init__(self) -> None:
        if self.size not in MODEL_SIZES:
            raise ValueError(f"size must be one of {sorted(MODEL_SIZES)}, got {self.size!r}")
        if self.labels != "all" and not self.labels.isdigit():
            raise ValueError(f'labels must be "all" or a count, got {self.labels!r}')
        if self.adapt not in ADAPTATIONS:
            raise ValueError(f"adapt must be one of {[*ADAPTATIONS]}, got {self.adapt!r}")
        if self.adapt.startswith("lora") and not self.model.lora_rank:
            raise ValueError(f'adapt "{self.adapt}" needs a model with lora_rank > 0')
        parse_shares(self.source_shares), parse_shares(self.negative_shares)
        if self.pixel_loss not in ("bce", "focal"):
            raise ValueError(f'pixel_loss must be "bce" or "focal", got {self.pixel_loss!r}')

    @property
    def learnt_sources(self) -> tuple[str, ...]:
        """`mask_sources` taken apart; empty for all."""
        return tuple(filter(None, self.mask_sources.split(",")))


def parse_shares(text: str) -> dict[str, float]:
    """ "a=.4,b=.6" -> {"a": 0.4, "b": 0.6}; ValueError where it is not that."""
    pairs = (entry.partition("=") for entry in text.split(",") if entry)
    return {name.strip(): float(share) for name, _, share in pairs}


def config_to_dict(config: TrainConfig) -> dict:
    """Plain JSON types; tuples become lists."""
    return json.loads(json.dumps(dataclasses.asdict(config)))


def config_from_dict(raw: dict) -> TrainConfig:
    """Inverse of `config_to_dict`."""
    model = {k: tuple(v) if isinstance(v, list) else v for k, v in raw["model"].items()}
    return TrainConfig(**{**raw, "model": ModelConfig(**model)})


def config_sha256(*stages: dict) -> str:
    """Hash of the canonical JSON of a run's configuration; of a list of them, if it had stages.

    Configurations are as `config_to_dict` gave them, so those of other versions count as they were.
    """
    text = json.dumps(stages if len(stages) > 1 else stages[0], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
