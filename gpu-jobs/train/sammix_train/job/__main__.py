"""`python -m sammix_train.job`."""

import sys

from .attempt import main

sys.exit(main())
