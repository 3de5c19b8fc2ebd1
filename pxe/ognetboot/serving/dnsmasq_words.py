# SPDX-License-Identifier: GPL-3.0-or-later
"""What dnsmasq's log means, in words. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

_LONGEST = 300
_MAC = r"(?P<mac>[0-9a-f:]{17})"
_IP = r"(?P<ip>[0-9.]{7,15})"


@dataclass(frozen=True, slots=True)
class Told:
    """A sentence; `bad`: somebody has to do something. `port`: it is taken, so it ended."""

    text: str
    bad: bool = False
    port: int = 0


# Pattern of a line → the sentence; `{who}` is the PC's name where its MAC is known.
_GOOD = (
    (rf"DHCPACK\(\S+\) {_IP} {_MAC}", "{who} has the address {ip}"),
    (rf"PXE\(\S+\) (?:{_IP} )?{_MAC} (?P<file>\S+)$", "{who} is told to boot {file}"),
    (rf"sent (?P<file>.+) to {_IP}$", "{ip} fetched {file} by TFTP"),
)
_BAD = (
    (rf"file (?P<file>.+) not found for {_IP}$",
     "{ip} asks by TFTP for {file}, which is not there"),
    (r"cannot access (?P<file>.+): Permission denied$",
     "dnsmasq may not read {file}: give its user the right, folders above included"),
    (rf"failed sending (?P<file>.+) to {_IP}", "{ip} stopped fetching {file} by TFTP"),
    (r"no address range available for DHCP request via (?P<card>\S+)",
     "a PC on {card} asks for an address of another network: see subnet and interface in [server]"),
    (rf"DHCPDISCOVER\(\S+\) (?:{_IP} )?{_MAC} no address available",
     "no address is left for {who}: widen dhcp_range in [server]"),
    (r"unknown interface (?P<card>\S+)",
     "there is no network interface {card}: see interface in [server]"),
    (r"TFTP directory (?P<file>.+) inaccessible: (?P<why>.+)",
     "dnsmasq cannot read {file}: {why}"),
)  # fmt: skip
# Of DNS it has none, so a socket that it cannot make is that of DHCP or of TFTP.
_PORT = re.compile(r"failed to (?:bind (?P<dhcp>DHCP)|create) .*: Address already in use")
_LINE = re.compile(
    r"(?:\w{3} [ 0-9]\d [0-9:]{8} )?(?:dnsmasq(?:-\w+)?(?:\[[0-9]+\])?: )?(?:[0-9]+ )?"
)
_FAILED = re.compile(r"(failed|error|cannot|bad |illegal|FAILED|missing)")


def told(line: str, name_of: Callable[[str], str | None], tree: str) -> Told | None:
    """The sentence for one line; None: nobody needs to know it. `tree`: the TFTP root's path,
    which file names begin with."""
    line = "".join(char if char.isprintable() else "?" for char in line.strip())[:_LONGEST]
    text = line[match.end() :] if (match := _LINE.match(line)) else line
    if taken := _PORT.search(text):
        return Told(text, bad=True, port=67 if taken["dhcp"] else 69)
    for rows, bad in ((_GOOD, False), (_BAD, True)):
        for pattern, sentence in rows:
            if found := re.search(pattern, text):
                words = {**found.groupdict()}
                mac = words.get("mac")
                words["who"] = (name_of(mac) or f"the PC {mac}") if mac else None
                if words.get("file"):
                    words["file"] = str(words["file"]).removeprefix(f"{tree}/")
                return Told(sentence.format(**words) + ".", bad)
    return Told(f"dnsmasq: {text}", bad=True) if _FAILED.search(text) else None
