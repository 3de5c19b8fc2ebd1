# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo backup``, ``restore``, ``fill``: the server burns down, and another one is trusted."""

from __future__ import annotations

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pytest
from blake3 import blake3

from oglib.errors import OgErr, OgError
from oglib.transfer.upload import HttpUploadSink
from ogrepo.__main__ import main
from ogrepo.backup import restoring
from ogrepo.backup.archive import Writer, private_file, unpack
from ogrepo.backup.collect import Found
from ogrepo.backup.model import LIST, SEAL, Contents, Kept
from ogrepo.backup.restoring import STAGE, Target
from ogrepo.install import units
from ogrepo.install.model import InstallRequest, Program
from ogrepo.library.folder import open_folder
from unit.ogrepo.conftest import Repository
from unit.ogrepo.disks import make_disk
from unit.ogrepo.sample import make_sample

V1, V2, V3 = (make_sample("lab/debian", seed=seed) for seed in (11, 12, 13))
DISK = make_disk("room/disk-a")


@dataclass(frozen=True)
class Site:
    """A server with its configuration, and where its backup is."""

    repository: Repository
    root: Path
    config: Path
    units: Path
    tmp: Path
    burnt: str

    @property
    def file(self) -> Path:
        return self.tmp / "server.backup"

    def backup(self, *more: str) -> int:
        words = ["backup", str(self.root), *more, "--config", str(self.config)]
        return main([*words, "--units", str(self.units)])

    def restore(self, into: str = "new", *more: str, file: Path | None = None) -> int:
        words = ["restore", str(file or self.file), str(self.tmp / into / "srv")]
        return main([*words, "--config", str(self.tmp / into / "etc"), *more])


@pytest.fixture
def site(repository: Repository, tmp_path: Path) -> Site:
    repository.upload(V1, tmp_path)
    repository.upload(V2, tmp_path)
    DISK.upload(repository, tmp_path)
    token = repository.token("once")
    sample = make_sample("once")
    sink = HttpUploadSink(repository.base, "once", token)
    sink.write(sample.image)
    sink.finish(sample.write_frames(tmp_path), sample.manifest.to_bytes())
    config = tmp_path / "etc"
    (config / "site/etc/oglive").mkdir(parents=True)
    (config / "inventory.toml").write_text("[server]\n")
    (config / "inventory.assigned.json").write_text("{}")
    (config / "inventory.passwords.json").write_text("{}")
    (config / "inventory.passwords.json").chmod(0o600)
    (config / "site/etc/oglive/policy.toml").write_text("# ours\n")
    (config / "site/etc/oglive/ca.pem").write_text("a CA\n")
    (config / "site/etc/localtime").symlink_to("/usr/share/zoneinfo/Europe/Madrid")
    os.mkfifo(config / "pipe")
    (repository.folder.root / "layouts").mkdir()
    (repository.folder.root / "layouts/uefi.json").write_text("{}")
    (repository.folder.root / "oglive").mkdir()
    (repository.folder.root / "oglive/kernel").write_bytes(bytes(5000))
    (repository.folder.root / "boot").mkdir()
    (repository.folder.private / "pins").mkdir(exist_ok=True)
    (repository.folder.private / "pins/lab%2Fdebian").write_text("1\n")
    systemd = tmp_path / "systemd"
    (systemd / "ogrepo.service.d").mkdir(parents=True)
    (systemd / "ogrepo.service.d/https.conf").write_text("[Service]\n")
    (systemd / "ogrepo.service").write_text(units.signed("[Service]\n"))
    (systemd / "oglive-dnsmasq.service").write_text("[Service]\n# mine\n")
    (systemd / "ssh.service").write_text("[Service]\n")
    return Site(repository, repository.folder.root, config, systemd, tmp_path, token)


def tree(root: Path) -> dict[str, tuple[int, bytes | str]]:
    """Mode and content of everything below."""
    found: dict[str, tuple[int, bytes | str]] = {}
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        if stat.S_ISLNK(status.st_mode):
            content: bytes | str = str(path.readlink())
        else:
            content = path.read_bytes() if path.is_file() else ""
        found[str(path.relative_to(root))] = stat.S_IMODE(status.st_mode), content
    return found


def without_bytes(found: dict[str, tuple[int, bytes | str]]) -> dict[str, tuple[int, bytes | str]]:
    tops = ("oglive", "boot", "bytes", "private/locks", "private/uploads", "private/staged",
            "private/publishing", "private/trash", "private/waiting",
            "private/re", "private/imports")  # fmt: skip
    ends = (".img", ".img.frames", ".img.ant", ".img.frames.ant")
    return {
        name: what
        for name, what in found.items()
        if not name.startswith(tops) and not name.endswith(ends)
    }


def test_the_file_is_private_the_same_each_time_and_says_what_it_is(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    assert site.backup(str(site.file)) == 0
    said = capsys.readouterr().out
    assert "private signing key and is not encrypted" in " ".join(said.split())
    assert "left out: repository/boot\n" in said
    assert "left out: config/pipe\n" in said
    assert stat.S_IMODE(site.file.stat().st_mode) == 0o600
    digest = blake3(site.file.read_bytes()).hexdigest()
    assert digest in said
    again = site.tmp / "again"
    assert site.backup(str(again), "--json") == 0
    assert json.loads(capsys.readouterr().out)["blake3"] == digest
    assert again.read_bytes() == site.file.read_bytes()
    with tarfile.open(site.file) as tar:
        names = tar.getnames()
    assert names[-2:] == [LIST, SEAL]
    assert "repository/private/image.key" in names
    assert not [name for name in names if name.endswith((".img", ".frames", "kernel"))]
    assert "units/ogrepo.service.d/https.conf" in names
    assert "units/oglive-dnsmasq.service" in names
    assert not [name for name in names if name in ("units/ogrepo.service", "units/ssh.service")]


def test_it_is_laid_nowhere_from_where_it_is_served_and_over_nothing(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in (site.root / "b", site.root / "layouts/b", site.root / "private/b"):
        assert site.backup(str(place)) == OgErr.FORMAT
        assert "is served to PCs" in capsys.readouterr().err
        assert not place.exists()
    site.file.write_text("mine")
    assert site.backup(str(site.file)) == OgErr.FORMAT
    assert "is there already" in capsys.readouterr().err
    assert site.file.read_text() == "mine"
    assert site.backup(str(site.tmp / "nowhere/b")) == OgErr.FORMAT
    assert "There is no folder" in capsys.readouterr().err


def test_it_goes_through_a_pipe_and_comes_back(site: Site) -> None:
    ogrepo = [sys.executable, "-m", "ogrepo"]
    words = ["--config", str(site.config), "--units", str(site.units)]
    piped = subprocess.run([*ogrepo, "backup", site.root, "-", *words], capture_output=True,
                           check=True, timeout=60)  # fmt: skip
    assert b"not encrypted" in piped.stderr
    assert site.backup(str(site.file)) == 0
    assert piped.stdout == site.file.read_bytes()
    into = ["--config", str(site.tmp / "p/etc")]
    subprocess.run([*ogrepo, "restore", "-", site.tmp / "p/srv", *into], input=piped.stdout,
                   check=True, timeout=60)  # fmt: skip
    assert without_bytes(tree(site.tmp / "p/srv")) == without_bytes(tree(site.root))


def test_another_server_has_the_same_state_and_the_same_trust(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    fresh = site.repository.token("lab/debian")
    assert site.backup(str(site.file)) == 0
    assert site.restore() == 0
    said = capsys.readouterr().out
    root, config = tmp_path / "new/srv", tmp_path / "new/etc"
    assert without_bytes(tree(root)) == without_bytes(tree(site.root))
    (site.config / "pipe").unlink()
    before = {f"units-before/{name}": row for name, row in tree(site.units).items()
              if name not in ("ogrepo.service", "ssh.service")}  # fmt: skip
    there = tree(config)
    assert {name: row for name, row in there.items() if not name.startswith("units-b")} == tree(
        site.config
    )
    assert {name: row[1] for name, row in before.items()}.items() <= {
        name: row[1] for name, row in there.items()
    }.items()
    missing = " ".join(said.split())
    for told in (f"missing: lab/debian version 2: bytes/{V2.manifest.image_blake3}",
                 f"missing: lab/debian version 1: bytes/{V1.manifest.image_blake3}",
                 "missing: room/disk-a/p1 version 1, its frame table: bytes/"):  # fmt: skip
        assert told in missing
    assert "Units of systemd that were edited are in" in missing
    assert f"ogrepo install {root} --user" in missing
    # Before the bytes are here nothing is offered, and the tokens of before count.
    assert main(["list", str(root)]) == 0
    assert "lab/debian" not in capsys.readouterr().out
    again = Repository(open_folder(root))
    try:
        with pytest.raises(OgError, match="used already"):
            HttpUploadSink(again.base, "once", site.burnt)
        sink = HttpUploadSink(again.base, "lab/debian", fresh)
        sink.write(V3.image)
        sink.finish(V3.write_frames(tmp_path), V3.manifest.to_bytes())
        assert sink.published is not None
        assert sink.published.version == 3
    finally:
        again.close()


def test_bytes_come_from_a_folder_or_another_server_and_only_the_right_ones(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert site.backup(str(site.file)) == 0
    assert site.restore("linked", "--bytes", str(site.root)) == 0
    linked = tmp_path / "linked/srv"
    assert (linked / "images/lab/debian.img").samefile(site.root / "images/lab/debian.img")
    assert (linked / f"bytes/{V2.manifest.image_blake3}").samefile(linked / "images/lab/debian.img")
    assert main(["verify", str(linked)]) == 0
    assert "All bytes of images are there." in capsys.readouterr().out

    assert site.restore("asked", "--json") == 0
    absent = json.loads(capsys.readouterr().out)["missing"]
    assert {row["blake3"] for row in absent} >= {V1.manifest.image_blake3}
    asked = tmp_path / "asked/srv"
    # What was cut goes on: the first half is here, and a wrong one is thrown away.
    part = asked / f"bytes/.{V2.manifest.image_blake3}.part"
    part.parent.mkdir(exist_ok=True)
    part.write_bytes(V2.image[: len(V2.image) // 2])
    assert main(["fill", str(asked), site.repository.base]) == 0
    assert "All bytes of images are there." in capsys.readouterr().out
    assert main(["verify", str(asked)]) == 0
    assert not list((asked / "bytes").glob(".*"))
    assert tree(asked / "images") == tree(site.root / "images")


def test_wrong_bytes_are_told_and_left(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert site.backup(str(site.file)) == 0
    mirror = tmp_path / "mirror"
    (mirror / "bytes").mkdir(parents=True)
    (mirror / "images/lab").mkdir(parents=True)
    damaged = bytearray(V2.image)
    damaged[1000] ^= 1
    (mirror / "bytes" / V2.manifest.image_blake3).write_bytes(damaged)
    assert site.restore("new", "--bytes", str(mirror)) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "does not hold the bytes that the manifest names" in said
    assert f"missing: lab/debian version 2: bytes/{V2.manifest.image_blake3}" in said
    root = tmp_path / "new/srv"
    assert not (root / "bytes" / V2.manifest.image_blake3).exists()
    for place in (mirror, tmp_path / "nothing"):
        assert main(["fill", str(root), str(place)]) == OgErr.NOTFOUND
    assert main(["fill", str(root)]) == 0
    # An old folder of images has them by name alone; another user's file is copied.
    shutil.copy(site.root / "images/lab/debian.img", mirror / "images/lab/debian.img")
    (mirror / "images/lab/debian.img").chmod(0o666)
    assert main(["fill", str(root), str(mirror)]) == OgErr.NOTFOUND  # of the other images
    found = root / "images/lab/debian.img"
    assert found.read_bytes() == V2.image
    assert not found.samefile(mirror / "images/lab/debian.img")
    assert stat.S_IMODE(found.stat().st_mode) == 0o644


def test_a_target_that_holds_something_is_left_alone(
    site: Site, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert site.backup(str(site.file)) == 0
    for name in ("srv", "etc"):
        (tmp_path / "new" / name).mkdir(parents=True)
        (tmp_path / "new" / name / "mine").write_text("mine")
        assert site.restore() == OgErr.LOCKED
        assert "is not empty: it holds mine" in capsys.readouterr().err
        assert [path.name for path in (tmp_path / "new" / name).iterdir()] == ["mine"]
        shutil.rmtree(tmp_path / "new")
    # A filesystem of its own is empty all the same.
    (tmp_path / "new/srv/lost+found").mkdir(parents=True)
    assert site.restore() == 0


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The backup of a repository without images."""
    root = tmp_path_factory.mktemp("small")
    (root / "etc").mkdir()
    (root / "etc/inventory.toml").write_text("# ours\n")
    assert main(["keygen", str(root / "srv")]) == 0
    words = ["backup", str(root / "srv"), str(root / "backup"), "--config", str(root / "etc")]
    assert main([*words, "--units", str(root / "none")]) == 0
    return (root / "backup").read_bytes()


def cut(raw: bytes) -> bytes:
    return raw[: len(raw) // 2]


def without_end(raw: bytes) -> bytes:
    """As a copy that lacks the last blocks: the list's digest is gone."""
    return raw[: raw.rindex(SEAL.encode())]


def flipped(raw: bytes) -> bytes:
    at = raw.index(b"# ours\n")
    return raw[:at] + b"# Ours\n" + raw[at + 7 :]


def flipped_list(raw: bytes) -> bytes:
    at = raw.rindex(b'"mode": 384')
    return raw[:at] + b'"mode": 420' + raw[at + 11 :]


def rewritten(raw: bytes, change: Callable[[tarfile.TarInfo], bool]) -> bytes:
    """Another tar of the same, each header as ``change`` leaves it; False: twice."""
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(raw)) as source,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as target,
    ):
        for header in source:
            data = source.extractfile(header)
            assert data is not None
            content = data.read()
            for _ in range(1 if change(header) else 2):
                target.addfile(header, io.BytesIO(content) if header.isreg() else None)
    return out.getvalue()


def climbing(raw: bytes) -> bytes:
    def change(header: tarfile.TarInfo) -> bool:
        header.name = header.name.replace("config/inventory.toml", "config/../../../escaped")
        return True

    return rewritten(raw, change)


def absolute(raw: bytes) -> bytes:
    def change(header: tarfile.TarInfo) -> bool:
        header.name = header.name.replace("config/inventory.toml", "/escaped")
        return True

    return rewritten(raw, change)


def linked(kind: bytes) -> Callable[[bytes], bytes]:
    def change(header: tarfile.TarInfo) -> bool:
        if header.name == "config/inventory.toml":
            header.type, header.linkname, header.size = kind, "/etc/passwd", 0
        return True

    return lambda raw: rewritten(raw, change)


def twice(raw: bytes) -> bytes:
    return rewritten(raw, lambda header: header.name != "config/inventory.toml")


def lengthened(raw: bytes) -> bytes:
    """Something behind the end of the list."""
    out = io.BytesIO(raw)
    with tarfile.open(fileobj=out, mode="a") as tar:
        more = tarfile.TarInfo("repository/keys/more.pub")
        more.size = 4
        tar.addfile(more, io.BytesIO(b"mine"))
    return out.getvalue()


@pytest.mark.parametrize(
    "spoil",
    [cut, without_end, flipped, flipped_list, climbing, absolute, linked(tarfile.SYMTYPE),
     linked(tarfile.LNKTYPE), linked(tarfile.FIFOTYPE), linked(tarfile.CHRTYPE), twice, lengthened,
     lambda _: b"", lambda _: b"no tar " * 200],
    ids=["cut", "without its end", "changed", "changed list", "..", "absolute", "link",
         "hard link", "pipe", "device", "twice", "more", "empty", "no tar"],
)  # fmt: skip
def test_what_is_damaged_is_refused_and_nothing_is_left(
    small: bytes,
    spoil: Callable[[bytes], bytes],
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    bad = tmp_path / "bad"
    bad.write_bytes(spoil(small))
    words = ["restore", str(bad), str(tmp_path / "new/srv"), "--config", str(tmp_path / "new/etc")]
    assert main(words) == OgErr.IMAGE
    assert "Take another copy of the backup" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] in (["bad"], ["bad", "new"], ["new", "bad"])
    bad.write_bytes(small)
    assert main(words) == 0


def test_a_restore_that_was_cut_is_done_anew(
    small: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The machine stops at each of the last renames; what it leaves is no repository."""
    rename, target = Path.rename, Target(tmp_path / "new/srv", tmp_path / "new/etc")
    for stop in range(4):
        left = [stop]

        def counted(path: Path, target: Path, left: list[int] = left) -> Path:
            if not left[0]:
                raise InterruptedError
            left[0] -= 1
            return rename(path, target)

        with monkeypatch.context() as patch, pytest.raises(InterruptedError):
            patch.setattr(Path, "rename", counted)
            patch.setattr(restoring, "_clear", lambda *_: None)
            restoring.restore(io.BytesIO(small), target)
        assert not (target.folder / "private").exists()
        assert (target.folder / STAGE).is_dir()
    restoring.restore(io.BytesIO(small), target)
    open_folder(target.folder)
    for folder, names in ((target.folder, {"images", "keys", "private"}),
                          (target.config, {"inventory.toml"})):  # fmt: skip
        assert names <= {path.name for path in folder.iterdir()}
        assert not (folder / STAGE).exists()


def test_a_configuration_that_is_in_use_is_never_cleared(small: bytes, tmp_path: Path) -> None:
    """What a restore left beside it that was cut at its very end says nothing about it."""
    config = tmp_path / "etc"
    restoring.restore(io.BytesIO(small), Target(tmp_path / "srv", config))
    (config / STAGE).mkdir()
    with pytest.raises(OgError, match=r"is not empty: it holds inventory\.toml"):
        restoring.restore(io.BytesIO(small), Target(tmp_path / "other", config))
    assert (config / "inventory.toml").exists()


def test_a_manifest_that_cannot_be_read_is_no_sign_that_all_is_there(
    small: bytes, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    target = Target(tmp_path / "srv", tmp_path / "etc")
    restoring.restore(io.BytesIO(small), target)
    (target.folder / "images/broken.img.json").write_bytes(b"{")
    assert main(["fill", str(target.folder)]) == OgErr.IMAGE
    told = capsys.readouterr().out
    assert "damaged: images/broken.img.json" in told
    assert "All bytes of images are there" not in told
    assert main(["fill", str(target.folder), "--json"]) == OgErr.IMAGE
    assert json.loads(capsys.readouterr().out)["damaged"] == ["images/broken.img.json"]


def test_a_backup_never_takes_the_file_of_another_that_is_under_way(tmp_path: Path) -> None:
    file = tmp_path / "server.backup"
    with private_file(file) as first:
        first.write(b"first")
        with pytest.raises(OgError) as refused, private_file(file):
            pass
        assert refused.value.code == OgErr.LOCKED
    assert file.read_bytes() == b"first"
    left = tmp_path / ".other.part"
    left.write_bytes(b"of a cut")
    left.chmod(0o644)
    with private_file(tmp_path / "other") as out:
        out.write(b"second")
    assert stat.S_IMODE((tmp_path / "other").stat().st_mode) == 0o600
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other", "server.backup"]


@pytest.mark.parametrize("ends", ["while the other runs", "before the other ends"])
def test_two_restores_into_one_folder_never_clear_each_other(
    ends: str, small: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The second is refused, and what the first makes stays whatever comes of the second."""
    target = Target(tmp_path / "new/srv", tmp_path / "new/etc")
    unpacked, alone = unpack, restoring._alone
    again: list[bool] = []

    def second() -> None:
        if not again:
            again.append(True)
            with pytest.raises(OgError) as refused:
                restoring.restore(io.BytesIO(small), target)
            assert refused.value.code == OgErr.LOCKED

    def meanwhile(stream: BinaryIO, into: Path) -> Contents:
        contents = unpacked(stream, into)
        second()
        return contents

    def first_then(folder: Path) -> AbstractContextManager[None]:
        """Another one comes to its end between the look at the folders and the lock."""
        if not again:
            again.append(True)
            restoring.restore(io.BytesIO(small), target)
        return alone(folder)

    with monkeypatch.context() as patch:
        if ends == "while the other runs":
            patch.setattr(restoring, "unpack", meanwhile)
            restoring.restore(io.BytesIO(small), target)
        else:
            patch.setattr(restoring, "_alone", first_then)
            with pytest.raises(OgError, match="is not empty"):
                restoring.restore(io.BytesIO(small), target)
    open_folder(target.folder)
    for folder in (target.folder, target.config):
        assert not [path.name for path in folder.iterdir() if path.name.startswith(STAGE)]
    assert (target.config / "inventory.toml").exists()


def test_what_is_published_meanwhile_is_whole_or_tried_again(
    site: Site, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    add = Writer.add
    changes = [1]

    def meanwhile(writer: Writer, found: Found, *, ours: bool) -> bool:
        if changes[0] and found.member.endswith("token.secret"):
            changes[0] -= 1
            site.repository.upload(V3, site.tmp)
        return add(writer, found, ours=ours)

    monkeypatch.setattr(Writer, "add", meanwhile)
    assert site.backup(str(site.file)) == 0
    assert V3.manifest.image_blake3.encode() in site.file.read_bytes()
    changes[0] = 100
    assert site.backup(str(site.tmp / "other")) == OgErr.LOCKED
    assert "published or removed while" in capsys.readouterr().err
    assert not (site.tmp / "other").exists()


@pytest.mark.parametrize("said", ["typed", "installed"])
def test_an_inventory_elsewhere_comes_with_what_is_beside_it(
    said: str, site: Site, tmp_path: Path
) -> None:
    other = tmp_path / "git[1] 50 %"
    other.mkdir()
    (other / "rooms.toml").write_text("[server]\n")
    (other / "rooms.assigned.json").write_text("{}")
    (other / "README").write_text("not ours")
    if said == "typed":
        assert site.backup(str(site.file), "--inventory", str(other / "rooms.toml")) == 0
    else:
        wanted = InstallRequest(Path("/srv"), inventory=other / "rooms.toml")
        text = units.texts(wanted, Program(Path("/p"), Path("/p"), Path("/p")), 80)[units.WATCH]
        (site.units / units.WATCH).write_text(text)
        assert site.backup(str(site.file)) == 0
    assert site.restore() == 0
    there = {path.name for path in (tmp_path / "new/etc").iterdir()}
    assert {"rooms.toml", "rooms.assigned.json", "inventory.toml"} <= there
    assert "README" not in there


def test_a_list_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    """Paths and links of the list are judged though its digest is right."""
    good = Contents("/srv", "/etc", "/etc/i.toml", "oglive", (), ())
    assert Contents.from_bytes(good.to_bytes()) == good
    for change in (
        {"links": [{"path": "config/a", "target": "/etc"}]},
        {"links": [{"path": "config/site/a", "target": "/etc"}],
         "folders": [{"path": "config/site/a/b", "mode": 448, "ours": True}]},
        {"folders": [{"path": "config/../../x", "mode": 448, "ours": True}]},
        {"folders": [{"path": "config", "mode": 0o4755, "ours": True}]},
        {"format": "ogrepo-backup-2"},
        {"user": 5},
    ):  # fmt: skip
        raw = json.dumps({**json.loads(good.to_bytes()), **change}, indent=1, sort_keys=True)
        with pytest.raises(OgError):
            Contents.from_bytes(raw.encode())
    files = (Kept("config/a", 1, 0o644, True, "0" * 64),)
    short = Contents("/srv", "/etc", "/etc/i.toml", "oglive", (), files).to_bytes()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in ((LIST, short), (SEAL, f"{blake3(short).hexdigest()}\n".encode())):
            header = tarfile.TarInfo(name)
            header.size = len(data)
            tar.addfile(header, io.BytesIO(data))
    with pytest.raises(OgError, match="missing in the backup"):
        unpack(io.BytesIO(out.getvalue()), tmp_path)
