# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image restore`` on a PC with a CACHE: the network cannot slip it an older version."""

from __future__ import annotations

import pytest

from disk.cache.test_cache import NewPc, Pc, Ran, new_pc, one_pc
from oglib import settings
from oglib.__main__ import main
from oglib.errors import OgErr
from oglib.image.format.signing import PrivateKey
from unit.image.synthetic import make_image, partition, sign_image
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["NewPc", "folder", "new_pc", "one_pc", "repository"]

SOURCES = {version: partition(seed=version, mib=5) for version in (1, 2)}


@pytest.fixture
def site(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> Repository:
    """This PC's boot names the repository, and its site overlay has its key."""
    told = settings.Settings(
        repository=f"127.0.0.1:{repository.port}", keys_dir=repository.folder.keys
    )
    monkeypatch.setattr(settings, "load", lambda: told)
    return repository


def publish(site: Repository, version: int) -> None:
    path = make_image(SOURCES[version], site.folder.images, "debian")
    sign_image(path, PrivateKey.load(site.folder.image_key), version)


def replay(site: Repository) -> None:
    """The server gives what it showed before the last publication."""
    for path in site.folder.images.glob("*.ant"):
        path.with_suffix("").write_bytes(path.read_bytes())


def restore(capsys: pytest.CaptureFixture[str], image: str, *more: str) -> Ran:
    capsys.readouterr()
    status = main(["image", "restore", image, "1", "1", "--yes", *more])
    said = capsys.readouterr()
    return Ran(status, said.out, said.err)


def test_an_older_version_is_refused_where_the_pc_has_a_cache(
    one_pc: Pc, site: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    publish(site, 2)
    assert restore(capsys, "debian", "--dry-run").returncode == 0
    done = restore(capsys, "debian")
    assert (done.returncode, done.stderr.count("warning")) == (0, 0), done.stderr
    assert "debian version 2 is on" in done.stdout
    replay(site)
    before = one_pc.user_digest()
    for more in (("--dry-run",), ()):
        refused = restore(capsys, "debian", *more)
        assert refused.returncode == OgErr.IMAGE
        assert "is version 1, and this PC had version 2 of it" in refused.stderr
        assert "debian@1" in refused.stderr
    assert one_pc.user_digest() == before
    # evicting images forgets nothing; naming the version is the word for going back
    assert one_pc.names() == []
    assert "debian version 1 is on" in restore(capsys, "debian@1").stdout
    assert restore(capsys, "debian").returncode == 0


def test_bringing_it_into_the_cache_teaches_the_same(
    one_pc: Pc, site: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    publish(site, 2)
    one_pc.og("update", "debian")
    replay(site)
    assert one_pc.refused("update", "debian")[0] == OgErr.IMAGE
    assert restore(capsys, "debian").returncode == OgErr.IMAGE
    one_pc.og("update", "debian@1")
    assert one_pc.names() == ["debian"]
    assert restore(capsys, "debian").returncode == 0


def test_a_pc_without_a_cache_restores_what_is_signed(
    one_pc: Pc, site: Repository, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(site, 1)
    publish(site, 2)
    assert restore(capsys, "debian").returncode == 0
    replay(site)
    done = restore(capsys, "debian")
    assert (done.returncode, done.stderr.count("warning")) == (0, 0), done.stderr
    assert one_pc.refused("list")[0] == OgErr.NOTCACHE
