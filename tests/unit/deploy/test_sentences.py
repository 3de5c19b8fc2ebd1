# SPDX-License-Identifier: GPL-3.0-or-later
"""Systems and PCs as people say them."""

from __future__ import annotations

import pytest

from oglib.deploy.sentences import ready, short_system


@pytest.mark.parametrize(
    ("noted", "said"),
    [
        ("Debian GNU/Linux 13 (trixie)", "Debian 13"),
        ("Ubuntu 24.04.1 LTS", "Ubuntu 24.04.1 LTS"),
        ("Windows 11 Pro 64 bits", "Windows 11 Pro"),
        ("", ""),
    ],
)
def test_a_system_is_called_as_people_call_it(noted: str, said: str) -> None:
    assert short_system(noted) == said


def test_the_end_of_a_deployment_names_system_and_pc() -> None:
    assert ready("Debian GNU/Linux 13 (trixie)", "debian version 3", "pc14") == (
        "Ready: Debian 13 as pc14"
    )
    assert ready("", "debian version 3", "") == "Ready: debian version 3"
