# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs one old command: the one this program was called by, or the first argument.

In ogLive every name is a symbolic link to the same launcher (``--install``), so the name of the
program says which function is meant; ``python -m oglib.shim NAME ARGUMENTS`` is the same by hand.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence

from oglib.ending import ended, leave, quick_start
from oglib.errors import OgErr, OgError, UsageError
from oglib.shim.names import MODULE_OF, REPLACED, SCRIPTS
from oglib.spared import spare_inspect, spare_urls

_LAUNCHERS = ("__main__.py", "og-shim")  # called by these, the first argument is the name
_UNKNOWN_COMMAND = 127  # as shells count


def perform(name: str, words: list[str], *, final: bool = False) -> int:
    """Run one command and print its answer; the exit code of one that did not fail."""
    with quick_start(final=final):
        spare_urls()
        spare_inspect()
        from oglib.shim.command import command_of  # noqa: PLC0415

        command = command_of(name)
    if command.is_help(words):
        print(command.help())
        return 0
    match command.run(words):
        case bool(yes):
            return 0 if yes else 1
        case int(status):
            return status
        case str(text) if text:
            print(text)
    return 0


def chosen(name: str, words: list[str], *, final: bool = False) -> int:
    """Run what ``name`` means on this PC: the site's script, or ours."""
    folder = os.environ.get("OGSCRIPTS") or SCRIPTS
    if name in REPLACED or os.path.lexists(f"{folder}/{name}"):
        from oglib.shim.site_scripts import run_instead  # noqa: PLC0415

        run_instead(name, words)
    return perform(name, words, final=final)


def judge(words: Sequence[str]) -> int:
    """``--is-the-sites FILE``: 0 where a library of functions is one that a site wrote, else 1."""
    if len(words) != 1:
        raise UsageError("One file is needed.", hint="--is-the-sites FILE")
    from pathlib import Path  # noqa: PLC0415

    from oglib.shim.site_scripts import is_the_sites  # noqa: PLC0415

    return 0 if is_the_sites(Path(words[0])) else 1


def install(words: Sequence[str]) -> int:
    """``--install FOLDER LAUNCHER``: one link per old name in FOLDER, which is made if missing.

    The links say LAUNCHER exactly as given: its path on the PC, not on the machine that builds.
    """
    if len(words) != 2:
        raise UsageError("A folder and a launcher are needed.", hint="--install FOLDER LAUNCHER")
    from pathlib import Path  # noqa: PLC0415

    folder, launcher = (Path(word) for word in words)
    folder.mkdir(parents=True, exist_ok=True)
    for name in MODULE_OF:
        link = folder / name
        link.unlink(missing_ok=True)
        link.symlink_to(launcher)
    return 0


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that ``argv`` (the program's own name first) means."""
    # names of files are bytes, and go out as they are
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")
    status = _run(sys.argv if argv is None else argv, final=argv is None)
    return leave(status) if argv is None else status


def _run(argv: Sequence[str], *, final: bool) -> int:
    program, *words = argv
    name = os.path.basename(program)  # noqa: PTH119 - pathlib comes later, without its own luggage
    if name in _LAUNCHERS:
        if not words:
            print("og-shim: which command? Usage: og-shim NAME ARGUMENTS", file=sys.stderr)
            return int(OgErr.FORMAT)
        name, *words = words

    def report_error(error: OgError) -> None:
        print(f"{name}: {error}", file=sys.stderr)

    if name == "--install":
        return ended(lambda: install(words), report_error, final=final)
    if name == "--is-the-sites":
        return ended(lambda: judge(words), report_error, final=final)
    if name not in MODULE_OF:
        print(f"{name}: this ogLive has no command of that name.", file=sys.stderr)
        return _UNKNOWN_COMMAND
    return ended(lambda: chosen(name, words, final=final), report_error, final=final)


if __name__ == "__main__":
    sys.exit(main())
