# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that make a restored Linux this PC's own, and clean one before it is captured.

They are the steps of ``og os configure`` under their old names. What is mounted of the system is
unmounted for them and mounted again where it was.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from oglib.deploy.again import planned_and_done
from oglib.deploy.system.configure import apply_configuration, plan_configuration
from oglib.disk.firmware import Firmware, running_firmware
from oglib.disk.lock import held
from oglib.disk.model import Disk, Partition, TableKind
from oglib.disk.starts import ESP
from oglib.errors import FilesystemError, NotFoundError, OgErr, OgError, PartitionError
from oglib.fitting.edits import bytes_of, changed, content, words_of
from oglib.fitting.steps import Outcome, Step
from oglib.osconfig.kinds import LINUX, find_system
from oglib.osconfig.opened_system import opened_system
from oglib.osconfig.root import TargetRoot
from oglib.settings import load
from oglib.shim.command import Answer, Command, command_of
from oglib.shim.disk_change import everything, unmounted
from oglib.shim.target import partition_of, warn
from oglib.views.steps import steps_text

_NO_NAME = "pc"
_NET_RULES = "etc/udev/rules.d/70-persistent-net.rules"
_RESUME = "etc/initramfs-tools/conf.d/resume"
_WINDOWS_FILES = ("pagefile.sys", "hiberfil.sys", "swapfile.sys")
_AGENT_FOLDERS = ("usr/share/OGAgent", "opt/opengnsys/OGAgent")
_REMOTE = re.compile(r"remote=[^\r\n]*")
_OLD_CLIENT = "ogAdmLnxClient"
_OLD_PLACES = ("usr/sbin", "sbin", "usr/local/sbin", "etc", "usr/local/etc")
_START_SCRIPTS = ("rc.local", "rc.d/rc.local")


@contextmanager
def _free(words: Sequence[str]) -> Iterator[tuple[Disk, Partition]]:
    """The partition, locked for this, with nothing of its system mounted."""
    disk, part = partition_of(*words)
    below = tuple(f"{point}/" for point in part.mountpoints)

    def of_the_system(one: Partition) -> bool:
        inside = any(point.startswith(below) for point in one.mountpoints)
        return one.number == part.number or one.type == ESP or inside

    with (
        held(disk, part, own_counts=True),
        unmounted(disk, everything, of_the_system),
    ):
        yield partition_of(*words)


def _kind_on(words: Sequence[str]) -> tuple[str, str]:
    """The kind of system on a partition and what a person calls it; only reads."""
    disk, part = partition_of(*words)
    try:
        with opened_system(disk, part) as system:
            found = find_system(system.root)
    except FilesystemError as error:
        raise PartitionError(error.message, hint=error.hint) from error
    return (found.kind, found.name) if found else ("", "no system")


@contextmanager
def _linux(words: Sequence[str]) -> Iterator[TargetRoot]:
    """The Linux on a partition, to be changed; NOTOS where there is none."""
    kind, name = _kind_on(words)
    if kind != LINUX:
        raise OgError(
            f"There is no Linux on disk {words[0]} partition {words[1]}: there is {name}.",
            hint="It is as it was; nothing was written.",
            code=OgErr.NOTOS,
        )
    with _free(words) as (disk, part), opened_system(disk, part, write=True) as system:
        yield system.root


def _fitted(words: Sequence[str], steps: tuple[str, ...], hostname: str = "") -> tuple[Step, ...]:
    with _free(words) as (disk, part):
        look = partial(
            plan_configuration, disk, part, hostname=hostname, only=steps, settings=load()
        )
        plan, done = planned_and_done(look, apply_configuration)
    warn(*(() if steps else plan.notes))
    return done


def _hostname() -> str:
    return str(command_of("ogGetHostname").run(()) or "")


def _done(steps: Sequence[Step]) -> None:
    """What failed is the command's failure, whatever else went well."""
    failed = [f"{one.name}: {one.detail.rstrip('.')}" for one in steps
              if one.outcome is Outcome.FAILED]  # fmt: skip
    if failed:
        raise OgError(f"Not done: {'; '.join(failed)}.", hint="The other steps are done.")


def _fstab(words: Sequence[str]) -> None:
    disk, part = partition_of(*words)
    with opened_system(disk, part) as system:
        if not system.root.exists("etc/fstab"):
            raise NotFoundError(f"There is no /etc/fstab on {system.root.called}.")
    _done(_fitted(words, ("fstab", "resume")))


def _name(words: Sequence[str]) -> None:
    name = words[2] if len(words) > 2 else _hostname() or _NO_NAME
    _done(_fitted(words[:2], ("hostname", "hosts"), name))


def _clean_devices(words: Sequence[str]) -> None:
    with _linux(words) as root:
        _forget_devices(root)


def _forget_devices(root: TargetRoot) -> None:
    for path in (_NET_RULES, _RESUME):
        root.remove(path)


def _clean(words: Sequence[str]) -> None:
    kind, _ = _kind_on(words)
    if kind == "Windows":
        for name in _WINDOWS_FILES:
            if command_of("ogGetPath").run((*words, name)):
                command_of("ogDeleteFile").run((*words, name))
    if kind == LINUX:
        with _linux(words) as root:
            _forget_devices(root)
            _empty(root, "tmp")


def _empty(root: TargetRoot, folder: str) -> None:
    """Remove what is in a folder of the root itself; one that a link leads to is left alone."""
    place = root.folder_path(folder) if root.is_directory(folder) else None
    for entry in sorted(place.iterdir()) if place else ():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)  # which follows no link
        else:
            entry.unlink()


def _agent(words: Sequence[str]) -> None:
    server = str(command_of("ogGetServerIp").run(()) or "")
    with _linux(words) as root:
        files = (f"{folder}/cfg/ogagent.cfg" for folder in _AGENT_FOLDERS)
        path = next((one for one in files if root.exists(one)), "")
        if not path:
            raise NotFoundError(f"There is no ogagent.cfg on {root.called}.")
        if not server:
            raise NotFoundError(
                "This PC knows no server for the agent.", hint="Boot it with oglive=ADDRESS."
            )
        address = f"remote=https://{server}/opengnsys/rest/"
        changed(root, path, lambda text: _REMOTE.sub(address, text, count=1)).write(root)


def _uninstall(words: Sequence[str]) -> None:
    with _linux(words) as root:
        for folder in _OLD_PLACES:
            end = ".cfg" if folder.endswith("etc") else ""
            root.remove(f"{folder}/{_OLD_CLIENT}{end}")
        for folder in ("etc", "usr/local/etc"):
            for script in _START_SCRIPTS:
                _without_client(root, f"{folder}/{script}")


def _without_client(root: TargetRoot, path: str) -> None:
    old = content(root, path)
    if old is None or _OLD_CLIENT.encode() not in old:
        return
    lines = words_of(old).split("\n")
    root.write_bytes(path, bytes_of("\n".join(one for one in lines if _OLD_CLIENT not in one)))


def _configure(words: Sequence[str]) -> Answer:
    """Ours, where no script of the site's runs instead (``site_scripts``)."""
    place = words[:2]
    disk, _ = partition_of(*place)
    _grown(place)
    bios = running_firmware() is Firmware.BIOS
    if bios and disk.table is TableKind.MSDOS and not any(one.active for one in disk.partitions):
        command_of("ogSetPartitionActive").run(place)
    steps = _fitted(place, (), _hostname())
    print(steps_text(steps))
    _done(steps)
    return None


def _grown(place: Sequence[str]) -> None:
    """A filesystem that cannot grow is no reason to leave the system another PC's."""
    try:
        command_of("ogExtendFs").run(place)
    except PartitionError:
        raise
    except OgError as error:
        warn(str(error))


_AGAIN = "What is mounted of it is mounted again afterwards."
_REPORTS = "What could not be done is an error, and told."

COMMANDS = {
    command.name: command
    for command in (
        Command(
            "configureOs",
            "DISK PARTITION [REPO IMAGE]",
            "makes a restored system this PC's own: the steps of `og os configure`",
            _configure,
            2,
            4,
            "configureOs 1 2",
            "Each step is printed, done, not needed or failed, and one that failed is the exit "
            "code (GENERIC); the old script always ended with 0. A configureOs that the site "
            "edited wins over this, configureOsCustom over both; an unchanged copy of OpenGnsys' "
            "own does not. A Windows is not fitted yet (NOTOS).",
        ),
        Command(
            "ogConfigureFstab",
            "DISK PARTITION",
            "makes /etc/fstab name the filesystems of this PC",
            _fstab,
            2,
            2,
            "ogConfigureFstab 1 2",
            "Filesystems are named by UUID, line by line by what each means; the swap that the "
            f"system wakes up from follows. Nothing is printed. {_AGAIN}",
        ),
        Command(
            "ogSetLinuxName",
            "DISK PARTITION [NAME]",
            "gives a Linux its name: NAME, or that of this PC, or pc",
            _name,
            2,
            3,
            "ogSetLinuxName 1 2 pc14",
            "/etc/hosts keeps its other lines, aliases and comments; each distribution's own place "
            f"for the name is known. A name that none can have is FORMAT. {_AGAIN}",
        ),
        Command(
            "ogCleanLinuxDevices",
            "DISK PARTITION",
            "removes what a Linux remembers of network cards and of its swap for sleeping",
            _clean_devices,
            2,
            2,
            "ogCleanLinuxDevices 1 2",
            f"A partition without a Linux is NOTOS. {_AGAIN}",
        ),
        Command(
            "ogCleanOs",
            "DISK PARTITION",
            "removes what an image of the system need not hold: temporary files, swap files",
            _clean,
            2,
            2,
            "ogCleanOs 1 2",
            f"A /tmp that is a link is left alone. {_AGAIN}",
        ),
        Command(
            "ogConfigureOgagent",
            "DISK PARTITION",
            "tells the agent of a Linux which server it belongs to",
            _agent,
            2,
            2,
            "ogConfigureOgagent 1 2",
            f"A PC that knows no server is an error (NOTFOUND). Of a Windows it is NOTOS. {_AGAIN}",
        ),
        Command(
            "ogUninstallLinuxClient",
            "DISK PARTITION",
            "removes the old client ogAdmLnxClient from a Linux",
            _uninstall,
            2,
            2,
            "ogUninstallLinuxClient 1 2",
            f"{_REPORTS} {_AGAIN}",
        ),
    )
}
