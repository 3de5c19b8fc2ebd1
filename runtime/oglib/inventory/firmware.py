# SPDX-License-Identifier: GPL-3.0-or-later
"""Small facts about this PC that cost nothing to read: firmware, architecture, DMI, virtual or not.

Reads sysfs and procfs alone, starts nothing and imports nothing heavy: old commands ask for these
facts hundreds of times. A PC without SMBIOS has no DMI facts: they are empty, never an error.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from oglib.disk.firmware import Firmware, running_firmware

SYS = Path("/sys")
CPUINFO = Path("/proc/cpuinfo")

_DMI = "class/dmi/id"
_SERIAL_MAX = 25
_SERIAL_CUT = 22
# What boards carry where nobody wrote anything: not a value, whatever field it stands in.
_FILLER = re.compile(
    r"[0\s.:_-]*|none|n/?a|null|unknown|invalid|empty|oem|o\.e\.m\.?|asset.?1234567890|x+|"
    r"0?123456789(0|abcdef)?|(system|chassis|board|baseboard|base board)[ -]*(serial|product|name|"
    r"manufacturer|version|asset).*|to be filled.*|default ?string|not ?(specified|available|"
    r"defined|applicable|present|provided|set|settable)|undefined|no asset.*",
    re.IGNORECASE,
)
# Hypervisors by what they write into DMI: (field, how it begins, name). The first match wins.
_HYPERVISORS = (
    ("product_name", "KVM", "kvm"),
    ("product_name", "OpenStack", "kvm"),
    ("product_name", "RHEV", "kvm"),
    ("product_name", "oVirt", "kvm"),
    ("product_name", "VirtualBox", "virtualbox"),
    ("bios_vendor", "innotek", "virtualbox"),
    ("product_name", "VMware", "vmware"),
    ("sys_vendor", "VMware", "vmware"),
    ("sys_vendor", "QEMU", "qemu"),
    ("sys_vendor", "Bochs", "bochs"),
    ("bios_vendor", "Bochs", "bochs"),
    ("sys_vendor", "Xen", "xen"),
    ("product_name", "HVM domU", "xen"),
    ("sys_vendor", "Parallels", "parallels"),
    ("product_name", "Parallels", "parallels"),
    ("bios_vendor", "BHYVE", "bhyve"),
    ("product_name", "BHYVE", "bhyve"),
    ("sys_vendor", "Apple Virtualization", "apple"),
    ("product_name", "Google Compute Engine", "google"),
)


def dmi(field: str, *, sys: Path = SYS) -> str:
    """One field of ``/sys/class/dmi/id``; empty where the PC has none or only a filler in it."""
    try:
        text = (sys / _DMI / field).read_text(errors="replace")
    except OSError:
        return ""
    return meaningful(" ".join(text.split()))


def meaningful(text: str) -> str:
    """``text``, or nothing where it is one of the fillers that boards are shipped with."""
    return "" if _FILLER.fullmatch(text.strip()) else text.strip()


def is_efi(*, sys: Path = SYS) -> bool:
    """Whether this ogLive was started by UEFI."""
    return running_firmware(sys=sys) is Firmware.UEFI


def firmware(*, sys: Path = SYS) -> str:
    """``UEFI`` or ``BIOS``: what started this ogLive."""
    return running_firmware(sys=sys).upper()


def architecture() -> str:
    """``x86_64``, ``aarch64``, …: what this ogLive runs on; 32-bit x86 is ``i386``."""
    machine = os.uname().machine
    return "i386" if re.fullmatch(r"i[3-6]86", machine) else machine


def short_serial(text: str) -> str:
    """A serial number as OpenGnsys shows it: no blanks, no filler, at most 25 characters."""
    serial = "".join(meaningful(text).split())
    return f"{serial[:_SERIAL_CUT]}..." if len(serial) > _SERIAL_MAX else serial


def serial_number(*, sys: Path = SYS) -> str:
    """This PC's serial number by the rules of ``short_serial``; empty where it has none."""
    return short_serial(dmi("product_serial", sys=sys))


def virtual_machine(*, sys: Path = SYS, cpuinfo: Path = CPUINFO) -> str:
    """The hypervisor this PC runs under (``kvm``, ``vmware``, …), empty on real hardware.

    One that hides its name but not itself (the processor's hypervisor flag) is ``other``.
    """
    flagged = _hypervisor_flag(cpuinfo)
    for field, beginning, name in _HYPERVISORS:
        if dmi(field, sys=sys).lower().startswith(beginning.lower()):
            return name
    # Microsoft makes real PCs as well, Amazon rents them out: there a second sign must agree
    vendor = dmi("sys_vendor", sys=sys)
    if vendor == "Microsoft Corporation" and dmi("product_name", sys=sys) == "Virtual Machine":
        return "hyperv"
    if vendor == "Amazon EC2" and flagged:
        return "amazon"
    if _read(sys / "hypervisor/type").strip() == "xen":
        return "xen"
    return "other" if flagged else ""


def _hypervisor_flag(cpuinfo: Path) -> bool:
    """The bit that processors never set and hypervisors do."""
    return re.search(r"^flags[ \t]*:.*\bhypervisor\b", _read(cpuinfo), re.MULTILINE) is not None


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""
