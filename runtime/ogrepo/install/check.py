# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo check``: asks an installed server what a PC will ask it, and looks at what it has.

Every question has an end of its own; one that fails is told, and the next one asked.
"""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import ImageError, NotFoundError, OgErr, OgError, TransferError, UsageError
from oglib.image.format.manifest import load_public_keys
from ogrepo.install import units
from ogrepo.install.apply import NOTHING, digest_of, run_own
from ogrepo.install.built import read_built
from ogrepo.install.model import InstallRequest, Program, Run, ServerTable
from ogrepo.install.probe import read_server
from ogrepo.install.program import find_program, is_active
from ogrepo.library.folder import open_folder
from ogrepo.library.proving.rounds import last_proofs

_ASK_S = 5.0
_TFTP_PORT = 69
_TFTP_DATA = b"\0\3\0\1"
_FIRST_LOADER = "undionly.kpxe"
_SYSTEMD_RUNS = Path("/run/systemd/system")


@dataclass(frozen=True, slots=True)
class Answer:
    """One question's answer: a sentence, and what to do where it is not good."""

    good: bool
    text: str
    hint: str = ""

    def as_dict(self) -> dict[str, object]:
        return {"good": self.good, "message": self.text, "hint": self.hint}


def check(wanted: InstallRequest) -> Iterator[Answer]:
    """Every answer, as it comes."""
    server = read_server(wanted.inventory_file)
    if server is None:
        raise NotFoundError(
            f"There is no inventory {wanted.inventory_file}.",
            hint=f"Run `ogrepo install {wanted.folder}`, or name it with --inventory.",
        )
    program = find_program()
    questions: list[Callable[[], str]] = [
        lambda: _repository(wanted),
        lambda: _images(wanted),
        lambda: _oglive(wanted),
        lambda: _overlay(wanted, server, program),
        lambda: _netboot(wanted, program),
    ]
    if _SYSTEMD_RUNS.is_dir():
        questions += [
            lambda unit=name: _service(program, unit)  # type: ignore[misc]
            for name in (units.REPOSITORY, units.DNSMASQ, units.WATCH, units.VERIFY_TIMER)
        ]
    questions += [lambda: _http(server), lambda: _tftp(server)]
    yield from map(_answer, questions)


def _answer(question: Callable[[], str]) -> Answer:
    try:
        return Answer(True, question())
    except OgError as error:
        return Answer(False, error.message, error.hint)
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        return Answer(False, f"{named}{error.strerror or error}.", "Run this as root.")


def _repository(wanted: InstallRequest) -> str:
    folder = open_folder(wanted.folder)
    keys = load_public_keys(folder.keys)
    if not keys:
        raise NotFoundError(
            f"{folder.root} has no signing key.", hint=f"Run `ogrepo keygen {folder.root}`."
        )
    where = "" if folder.image_key.exists() else ", which signs on another machine"
    return f"{folder.root} is a repository with the key {keys[0].key_id}{where}"


def _images(wanted: InstallRequest) -> str:
    """What was found when images were proven; nothing is read here."""
    folder = open_folder(wanted.folder)
    count, bad = 0, []
    for name, proof in last_proofs(folder):
        count += 1
        bad += [name] if proof is not None and proof.why else []
    if bad:
        raise ImageError(
            f"Damaged: {', '.join(sorted(bad))}.",
            hint=f"`ogrepo verify {folder.root} NAME` says what; take it from a backup, capture it "
            "again, or go back to a version that is good.",
        )
    return f"none of {count} images is known to be damaged"


def _oglive(wanted: InstallRequest) -> str:
    current = wanted.folder / "oglive/current"
    artefacts = read_built(current)
    bad = [
        name for name, digest in artefacts.digests.items() if digest_of(current / name) != digest
    ]
    if bad:
        raise TransferError(
            f"{current} is damaged: {', '.join(bad)}.", hint=f"Remove {current.resolve()}, and "
            f"run `ogrepo install {wanted.folder}` again.",
        )  # fmt: skip
    return f"ogLive {artefacts.version} is whole"


def _overlay(wanted: InstallRequest, server: ServerTable, program: Program) -> str:
    command, _ = units.netboot_commands(wanted, program.ognetboot)
    _require_current(command, f"{wanted.folder}/oglive/site.cpio")
    if not server.site_overlay:
        raise UsageError(
            "No PC is told to load the site overlay, so none knows the repository's key.",
            hint=f"Write `site_overlay = true` into [server] of {wanted.inventory_file}.",
        )
    return "the site overlay holds the present keys and policy"


def _netboot(wanted: InstallRequest, program: Program) -> str:
    _, command = units.netboot_commands(wanted, program.ognetboot)
    _require_current(command, f"{wanted.folder}/netboot")
    return f"what PCs boot is what {wanted.inventory_file} says"


def _require_current(command: tuple[str, ...], what: str) -> None:
    if not run_own(Run((*command, "--dry-run"), "")).endswith(NOTHING):
        raise OgError(
            f"{what} is older than what it is made from.",
            hint=f"Run `systemctl start {units.NETBOOT}`, or `{' '.join(command)}`.",
        )


def _service(program: Program, name: str) -> str:
    if not is_active(program, name):
        raise OgError(
            f"{name} does not run.",
            hint=f"Run `systemctl start {name}`; `journalctl -u {name}` says why it ended.",
        )
    return f"{name} runs"


def _http(server: ServerTable) -> str:
    """The first script, the kernel and the overlay, as a PC asks for them."""
    paths = ["/healthz", "/netboot/boot.ipxe", "/oglive/current/ogvmlinuz"]
    paths += ["/oglive/site.cpio"] if server.site_overlay else []
    where = f"http://{server.address}:{server.http_port}"
    for path in paths:
        link = http.client.HTTPConnection(server.address, server.http_port, timeout=_ASK_S)
        try:
            link.request("HEAD", path)
            status = link.getresponse().status
        except (OSError, http.client.HTTPException) as error:
            raise TransferError(
                f"{where} does not answer: {_reason(error)}.",
                hint="Is ogrepo running, and the address this machine's?",
            ) from None
        finally:
            link.close()
        if status != http.client.OK:
            raise TransferError(
                f"{where}{path} answers {status}.", hint="The log of ogrepo says why."
            )
    return f"{where} answers"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error) or type(error).__name__


def _tftp(server: ServerTable) -> str:
    """The first block of what a BIOS PC fetches first."""
    question = b"\0\1" + _FIRST_LOADER.encode() + b"\0octet\0"
    ends = time.monotonic() + _ASK_S
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as link:
        link.settimeout(_ASK_S)
        try:
            link.sendto(question, (server.address, _TFTP_PORT))
            said, sender = link.recvfrom(2048)
            # Other machines' packets do not lengthen the wait.
            while sender[0] != server.address and time.monotonic() < ends:
                said, sender = link.recvfrom(2048)
        except OSError as error:
            raise TransferError(
                f"TFTP at {server.address} does not answer: {_reason(error)}.",
                hint="Is dnsmasq running, and does no firewall stop UDP 69?",
            ) from None
        # An error packet of our own: the rest of the file is not wanted.
        link.sendto(b"\0\5\0\0enough\0", sender)
    if not said.startswith(_TFTP_DATA):
        raise TransferError(
            f"TFTP at {server.address} does not give {_FIRST_LOADER}.",
            hint="Another TFTP server may be running on this machine.",
        )
    return f"TFTP at {server.address} answers"


def worst(answers: list[Answer]) -> int:
    """The exit code: 0, or OG_ERR_REPO when something is not good."""
    return 0 if all(answer.good for answer in answers) else int(OgErr.REPO)
