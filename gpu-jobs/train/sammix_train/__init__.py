"""Training, evaluation and export of SAM-Mix liver segmentation bundles."""

__version__ = "0.1.0"
