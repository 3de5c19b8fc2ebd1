# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a Linux a PC's own, in the order in which it is done.

No two of them write the same file. Left alone on purpose: users, packages, what a domain knows.
"""

from __future__ import annotations

from oglib.fitting.fittings import FileFitting, Fitting
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.linux import crypt, devices, identity, memories, mounts, names, site
from oglib.osconfig.linux.network import files as network
from oglib.osconfig.linux.ssh import HostKeys

FITTINGS: tuple[Fitting[PcFacts], ...] = (
    FileFitting("hostname", names.hostname),
    FileFitting("hosts", names.hosts),
    FileFitting("fstab", mounts.fstab),
    FileFitting("crypttab", crypt.crypttab),
    FileFitting("dbus-machine-id", identity.dbus_id),
    HostKeys(),
    FileFitting("random-seed", memories.random_seed),
    FileFitting("dhcp", memories.dhcp),
    FileFitting("logins", memories.logins),
    FileFitting("agents", memories.agents),
    FileFitting("subscription", memories.subscription),
    FileFitting("resume", mounts.resume),
    FileFitting("lvm-devices", devices.lvm_devices),
    FileFitting("debconf", devices.debconf),
    FileFitting("net-rules", network.net_rules),
    FileFitting("network", network.network),
    FileFitting("timezone", site.timezone),
    FileFitting("locale", site.locale),
    FileFitting("keyboard", site.keyboard),
)
# Behind what starts the system: boot entries are renamed after their lines were mended.
LAST: tuple[Fitting[PcFacts], ...] = (
    FileFitting("machine-id", identity.machine_id),
    FileFitting("selinux", devices.relabel),
)
