# SPDX-License-Identifier: GPL-3.0-or-later
"""What makes a Linux a PC's own, in the order in which it is done.

No two of them write the same file. Left alone on purpose: SSH host keys, users, packages.
"""

from __future__ import annotations

from oglib.fitting.fittings import FileFitting, Fitting
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.linux import crypt, identity, mounts, names

FITTINGS: tuple[Fitting[PcFacts], ...] = (
    FileFitting("hostname", names.hostname),
    FileFitting("hosts", names.hosts),
    FileFitting("fstab", mounts.fstab),
    FileFitting("crypttab", crypt.crypttab),
    FileFitting("machine-id", identity.machine_id),
    FileFitting("dbus-machine-id", identity.dbus_id),
    FileFitting("resume", mounts.resume),
)
