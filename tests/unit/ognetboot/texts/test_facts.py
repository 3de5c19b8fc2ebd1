# SPDX-License-Identifier: GPL-3.0-or-later
"""What an inventory knows of a PC reaches it in the words of the command line."""

from __future__ import annotations

from pathlib import Path

from ognetboot.inventory.reading import load
from ognetboot.texts.facts import facts_of

CAMPUS = load(Path(__file__).parents[1] / "data" / "campus.toml")


def test_a_pc_is_told_its_language_servers_and_what_it_is() -> None:
    client = CAMPUS.clients[0]
    assert list(facts_of(CAMPUS, client, CAMPUS.choices_of(client))) == [
        "LANG=ca_ES.UTF-8",
        "keyboard=es",
        "ogntp=10.0.2.1",
        "ogproxy=http://proxy.example.org:3128",
        "ogmethod=MULTICAST-CACHE",
        "ogmcast=9000:full-duplex:239.194.2.11:70M:50:60",
        "ogtorrent=peer:60",
        "ogprof=true",
        "hardprofile=OptiPlex-7010",
        "ogunit=FIB",
    ]


def test_a_pc_that_nobody_knows_speaks_the_server_s_language() -> None:
    told = list(facts_of(CAMPUS, None, CAMPUS.choices_of(None)))
    assert told == ["LANG=es_ES.UTF-8", "ogntp=10.0.2.1"]
