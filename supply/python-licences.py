"""Prints what installed Python packages say of their licences: `python supply/python-licences.py NAME...`.

For whoever adds a package: what it says goes into supply/licences.json, as an SPDX expression.
"""

import importlib.metadata
import sys

for name in sys.argv[1:]:
    metadata = importlib.metadata.metadata(name)
    classifiers = [one.split("::")[-1].strip() for one in metadata.get_all("Classifier") or [] if one.startswith("License")]
    said = metadata.get("License-Expression") or metadata.get("License") or ""
    print(f"{name}: {said[:80]!r} {classifiers}")
