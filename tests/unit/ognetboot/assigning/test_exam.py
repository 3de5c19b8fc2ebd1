# SPDX-License-Identifier: GPL-3.0-or-later
"""Who is ready for an exam, as far as PCs told; not knowing is not being ready."""

from __future__ import annotations

from datetime import timedelta

import pytest

from ognetboot.assigning.exam import Ready, Told, grouped, image_of, readiness, system_of
from ognetboot.assigning.setting import Whom, whom
from ognetboot.errors import NetbootError
from ognetboot.inventory.scopes import find_scope
from unit.ognetboot.assigning.rooms import NOW, inventory

ROOMS = inventory()


def to(text: str) -> Whom:
    return whom(ROOMS, find_scope(ROOMS, text))


def ready(words: str, **told: Told) -> dict[str, Ready]:
    systems = system_of(ROOMS, to("room:aula1"), words)
    return {each.pc: each.ready for each in readiness(systems, image_of(ROOMS, words), told)}


def test_an_image_is_looked_for_by_its_name_and_version() -> None:
    disks = {"1:2": "windows@7", "1:3": "debian@4"}
    for words, found in (("windows", Ready.READY), ("windows@7", Ready.READY),
                         ("debian", Ready.READY)):  # fmt: skip
        assert ready(words, pc1=Told(NOW, disks)) == {"pc1": found, "pc2": Ready.UNKNOWN}
    old = {"1:2": "windows@6", "1:3": "ubuntu@1"}
    assert ready("windows@7", pc1=Told(NOW, old))["pc1"] is Ready.ABSENT
    assert ready("windows", pc1=Told(NOW, old))["pc1"] is Ready.READY
    assert ready("debian", pc1=Told(NOW, old))["pc1"] is Ready.ABSENT
    by_name = {"1:2": "Windows 11", "1:3": "Debian 13"}
    assert ready("debian", pc1=Told(NOW, by_name))["pc1"] is Ready.UNKNOWN


def test_a_place_is_ready_when_a_system_is_there() -> None:
    assert ready("1:3", pc1=Told(NOW, {"1:3": "Debian 13"}))["pc1"] is Ready.READY
    assert ready("1:3", pc1=Told(NOW, {"1:2": "Debian 13"}))["pc1"] is Ready.ABSENT
    assert ready("windows", pc1=Told(NOW, {}))["pc1"] is Ready.ABSENT


def test_what_cannot_be_seen_is_not_known() -> None:
    encrypted = Told(NOW, {"1:2": "", "1:3": "Debian 13"})
    for words in ("1:2", "windows"):
        assert ready(words, pc1=encrypted)["pc1"] is Ready.UNKNOWN


def test_what_nobody_told_is_not_known() -> None:
    assert set(ready("windows", pc1=Told(NOW)).values()) == {Ready.UNKNOWN}


@pytest.mark.parametrize(
    ("scope", "words", "why"),
    [
        ("room:lab", "debian", "nothing says where it is on pc3"),
        ("all", "debian", "nothing says where it is on pc3"),
        ("room:aula1", "1:129", "nothing says where"),
        ("room:aula1", "0:1", "nothing says where"),
        ("room:aula1", "oglive", "starts no system"),
        ("room:aula1", "localdisk", "starts no system"),
        ("room:aula1", "x; touch y", "nothing says where"),
    ],
)
def test_what_is_no_system_is_refused(scope: str, words: str, why: str) -> None:
    with pytest.raises(NetbootError, match=why):
        system_of(ROOMS, to(scope), words)


def told_of(words: str, **told: Told) -> list[str]:
    systems = system_of(ROOMS, to("room:aula1"), words)
    return list(grouped(list(readiness(systems, image_of(ROOMS, words), told))))


def test_pcs_of_one_reason_share_a_line_that_says_what_to_do() -> None:
    assert told_of("windows") == [
        "not known: pc1, pc2 never told what is on the disk. Start ogLive once there, for it tells "
        "what is on the disk."
    ]
    empty = {"pc1": Told(NOW, {}), "pc2": Told(NOW + timedelta(hours=1), {})}
    (line,) = told_of("windows", **empty)
    assert line.startswith("not ready: pc1, pc2 had no system on 1:2, told from ")
    assert line.endswith(". Restore the image there before the exam begins.")
    one, other = told_of("windows", pc1=Told(NOW, {}))
    assert one.startswith("not ready: pc1 had no system on 1:2 on ")
    assert other.startswith("not known: pc2 never")
