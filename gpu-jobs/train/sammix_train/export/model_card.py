"""The model card that travels with a bundle."""

import textwrap

from ..evaluate.worst import Failure
from ..model.sam_mix import SamMix
from .bundle import Training

TEMPLATE = """# {name}

{target} segmentation in axial abdominal CT: a slice classifier whose activation map prompts a
SAM-style encoder and decoder (method SAM-Mix).

**Research use only. Not a medical device. Not for diagnosis or treatment decisions.**{commercial}

## What it is

- {start} {parameters:.1f} M parameters.
- Input: one axial slice, Hounsfield units clipped to [{window}], 256 x 256 pixels, millimetres
  kept isotropic. A scan is gated slice by slice; only slices whose probability of holding the
  target reaches {threshold:.3f} are segmented.
{differences}
- Trained {minutes:.0f} minutes ({epochs:g} passes over the labelled slices){stages} on {device}.

## Data

{licences}

{labelled} labelled slices with the target, {unlabelled} without a label.
{data_notes}

## Scores

Masks are prompted by the classifier's map, never by truth. "n" counts slices, or scans for volume
Dice, which is after keeping the largest component and filling its holes.

| Dataset | Protocol | Score | Value | n |
| --- | --- | --- | --- | --- |
{scores}

{failures}## Limits

{limits}
"""

FAILURES = """## Where it fails

The worst slice of each of the five worst labelled cases that were scored, with the share of the
256 x 256 square that is target and that was drawn. Pictures of them, for whoever has the data:
`python -m sammix_train measure --bundle BUNDLE --data DATA --side test --worst worst.png`.

{table}

"""

REAL_DATA_NOTES = """Split by patient, fixed before training (sha256 of the split in run.json:
`{split}`).
No test patient was seen in training, checkpoint selection or gate setting; these used validation
patients, and test patients were scored once, at the end."""

REAL_DATA_LIMITS = """\
- Trained on what is listed above: expect worse results on other scanners, phases and diseases.
- Slices at the ends of the organ are the least reliable.
- Not for MR or oblique scans: the runtime checks for these, not the model."""
UNADAPTED = "\n- No fine-tuning to a site was done."

SYNTHETIC_NOTES = "All of it is drawn by a program; there is no patient in it."
SYNTHETIC_LIMITS = """\
- For tests and demonstrations. It has never seen a real scan, so its masks of real scans mean
  nothing."""

COMMERCIAL_NOTE = """ Some of the training data
may not be used commercially, so neither may these weights."""


def start_of(base: dict | None) -> str:
    """Where the weights came from."""
    if base is None:
        return "Trained from scratch; no pretrained weights were used."
    return (
        f"Started from {base['checkpoint']} (licence {base['licence']}, sha256\n"
        f"  `{base['sha256']}`)."
    )


def differences(training: Training) -> str:
    """What was done otherwise than in the paper, as the last configuration tells; one bullet."""
    config = training.config
    model = config.model
    found = []
    if model.encoder == "hybrid":
        found.append(
            "the image encoder is a small convolution + ViT hybrid trained whole instead of SAM's"
            " ViT-B with LoRA"
        )
    if config.adapt != "all":
        found.append(f"then fitted to a site through {config.adapt} (rank {model.lora_rank})")
    if config.pixel_loss == "bce":
        found.append("the masks' pixel loss is cross-entropy (BCE) and not focal")
    if config.cam_weight:
        weight = f"(weight {config.cam_weight:g})"
        found.append(f"the classifier also sees how well its map covers the mask {weight}")
    if config.outline_weight:
        weight = f"(weight {config.outline_weight:g})"
        found.append(f"a further mask loss sits on the encoder's finest features {weight}")
    if config.empty_chance:
        found.append("slices without the target reach the mask loss too")
    if config.small_target_exponent:
        found.append("slices with little of the target are drawn more often")
    if config.crops_per_step:
        found.append("the classifier also sees windows beside the target")
    if config.lambda_max:
        weight = f"(lambda up to {config.lambda_max:g})"
        found.append(f"unlabelled slices enter through an averaged teacher {weight}")
    text = "; ".join([*found, "exported weights are the averaged ones"])
    text = f"- Labels used: {config.labels}. Differences to the paper: {text}."
    return textwrap.fill(text, 100, subsequent_indent="  ")


def failure_table(failures: list[Failure]) -> str:
    """Markdown table of the worst slices."""
    head = ("Dataset", "Dice", "Probability", "Target", "Mask")
    rows = [head, ("---",) * len(head), *(failure.words for failure in failures)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def model_card(
    model: SamMix,
    training: Training,
    threshold: float,
    licences: list[dict],
    metrics: list[dict],
    window_hu: tuple[float, float],
    failures: list[Failure] | None = None,
) -> str:
    """Markdown text of MODEL_CARD.md.

    Args:
        model: for its name and size.
        training: provenance.
        threshold: the gate.
        licences: entries {source, licence, use}; a run on synthetic scans alone names only those.
        metrics: entries of bundle.json.
        window_hu: intensity window.
        failures: worst slices, where any were scored.
    """
    synthetic = all("synthetic" in entry["source"] for entry in licences)
    notes = SYNTHETIC_NOTES if synthetic else REAL_DATA_NOTES.format(split=training.split_sha256)
    limits = SYNTHETIC_LIMITS if synthetic else REAL_DATA_LIMITS
    limits = "\n".join([limits, *(textwrap.fill(f"- {n}", 100) for n in training.data_notes)])
    if training.config.adapt == "all":
        limits += UNADAPTED
    rows = [
        f"| {m['dataset']} | {m['protocol']} | {m['name']} | {m['value']:.3f} | {m['n']} |"
        for m in metrics
    ]
    return TEMPLATE.format(
        name=model.config.name,
        target=training.config.target.capitalize(),
        commercial=COMMERCIAL_NOTE if any("NC" in e["licence"] for e in licences) else "",
        parameters=sum(p.numel() for p in model.parameters()) / 1e6,
        window=", ".join(f"{v:g}" for v in window_hu),
        threshold=threshold,
        start=start_of(training.base),
        differences=differences(training),
        stages=f" in {len(training.stages)} stages" if len(training.stages) > 1 else "",
        licences="\n".join(f"- {e['source']}: {e['licence']} ({e['use']})" for e in licences),
        labelled=training.labelled_slices,
        unlabelled=training.unlabelled_slices,
        data_notes=notes,
        scores="\n".join(rows) or "| none measured | | | | |",
        failures=FAILURES.format(table=failure_table(failures)) if failures else "",
        limits=limits,
        minutes=training.seconds / 60,
        epochs=training.epochs,
        device=training.device,
    )
