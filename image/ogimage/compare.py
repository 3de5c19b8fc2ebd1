# SPDX-License-Identifier: GPL-3.0-or-later
"""`image/compare A B`: what differs between two built versions, file by file.

Only reads. The root is unpacked into a folder for the time of the comparison, the first stage in
memory. Owners and modes come from the archives' own lists, so that nobody needs root for it.
"""

import argparse
import hashlib
import json
import stat
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from ogimage import zstdframe
from ogimage.artefacts import INITRD, ROOT, sha256_of
from ogimage.packing import Member, members_of
from ogimage.shell import BuildError, output, output_bytes, report

MANIFEST = "manifest.json"
SUMS = "SHA256SUMS"
SHOWN = 20  # lines of one kind; what is more is counted
_BLOCK = 1 << 20
_TOP = "squashfs-root"
_LETTERS = "rwxrwxrwx"


@dataclass(frozen=True, slots=True)
class Entry:
    """What a file system or an archive says of one of its files."""

    mode: int
    owner: str  # UID/GID
    date: str
    content: str  # digest of a file, target of a link


def main() -> int:
    parser = argparse.ArgumentParser(description="Compares two builds of ogLive.")
    parser.add_argument("first", type=Path, metavar="A", help="e.g. build/oglive/current")
    parser.add_argument("second", type=Path, metavar="B")
    arguments = parser.parse_args()
    try:
        found = list(compared(arguments.first, arguments.second))
    except BuildError as error:
        report(error)
        return 2
    for line in found:
        print(line)
    if not found:
        names = sorted(_files(arguments.first))
        print(f"the same to the last bit: {len(names)} files, {' '.join(names)}")
    return 1 if found else 0


def compared(first: Path, second: Path) -> Iterator[str]:
    """Every difference as a line; none when all files of both folders are the same bytes."""
    one, other = _files(first), _files(second)
    yield from _only(sorted(one.keys() - other.keys()), f"{first} alone has")
    yield from _only(sorted(other.keys() - one.keys()), f"{second} alone has")
    # The list of packages first: with other packages all that follows differs too.
    for name in sorted(one.keys() & other.keys(), key=lambda name: (name != MANIFEST, name)):
        if one[name] == other[name]:
            continue
        yield f"{name} differs"
        yield from (f"  {line}" for line in _details(name, first / name, second / name))


def _files(folder: Path) -> dict[str, str]:
    """Name to digest of all files that lie in a version's folder."""
    if not (folder / MANIFEST).is_file():
        raise BuildError(f"{folder} is no built ogLive: it has no {MANIFEST}", "see build/oglive/")
    try:
        return {p.name: sha256_of(p) for p in folder.iterdir()}
    except OSError as error:
        raise BuildError(f"{error.filename} cannot be read: {error.strerror}") from error


def _details(name: str, first: Path, second: Path) -> Iterator[str]:
    if name == MANIFEST:
        yield from manifest_differences(_manifest(first), _manifest(second))
    elif name == SUMS:
        yield "it follows from the others"
    elif name in (ROOT, INITRD):
        read = squashfs_entries if name == ROOT else initrd_entries
        found = list(entry_differences(read(first), read(second)))
        yield from found
        if not found:
            yield f"all files in it are the same, it is packed otherwise: {_where(first, second)}"
    else:
        yield _where(first, second)


def _where(first: Path, second: Path) -> str:
    """The first byte that differs."""
    place = 0
    with first.open("rb") as one, second.open("rb") as other:
        while True:
            left, right = one.read(_BLOCK), other.read(_BLOCK)
            if left != right or not left:
                break
            place += len(left)
    pairs = enumerate(zip(left, right, strict=False))
    place += next((at for at, (a, b) in pairs if a != b), min(len(left), len(right)))
    sizes = first.stat().st_size, second.stat().st_size
    return f"from byte {place} on; {sizes[0]} and {sizes[1]} bytes"


# ---- the manifest --------------------------------------------------------------------------------


def _manifest(file: Path) -> dict[str, object]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise BuildError(f"{file} cannot be read: {error}") from error
    if not isinstance(content, dict):
        raise BuildError(f"{file} is no manifest")
    return content


def manifest_differences(one: Mapping[str, object], other: Mapping[str, object]) -> Iterator[str]:
    packages = _packages(one), _packages(other)
    lines = []
    for name in sorted(packages[0].keys() | packages[1].keys()):
        versions = [side.get(name, "not there") for side in packages]
        if versions[0] != versions[1]:
            lines.append(f"{name}: {versions[0]} and {versions[1]}")
    yield from _only(lines, "other package")
    for key in sorted(one.keys() | other.keys()):
        if key not in ("packages", "artifacts", "root") and one.get(key) != other.get(key):
            yield f"{key}: {one.get(key)} and {other.get(key)}"
    if not lines and one.get("packages") != other.get("packages"):
        yield "packages: their lists are written otherwise"


def _packages(manifest: Mapping[str, object]) -> dict[str, str]:
    packages = manifest.get("packages")
    found = {}
    for package in packages if isinstance(packages, list) else []:
        if isinstance(package, dict):
            found[str(package.get("name"))] = str(package.get("version"))
    return found


# ---- root and first stage ------------------------------------------------------------------------


def entry_differences(one: Mapping[str, Entry], other: Mapping[str, Entry]) -> Iterator[str]:
    """What is in one tree alone; then of common files kind and mode, owner, date, content."""
    yield from _only(sorted(one.keys() - other.keys()), "only in the first:")
    yield from _only(sorted(other.keys() - one.keys()), "only in the second:")
    both = sorted(one.keys() & other.keys())
    for what, told in (
        ("mode", lambda entry: stat.filemode(entry.mode)),
        ("owner", lambda entry: entry.owner),
        ("date", lambda entry: entry.date),
        ("content", lambda entry: entry.content),
    ):
        lines = [
            f"{name}: {told(one[name])} and {told(other[name])}"
            for name in both
            if getattr(one[name], what) != getattr(other[name], what)
        ]
        yield from _only(lines, f"{what} of")


def _only(lines: list[str], head: str) -> Iterator[str]:
    yield from (f"{head} {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"{head} {len(lines) - SHOWN} more"


def initrd_entries(file: Path) -> dict[str, Entry]:
    """The compressed archive of the first stage, and the small one behind it."""
    data = file.read_bytes()
    length = zstdframe.length(data)
    with tempfile.NamedTemporaryFile(suffix=".zst") as packed:
        packed.write(data[:length])
        packed.flush()
        stage = output_bytes(["zstd", "-q", "-d", "-c", packed.name])
    found = dict(_named(members_of(BytesIO(stage))))
    rest = BytesIO(data[length:].lstrip(b"\0"))
    found |= {f"{name} (archive behind)": entry for name, entry in _named(members_of(rest))}
    return found


def _named(members: Iterable[Member]) -> Iterator[tuple[str, Entry]]:
    for member in members:
        link = stat.S_ISLNK(member.mode)
        content = (
            member.content.decode(errors="replace")
            if link
            else hashlib.sha256(member.content).hexdigest()
        )
        yield (
            member.name,
            Entry(member.mode, f"{member.uid}/{member.gid}", str(member.mtime), content),
        )


def squashfs_entries(file: Path) -> dict[str, Entry]:
    """Modes, owners and dates of unsquashfs' list; digests of the files that it unpacks."""
    listing = output(["unsquashfs", "-lln", "-UTC", "-d", _TOP, file])
    with tempfile.TemporaryDirectory(prefix="oglive-compare-") as folder:
        tree = Path(folder) / _TOP
        output(["unsquashfs", "-quiet", "-no-progress", "-no-xattrs", "-d", tree, file])
        return dict(_listed(listing.splitlines(), tree))


def _listed(lines: Iterable[str], tree: Path) -> Iterator[tuple[str, Entry]]:
    for line in lines:
        # "-rw-r--r-- 0/0             1024 2025-01-01 00:00 squashfs-root/etc/fstab"
        fields = line.split(maxsplit=5)
        if not line or line[0] not in _KINDS or _TOP not in line:
            continue  # what unsquashfs says of itself
        if len(fields) < 6 or not fields[5].startswith(_TOP):
            raise BuildError(f"the list of the root has a line that is not understood: {line}")
        modes, owner, _, day, hour, path = fields
        name, content = path.removeprefix(_TOP).lstrip("/"), ""
        if modes.startswith("l"):
            name, _, content = name.partition(" -> ")
        elif modes.startswith("-"):
            content = sha256_of(tree / name)
        yield name or ".", Entry(_mode(modes), owner, f"{day} {hour}", content)


_KINDS = {"-": stat.S_IFREG, "d": stat.S_IFDIR, "l": stat.S_IFLNK, "c": stat.S_IFCHR}
_KINDS |= {"b": stat.S_IFBLK, "p": stat.S_IFIFO, "s": stat.S_IFSOCK}


def _mode(letters: str) -> int:
    """From what `ls -l` shows; s and t stand where x would."""
    mode = _KINDS.get(letters[0], 0)
    for place, letter in enumerate(letters[1:10]):
        if letter == _LETTERS[place] or letter in "st":
            mode |= 1 << (8 - place)
    for place, bit in ((3, stat.S_ISUID), (6, stat.S_ISGID), (9, stat.S_ISVTX)):
        mode |= bit if letters[place] in "sStT" else 0
    return mode
