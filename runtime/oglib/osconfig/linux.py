# SPDX-License-Identifier: GPL-3.0-or-later
"""A Linux on a mounted root: recognise it, plan its files for this PC, write them.

Planning only reads (through ``TargetRoot``) and yields whole new file contents; applying
writes exactly those, each as a step of its own. Left alone on purpose: crypttab, SSH host
keys, users, packages.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Collection
from dataclasses import dataclass

from oglib.errors import OgErr, OgError, UsageError
from oglib.osconfig.fstab import Known, adapt_fstab, swap_uuids
from oglib.osconfig.root import NoPlainFileError, TargetRoot
from oglib.steps import Outcome, Step
from oglib.texts import joined, shortened

_HOSTNAME = re.compile(r"^(?=.{1,64}$)[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?(\.[A-Za-z0-9-]+)*$")
_SYSTEM_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,31}")
_OS_RELEASE = ("etc/os-release", "usr/lib/os-release")
_OS_RELEASE_BYTES = 64 << 10
_MOST_VALUE_CHARS = 1024
_RESUME = "etc/initramfs-tools/conf.d/resume"
_DBUS_ID = "var/lib/dbus/machine-id"


@dataclass(frozen=True, slots=True)
class LinuxFacts:
    """What the new PC is to this system: its name and its filesystems."""

    root: Known
    hostname: str = ""
    swaps: tuple[Known, ...] = ()
    esp: Known | None = None
    others: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True)
class LinuxSystem:
    """What os-release says: ``debian``, ``Debian GNU/Linux 13 (trixie)``."""

    id: str
    pretty_name: str


@dataclass(frozen=True, slots=True)
class Edit:
    """One step of a plan: a file's whole new content, or None for a file to remove.

    ``path`` empty: there is nothing to do, and ``detail`` says why.
    """

    name: str
    path: str
    content: str | None
    detail: str
    mode: int = 0o644
    failed: bool = False


@dataclass(frozen=True, slots=True)
class OsPlan:
    """What will be written on the system, in order."""

    system: LinuxSystem
    edits: tuple[Edit, ...]


def detect_linux(root: TargetRoot) -> LinuxSystem | None:
    """The Linux on this root, or None where there is none."""
    for name in _OS_RELEASE:
        try:
            said = _variables(
                root.read_text(name, limit_bytes=_OS_RELEASE_BYTES), ("ID", "NAME", "PRETTY_NAME")
            )
        except FileNotFoundError:
            continue
        name_of = said.get("ID", "").lower()
        return LinuxSystem(
            # becomes a folder of the ESP: nothing but a plain name is believed
            id=name_of if _SYSTEM_ID.fullmatch(name_of) else "linux",
            pretty_name=shortened(said.get("PRETTY_NAME") or said.get("NAME", "Linux")),
        )
    return None


def wanted_swap_uuid(root: TargetRoot) -> str:
    """The UUID that this system's fstab names as swap, or nothing.

    Giving a fresh swap this UUID spares the initramfs, which remembers it for resuming.
    """
    try:
        found = swap_uuids(root.read_text("etc/fstab"))
    except FileNotFoundError:
        return ""
    return found[0].lower() if found and re.fullmatch(r"[0-9A-Fa-f-]{36}", found[0]) else ""


def check_hostname(name: str) -> None:
    """Raise unless a Linux takes this name."""
    if not _HOSTNAME.match(name):
        raise UsageError(f"{name!r} is not a valid host name.")


def plan_linux(root: TargetRoot, facts: LinuxFacts) -> OsPlan:
    """What makes this system fit its new PC; raises NOTOS where no Linux is found."""
    system = detect_linux(root)
    if system is None:
        raise OgError(
            f"There is no Linux on {root.called}: os-release is missing.", code=OgErr.NOTOS
        )
    edits: list[Edit] = []
    if facts.hostname:
        check_hostname(facts.hostname)
        edits += [_hostname(root, facts.hostname), _hosts(root, facts.hostname)]
    edits += [_fstab(root, facts), *_machine_id(root), _resume(root, facts)]
    return OsPlan(system, tuple(edits))


def apply(root: TargetRoot, plan: OsPlan) -> tuple[Step, ...]:
    """Write the plan; a file that cannot be written is a failed step, the others go on."""
    return tuple(_apply(root, edit) for edit in plan.edits)


def _apply(root: TargetRoot, edit: Edit) -> Step:
    if edit.failed:
        return Step(edit.name, Outcome.FAILED, edit.detail)
    if not edit.path:
        return Step(edit.name, Outcome.NOT_NEEDED, edit.detail)
    try:
        if edit.content is None:
            root.remove(edit.path)
        else:
            root.write_text(edit.path, edit.content, mode=edit.mode)
    except OgError as error:
        return Step(edit.name, Outcome.FAILED, error.message)
    return Step(edit.name, Outcome.DONE, edit.detail)


def _edit(root: TargetRoot, name: str, path: str, change: Callable[[str], tuple[str, str]]) -> Edit:
    """An edit of one text file: ``change`` maps the old text to the new and what is told."""
    try:
        old = root.read_text(path)
    except FileNotFoundError:
        old = ""
    except OgError as error:
        return Edit(name, path, None, error.message, failed=True)
    new, detail = change(old)
    if new == old:
        return Edit(name, "", None, detail or "already so")
    return Edit(name, path, new, detail)


def _hostname(root: TargetRoot, hostname: str) -> Edit:
    return _edit(root, "hostname", "etc/hostname", lambda _: (f"{hostname}\n", hostname))


def _hosts(root: TargetRoot, hostname: str) -> Edit:
    try:
        old_name = root.read_text("etc/hostname").strip()
    except (FileNotFoundError, NoPlainFileError):
        old_name = ""
    return _edit(
        root, "hosts", "etc/hosts", lambda text: (adapt_hosts(text, old_name, hostname), hostname)
    )


def adapt_hosts(text: str, old_name: str, hostname: str) -> str:
    """``127.0.1.1`` names this PC; on other loopback lines the old name becomes the new one."""
    short = hostname.partition(".")[0]
    own = f"127.0.1.1\t{hostname}" + (f" {short}" if short != hostname else "")
    lines: list[str] = []
    written = False
    old_names = {old_name, old_name.partition(".")[0]} - {"", "localhost"}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        if words[:1] == ["127.0.1.1"]:
            if not written:
                lines.append(own)
            written = True
        elif words and words[0] in ("127.0.0.1", "::1") and old_names & set(words[1:]):
            kept = [word for word in words[1:] if word not in old_names]
            lines.append("\t".join([words[0], " ".join([*kept, hostname])]))
            written = True
        else:
            lines.append(line)
    if not written:
        at = next((n for n, line in enumerate(lines, 1) if line.startswith("127.0.0.1")), 0)
        lines.insert(at, own)
    return "\n".join(lines) + "\n"


def _fstab(root: TargetRoot, facts: LinuxFacts) -> Edit:
    def change(text: str) -> tuple[str, str]:
        new = adapt_fstab(
            text, root=facts.root, swaps=facts.swaps, esp=facts.esp, others=facts.others
        )
        return (new.text, joined(new.changes)) if new.changes else (text, "")

    if not root.exists("etc/fstab"):
        return Edit("fstab", "", None, "there is no etc/fstab")
    return _edit(root, "fstab", "etc/fstab", change)


def _machine_id(root: TargetRoot) -> list[Edit]:
    """Empty, not missing: systemd then makes a new one without first-boot questions."""
    edits = []
    if root.exists("etc/machine-id"):
        edits.append(
            _edit(root, "machine-id", "etc/machine-id", lambda _: ("", "new one at next boot"))
        )
    else:
        edits.append(Edit("machine-id", "", None, "there is none"))
    if root.is_regular(_DBUS_ID):
        edits.append(Edit("machine-id of dbus", _DBUS_ID, None, "removed; dbus reads systemd's"))
    return edits


def _resume(root: TargetRoot, facts: LinuxFacts) -> Edit:
    if not root.exists("etc/initramfs-tools/conf.d"):
        return Edit("resume", "", None, "no initramfs-tools here")
    device = f"UUID={facts.swaps[0].uuid}" if facts.swaps else "none"
    return _edit(root, "resume", _RESUME, lambda _: (f"RESUME={device}\n", device))


def _variables(text: str, wanted: Collection[str]) -> dict[str, str]:
    """os-release: shell assignments without any expansion; only those that are wanted."""
    found = {}
    for line in text.splitlines():
        key, equals, value = line.strip().partition("=")
        if equals and key in wanted:
            found[key] = value[:_MOST_VALUE_CHARS]  # shlex copies all it has for each character
    return {key: _unquoted(value) for key, value in found.items()}


def _unquoted(value: str) -> str:
    try:
        return " ".join(shlex.split(value))
    except ValueError:
        return value
