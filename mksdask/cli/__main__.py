"""Run the command line as ``python -m mksdask.cli``."""

import sys

from mksdask.cli import main

sys.exit(main())
