# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo``: the only place where an error of the repository becomes an exit code."""

from __future__ import annotations

import errno
import json
import sys
from collections.abc import Sequence

from oglib.ending import ended
from oglib.errors import OgError
from ogrepo.cli import execute, parse
from ogrepo.words import fitted


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code, the OG_ERR number when it failed."""
    words = list(sys.argv[1:] if argv is None else argv)

    def report_error(error: OgError) -> None:
        if "--json" in words:
            print(json.dumps(error.as_dict()))
        print(fitted(f"ogrepo: {error}", sys.stderr), file=sys.stderr)

    return ended(lambda: _run(words), report_error, final=argv is None)


def _run(words: Sequence[str]) -> int:
    try:
        return execute(parse(words))
    except BrokenPipeError:
        raise
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        rights = error.errno in (errno.EACCES, errno.EPERM)
        raise OgError(
            f"The system refused{named}: {error.strerror or error}.",
            hint="Run ogrepo as root, or as the user who owns the repository." if rights else "",
        ) from error


if __name__ == "__main__":
    sys.exit(main())
