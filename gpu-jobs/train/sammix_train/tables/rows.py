"""The rows of the comparison table, and what is published beside them."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Row:
    """One method with one amount of labels.

    Attributes:
        key: name in files and on the command line.
        title: name in the table.
        method: "unet", "sammix" or "sam" (the SAM branch alone).
        labels: "all" or a count; "0" is no training at all.
        prompts: what the decoder sees; see `baselines.PROMPT_KINDS`. Empty for the U-Net.
        source: where prompts come from at test: "CAM", "truth box", "truth point" or "none".
        trained_as: key of the row whose weights this one is measured with; itself by default.
        overrides: fields of `TrainConfig` that make this an ablation.
        published: figures of the paper or its authors' repository, by column.
        pretrained: a U-Net whose encoder starts from ImageNet.
        needs_checkpoint: only makes sense with pretrained SAM weights.
    """

    key: str
    title: str
    method: str
    labels: str
    prompts: str = ""
    source: str = "CAM"
    trained_as: str = ""
    overrides: dict = field(default_factory=dict)
    published: dict = field(default_factory=dict)
    pretrained: bool = False
    needs_checkpoint: bool = False

    @property
    def training(self) -> str:
        """Key of the row that trains the weights."""
        return self.trained_as or self.key


def _sammix(labels: str, dice: float, hausdorff_px: float, cross_dice: float) -> Row:
    return Row(
        key=f"sammix-{labels}",
        title=f"SAM-Mix-{labels}",
        method="sammix",
        labels=labels,
        prompts="mask+box",
        published={"dice": dice, "hausdorffPx": hausdorff_px, "crossDice": cross_dice},
    )


def _oracle(labels: str, kind: str) -> Row:
    trained = "zero-shot" if labels == "0" else f"{labels} labels"
    return Row(
        key=f"sam-{kind}-{labels}-oracle",
        title=f"SAM-{kind}, oracle, {trained}",
        method="sam",
        labels=labels,
        prompts=kind,
        source=f"truth {kind}",
        needs_checkpoint=labels == "0",
    )


def _unet(labels: str, pretrained: bool = False, **published: float) -> Row:
    start = ", encoder from ImageNet" if pretrained else ""
    return Row(
        key=f"unet-{labels}{'-imagenet' if pretrained else ''}",
        title=f"U-Net, {labels} labels{start}",
        method="unet",
        labels=labels,
        source="none",
        published=published,
        pretrained=pretrained,
    )


def _ablation(key: str, title: str, prompts: str = "mask+box", **overrides: object) -> Row:
    return Row(
        key=f"sammix-50-{key}",
        title=f"SAM-Mix-50, {title}",
        method="sammix",
        labels="50",
        prompts=prompts,
        overrides=overrides,
    )


# Figures: the authors' repository and the abstract (nnU-Net's .863 has no row here).
ROWS = (
    _unet("all", dice=0.897, crossDice=0.669),
    _unet("50"),
    _unet("all", pretrained=True),
    _unet("50", pretrained=True),
    _sammix("5", 0.919, 15.1, 0.807),
    _sammix("50", 0.948, 9.8, 0.923),
    _sammix("100", 0.941, 14.7, 0.921),
    Row("sammix-all", "SAM-Mix, all labels", "sammix", "all", "mask+box"),
    _ablation("no-unlabelled", "no unlabelled loss", lambda_max=0.0),
    _ablation("no-dense", "no dense prompt", "box"),
    _ablation("no-box", "no box", "mask"),
    # ours: the classifier's map is held to the masks of the labelled slices
    _ablation("map", "map learns from the masks", cam_weight=1.0),
    Row(
        "sammix-50-oracle-box",
        "SAM-Mix-50, oracle box at test",
        "sammix",
        "50",
        "mask+box",
        source="truth box",
        trained_as="sammix-50",
    ),
    # the classifier knows which slices show the target, and no mask is learnt from
    Row(
        "sam-box-0",
        "SAM-box, no masks",
        "sammix",
        "0",
        "box",
        needs_checkpoint=True,
    ),
    _oracle("50", "box"),
    _oracle("50", "point"),
    _oracle("0", "box"),
    _oracle("0", "point"),
)
ROW_BY_KEY = {row.key: row for row in ROWS}
