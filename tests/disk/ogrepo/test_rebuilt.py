# SPDX-License-Identifier: GPL-3.0-or-later
"""A server that burnt down: another one is made of its backup and of its images' bytes, and a PC
that knows the old public key alone restores from it."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from oglib import settings
from oglib.__main__ import main as og
from ogrepo.__main__ import main as ogrepo
from ogrepo.install import apply
from ogrepo.library.folder import Folder, open_folder
from unit.ogrepo.conftest import Repository, folder, serve
from unit.ogrepo.sample import make_sample
from unit.ogrepo.test_install import build, inventory, place, run_here

__all__ = ["folder", "place", "serve"]

SERVICE = pwd.getpwnam("nobody")
SAMPLE = make_sample("lab/debian")


@pytest.fixture
def pc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PC's keys, from the site overlay of the old server; it boots from whatever is named."""
    keys = tmp_path / "pc"
    monkeypatch.setattr(settings, "load", lambda: settings.Settings(keys_dir=keys))
    return keys


def restored_from(port: int, target: Path) -> bytes:
    target.write_bytes(bytes(SAMPLE.manifest.device_size_bytes))
    words = ["image", "restore", "lab/debian", str(target), "--repo", f"127.0.0.1:{port}", "--yes"]
    assert og(words) == 0
    return target.read_bytes()


def test_a_rebuilt_server_is_trusted_by_the_old_key(
    folder: Folder,
    serve: Callable[[], AbstractContextManager[Repository]],
    pc: Path,
    tmp_path: Path,
) -> None:
    old = folder.root
    with serve() as repository:
        repository.upload(SAMPLE, tmp_path)
        shutil.copytree(old / "keys", pc)
        before = restored_from(repository.port, tmp_path / "target")
    backup = tmp_path / "server.backup"
    bare = tmp_path / "bare"
    none = ["--config", str(tmp_path / "no-config"), "--units", str(tmp_path / "no-units")]
    assert ogrepo(["backup", str(old), str(backup), *none]) == 0
    # Nothing of the old server is left but the backup, and its images on another disk.
    mirror = tmp_path / "mirror"
    (old / "images").rename(mirror)
    shutil.rmtree(old)

    words = ["restore", str(backup), str(bare / "srv"), "--config", str(bare / "etc")]
    assert ogrepo([*words, "--bytes", str(mirror)]) == 0
    assert ogrepo(["verify", str(bare / "srv")]) == 0
    again = Repository(open_folder(bare / "srv"))
    try:
        assert restored_from(again.port, tmp_path / "second") == before
        assert again.upload(SAMPLE, tmp_path).version == 2
        assert restored_from(again.port, tmp_path / "third") == before
    finally:
        again.close()


def test_an_installed_server_is_installed_again_with_what_it_knew(
    place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Step by step as the guide says it, on a bare folder instead of a bare machine."""
    monkeypatch.setattr(apply, "run", run_here)

    def at(where: str, *more: str) -> list[str]:
        words = [str(place / where / "srv"), "--config", str(place / where / "etc")]
        return [*words, *more]

    def install(where: str) -> int:
        inventory = str(place / where / "etc/inventory.toml")
        units = ["--units", str(place / where / "units"), "--user", "root"]
        built = ["--artefacts", str(place / "build"), "--inventory", inventory]
        return ogrepo(["install", *at(where, *units, *built)])

    build(place / "build")
    (place / "old/etc").mkdir(parents=True)
    inventory(place / "old/etc/inventory.toml")
    assert install("old") == 0
    (place / "old/etc/site/etc/oglive/policy.toml").write_text('[disks]\nsystem = "nvme"\n')
    unit = place / "old/units/ogrepo.service"
    unit.write_text(unit.read_text().replace("RestartSec=3", "RestartSec=4"))
    backup = place / "server.backup"
    units = ["--units", str(place / "old/units")]
    assert ogrepo(["backup", str(place / "old/srv"), str(backup), *at("old", *units)[1:]]) == 0
    lasting = ("private/image.key", "keys/image.pub", "private/token.secret")
    before = {name: (place / "old/srv" / name).read_bytes() for name in lasting}
    shutil.rmtree(place / "old")

    assert ogrepo(["restore", str(backup), *at("new")]) == 0
    assert install("new") == 0
    assert {name: (place / "new/srv" / name).read_bytes() for name in before} == before
    overlay = (place / "new/srv/oglive/site.cpio").read_bytes()
    assert before["keys/image.pub"] in overlay
    assert b'system = "nvme"' in overlay
    assert "RestartSec=4" in (place / "new/etc/units-before/ogrepo.service").read_text()
    assert (place / "new/srv/netboot/boot.ipxe").is_file()
    capsys.readouterr()
    assert install("new") == 0
    assert capsys.readouterr().out.startswith("nothing to change\n")


def test_the_repository_is_its_users_and_the_rest_is_roots(folder: Folder, tmp_path: Path) -> None:
    root, config = folder.root, tmp_path / "etc"
    for path in (root, *root.rglob("*")):
        os.chown(path, SERVICE.pw_uid, SERVICE.pw_gid)
    config.mkdir()
    (config / "inventory.toml").write_text("")
    (config / "inventory.seen.json").write_text("{}")
    os.chown(config / "inventory.seen.json", SERVICE.pw_uid, SERVICE.pw_gid)
    words = ["--config", str(config), "--units", str(tmp_path / "none")]
    assert ogrepo(["backup", str(root), str(tmp_path / "backup"), *words]) == 0
    new = tmp_path / "new"
    words = ["restore", str(tmp_path / "backup"), str(new / "srv"), "--config", str(new / "etc")]
    assert ogrepo(words) == 0
    srv = [new / "srv", *(new / "srv").rglob("*")]
    assert {(path.stat().st_uid, path.stat().st_gid) for path in srv} == {
        (SERVICE.pw_uid, SERVICE.pw_gid)
    }
    owners = {path.name: path.stat().st_uid for path in (new / "etc").iterdir()}
    assert owners == {"inventory.toml": 0, "inventory.seen.json": SERVICE.pw_uid}
    assert not (new / "srv/private").stat().st_mode & 0o077


def test_links_of_the_service_lead_root_nowhere(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A broken-into server lays links to what root alone may read; an administrator's count."""
    config = tmp_path / "etc"
    config.mkdir()
    secret = tmp_path / "secret"
    secret.write_text("nobody may read this")
    for link in (folder.images / "a.img.json", folder.keys / "b.pub", folder.private / "c"):
        link.symlink_to(secret)
    (folder.images / "lab").symlink_to(tmp_path)
    theirs, mine = config / "d", config / "inventory.toml"
    theirs.symlink_to(secret)
    os.chown(theirs, SERVICE.pw_uid, SERVICE.pw_gid, follow_symlinks=False)
    (tmp_path / "git.toml").write_text("# an administrator's")
    mine.symlink_to(tmp_path / "git.toml")
    words = ["--config", str(config), "--units", str(tmp_path / "none")]
    assert ogrepo(["backup", str(folder.root), str(tmp_path / "backup"), *words]) == 0
    raw = (tmp_path / "backup").read_bytes()
    assert b"nobody may read this" not in raw
    assert b"# an administrator's" in raw
    said = capsys.readouterr().out
    for name in ("repository/images/a.img.json", "repository/images/lab", "repository/keys/b.pub",
                 "repository/private/c", "config/d"):  # fmt: skip
        assert f"left out: {name}\n" in said


def test_a_user_that_is_not_here_is_asked_for(
    folder: Folder, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.chown(folder.private, 61234, 61234)
    words = ["--config", str(tmp_path / "none"), "--units", str(tmp_path / "none")]
    assert ogrepo(["backup", str(folder.root), str(tmp_path / "backup"), *words]) == 0
    new = tmp_path / "new"
    words = ["restore", str(tmp_path / "backup"), str(new / "srv"), "--config", str(new / "etc")]
    assert ogrepo(words) == 2
    assert "There is no user 61234 on this machine" in capsys.readouterr().err
    assert not (new / "srv").exists()
    assert ogrepo([*words, "--user", "nobody"]) == 0
    assert (new / "srv/private").stat().st_uid == SERVICE.pw_uid
