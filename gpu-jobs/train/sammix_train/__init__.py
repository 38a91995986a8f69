"""Training, evaluation and export of SAM-Mix liver segmentation bundles."""

import os

__version__ = "0.1.0"

# ONNX Runtime 1.29 and later report to its makers unless this is set before it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
