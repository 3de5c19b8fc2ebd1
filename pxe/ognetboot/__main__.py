# SPDX-License-Identifier: GPL-3.0-or-later
"""`python3 -m ognetboot`; the console script calls the same function."""

import gc
import sys

try:
    from ognetboot import cli
except KeyboardInterrupt:
    sys.exit(130)

# An inventory of thousands of PCs is so many objects that all stay: what is garbage is looked for
# less often, which is a seventh of what it costs to set one PC.
_OBJECTS = 200_000


def main() -> int:
    """One command; its exit code."""
    gc.set_threshold(_OBJECTS)
    try:
        return cli.main()
    finally:
        # What the process holds goes with it, and is not looked through once more.
        gc.freeze()


if __name__ == "__main__":
    sys.exit(main())
