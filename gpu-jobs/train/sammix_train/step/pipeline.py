"""Order of work inside a training step, with or without overlap."""

from concurrent.futures import ThreadPoolExecutor

from ..data.sampling import StepSampler
from .state import RunState
from .training_step import StepInputs, classifier_backward, mask_backward, prepare_step

MAIN_SHARE = 0.7  # of the masked slices, in the first of two threads


class StepPipeline:
    """Computes the gradients of one step after another.

    With `config.overlap`, a second thread computes the classifier's gradients, prepares the next
    step and takes the rest of the masked slices while the first computes the masks' gradients of
    `MAIN_SHARE` of them: about equal work on both. On a small shared CPU this is faster than two
    threads per operator, as nothing waits at the end of every operator. Batch norm sees each share
    by itself. The next step's teacher is one step old, so a resumed run is not bit-equal to an
    uninterrupted one; without overlap it is.
    """

    def __init__(self, state: RunState, sampler: StepSampler, device: str) -> None:
        self.state, self.sampler, self.device = state, sampler, device
        self._executor = ThreadPoolExecutor(max_workers=1) if state.config.overlap else None
        self._next: StepInputs | None = None

    def gradients(self) -> dict[str, float]:
        """Adds one step's gradients to the model and returns the loss parts."""
        state = self.state
        inputs = self._next or self._prepare()
        if self._executor is None:
            parts = classifier_backward(state.model, inputs, self.sampler)
            return {**parts, **mask_backward(state.model, inputs, state.config)}
        labelled = len(inputs.masked.mask)
        main = round(MAIN_SHARE * labelled)
        if main == labelled:  # too few to share: the first thread takes all, unlabelled ones too
            main = None
        side = self._executor.submit(self._second_thread, inputs, main)
        seg = mask_backward(state.model, inputs, state.config, last=main)
        return _added(seg, side.result())

    def _second_thread(self, inputs: StepInputs, first: int | None) -> dict[str, float]:
        state = self.state
        parts = classifier_backward(state.model, inputs, self.sampler)
        if first is not None:
            parts |= mask_backward(state.model, inputs, state.config, first)
        state.prefetch_rng = state.rng.bit_generator.state
        self._next = self._prepare()
        return parts

    def _prepare(self) -> StepInputs:
        state = self.state
        return prepare_step(state.average, self.sampler, state.progress, state.rng, self.device)


def _added(one: dict[str, float], other: dict[str, float]) -> dict[str, float]:
    return {key: one.get(key, 0.0) + other.get(key, 0.0) for key in one | other}
