"""`python -m adobe_privacy`."""

from __future__ import annotations

import sys

from adobe_privacy.command_line import main

if __name__ == "__main__":
    sys.exit(main())
