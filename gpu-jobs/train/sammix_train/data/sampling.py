"""Which slices make up a step, and which masks count as labelled."""

import hashlib
from collections import defaultdict
from collections.abc import Callable

import numpy as np

from ..config import TrainConfig, parse_shares
from .slices import SlicePool

MIN_LABELLED_SLICES = 5
NEAR_MM = 15.0  # slices without the target are drawn half as often at this distance from it
FARTHEST_WEIGHT = 0.2  # but never less often than this: a scan may be of the pelvis alone


def labelled_indices(
    pool: SlicePool, labels: str, seed: int, sources: tuple[str, ...] = ()
) -> np.ndarray:
    """Pool indices whose masks may be used in training; `sources` leaves out all others.

    "all" takes every labelled slice with the target. A count takes that many of them, nested over
    counts: the 5 are among the 50, the 50 among the 100, for one seed.
    """
    candidates = of_sources(pool, pool.indices(has_target=True, has_mask=True), sources)
    count = len(candidates) if labels == "all" else int(labels)
    if count > len(candidates):
        raise ValueError(f"asked for {count} labelled slices of {len(candidates)}")
    if count < MIN_LABELLED_SLICES:
        raise ValueError(
            f"expected at least {MIN_LABELLED_SLICES} labelled slices with the target, found"
            f" {count}; label more"
        )
    if labels == "all":
        return candidates
    order = np.random.default_rng(seed).permutation(len(candidates))
    return np.sort(candidates[order[:count]])


def of_sources(pool: SlicePool, indices: np.ndarray, sources: tuple[str, ...]) -> np.ndarray:
    """Those of the named sources; all, without names."""
    if not sources:
        return indices
    return np.array([i for i in indices if pool.records[i].source in sources], dtype=np.int64)


def slice_ids_sha256(pool: SlicePool, indices: np.ndarray) -> str:
    """Hash of the sorted slice ids, one per line."""
    ids = sorted(pool.records[i].slice_id for i in indices)
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


SMALLEST_AREA_PX = 64  # smaller targets are not drawn more often still: their outline is guesswork


class PatientSampler:
    """Draws slices: first a source by its share, then a patient, then one of its slices.

    Args:
        pool: slices.
        indices: those that may be drawn.
        shares: of sources; those not named have 1.
        weigh: weights of one patient's slices (pool indices); by default all alike.
    """

    def __init__(
        self,
        pool: SlicePool,
        indices: np.ndarray,
        shares: dict[str, float],
        weigh: Callable[[list[int]], np.ndarray] | None = None,
    ) -> None:
        groups: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
        for i in indices:
            record = pool.records[i]
            groups[record.source][record.patient].append(int(i))
        self._patients = {
            source: [
                (slices, _normalised(weigh(slices) if weigh else np.ones(len(slices))))
                for _, slices in sorted(groups[source].items())
            ]
            for source in sorted(groups)
        }
        self._sources = list(self._patients)
        self._probabilities = _normalised(np.array([shares.get(s, 1.0) for s in self._sources]))

    def draw(self, count: int, rng: np.random.Generator) -> np.ndarray:
        """`count` pool indices, with replacement."""
        picked = []
        for source in rng.choice(len(self._sources), size=count, p=self._probabilities):
            patients = self._patients[self._sources[source]]
            slices, weights = patients[rng.integers(len(patients))]
            picked.append(rng.choice(slices, p=weights))
        return np.array(picked)


def _normalised(weights: np.ndarray) -> np.ndarray:
    return weights / weights.sum()


def small_target_weights(pool: SlicePool, slices: list[int], exponent: float) -> np.ndarray:
    """area^-exponent of the target in each slice: the ends of an organ are few slices."""
    areas = pool.masks[slices].sum(axis=(1, 2), dtype=np.int64)
    return np.maximum(areas, SMALLEST_AREA_PX).astype(np.float64) ** -exponent


def near_target_weights(pool: SlicePool, slices: list[int]) -> np.ndarray:
    """1 / (1 + distance / `NEAR_MM`) to the case's nearest slice with the target, with a floor."""
    case = [pool.records[i].slice_id.rsplit("/", 1)[0] for i in slices]
    heights = pool.heights_with_target
    distance = np.zeros(len(slices))
    for j, i in enumerate(slices):
        if (shown := heights.get(case[j])) is not None:
            distance[j] = np.abs(shown - pool.records[i].height_mm).min()
    return np.maximum(1 / (1 + distance / NEAR_MM), FARTHEST_WEIGHT)


class StepSampler:
    """The slices of one training step. ValueError where the pool lacks what a step needs."""

    def __init__(self, pool: SlicePool, config: TrainConfig) -> None:
        self.pool = pool
        self.config = config
        sources = config.learnt_sources
        self.labelled = labelled_indices(pool, config.labels, config.seed, sources)
        known = set(self.labelled.tolist())
        positives = pool.indices(has_target=True)
        negatives = pool.indices(has_target=False)
        if not len(negatives):
            raise ValueError(
                "expected slices without the target, found none: the classifier learns from them;"
                " add whole scans, or slices labelled as empty"
            )
        unlabelled = np.concatenate([positives, pool.indices(has_target=None)])
        unlabelled = of_sources(pool, unlabelled, sources)
        self.unlabelled = np.array(sorted({*unlabelled.tolist()} - known), dtype=np.int64)
        if 0 < config.unlabelled_slices < len(self.unlabelled):
            order = np.random.default_rng(0).permutation(len(pool))
            ranked = order[np.isin(order, self.unlabelled)]
            self.unlabelled = np.sort(ranked[: config.unlabelled_slices])
        shares = parse_shares(config.source_shares)

        def small(exponent: float) -> Callable[[list[int]], np.ndarray]:
            return lambda slices: small_target_weights(pool, slices, exponent)

        self._labelled = PatientSampler(
            pool, self.labelled, shares, small(config.small_target_exponent)
        )
        self._positives = PatientSampler(
            pool, positives, shares, small(config.small_positive_exponent)
        )
        self._negatives = PatientSampler(
            pool,
            negatives,
            parse_shares(config.negative_shares),
            lambda slices: near_target_weights(pool, slices),
        )
        self._unlabelled = (
            PatientSampler(pool, self.unlabelled, {}) if len(self.unlabelled) else None
        )

    def masked(self, rng: np.random.Generator) -> np.ndarray:
        """Slices for the mask loss; a small share does not show the target at all."""
        picked = self._labelled.draw(self.config.labelled_per_step, rng)
        if rng.random() < self.config.empty_chance:
            picked[-1] = self._negatives.draw(1, rng)[0]
        return picked

    def classified(self, rng: np.random.Generator) -> tuple[np.ndarray, list[str]]:
        """Slices for the classification loss, and how each is cut out (`augment.CUTS`)."""
        config = self.config
        parts = {
            "plain": self._positives.draw(config.classifier_positives_per_step, rng),
            "free": self._negatives.draw(config.negatives_per_step, rng),
            "beside": self._labelled.draw(config.crops_per_step, rng),
        }
        cuts = [cut for cut, indices in parts.items() for _ in indices]
        return np.concatenate(list(parts.values())).astype(np.int64), cuts

    def pseudo_labelled(self, rng: np.random.Generator) -> np.ndarray:
        """Slices for the unlabelled loss; empty when every slice is labelled."""
        if self._unlabelled is None:
            return np.zeros(0, dtype=np.int64)
        return self._unlabelled.draw(self.config.unlabelled_per_step, rng)
