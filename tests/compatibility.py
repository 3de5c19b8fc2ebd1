# SPDX-License-Identifier: GPL-3.0-or-later
"""Writes docs/compatibility.md: what became of each function of OpenGnsys' engine.

Made from the list of functions, the tables of the old commands and the marks of the tests, so
that nothing in it is claimed by hand: ``python tests/compatibility.py``. It writes the English
messages of scripts too, whose errors and helps are the commands' own.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from boot_line import table
from oglib.errors import OgErr
from oglib.shim.command import Command, command_of
from oglib.shim.messages import MESSAGES
from oglib.shim.names import MODULE_OF

TESTS = Path(__file__).parent
DOCUMENT = TESTS.parent / "docs/compatibility.md"
MESSAGES_FILE = (
    TESTS.parent / "image/mkosi.images/root/mkosi.extra/opt/opengnsys/etc/lang.en_GB.conf"
)
FUNCTIONS = TESTS / "unit/shim/data/engine-functions.tsv"
# Modules of the engine whose functions are all commands here; of the others those are told that
# are, and the rest comes with later work. Scripts: what sites call that is no function.
DONE = (
    "Disk", "FileSystem", "Cache", "File", "String", "Net", "System", "Inventory", "Image",
    "PostConf", "PostConfEAC", "Scripts", "Interface",
)  # fmt: skip

MARK = "# ---- made by tests/compatibility.py"

INTRODUCTION = """\
# Which old commands work

OpenGnsys' engine is a set of shell functions. In ogLive each of them is a command of the same
name, with the same arguments, output and exit codes; `NAME help` says how it is called. A script
begins with `source /opt/opengnsys/etc/preinit/loadenviron.sh` and finds them in its `PATH`.

This page is made by `python tests/compatibility.py` from the commands and their tests, which are
named by their path below `tests/`.

- **works**: as in OpenGnsys 1.1.1d. A test calls it and checks output, exit code and effect, and
  another test checks that it fails as it should.
- **works better**: the same, and a defect of the old one is gone or something was added. The row
  says what differs.
- **retired**: it answers with the name of what replaces it, and NOTEXEC (7).
- **not yet**: it changes a Windows, which is not fitted yet: it says so, changes nothing, and
  answers NOTOS (6).

Exit code 1 of a question (`ogIsMounted`, `ogCheckIpAddress`, …) means no, and of `ogGetFsType`,
`ogGetMountPoint`, `ogGetGroupName` and `ogGetHostname` that there is none; an error has the number
of its cause (`OG_ERR_…`), one sentence on standard error, and nothing on standard output.

For all of them: too many or too few words, and words that are no numbers where a disk or partition
belongs, are always 1 (FORMAT), where some old functions did their work, did nothing or answered 0,
2 or 40. What is only told goes to standard error: warnings (`ogUnmount` of what is not mounted) and
what tools say (`ogCheckFs`, `ogFormatFs`); the old functions printed it among their answers. Words
that begin with `-` or hold blanks or accents are taken as they are.
"""


@dataclass
class Tests:
    """Tests that are about one function, as ``path::name``."""

    proves: list[str] = field(default_factory=list)
    refuses: list[str] = field(default_factory=list)


def engine_functions() -> dict[str, list[str]]:
    """The functions of each module of the old engine."""
    found: dict[str, list[str]] = {}
    for line in FUNCTIONS.read_text().splitlines():
        if not line.startswith("#"):
            module, name = line.split("\t")
            found.setdefault(module, []).append(name)
    return found


def marked_tests() -> dict[str, Tests]:
    """The tests that bear ``@pytest.mark.proves(NAME…)`` or ``refuses``, by function."""
    found: dict[str, Tests] = {}
    for path in sorted(TESTS.glob("*/shim/test_*.py")):
        for test in ast.parse(path.read_text()).body:
            if isinstance(test, ast.FunctionDef):
                for mark, name in _marks(test):
                    tests = found.setdefault(name, Tests())
                    getattr(tests, mark).append(f"{path.relative_to(TESTS)}::{test.name}")
    return found


def _marks(test: ast.FunctionDef) -> Iterator[tuple[str, str]]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Attribute):
            mark = decorator.func.attr
            if mark in ("proves", "refuses"):
                for word in decorator.args:
                    name = ast.literal_eval(word)
                    assert name in MODULE_OF, f"{test.name}: {name} is no command"
                    yield mark, name


def _row(command: Command, tests: Tests) -> str:
    shape = f"{command.name} {command.usage}".strip().replace("|", "\\|")
    status = command.status or ("works better" if command.better else "works")
    differs = command.better.replace("|", "\\|")
    proofs = "<br>".join(f"`{test}`" for test in tests.proves)
    refusals = "<br>".join(f"`{test}`" for test in tests.refuses)
    return f"| `{shape}` | {status} | {differs} | {proofs} | {refusals} |"


def render() -> str:
    """The whole document."""
    tests = marked_tests()
    functions = engine_functions()
    parts = [INTRODUCTION]
    for module, names in functions.items():
        here = [name for name in names if name in MODULE_OF]
        if not here:
            continue
        rows = [_row(command_of(name), tests.get(name, Tests())) for name in here]
        head = ["| Function | Status | What differs | Proved by | Refused by |", "|---" * 5 + "|"]
        parts.append("\n".join([f"## {module}", "", *head, *rows]) + "\n")
    left = {
        module: [name for name in names if name not in MODULE_OF]
        for module, names in functions.items()
    }
    later = ", ".join(f"{module} ({len(names)})" for module, names in left.items() if names)
    parts.append(f"## Not yet\n\nThe functions of these modules follow: {later}.\n")
    return "\n".join([*parts, table().rstrip("\n"), ""])


def render_messages() -> str:
    """``etc/lang.en_GB.conf``: by hand up to its mark, then each error and each command."""
    by_hand = MESSAGES_FILE.read_text().partition(MARK)[0]
    errors = [f"MSG_ERR_{code.name}={_quoted(MESSAGES[code])}" for code in OgErr]
    helps = [f"MSG_HELP_{name}={_quoted(command_of(name).does)}" for name in sorted(MODULE_OF)]
    return "\n".join([by_hand + MARK, *errors, "", *helps, ""])


def _quoted(text: str) -> str:
    """A sentence as a word of the shell."""
    return shlex.quote(f"{text[0].upper()}{text[1:]}.")


if __name__ == "__main__":
    DOCUMENT.write_text(render())
    MESSAGES_FILE.write_text(render_messages())
