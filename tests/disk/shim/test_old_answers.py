# SPDX-License-Identifier: GPL-3.0-or-later
"""What scripts of sites count on: calls of old commands with their output and exit code.

The answers are those of OpenGnsys 1.1.1d on the same disks, but for what docs/compatibility.md
says of the command. Each row is a call as a script makes it; the closing lines count them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import pytest

from disk.shim.images import MIB, device, mounted, partitioned, release, tool
from oglib.errors import OgErr
from oglib.shim.__main__ import install, main
from tallies import Tally
from unit.inventory.trees import DEBIAN, make_tree
from unit.shim.old import Ran
from unit.shim.test_loadenviron import ETC, LAUNCHER, LOADENVIRON

FORMAT, NOTFOUND, PARTITION = int(OgErr.FORMAT), int(OgErr.NOTFOUND), int(OgErr.PARTITION)
NOTOS, REPO, GENERIC = int(OgErr.NOTOS), int(OgErr.REPO), int(OgErr.GENERIC)
STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"
UUID = "11111111-2222-4333-8444-777777777777"

# Disk 1 has one of each, disk 2 has nothing at all, disk 3 a gpt; there is no disk 9.
SYSTEM, SWAP, UNKNOWN, EXTENDED, IN_USE, NTFS = 1, 2, 3, 4, 5, 6
MSDOS = """label: dos
1: start=2048, size=24M, type=83
2: size=8M, type=82
3: size=8M, type=83
4: size=48M, type=5
5: size=16M, type=83
6: size=8M, type=7
"""
GPT = "label: gpt\n1: size=4M, type=uefi\n2: size=8M, type=linux\n"


@dataclass(frozen=True, slots=True)
class Row:
    """``output`` is a regular expression for all of standard output but its last line end."""

    call: str
    output: str
    code: int = 0
    env: Mapping[str, str] = field(default_factory=dict)


def on(names: str, arguments: str, output: str, code: int = 0) -> list[Row]:
    """The same row of several commands."""
    return [Row(f"{name} {arguments}".strip(), output, code) for name in names.split()]


def rows(text: str) -> list[Row]:
    """Rows written ``CALL => CODE`` and, where it prints something, ``CALL => CODE OUTPUT``."""
    found = []
    for line in text.strip().splitlines():
        call, _, answer = line.partition(" => ")
        code, _, output = answer.strip().partition(" ")
        found.append(Row(call.strip(), re.escape(output), int(code)))
    return found


TABLES = rows("""
    ogGetPartitionTableType 1 => 0 MSDOS
    ogGetPartitionTableType 2 => 0 UNKNOWN
    ogGetPartitionTableType 3 => 0 GPT
    ogGetPartitionTableType 9 => 2
    ogGetPartitionTableType => 1
    ogGetPartitionTableType -1 => 1
    ogUpdatePartitionTable => 0
    ogUpdatePartitionTable 1 => 0
    ogUpdatePartitionTable 'a b' -c ñ => 0
    ogDeletePartitionTable 2 => 0
    ogDeletePartitionTable 9 => 2
    ogDeletePartitionTable => 1
    ogGetDiskType /dev/nope => 2
    ogGetDiskType /dev/null => 2
    ogGetDiskType => 1
    ogGetPartitionsNumber 1 => 0 6
    ogGetPartitionsNumber 2 => 0 0
    ogListPartitions 2 => 0
    ogListPrimaryPartitions 3 => 0 EFI:4096 LINUX:8192
    ogListLogicalPartitions 1 => 0 LINUX:16384 NTFS:8192
    ogListLogicalPartitions 2 => 3
    ogGetPartitionId 1 2 => 0 82
    ogGetPartitionId 2 1 => 2
    ogGetPartitionActive 1 => 0
""")
TYPES = rows("""
    ogTypeToId FAT32 => 0 b
    ogTypeToId HFAT32 => 0 1b
    ogTypeToId GPT => 0 ee
    ogTypeToId FAT32 GPT => 0 0700
    ogTypeToId HFS+ => 0 af
    ogTypeToId HFS+ GPT => 0 AF00
    ogTypeToId ZFS-VOL ZVOL => 0 10010
    ogTypeToId EXT4 '' => 0 83
    ogTypeToId EXT4 UNKNOWN => 0
    ogTypeToId NONSENSE => 0
    ogTypeToId => 1
    ogIdToType b => 0 FAT32
    ogIdToType c => 0 FAT32
    ogIdToType 008e => 0 LINUX-LVM
    ogIdToType 00CA => 0 CACHE
    ogIdToType 0700 => 0 WINDOWS
    ogIdToType -1 => 0 UNKNOWN
""")
FILESYSTEMS = [
    *rows("""
    ogGetFsType 1 1 => 0 EXT4
    ogGetFsType 1 2 => 0 LINUX-SWAP
    ogGetFsType 1 3 => 1
    ogGetFsType 1 4 => 1
    ogGetFsType 2 1 => 2
    ogGetMountPoint 1 1 => 1
    ogGetMountPoint 1 9 => 2
    ogIsFormated 1 1 => 0
    ogIsFormated 1 2 => 1
    ogIsFormated 1 3 => 1
    ogIsFormated 2 1 => 1
    ogGetFsSize 1 2 => 0 0
    ogGetFsSize 1 3 => 0 0
    ogUnmount 1 1 => 0
    ogUnsetDirtyBit 1 2 => 0
    ogUnsetDirtyBit 1 3 => 0
    ogFormatFs 1 4 => 1
    ogFormatFs 1 5 => 32
    ogFormatFs 1 3 NONSENSE => 3
    """),
    *on("ogExtendFs ogReduceFs ogCheckFs ogMount ogMountFs ogGetFreeSize", "1 2", "", PARTITION),
    *on("ogExtendFs ogReduceFs ogCheckFs ogMount ogMountFs ogGetFreeSize", "1 3", "", PARTITION),
    *on("ogExtendFs ogReduceFs ogCheckFs ogMount ogFormatFs ogGetFsType", "9 1", "", NOTFOUND),
    *on("ogExtendFs ogReduceFs ogCheckFs ogMountFs ogFormatFs ogGetFsType", "-1 1", "", FORMAT),
    *on("ogExtendFs ogReduceFs ogCheckFs ogMountFs ogFormatFs ogGetFsType", "1", "", FORMAT),
    *on("ogIsMounted ogIsReadonly ogIsWritable ogIsLocked", "1 1", "", 1),
    *on("ogIsMounted ogIsReadonly ogIsWritable ogIsLocked", "9 1", "", 1),
    *on("ogIsMounted ogIsReadonly ogIsWritable ogIsLocked", "", "", 1),
    *on("ogIsMounted ogIsWritable", f"1 {IN_USE}", "", 0),
    Row(f"ogGetMountPoint 1 {IN_USE}", "{here}/in use"),
    Row("ogGetSizeParameters 1 2 REPO debian", "", PARTITION),
]
SYSTEMS = [
    *rows("""
    ogGetOsVersion 1 1 => 0 Linux:Debian GNU/Linux 13 (trixie) 64 bits
    ogGetOsType 1 1 => 0 Linux
    ogGetOsType 1 2 => 0
    ogGetOsVersion 1 5 => 0
    ogListSoftware 1 5 => 6
    """),
    Row("ogGetOsUuid 1 1", UUID),
    *on("ogGetOsVersion ogGetOsUuid ogListSoftware", "1 2", "", PARTITION),
    *on("ogGetOsVersion ogGetOsUuid ogListSoftware", "1 3", "", PARTITION),
    *on("ogGetOsVersion ogGetOsUuid ogListSoftware ogGetOsType", "9 1", "", NOTFOUND),
    *on("ogGetOsVersion ogGetOsUuid ogListSoftware ogGetOsType", "", "", FORMAT),
    Row("ogListSoftware 1 1", r"Debian GNU/Linux 13 \(trixie\) 64 bits\nbash 5.2.37\nzlib1g 1.3.1"),
    Row(
        "ogListHardwareInfo", rf"{STAMP} info: Hardware inventory\ncha=.*\nboo=(UEFI|BIOS)\n(.|\n)*"
    ),
]
FILES = [
    *rows("""
    ogMakeDir REPO 'a file' => 2
    ogMakeDir REPO 'a file/below' => 2
    ogMakeDir REPO 'ñ new/-below' => 0
    ogMakeDir 1 2 x => 3
    ogMakeDir -odd => 0
    ogGetPath REPO nothing => 0
    ogGetPath CACHE nothing => 3
    ogDeleteFile REPO nothing => 2
    ogDeleteFile CACHE nothing => 2
    ogDeleteFile 1 2 /nothing => 2
    ogDeleteTree REPO -none => 2
    ogCalculateChecksum REPO 'A FILE' => 0 900150983cd24fb0d6963f7d28e17f72
    ogCalculateChecksum CACHE x => 2
    ogGetImageProgram CACHE x => 2
    ogRestoreImage CACHE x 1 1 => 2
    ogCreateMbrImage 1 CACHE x => 2
    ogUnlockImage REPO none/x.img => 0
    ogUnmountCache => 0
    ogUnmount CACHE => 0
    ogCalculateChecksum => 1
    """),
    Row("ogGetPath repo '//A  FILE'", "", 0),
    Row("ogGetPath repo '//A FILE'", "{here}/images/a file"),
    Row("ogGetPath REPO link", "{here}/images/link"),
    Row("ogGetPath REPO -dash", "{here}/images/-dash"),
    Row("ogGetParentPath REPO 'ñ/x y'", "", 0),
]
SCRIPTS = [
    *rows("""
    ogChangeRepo REPO => 0
    ogChangeRepo repo => 0
    ogChangeRepo -x => 1
    ogChangeRepo REPO '-x y' => 1
    ogChangeRepo => 1
    ogGetGroupName => 1
    ogGetGroupDir => 0
    ogMakeGroupDir => 0
    ogCheckProgram 'ls sh' => 0
    ogCheckProgram '' => 0
    ogCheckProgram 'ls -x' => 7
    ogCheckStringInReg 50M '^[0-9]{1,2}\\M$' => 0
    ogCheckStringInReg 'ñ' '^.$' => 0
    ogCheckStringInReg -a '^-a$' => 0
    ogCheckStringInReg a '[' => 1
    ogCheckStringInReg a5 '^\\d5$' => 1
    ogCheckStringInGroup 'a b' 'a b' => 1
    ogCheckIpAddress -1.2.3.4 => 1
    ogEcho -n text => 0 -n text
    ogEcho 'two  blanks' ñ => 0 two  blanks ñ
    ogEcho session '[20] Restoring' => 0 [20] Restoring
    ogExecAndLog command sh -c 'exit 7' => 7
    """),
    *(
        Row(f"ogEcho {level} a 'b  c'", f"{STAMP} {level}: a b  c")
        for level in ("info", "warning", "error")
    ),
    Row("ogEcho session warning x", f"{STAMP} warning: x"),
    Row("ogRaiseError", "", GENERIC),
    Row("ogRaiseError text", "", GENERIC),
    Row("ogRaiseError session 2 'a file'", "", NOTFOUND),
    Row("ogChangeRepo 10.0.0.2", "", REPO),
    Row("ogChangeRepo 10.0.0.2", "", 0, {"ogrepo": "10.0.0.2"}),
    Row("ogChangeRepo REPO", "", 0, {"ogprotocol": "smb", "ogrepo": "10.0.0.2"}),
    Row("ogGetGroupName", "lab ñ", 0, {"group": "lab ñ"}),
]
# Whole lines of a script behind `source loadenviron.sh`, with DEVICE=lo.
SHELL = [
    Row("bash -c 'echo $MSG_FORMAT'", "Usage"),
    Row("bash -c 'echo $MSG_ERR_NOTFOUND'", r"File or device not found\."),
    Row("bash -c 'echo $MSG_HELP_ogUnmountCache'", r"Unmounts the cache\."),
    Row("bash -c 'echo $DEVICECFG'", "{here}/net-lo.conf"),
    Row(
        "source /{here}/net-$DEVICE.conf; echo $IPV4ADDR $IPV4NETMASK", r"127\.0\.0\.1 255\.0\.0\.0"
    ),
    Row("source $DEVICECFG; echo $DEVICE", "lo"),
    Row("ogEcho info x; cat $OGLOGFILE", rf"({STAMP} info: x\n?)+"),
    Row("DEBUG=no; ogEcho info y; ! grep y $OGLOGFILE", f"{STAMP} info: y"),
    Row("ogExecAndLog command 'echo a b | tr a c'", "c b"),
    Row("ogExecAndLog command echo 'a | b'", r"a \| b"),
    Row("ogGetHostname", "pc7", 0, {"HOSTNAME": "pc7"}),
    Row("ogRaiseError '' 2", "", GENERIC),
    Row("ogChangeRepo REPO $ogunit || exit 99", ""),
    Row('[ -n "$(ogGetMountPoint 1 1)" ] || ogGetMountPoint 1 5', "{here}/in use"),
    *(
        Row(
            f"ogCreateImage 1 {number} REPO {name} partclone gzip && "
            f'mv "$OGIMG/{name}.img" "$OGIMG/-{name} ñ.img" && '
            f'ogGetImageInfo "$OGIMG/-{name} ñ.img" && ogRestoreImage REPO "-{name} ñ" 1 {number}',
            "PARTCLONE:GZIP:RAW:8192",
        )
        for number, name in ((SWAP, "swap"), (UNKNOWN, "unknown"))
    ),
    Row("ogCreateImage 1 1 REPO 'a ñ'", "", FORMAT),
    Row("ogCreateImage 1 1 REPO -odd", "", FORMAT),
    Row("ogRestoreImage REPO '-odd ñ' 1 1", "", NOTFOUND),
]
ALL = [*TABLES, *TYPES, *FILESYSTEMS, *SYSTEMS, *FILES, *SCRIPTS]


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A PC with three disks, of which one partition is mounted, and a folder of images."""
    folder = tmp_path_factory.mktemp("pc")
    one = partitioned(folder / f"{uuid4()}.img", MSDOS, 96)
    partitioned(folder / "2.img", "", 16)
    partitioned(folder / "3.img", GPT, 16)
    (folder / "1.img").symlink_to(one.name)
    debian = make_tree(folder / "debian", DEBIAN)
    for number, argv in (
        (SYSTEM, ("mkfs.ext4", "-q", "-U", UUID, "-d", str(debian))),
        (SWAP, ("mkswap", "-q")),
        (IN_USE, ("mkfs.ext4", "-q")),
        (NTFS, ("mkfs.ntfs", "-q", "-F", "-Q")),
    ):
        with device(one, number) as loop:
            tool(*argv, loop)
    images = folder / "images"
    images.mkdir()
    (images / "a file").write_text("abc")
    (images / "-dash").touch()
    (images / "link").symlink_to("a file")
    with ExitStack() as stack:
        stack.callback(release, one)
        stack.enter_context(mounted(one, IN_USE, folder / "in use"))
        before = digest(folder)
        yield folder
        assert digest(folder) == before, "none of the calls writes to a disk"


@pytest.fixture(scope="module")
def commands(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of OpenGnsys in ogLive."""
    folder = tmp_path_factory.mktemp("opengnsys")
    launcher = folder / "og-shim"
    launcher.write_text(LAUNCHER.format(sys.executable))
    launcher.chmod(0o755)
    install([str(folder / "lib/engine/bin"), str(launcher)])
    shutil.copytree(ETC, folder / "etc")
    (folder / "log").mkdir()
    return folder


@pytest.fixture
def pc(here: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What a script has around it there, and nothing that the machine of the tests has."""
    for name in list(os.environ):
        if name not in ("PATH", "HOME", "TMPDIR"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OG_DISKS", ":".join(str(here / f"{number}.img") for number in (1, 2, 3)))
    monkeypatch.setenv("OGIMG", str(here / "images"))
    for name in ("OGLOGFILE", "OGLOGSESSION", "OGLOGCOMMAND"):
        monkeypatch.setenv(name, str(here / name))
    monkeypatch.chdir(here)
    return here


@pytest.mark.parametrize("row", ALL, ids=[row.call for row in ALL])
def test_an_old_name_answers_as_scripts_count_on(
    row: Row,
    pc: Path,
    tally: Tally,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    for name, value in row.env.items():
        monkeypatch.setenv(name, value)
    words = shlex.split(row.call)
    code = main(words)
    said, problem = capfd.readouterr()
    check(row, Ran(said, problem, code), pc)
    tally.answers[words[0]] += 1


@pytest.mark.parametrize("row", SHELL, ids=[row.call for row in SHELL])
def test_a_line_of_a_script_answers_as_its_site_counts_on(
    row: Row, pc: Path, commands: Path, tally: Tally
) -> None:
    begin = f"source {LOADENVIRON}\nexport OGIMG={pc}/images\n"
    script = begin + row.call.replace("{here}", str(pc))
    kept = {name: os.environ[name] for name in ("PATH", "OG_DISKS")}
    kept |= {"OPENGNSYS": str(commands), "OG_NET_FOLDER": str(pc), "DEVICE": "lo"}
    kept |= {"OG_CMDLINE_FILE": "/dev/null", "OG_BOOT_ENV_FILE": "/dev/null"}
    done = subprocess.run(
        ["bash", "-c", script],
        env={**kept, **row.env},
        capture_output=True,
        text=True,
        check=False,
    )
    check(row, Ran(done.stdout, done.stderr, done.returncode), pc)
    tally.answers[next(re.finditer(r"og[A-Z]\w+|MSG_|DEVICECFG|net-", row.call))[0]] += 1


def check(row: Row, ran: Ran, pc: Path) -> None:
    """Output and code are the row's."""
    wanted = row.output.replace("{here}", str(pc))
    assert (ran.status, bool(re.fullmatch(wanted, ran.stdout.rstrip("\n")))) == (
        row.code,
        True,
    ), ran


def digest(pc: Path) -> list[bytes]:
    """The disks' bytes, but for what is mounted."""
    skipped = slice((1 + 24 + 8 + 8) * MIB, (1 + 24 + 8 + 8 + 48) * MIB)
    first = bytearray((pc / "1.img").read_bytes())
    del first[skipped]
    return [bytes(first), (pc / "2.img").read_bytes(), (pc / "3.img").read_bytes()]
