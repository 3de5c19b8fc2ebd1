# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo``: the only place where an error of the repository becomes an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence

from oglib.errors import OgError
from ogrepo.cli import execute, parse


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, the OG_ERR number when it failed."""
    arguments = parse(argv)
    try:
        return execute(arguments)
    except OgError as error:
        if arguments.json:
            print(json.dumps(error.as_dict()))
        print(f"ogrepo: {error}", file=sys.stderr)
        return int(error.code)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Whoever read our output (head, a pager) has seen enough.
        sys.stderr.close()
        return 141


if __name__ == "__main__":
    sys.exit(main())
