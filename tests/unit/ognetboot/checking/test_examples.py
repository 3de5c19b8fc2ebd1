# SPDX-License-Identifier: GPL-3.0-or-later
"""The published examples have no fault, and thousands of PCs are checked in seconds."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from ognetboot.checking.loader_limits import Loaders
from ognetboot.checking.report import check

EXAMPLES = sorted((Path(__file__).parents[4] / "pxe/examples").glob("*.toml"))
HEAD = """\
[server]
address = "10.20.0.1"
subnet = "10.20.0.0/16"
interface = "eth0"
"""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_a_published_example_has_no_fault(path: Path) -> None:
    found = check(path, allow_test=False, loaders=Loaders(old=False), now=datetime.now(UTC))
    assert found.told == ()


def test_five_thousand_pcs_are_checked_in_three_seconds(tmp_path: Path) -> None:
    """Of the processor's time, and with what a slower machine may need more."""
    lines = [HEAD]
    for number in range(200):
        lines.append(f'[rooms.aula{number}]\ntitle = "Aula {number}"\ndefault_entry = "pxe"\n')
    for number in range(5000):
        lines.append(
            f'[[clients]]\nmac = "525400{number:06x}"\nname = "pc{number}"\n'
            f'room = "aula{number // 25}"\nip = "10.20.{1 + number // 250}.{1 + number % 250}"\n'
        )
    path = tmp_path / "site.toml"
    path.write_text("".join(lines))
    begin = time.process_time()
    found = check(path, allow_test=False, loaders=Loaders(old=False), now=datetime.now(UTC))
    assert time.process_time() - begin < 9
    assert found.told == ()
