# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads this machine: addresses, programs, what is there of an installation. Writes nothing."""

from __future__ import annotations

import json
import os
import pwd
import stat
import tomllib
from collections import Counter
from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import aiohttp

import oglib
import ogrepo
from oglib.errors import OgError, UsageError
from oglib.run import run
from ogrepo.install import texts, units
from ogrepo.install.built import (
    check_room,
    current_version,
    default_artefacts,
    has_version,
    read_built,
)
from ogrepo.install.model import Facts, InstallRequest, Program, ServerTable
from ogrepo.install.program import code_folders, find_program, units_that_are
from ogunits import in_home

PARTS = ("images", "bytes", "versions", "keys", "private", "layouts", "oglive", "netboot")
"""The repository's folders that this package makes and owns."""
_SYSTEMD_RUNS = Path("/run/systemd/system")
_NETWORK_CARDS = Path("/sys/class/net")
_WAIT_S = 30.0
_MOST_TEXT = 1 << 20


def probe_machine(wanted: InstallRequest) -> Facts:
    """Everything that the plan asks for; raises for what cannot be mended by a plan."""
    program = find_program()
    _check_folder(wanted.folder)
    _check_reach(wanted.folder, program)
    built = wanted.artefacts or default_artefacts()
    artefacts = read_built(built) if built else None
    check_room(wanted.folder, artefacts)
    runs = _SYSTEMD_RUNS.is_dir()
    site_ca = wanted.site / "etc/oglive/ca.pem"
    return Facts(
        program=program,
        interfaces=tuple(_addresses()),
        server=read_server(wanted.inventory_file),
        user_exists=_user_exists(wanted.user),
        missing_folders=frozenset(p for p in _folders(wanted) if not p.is_dir()),
        has_key=_has_key(wanted.folder),
        foreign=tuple(_foreign(wanted)),
        texts={path: _text(path) for path in _files(wanted)},
        artefacts=artefacts,
        published={"oglive": current_version(wanted.folder / "oglive")}
        | ({artefacts.name: current_version(wanted.folder / artefacts.name)} if artefacts else {}),
        has_version=artefacts is not None and has_version(wanted.folder, artefacts),
        ca=_bytes(wanted.ca) if wanted.ca else None,
        ca_there=_bytes(site_ca) if site_ca.exists() else None,
        systemd_runs=runs,
        enabled=frozenset(units_that_are("is-enabled", "enabled", program)),
        active=frozenset(units_that_are("is-active", "active", program) if runs else ()),
        may_keep=_may_write_beside(wanted),
    )


def _may_write_beside(wanted: InstallRequest) -> bool:
    """Whether the service may make files where the inventory lies, in whatever folder that is."""
    folder = wanted.inventory_file.resolve().parent
    try:
        user = pwd.getpwnam(wanted.user)
        status = folder.stat()
    except (KeyError, FileNotFoundError):
        return False
    return status.st_uid == user.pw_uid and bool(status.st_mode & stat.S_IWUSR)


def _has_key(folder: Path) -> bool:
    """Whether something can be signed, here or on the machine that has the private half."""
    if (folder / "private/image.key").exists():
        return (folder / "keys/image.pub").exists()
    return any((folder / "keys").glob("*.pub"))


def _check_reach(folder: Path, program: Program) -> None:
    """The services are no root: they must get through every folder, and read every file."""
    files = [Path(module.__file__ or "") for module in (aiohttp, oglib, ogrepo)]
    for place in sorted({folder.parent, *code_folders(), *(file.parent for file in files)}):
        for one in (place, *place.parents):
            if in_home(one) and not any(one.is_relative_to(root) for root in program.roots):
                continue  # a sandbox shows what is below in its place
            if one.exists() and not one.stat().st_mode & stat.S_IXOTH:
                raise OgError(
                    f"{one} is closed to other users, so the services cannot reach {place}.",
                    hint=f"Run `chmod o+x {one}`, or put it elsewhere: /opt for the clone, /srv "
                    "for the repository.",
                )
    for file in files:
        if not file.stat().st_mode & stat.S_IROTH:
            raise OgError(
                f"{file} cannot be read by other users, so no service can run it.",
                hint="Run `chmod -R go+rX` on the clone; it was made under another umask than 022.",
            )


# ---- the network --------------------------------------------------------------------------------


def _addresses() -> Iterator[tuple[str, IPv4Interface]]:
    """Every interface's first address; of hardware alone where there is one with an address."""
    try:
        told = json.loads(run("ip", "-j", "-4", "address", "show", timeout_s=_WAIT_S).stdout)
    except ValueError as error:
        raise OgError(f"`ip address` was not understood: {error}.") from error
    found = [pair for link in told for pair in _addresses_of(link)]
    hardware = [pair for pair in found if (_NETWORK_CARDS / pair[0] / "device").exists()]
    yield from hardware or found


def _addresses_of(link: dict[str, Any]) -> Iterator[tuple[str, IPv4Interface]]:
    for one in link.get("addr_info", ()):
        if one.get("scope") == "global" and not one.get("secondary"):
            address = IPv4Interface(f"{one['local']}/{one['prefixlen']}")
            yield str(link["ifname"]), address


def read_server(path: Path) -> ServerTable | None:
    """``[server]`` of the inventory, or None where there is no file.

    ``ognetboot`` judges it; here only what this machine's units need is read.
    """
    text = _text(path)
    if text is None:
        return None
    try:
        server = tomllib.loads(text).get("server", {})
        return ServerTable(
            interface=str(server["interface"]),
            address=str(server["address"]),
            http_port=int(server.get("http_port", 80)),
            dhcp=str(server.get("dhcp", "proxy")),
            dhcp_range=tuple(map(str, server.get("dhcp_range", ()))),
            site_overlay=server.get("site_overlay") is True,
        )
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{path} is not valid TOML: {error}.", hint="Mend that line.") from None
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UsageError(
            f"{path} does not say address and interface in [server].",
            hint="Mend it, or move it away and install again for a new one.",
        ) from None


# ---- the folder ---------------------------------------------------------------------------------


def _check_folder(folder: Path) -> None:
    """An existing folder is a repository or empty: nothing else is given to another user."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder.", hint="Choose another place.")
    known = {*PARTS, "boot", "lost+found"}
    ours = (folder / "images").is_dir() and (folder / "private").is_dir()
    if not ours and any(child.name not in known for child in folder.iterdir()):
        raise UsageError(
            f"{folder} is neither empty nor a repository.",
            hint="Choose a folder of its own, such as /srv/oglive.",
        )


def _folders(wanted: InstallRequest) -> Iterator[Path]:
    yield wanted.folder
    yield from (wanted.folder / part for part in PARTS if part != "netboot")
    yield from (wanted.config, wanted.site, wanted.site / "etc/oglive", wanted.units)


def _files(wanted: InstallRequest) -> Iterator[Path]:
    yield wanted.inventory_file
    yield wanted.site / "etc/oglive/policy.toml"
    yield wanted.options_file
    yield from (wanted.folder / "layouts" / name for name in texts.layouts())
    yield from (wanted.units / name for name in (*units.ALL, *units.KEEPING))


def _text(path: Path) -> str | None:
    """A small text file; None where there is none."""
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_TEXT + 1)
        if len(data) > _MOST_TEXT:
            raise UsageError(f"{path} is larger than {_MOST_TEXT >> 20} MiB.")
        return data.decode("utf-8")
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8 text.", hint="Save it as UTF-8.") from None


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        data = file.read(_MOST_TEXT + 1)
    if len(data) > _MOST_TEXT:
        raise UsageError(f"{path} is larger than {_MOST_TEXT >> 20} MiB.")
    return data


def _user_exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _foreign(wanted: InstallRequest, most: int = 3) -> Iterator[Path]:
    """What of the repository is not its user's, so that its service could not change it."""
    try:
        uid = pwd.getpwnam(wanted.user).pw_uid
    except KeyError:
        uid = -1
    for path, status in changeable(wanted.folder):
        if status.st_uid != uid:
            yield path
            most -= 1
            if most == 0:
                return


def changeable(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Those whose owner may be another one. A file with a name elsewhere may be somebody else's;
    an image has several, of which all are here."""
    found = [(path, path.lstat()) for path in _owned_paths(folder)]
    names = Counter((status.st_dev, status.st_ino) for _, status in found)
    for path, status in found:
        is_file = stat.S_ISREG(status.st_mode)
        if not is_file or names[status.st_dev, status.st_ino] == status.st_nlink:
            yield path, status


def _owned_paths(folder: Path) -> Iterator[Path]:
    """The repository and all that is in the folders that are ours; links are not followed."""
    if not folder.is_dir():
        return
    yield folder
    for part in PARTS:
        top = folder / part
        if top.is_symlink() or not top.is_dir():
            continue
        yield top
        for where, folders, files in os.walk(top):
            yield from (Path(where, name) for name in (*folders, *files))


# ---- ogLive's files -----------------------------------------------------------------------------
