# SPDX-License-Identifier: GPL-3.0-or-later
"""From what is wanted and what was found to the steps that are missing. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Interface
from pathlib import Path

from oglib.errors import OgErr, OgError, UsageError
from ogrepo.install import texts, units
from ogrepo.install.model import (
    UNITS,
    Facts,
    InstallRequest,
    MakeFolder,
    MakeKey,
    MakeUser,
    Own,
    Plan,
    Publish,
    Run,
    ServerTable,
    Step,
    WriteFile,
)

DEFAULT_PORT = 8080
_PRIVATE_MODE = 0o700


def plan(wanted: InstallRequest, facts: Facts) -> Plan:
    """The steps, in the order in which they can be done; empty where all of it is there."""
    _check(wanted, facts)
    _check_said(wanted, facts.server)
    inventory = first_inventory(wanted, facts)
    port = facts.server.http_port if facts.server else wanted.port or DEFAULT_PORT
    written, kept = _unit_files(wanted, facts, port)
    files = [*_first_files(wanted, facts, inventory), *written]
    steps: list[Step] = [
        *_folders(wanted, facts),
        *files,
        *_published(wanted, facts),
    ]
    makes = any(isinstance(step, MakeFolder | MakeKey | Publish) for step in steps)
    if facts.foreign or makes or any(step.path.is_relative_to(wanted.folder) for step in files):
        steps.append(Own(wanted.folder, wanted.user))
    return Plan(
        steps=tuple(steps),
        netboot=_netboot(wanted, facts),
        start=tuple(_start(wanted, facts, [step.path.name for step in written])),
        kept=kept,
        notes=tuple(_notes(wanted, facts)),
    )


def _check(wanted: InstallRequest, facts: Facts) -> None:
    if facts.artefacts is None and not facts.published.get("oglive"):
        raise OgError(
            "There is no ogLive to boot PCs with.",
            hint="Build it with `make image`, or name its folder with --artefacts.",
            code=OgErr.NOTFOUND,
        )
    if facts.ca is not None and facts.ca_there not in (None, facts.ca):
        raise OgError(
            f"{wanted.site}/etc/oglive/ca.pem is another CA than {wanted.ca}.",
            hint="Move it away, or leave --ca out.",
            code=OgErr.LOCKED,
        )


def _check_said(wanted: InstallRequest, server: ServerTable | None) -> None:
    """An inventory that is there counts: what was typed against it is refused, not dropped."""
    if wanted.dhcp == "own" and wanted.dhcp_range is None and server is None:
        raise UsageError(
            "Which addresses this server shall give is not said.",
            hint="Add --dhcp-range FIRST,LAST, or leave the addresses to your network's DHCP.",
        )
    if server is None:
        return
    first_last = tuple(map(str, wanted.dhcp_range or ()))
    said = {
        "interface": (wanted.interface, server.interface),
        "http_port": (wanted.port, server.http_port),
        "dhcp": (wanted.dhcp, server.dhcp),
        "dhcp_range": (first_last or None, server.dhcp_range),
    }
    for key, (typed, there) in said.items():
        if typed is not None and typed != there:
            raise OgError(
                f"{wanted.inventory_file} says another {key} than was asked for: {_shown(there)}.",
                hint="Edit that file: it is yours, and no install changes it.",
                code=OgErr.LOCKED,
            )


def _shown(value: object) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def first_inventory(wanted: InstallRequest, facts: Facts) -> str | None:
    """The text of an inventory where there is none yet; None where there is one."""
    if facts.server is not None:
        return None
    if wanted.inventory is not None:
        raise OgError(
            f"There is no inventory {wanted.inventory}.",
            hint="Leave --inventory out, and one is made.",
            code=OgErr.NOTFOUND,
        )
    dhcp = wanted.dhcp or ("own" if wanted.dhcp_range else "proxy")
    return texts.inventory(
        str(wanted.folder),
        chosen_interface(wanted.interface, facts.interfaces),
        port=wanted.port or DEFAULT_PORT,
        dhcp=dhcp,
        dhcp_range=wanted.dhcp_range if dhcp == "own" else None,
    )


def chosen_interface(
    asked: str | None, found: tuple[tuple[str, IPv4Interface], ...]
) -> tuple[str, IPv4Interface]:
    """The interface that PCs are on: the only one with an address, or the one asked for."""
    fitting = [pair for pair in found if asked in (None, pair[0])]
    if len(fitting) == 1:
        return fitting[0]
    there = ", ".join(f"{name} ({address})" for name, address in found) or "none"
    if not fitting:
        what = f"The interface {asked} has no IPv4 address." if asked else "There is no network."
        raise OgError(what, hint=f"Interfaces with one: {there}.", code=OgErr.NOTFOUND)
    raise UsageError(
        "This machine has several addresses, and PCs are on one of them.",
        hint=f"Say which with --interface, or write the inventory yourself (--inventory): {there}.",
    )


def _folders(wanted: InstallRequest, facts: Facts) -> Iterator[Step]:
    if not facts.user_exists:
        yield MakeUser(wanted.user, wanted.folder)
    for path in sorted(facts.missing_folders):
        private = path == wanted.folder / "private"
        yield MakeFolder(path, _PRIVATE_MODE if private else 0o755)
    if not facts.has_key:
        yield MakeKey(wanted.folder)


def _first_files(
    wanted: InstallRequest, facts: Facts, inventory: str | None
) -> Iterator[WriteFile]:
    """What is an administrator's as soon as it is there."""
    first = {wanted.folder / "layouts" / name: text for name, text in texts.layouts().items()}
    first[wanted.site / "etc/oglive/policy.toml"] = texts.POLICY
    first[wanted.options_file] = texts.options(units.VERIFY_WORDS)
    if inventory is not None:
        first[wanted.inventory_file] = inventory
    for path, text in first.items():
        if facts.texts[path] is None:
            yield WriteFile(path, text.encode())
    if facts.ca is not None and facts.ca_there is None:
        yield WriteFile(wanted.site / "etc/oglive/ca.pem", facts.ca)


def _unit_files(
    wanted: InstallRequest, facts: Facts, port: int
) -> tuple[list[WriteFile], tuple[Path, ...]]:
    """Units to write, and those that were edited and stay though they differ."""
    written, kept = [], []
    keeping = {name: units.signed(text) for name, text in facts.keeping.items()}
    for name, text in (units.texts(wanted, facts.program, port) | keeping).items():
        path = wanted.units / name
        there = facts.texts[path]
        if there == text:
            continue
        if there is not None and not units.is_unedited(there):
            kept.append(path)
            continue
        written.append(WriteFile(path, text.encode(), new=there is None))
    return written, tuple(kept)


def _notes(wanted: InstallRequest, facts: Facts) -> Iterator[str]:
    if facts.keeping and not facts.may_keep:
        folder = wanted.inventory_file.parent
        yield (
            f"{units.DAEMON}, which hears what PCs report, was not enabled: {wanted.user} may not "
            f"write beside the inventory. `chown {wanted.user} {folder}`, and install again."
        )


def _published(wanted: InstallRequest, facts: Facts) -> Iterator[Step]:
    artefacts = facts.artefacts
    if artefacts is None:
        return
    if facts.has_version and facts.published.get(artefacts.name) == artefacts.version:
        return
    yield Publish(artefacts, wanted.folder / artefacts.name, copy=not facts.has_version)


def _netboot(wanted: InstallRequest, facts: Facts) -> tuple[Run, ...]:
    site, render = units.netboot_commands(wanted, facts.program.ognetboot)
    return (
        Run(site, f"pack {wanted.site} and the public keys into {wanted.folder}/oglive/site.cpio"),
        Run(render, f"write what PCs boot into {wanted.folder}/netboot"),
    )


def _start(wanted: InstallRequest, facts: Facts, changed: list[str]) -> Iterator[Run]:
    """systemctl's part. Where systemd does not run, enabling is all that can be done."""
    if facts.program.systemctl is None or wanted.units != UNITS:
        return
    systemctl = str(facts.program.systemctl)
    if facts.systemd_runs and changed:
        yield Run((systemctl, "daemon-reload"), "make systemd read the units")
    daemon = (units.DAEMON,) if facts.keeping and facts.may_keep else ()
    missing = [name for name in (*units.ENABLED, *daemon) if name not in facts.enabled]
    if missing:
        yield Run((systemctl, "enable", *missing), f"enable {' '.join(missing)}")
    if not facts.systemd_runs:
        return
    ours = (units.WATCH, units.REPOSITORY, units.DNSMASQ, units.VERIFY_TIMER)
    for name in (*ours, *daemon):
        if name in changed and name in facts.active:
            yield Run((systemctl, "restart", name), f"restart {name}")
        elif name not in facts.active:
            yield Run((systemctl, "start", name), f"start {name}")
