# SPDX-License-Identifier: GPL-3.0-or-later
"""``og``: the command line, its errors said in words or as one JSON object."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from oglib.ending import ended, leave, quick_start
from oglib.errors import OgError
from oglib.spared import spare_gettext, spare_inspect, spare_urls
from oglib.version import version_line
from oglib.wording import columns

DEBUG = "--debug"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one ``og`` command; the exit code is 0 or the OG_ERR number."""
    words, final = list(sys.argv[1:] if argv is None else argv), argv is None

    def report_error(error: OgError) -> None:
        if "--json" in words:
            import json  # noqa: PLC0415  a command must start fast

            print(json.dumps(error.as_dict()))
        lines = columns.broken(f"og: {error}", columns.of(sys.stderr), indent="    ")
        print("\n".join(lines), file=sys.stderr)

    status = ended(
        lambda: _run(words, final=final), report_error, final=final, debug=DEBUG in words
    )
    return leave(status) if final else status


def _run(words: Sequence[str], *, final: bool) -> int:
    if words and words[0] == "--version":  # at once, without the grammar of a dozen nouns
        print(version_line())
        return 0
    # not before: an interruption while a thousand lines are imported is one like any other
    with quick_start(final=final):
        spare_urls()
        spare_inspect()
        spare_gettext()
        from oglib import cli  # noqa: PLC0415

        known = cli.parser(words[0] if words else "")
    return cli.main(words, known)


if __name__ == "__main__":
    sys.exit(main())
