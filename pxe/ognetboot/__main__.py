# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m ognetboot`; the console script calls the same function."""

import sys

if __name__ == "__main__":
    try:
        from ognetboot.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(main())
