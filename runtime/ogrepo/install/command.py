# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo install`` and ``ogrepo check``: arguments to calls, results to text or JSON."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from ipaddress import AddressValueError, IPv4Address
from pathlib import Path
from typing import Any

from oglib.errors import UsageError
from ogrepo.install import units
from ogrepo.install.apply import NOTHING, apply, keeping, netboot, rehearse, require_rights
from ogrepo.install.check import check, worst
from ogrepo.install.model import CONFIG, UNITS, USER, Facts, InstallRequest, Plan
from ogrepo.install.plan import plan
from ogrepo.install.probe import probe_machine
from ogrepo.words import fitted


def add_to(verbs: Any) -> list[argparse.ArgumentParser]:
    """The two verbs; their parsers, for what all verbs have."""
    install = verbs.add_parser(
        "install",
        help="make this machine a server that PCs boot from",
        description="Makes the repository DIR with its key and layouts, offers ogLive and the "
        "boot files in it, and writes units of systemd that serve them and follow the "
        "inventory. Repeat it after every `make image`. What you have edited is kept.",
    )
    install.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="e.g. /srv/oglive")
    install.add_argument("--interface", metavar="IF", help="where the PCs are; found when alone")
    install.add_argument(
        "--dhcp",
        choices=("proxy", "own", "off"),
        help="proxy: beside your network's DHCP (default); own: this machine gives addresses",
    )
    install.add_argument(
        "--dhcp-range", type=_range, metavar="FIRST,LAST", help="the addresses it gives (own)"
    )
    install.add_argument("--port", type=int, help="of the HTTP server (default 8080)")
    install.add_argument("--ca", type=Path, metavar="FILE", help="the site's CA, for every PC")
    install.add_argument(
        "--artefacts", type=Path, metavar="DIR", help="a built ogLive; default: build/oglive"
    )
    install.add_argument("--user", default=USER, help=f"owner of the repository (default {USER})")
    install.add_argument(
        "--units", type=Path, default=UNITS, metavar="DIR", help=f"default: {UNITS}"
    )
    install.add_argument("--dry-run", action="store_true", help="say what would be done")
    install.set_defaults(run=_install)

    look_at = verbs.add_parser(
        "check",
        help="ask an installed server what a PC will ask it",
        description="Looks at what `ogrepo install` made and asks the server as a PC does.",
    )
    look_at.add_argument("dir", nargs="?", type=Path, metavar="DIR", help="e.g. /srv/oglive")
    look_at.set_defaults(run=_check)
    for verb in (install, look_at):
        verb.add_argument(
            "--inventory", type=Path, metavar="FILE", help="default: inventory.toml in --config"
        )
        verb.add_argument(
            "--config", type=Path, default=CONFIG, metavar="DIR", help=f"default: {CONFIG}"
        )
    return [install, look_at]


def _range(text: str) -> tuple[IPv4Address, IPv4Address]:
    try:
        first, last = (IPv4Address(one.strip()) for one in text.split(","))
    except (AddressValueError, ValueError):
        raise argparse.ArgumentTypeError(f"{text!r} is not FIRST,LAST") from None
    return first, last


def _absolute(path: Path) -> Path:
    """As a unit of systemd needs it; links stay, an administrator may turn them later."""
    return Path.cwd() / path


def _wanted(arguments: argparse.Namespace) -> InstallRequest:
    wanted = InstallRequest(
        folder=_absolute(arguments.dir),
        config=_absolute(arguments.config),
        inventory=_absolute(arguments.inventory) if arguments.inventory else None,
    )
    _check_wanted(wanted)
    return wanted


def _wanted_install(arguments: argparse.Namespace) -> InstallRequest:
    wanted = replace(
        _wanted(arguments),
        units=_absolute(arguments.units),
        user=arguments.user,
        interface=arguments.interface,
        dhcp=arguments.dhcp,
        dhcp_range=arguments.dhcp_range,
        port=arguments.port,
        artefacts=_absolute(arguments.artefacts) if arguments.artefacts else None,
        ca=_absolute(arguments.ca) if arguments.ca else None,
    )
    _check_wanted(wanted)
    return wanted


def _check_wanted(wanted: InstallRequest) -> None:
    for path in (wanted.folder, wanted.config, wanted.units, wanted.inventory_file):
        if not str(path).isprintable() or ".." in path.parts:
            raise UsageError(f"{str(path)!r} cannot stand in a unit of systemd.")
    if wanted.port is not None and not 0 < wanted.port < 1 << 16:
        raise UsageError(f"There is no port {wanted.port}.")
    if wanted.dhcp in ("proxy", "off") and wanted.dhcp_range:
        raise UsageError(
            f"--dhcp-range means nothing with --dhcp {wanted.dhcp}.", hint="Leave one out."
        )


def _install(arguments: argparse.Namespace) -> int:
    wanted = _wanted_install(arguments)
    if not arguments.dry_run:
        require_rights(wanted)
    facts = probe_machine(wanted)
    facts = replace(facts, keeping=keeping(wanted, facts))
    planned = plan(wanted, facts)
    rehearsed = rehearse(wanted, facts)
    if arguments.dry_run:
        _tell(arguments, [*map(str, planned.steps), *rehearsed, *map(str, planned.start)], planned)
        return 0
    done: list[str] = []

    def tell(line: str) -> None:
        done.append(line)
        if not arguments.json:
            print(fitted(line, sys.stdout), flush=True)

    apply(planned.steps, tell)
    # After a step keys or policy may be other ones than the rehearsal saw.
    if planned.steps or not all(said.endswith(NOTHING) for said in rehearsed):
        for said in netboot(planned):
            if not said.endswith(NOTHING):
                tell(said)
    apply(planned.start, tell)
    if arguments.json:
        _tell(arguments, done, planned)
    else:
        _farewell(wanted, facts, planned, nothing=not done)
    return 0


def _tell(arguments: argparse.Namespace, lines: Sequence[str], planned: Plan) -> None:
    changes = [line for line in lines if not line.endswith(NOTHING)]
    if arguments.json:
        kept = [str(path) for path in planned.kept]
        told = {"steps": changes, "kept": kept, "notes": planned.notes}
        print(json.dumps(told, indent=2))
        return
    for line in changes or [NOTHING]:
        print(fitted(line, sys.stdout))
    _tell_kept(planned)


def _tell_kept(planned: Plan) -> None:
    for note in planned.notes:
        print(fitted(note, sys.stdout))
    for path in planned.kept:
        line = (
            f"kept: {path} was edited. `systemctl edit {path.name}` is the place for changes; "
            "move the file away to get the new one."
        )
        print(fitted(line, sys.stdout))


def _farewell(wanted: InstallRequest, facts: Facts, planned: Plan, *, nothing: bool) -> None:
    """What to do next, and how to see that it works."""
    if nothing:
        print(NOTHING)
    _tell_kept(planned)
    print()
    if not (facts.systemd_runs and wanted.units == UNITS):
        why = "systemd does not run here" if wanted.units == UNITS else "it is not systemd's folder"
        text = f"The units in {wanted.units} were not started: {why}. Without systemd:"
        print(fitted(text, sys.stdout))
        for unit in (units.REPOSITORY, units.DNSMASQ):
            print(f"  the command behind ExecStart= in {unit}")
    ogrepo = facts.program.ogrepo
    print("Next:")
    print(f"  {ogrepo} check {wanted.folder}")
    if not nothing:
        print(f"  edit {wanted.inventory_file}: rooms, PCs, what they start")
        print("  switch on a PC that boots from the network: it shows the menu")


def _check(arguments: argparse.Namespace) -> int:
    answers = []
    for answer in check(_wanted(arguments)):
        answers.append(answer)
        if not arguments.json:
            mark = "good" if answer.good else "BAD "
            hint = f" {answer.hint}" if answer.hint else ""
            print(fitted(f"{mark}  {answer.text}{hint}", sys.stdout, indent=" " * 6), flush=True)
    if arguments.json:
        print(json.dumps({"checks": [answer.as_dict() for answer in answers]}, indent=2))
    return worst(answers)
