"""`python -m sammix_train.tables`."""

from .table import main

main()
