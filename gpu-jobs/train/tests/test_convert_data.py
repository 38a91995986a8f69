"""Our own data: who is on which side. Real files, read but not converted."""

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

import convert_data


class Noting(convert_data.Writer):
    """A writer that writes nothing."""

    written: dict[str, list[tuple]]

    def add(self, case: str, patient: str, source: str, side: str, image: object, label: object):
        kind = "unlabelled" if label is None else side
        self.written.setdefault(self.root.name, []).append((case, patient, source, kind))

    def finish(self, name: str) -> None:
        """Nothing."""


@pytest.fixture
def written(data_root: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[tuple]]:
    monkeypatch.setattr(Noting, "written", {}, raising=False)
    monkeypatch.setattr(convert_data, "Writer", Noting)
    monkeypatch.setattr(
        convert_data,
        "stacked",
        lambda files, threshold=None: None if threshold is None else np.zeros(1),
    )
    monkeypatch.setattr(convert_data, "add_liver_free", lambda *_: None)
    convert_data.convert_liver(data_root, Path("liver"))
    convert_data.convert_elsewhere(data_root, Path("elsewhere"))
    return Noting.written


def test_no_patient_is_on_two_sides(written: dict[str, list[tuple]]) -> None:
    sides = defaultdict(set)
    for _, patient, _, side in written["liver"]:
        sides[patient].add(side)
    assert {len(found) for found in sides.values()} == {1}
    # the patients that are in LiTS and in 3D-IRCADb are one patient each
    sources = defaultdict(set)
    for _, patient, source, _ in written["liver"]:
        sources[patient].add(source)
    both = [patient for patient, found in sources.items() if found == {"lits", "ircad"}]
    assert len(both) > 5


def test_the_cross_domain_sources_are_never_trained_on(written: dict[str, list[tuple]]) -> None:
    assert {source for *_, source, _ in written["elsewhere"]} == {"curvas", "chaos", "totalseg"}
    assert not {source for *_, source, _ in written["liver"]} & {"curvas", "chaos", "totalseg"}
    patients = {patient for _, patient, *_ in written["elsewhere"]}
    assert not patients & {patient for _, patient, *_ in written["liver"]}
