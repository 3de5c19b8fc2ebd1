# SPDX-License-Identifier: GPL-3.0-or-later
"""What programs of a Linux remember of the one PC that they ran on: seeds, leases, registrations.

Only regular files in the folders named here, by their whole name. What they hold is not read.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from oglib.fitting.changes import Change, Emptied, Removed
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Need, edited
from oglib.osconfig.facts import PcFacts
from oglib.texts import joined


@dataclass(frozen=True, slots=True)
class Remembered:
    """Files of a folder that are one PC's alone: those whose whole name is as ``names`` says.

    ``emptied``: the program wants the file there, with its owner and mode.
    """

    folder: str
    names: str
    emptied: bool = False


_SEEDS = (
    Remembered("var/lib/systemd", r"random-seed"),
    Remembered("var/lib/urandom", r"random-seed"),
    Remembered("var/lib/misc", r"random-seed"),
)
_LEASES = (
    Remembered("var/lib/dhcp", r".+\.leases?~?"),
    Remembered("var/lib/dhclient", r".+\.leases?"),
    Remembered("var/lib/dhcp3", r".+\.leases?"),
    Remembered("var/lib/NetworkManager", r".+\.leases?|secret_key|timestamps|seen-bssids"),
    Remembered("var/lib/dhcpcd", r"duid|secret|.+\.leases?6?"),
    Remembered("var/lib/dhcpcd5", r"duid|secret|.+\.leases?6?"),
    Remembered("var/db/dhcpcd", r"duid|secret|.+\.leases?6?"),
    Remembered("etc", r"dhcpcd\.duid"),
    Remembered("var/lib/wicked", r"(?:duid|iaid|lease-.+)\.xml"),
)
_LOGINS = (
    Remembered("var/lib/sss/db", r"(?:cache|timestamps|ccache)_.+"),
    Remembered("var/lib/sss/mc", r"passwd|group|initgroups|sid"),
)
_AGENTS = (
    Remembered("var/ossec/etc", r"client\.keys", emptied=True),
    Remembered("var/lib/fusioninventory-agent", r"FusionInventory-Agent\.dump"),
    Remembered("var/lib/glpi-agent", r"GLPI-Agent\.dump"),
    Remembered("etc/insights-client", r"machine-id"),
)
_SUBSCRIPTION = (
    Remembered("etc/pki/consumer", r"(?:cert|key)\.pem"),
    Remembered("etc/pki/entitlement", r".+\.pem"),
    Remembered("etc/sysconfig/rhn", r"systemid"),
    Remembered("etc/zypp/credentials.d", r"SCCcredentials"),
    Remembered("var/lib/ubuntu-advantage/private", r"machine-token\.json"),
)


def random_seed(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001
    """The seed that every copy would begin with."""
    return _forgotten(root, _SEEDS)


def dhcp(root: Files, facts: PcFacts) -> Check:  # noqa: ARG001
    """Leases, and the names that DHCP clients gave themselves."""
    return _forgotten(root, _LEASES)


def logins(root: Files, facts: PcFacts) -> Check:
    """Users and passwords of a domain that sssd keeps for when it is away; its keys stay."""
    return _forgotten(root, _LOGINS, facts.policy.logins)


def agents(root: Files, facts: PcFacts) -> Check:
    """By what inventory and security agents tell one PC from another."""
    return _forgotten(root, _AGENTS, facts.policy.agents)


def subscription(root: Files, facts: PcFacts) -> Check:
    """Registrations with a distribution's vendor, of which a PC needs its own."""
    return _forgotten(root, _SUBSCRIPTION, facts.policy.subscription)


def _forgotten(root: Files, places: tuple[Remembered, ...], wish: str = "forget") -> Check:
    changes: list[Change] = []
    for place in places:
        for name in root.names(place.folder):
            path = f"{place.folder}/{name}"
            if re.fullmatch(place.names, name) is None or not root.is_regular(path):
                continue
            if not place.emptied:
                changes.append(Removed(path))
            elif root.read_head(path, 1):
                changes.append(Emptied(path))
    if changes and wish != "forget":
        return Check(Need.NOT_NEEDED, "the site keeps what the image has")
    removed = joined([one.path for one in changes])
    return edited(changes, f"forgotten: {removed}", "there is nothing to forget")
