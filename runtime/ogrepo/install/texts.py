# SPDX-License-Identifier: GPL-3.0-or-later
"""The first inventory, policy and layouts: written once, an administrator's afterwards. Pure."""

from __future__ import annotations

import json
from ipaddress import IPv4Address, IPv4Interface

_INVENTORY = """\
# What the PCs boot from this server: one file for the server, boot entries, rooms and PCs.
# Saving it is enough: systemd sees the change, `ognetboot` checks it, and a PC that starts next
# gets it. `ogrepo check {folder}` says whether it was taken. docs/guide.md says every word.

[server]
title = "ogLive"
address = "{address}"
subnet = "{subnet}"
interface = "{interface}"
http_port = {port}
# "proxy": the DHCP server of your network gives the addresses, this one adds what to boot.
# "own": this one gives the addresses, from `dhcp_range = ["FIRST", "LAST"]`.
dhcp = "{dhcp}"
{dhcp_range}# The repository's public key and the policy go to every PC with it.
site_overlay = true
# What a PC starts by itself, and how long its menu waits.
default_entry = "localdisk"
timeout_s = 10

[entries.localdisk]
title = "The system on this PC's disk"

[entries.oglive]
title = "ogLive"

# A job: what a PC that is told to start it does by itself. It is in no menu.
# [entries.install-debian]
# title = "Install Debian"
# job = {{ deploy = "debian", disk = "system", partition = 2, layout = "uefi", after = "poweroff" }}

# [rooms.aula1]
# title = "Classroom 1"

# [[clients]]
# mac = "52:54:00:12:34:56"
# name = "aula1-pc01"
# room = "aula1"
# entry = "oglive"
"""

POLICY = """\
# The site's policy; it goes to every PC in the site overlay, and saving it is enough.

# Where images that nobody signed may come from: addresses, shares, or REPO for the repository's.
# allow_unsigned = ["http://old-repository.example/images/"]

# Which disk a rule means on all PCs.
# [disks]
# system = "nvme"

# What restored systems keep of the image, and what they get here; docs/guide.md has each word.
# [fitting]
# ssh_host_keys = "keep"
# timezone = "Europe/Madrid"
"""


_OPTIONS = """\
# More words for the services of the repository, between the quotes; `ogrepo serve --help` and
# `ogrepo verify --help` say which there are. After a change: `systemctl restart ogrepo`.

# For example "--at-once 12": so many PCs read images at a time, the others wait in a queue.
OGREPO_SERVE=""

# Each night those images are proven that were not for 30 days, reading 50 MiB a second at most.
OGREPO_VERIFY="{verify}"
"""


def options(verify: str) -> str:
    """The first file of options; ``verify``: the words that hold without it."""
    return _OPTIONS.format(verify=verify)


def inventory(
    folder: str,
    pcs_on: tuple[str, IPv4Interface],
    *,
    port: int,
    dhcp: str,
    dhcp_range: tuple[IPv4Address, IPv4Address] | None,
) -> str:
    """A complete inventory without PCs; ``pcs_on``: the interface that they are on."""
    name, address = pcs_on
    first_last = ""
    if dhcp_range is not None:
        first_last = f'dhcp_range = ["{dhcp_range[0]}", "{dhcp_range[1]}"]\n'
    return _INVENTORY.format(
        folder=folder,
        interface=name,
        address=address.ip,
        subnet=address.network,
        port=port,
        dhcp=dhcp,
        dhcp_range=first_last,
    )


def layouts() -> dict[str, str]:
    """File names and content of the layouts that entries and ``og deploy --layout`` name."""
    uefi = {
        "table": "gpt",
        "partitions": [
            {"type": "EFI", "size": "256MiB"},
            {"type": "LINUX", "size": "rest"},
            {"type": "LINUX-SWAP", "size": "2GiB"},
        ],
    }
    bios = {
        "table": "msdos",
        "partitions": [
            {"type": "LINUX", "size": "rest", "active": True},
            {"type": "LINUX-SWAP", "size": "2GiB"},
        ],
    }
    return {
        "uefi.json": json.dumps(uefi, indent=2) + "\n",
        "bios.json": json.dumps(bios, indent=2) + "\n",
    }
