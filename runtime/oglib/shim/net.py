# SPDX-License-Identifier: GPL-3.0-or-later
"""The old commands about the network, the servers and the group of this PC.

A variable of the script's environment wins over what the boot told.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from oglib.filesystem.share import change_share, mount_on, mounted_share, usual_share
from oglib.settings import (
    BOOT_ENV,
    CMDLINE,
    NAME_PART,
    host_of,
    is_address,
    parse_cmdline,
    parse_env,
)
from oglib.shim.command import Answer, Command
from oglib.shim.place import Place, repository, take_place

_CARDS = Path("/sys/class/net")
_UP = 0x1  # IFF_UP
_NO_NAME = ("oglive", "localhost", "(none)")  # what a PC without a name is called


def parameter(name: str) -> str:
    """A kernel parameter: as the environment has it, else from the command line itself."""
    return os.environ.get(name) or parse_cmdline(CMDLINE.read_text()).get(name, "")


def _card() -> str:
    """The network card in use: $DEVICE, the card that ogLive was booted through, the first up."""
    told = os.environ.get("DEVICE") or _boot_fact("INTERFACE")
    if told:
        if "/" in told or not (_CARDS / told).exists():
            raise NotFoundError(f"There is no network card {told}.")
        return told
    cards = sorted(_CARDS.iterdir(), key=lambda card: int((card / "ifindex").read_text()))
    for card in cards:
        if card.name != "lo" and int((card / "flags").read_text(), 16) & _UP:
            return card.name
    raise NotFoundError("No network card is up.", hint="Check the cable.")


def _boot_fact(name: str) -> str:
    return parse_env(BOOT_ENV.read_text()).get(name, "") if BOOT_ENV.exists() else ""


def _interface(_: Sequence[str]) -> str:
    return _card()


def _mac(_: Sequence[str]) -> str:
    return (_CARDS / _card() / "address").read_text().strip().upper()


def _ip_address(_: Sequence[str]) -> str:
    told = os.environ.get("IPV4ADDR", "").partition("/")[0]
    return told or _first_address(_card())


def _first_address(card: str) -> str:
    import json  # noqa: PLC0415  scripts have IPV4ADDR: only others come here

    from oglib.run import run  # noqa: PLC0415

    listing = json.loads(run("ip", "-json", "-4", "address", "show", "dev", card).stdout)
    for interface in listing:
        for address in interface.get("addr_info", ()):
            return str(address["local"])
    raise NotFoundError(f"The network card {card} has no address.")


def _hostname(_: Sequence[str]) -> Answer:
    # the first stage made the DHCP lease's name, or the parameter's, the system's own
    own = os.uname().nodename
    name = os.environ.get("HOSTNAME") or parameter("hostname")
    return name or ("" if own in _NO_NAME else own) or False


def _repository_ip(_: Sequence[str]) -> str:
    share = mounted_share(repository().resolve())
    return share.host if share else _known_host()


def _known_host() -> str:
    """Without a share the images come by HTTP, from the server that the boot entry names."""
    return host_of(parameter("ogrepo") or _server())


def _own_repository() -> str:
    host = _known_host()
    if not host:
        raise OgError(
            "No repository is known to this PC.", hint="Boot with ogrepo=HOST.", code=OgErr.REPO
        )
    return host


def _server_ip(_: Sequence[str]) -> str:
    share = mounted_share(Path(os.environ.get("OPENGNSYS") or "/opt/opengnsys").resolve())
    return share.host if share else host_of(_server())


def _server() -> str:
    return parameter("oglive") or _boot_fact("SERVER")


def _change_repository(words: Sequence[str]) -> None:
    folder = repository().resolve()
    mount, current = mount_on(folder), mounted_share(folder)
    unit = words[1] if len(words) > 1 else ""
    if unit and not NAME_PART.fullmatch(unit):
        raise UsageError(f"{unit!r} is not the name of a unit.")
    if words[0].upper() == "REPO":
        if not current and not unit:
            return  # it stays as it is: asked by HTTP
        host = current.host if current else _own_repository()
    else:
        host = words[0]
        if not current and not unit and not parameter("ogprotocol") and host == _known_host():
            return
    if not is_address(host) or ":" in host:
        raise UsageError(f"{host!r} is not the address of a repository.")
    if current:
        wanted = replace(current, host=host, unit=unit)
    else:
        wanted = usual_share(parameter("ogprotocol"), host, unit)
    if wanted == current:
        return
    write = not mount.read_only if mount else parameter("ogactiveadmin") == "true"
    folder.mkdir(parents=True, exist_ok=True)
    change_share(wanted, folder, write=write)


def _group(_: Sequence[str]) -> Answer:
    return parameter("group") or False


def _group_place(words: Sequence[str]) -> Place:
    group = parameter("group")
    if not group or "/" in group or group in (".", ".."):
        raise NotFoundError(
            f"{group!r} is not the name of a group." if group else "This PC is in no group.",
            hint="The boot entry names it: group=NAME.",
        )
    where = words[0].upper() if words else "REPO"
    if where not in ("REPO", "CACHE"):
        raise UsageError(f"{words[0]} is neither REPO nor CACHE.")
    return take_place([where, f"groups/{group}"])[0]


def _group_folder(words: Sequence[str]) -> str:
    try:
        found = _group_place(words).find()
    except OgError as error:
        if error.code is OgErr.FORMAT:
            raise
        return ""  # scripts take silence for "no such folder"
    return str(found) if found is not None and found.is_dir() else ""


def _make_group_folder(words: Sequence[str]) -> None:
    if parameter("group"):  # scripts call it on every PC, also on one without a group
        _group_place(words).make()


COMMANDS = {
    command.name: command
    for command in (
        Command(
            "ogChangeRepo",
            "ADDRESS|REPO [UNIT]",
            "mounts the images of another repository",
            _change_repository,
            1,
            2,
            "ogChangeRepo 172.16.3.2 faculty",
            better="Without a share REPO is the repository asked by HTTP, and nothing is changed. "
            "User and password come from /run/oglive/credentials (mode 0600), never from a command "
            "line. A share in use is not torn away.",
        ),
        Command(
            "ogGetGroupDir",
            "[REPO|CACHE]",
            "prints the folder of this PC's group, nothing where there is none",
            _group_folder,
            0,
            1,
            "ogGetGroupDir REPO",
        ),
        Command(
            "ogGetGroupName",
            "",
            "prints the name of this PC's group; exit code 1 where it is in none",
            _group,
            example="ogGetGroupName",
        ),
        Command(
            "ogGetHostname",
            "",
            "prints the name of this PC; exit code 1 where it has none",
            _hostname,
            example="ogGetHostname",
            better="The kernel parameter wins over the DHCP server's name.",
        ),
        Command(
            "ogGetIpAddress",
            "",
            "prints the IPv4 address of this PC",
            _ip_address,
            example="ogGetIpAddress",
            better="A PC without an address gives 2 (NOTFOUND).",
        ),
        Command(
            "ogGetMacAddress",
            "",
            "prints the hardware address of the network card",
            _mac,
            example="ogGetMacAddress",
            better="A PC without a card that is up gives 2 (NOTFOUND).",
        ),
        Command(
            "ogGetNetInterface",
            "",
            "prints the name of the network card",
            _interface,
            example="ogGetNetInterface",
            better="Without $DEVICE it is the card that ogLive was booted through.",
        ),
        Command(
            "ogGetRepoIp",
            "",
            "prints the address of the repository",
            _repository_ip,
            example="ogGetRepoIp",
            better="Without a mounted share it is the server of the boot entry.",
        ),
        Command(
            "ogGetServerIp",
            "",
            "prints the address of the server",
            _server_ip,
            example="ogGetServerIp",
            better="Without a mounted share it is the server that ogLive was booted from.",
        ),
        Command(
            "ogMakeGroupDir",
            "[REPO|CACHE]",
            "makes the folder of this PC's group",
            _make_group_folder,
            0,
            1,
            "ogMakeGroupDir REPO",
            better="A folder that cannot be made is an error; without a group nothing is done.",
        ),
    )
}
