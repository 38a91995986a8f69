"""Which slices make up a step, and which masks count as labelled."""

import hashlib
from collections import defaultdict

import numpy as np

from ..config import NUM_SEEDED_LABELS, TrainConfig
from .slices import SlicePool, SliceRecord


def labelled_indices(pool: SlicePool, labels: str, seed: int, source: str = "lits") -> np.ndarray:
    """Pool indices whose masks may be used in training.

    "all" takes every labelled slice with liver. A count takes that many slices of one source,
    nested over counts: the 5 are among the 50, the 50 among the 100, for one seed.
    """
    if labels == "all":
        return pool.indices(has_liver=True, has_mask=True)
    count = int(labels)
    candidates = pool.indices(source=source, has_liver=True, has_mask=True)
    if count > len(candidates):
        known = ", ".join(str(n) for n in NUM_SEEDED_LABELS)
        raise ValueError(f"asked for {count} labelled slices of {len(candidates)} (usual: {known})")
    order = np.random.default_rng(seed).permutation(len(candidates))
    return np.sort(candidates[order[:count]])


def slice_ids_sha256(pool: SlicePool, indices: np.ndarray) -> str:
    """Hash of the sorted slice ids, one per line."""
    ids = sorted(pool.records[i].slice_id for i in indices)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


NEGATIVE_SHARES = {"ircad": 0.85, "negative": 0.12, "phantom": 0.03}
SMALLEST_AREA_PX = 64  # smaller livers are not drawn more often still: their outline is guesswork


class PatientSampler:
    """Draws slices: first a source by its share, then a patient, then one of its slices.

    `small_exponent` x weighs a patient's slices by area^-x of their liver; 0 weighs them equally.
    """

    def __init__(
        self,
        pool: SlicePool,
        indices: np.ndarray,
        shares: dict[str, float],
        small_exponent: float = 0.0,
    ) -> None:
        groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for i in indices:
            record: SliceRecord = pool.records[i]
            groups[record.source][record.patient].append(int(i))
        if not groups:
            raise ValueError("nothing to sample from: no slice fits")
        self._slices = {s: [groups[s][p] for p in sorted(groups[s])] for s in sorted(groups)}
        self._weights = {
            source: [small_liver_weights(pool, slices, small_exponent) for slices in patients]
            for source, patients in self._slices.items()
        }
        self._sources = list(self._slices)
        weights = np.array([shares.get(s, 1.0) for s in self._sources])
        self._probabilities = weights / weights.sum()

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """`count` pool indices, with replacement."""
        picked = []
        for source in rng.choice(len(self._sources), size=count, p=self._probabilities):
            patients = self._slices[self._sources[source]]
            patient = rng.integers(len(patients))
            weights = self._weights[self._sources[source]][patient]
            picked.append(rng.choice(patients[patient], p=weights))
        return np.array(picked)


def small_liver_weights(pool: SlicePool, slices: list[int], exponent: float) -> np.ndarray:
    """Chance of each of a patient's slices; they sum to 1."""
    if not exponent:
        return np.full(len(slices), 1 / len(slices))
    areas = pool.masks[slices].sum(axis=(1, 2), dtype=np.int64)
    weights = np.maximum(areas, SMALLEST_AREA_PX).astype(np.float64) ** -exponent
    return weights / weights.sum()


class StepSampler:
    """The slices of one training step."""

    def __init__(self, pool: SlicePool, config: TrainConfig) -> None:
        self.pool = pool
        self.config = config
        self.labelled = labelled_indices(pool, config.labels, config.seed, config.label_source)
        known = set(self.labelled.tolist())
        positives = pool.indices(has_liver=True)
        negatives = pool.indices(has_liver=False)
        unknown = pool.indices(source="unlabelled")
        self.unlabelled = np.array(
            sorted({*positives.tolist(), *unknown.tolist()} - known), dtype=np.int64
        )
        shares = {
            "lits": (1 - config.ircad_share) * (1 - config.phantom_share),
            "ircad": config.ircad_share * (1 - config.phantom_share),
            "phantom": config.phantom_share,
        }
        self._labelled = PatientSampler(pool, self.labelled, shares, config.small_liver_exponent)
        self._positives = PatientSampler(pool, positives, shares)
        self._negatives = PatientSampler(pool, negatives, NEGATIVE_SHARES)
        self._unlabelled = (
            PatientSampler(pool, self.unlabelled, {}) if len(self.unlabelled) else None
        )

    def masked(self, rng: np.random.Generator) -> np.ndarray:
        """Slices for the mask loss; a small share shows no liver at all."""
        picked = self._labelled.draw(self.config.labelled_per_step, rng)
        if rng.random() < self.config.empty_chance:
            picked[-1] = self._negatives.draw(1, rng)[0]
        return picked

    def classified(self, rng: np.random.Generator) -> np.ndarray:
        """Slices for the classification loss: positives, then negatives."""
        positives = self._positives.draw(self.config.classifier_positives_per_step, rng)
        return np.concatenate(
            [positives, self._negatives.draw(self.config.negatives_per_step, rng)]
        )

    def pseudo_labelled(self, rng: np.random.Generator) -> np.ndarray:
        """Slices for the unlabelled loss; empty when every slice is labelled."""
        if self._unlabelled is None:
            return np.zeros(0, dtype=np.int64)
        return self._unlabelled.draw(self.config.unlabelled_per_step, rng)
