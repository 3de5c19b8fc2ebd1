# SPDX-License-Identifier: GPL-3.0-or-later
"""What a short command is spared is there for who asks for it."""

from __future__ import annotations

import subprocess
import sys

# in a process of its own: here all of them were imported long ago
_ASKED = """
import sys
from oglib.spared import spare_gettext, spare_inspect, spare_urls
spare_urls(); spare_inspect(); spare_gettext()
import argparse, dataclasses, pathlib
spared = {"inspect", "gettext", "urllib.parse"} & set(sys.modules)
@dataclasses.dataclass
class Bare:
    x: int = 1
parser = argparse.ArgumentParser(prog="og", usage="%(prog)s")
said = [Bare.__doc__, pathlib.Path("/a b").as_uri(), parser.format_help().split()[:2]]
import inspect, gettext, urllib.parse
said += [inspect.isclass(Bare), gettext.gettext("x"), urllib.parse.quote("a b")]
print(sorted(spared), said)
"""


def test_what_is_spared_comes_when_it_is_asked_for() -> None:
    said = subprocess.run(
        [sys.executable, "-I", "-c", _ASKED], capture_output=True, text=True, check=True
    ).stdout
    assert said == (
        "[] ['Bare(x: int = 1)', 'file:///a%20b', ['usage:', 'og'], True, 'x', 'a%20b']\n"
    )
