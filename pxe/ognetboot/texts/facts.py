# SPDX-License-Identifier: GPL-3.0-or-later
"""What the inventory knows of a PC, in the words that ogLive takes on its command line."""

from __future__ import annotations

from collections.abc import Iterator

from ognetboot.inventory.choices import Choices, Tongue
from ognetboot.inventory.model import Client, Inventory

_LOCALES = {Tongue.ES: "es_ES.UTF-8", Tongue.CA: "ca_ES.UTF-8"}


def facts_of(inventory: Inventory, client: Client | None, choices: Choices) -> Iterator[str]:
    """What a PC is told: language, servers, how images come, who it is; only what somebody said."""
    # English is what a PC speaks that is told nothing.
    if choices.language in _LOCALES:
        yield f"LANG={_LOCALES[choices.language]}"
    if choices.keyboard is not None:
        yield f"keyboard={choices.keyboard}"
    if choices.ntp is not None:
        yield f"ogntp={choices.ntp}"
    if choices.proxy is not None:
        yield f"ogproxy=http://{choices.proxy}"
    if choices.method is not None:
        yield f"ogmethod={choices.method}"
    if choices.multicast is not None:
        yield f"ogmcast={choices.multicast}"
    if choices.p2p is not None:
        yield f"ogtorrent={choices.p2p}"
    if client is None:
        return
    if client.teacher:
        yield "ogprof=true"
    if client.hardware is not None:
        yield f"hardprofile={client.hardware}"
    unit = inventory.unit_of(client)
    if unit is not None and inventory.site.unit_folders:
        yield f"ogunit={unit}"
