# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m ognetboot`; the console script calls the same function."""

import sys

from ognetboot.cli import main

if __name__ == "__main__":
    sys.exit(main())
