"""Where a model fails worst: in words for the card, as a picture for those who hold the data."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..data.dataset import Dataset
from ..data.slices import load_case
from .slices import dice, predict_slices

WORST_CASES = 5


@dataclass(frozen=True)
class Failure:
    """The worst slice of a case. The case is not named: an id may be a patient's.

    Attributes:
        source: name of the data's source.
        dice: against the truth, prompted by the CAM, whether the gate would let it pass or not.
        probability: that the slice shows the target, as the classifier alone says.
        image: uint8[256, 256].
        truth, mask: bool[256, 256].
    """

    source: str
    dice: float
    probability: float
    image: np.ndarray
    truth: np.ndarray
    mask: np.ndarray

    @property
    def words(self) -> tuple[str, str, str, str, str]:
        """Source, Dice, probability, and the shares of the square that truth and mask cover."""
        shares = [f"{100 * part.mean():.2f} %" for part in (self.truth, self.mask)]
        return self.source, f"{self.dice:.2f}", f"{self.probability:.2f}", shares[0], shares[1]


def worst_cases(
    model: object, dataset: Dataset, ids: list[str], target: str, count: int = WORST_CASES
) -> list[Failure]:
    """The worst slice of each of the `count` worst labelled cases, worst first.

    One slice a case, so that a patient who is lost altogether does not hide the others.

    Args:
        model: `SamMix` in eval mode or `BundleModel`.
        dataset: where the cases are.
        ids: cases; those without a label, or without the target, are left out.
        target: name of the label.
        count: how many cases.
    """
    wanted = set(ids)
    found = []
    for case in dataset.cases:
        if case.id not in wanted or not case.label:
            continue
        pool = load_case(dataset, case, target)
        pool = pool.subset(pool.indices(has_mask=True, has_target=True))
        if not len(pool):
            continue
        predictions = predict_slices(model, pool.images)
        masks, truths = predictions.logits > 0, pool.masks > 0
        dices = [dice(mask, truth) for mask, truth in zip(masks, truths, strict=True)]
        at = int(np.argmin(dices))
        found.append(
            Failure(
                source=dataset.sources[case.source].name,
                dice=dices[at],
                probability=float(predictions.probability[at]),
                image=pool.images[at],
                truth=truths[at],
                mask=masks[at],
            )
        )
    return sorted(found, key=lambda failure: failure.dice)[:count]


def draw_failures(failures: list[Failure], out: Path) -> None:
    """Writes a PNG: a column a failure, the slice above, truth and mask outlined on it below.

    It shows patients: it belongs where the data belong. Imports matplotlib, which a fit has not.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3 * len(failures), 6.6), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, len(failures), squeeze=False)
    for column, failure in zip(axes.T, failures, strict=True):
        for axis in column:
            axis.imshow(failure.image, cmap="gray", vmin=0, vmax=255)
            axis.set_axis_off()
        source, score, probability, truth, mask = failure.words
        column[0].set_title(f"{source}\nDice {score}, p {probability}", fontsize=7)
        column[1].set_title(f"truth {truth} (solid), mask {mask} (dashed)", fontsize=7)
        for shown, colour, style in (
            (failure.truth, "#56b4e9", "-"),
            (failure.mask, "#e69f00", "--"),
        ):
            if shown.any():
                column[1].contour(shown, [0.5], colors=colour, linestyles=style, linewidths=1)
    out.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(out, dpi=110)
