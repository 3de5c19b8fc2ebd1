# SPDX-License-Identifier: GPL-3.0-or-later
"""``--method``: the way of an image, each fallback told, and none taken where it must not be."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from disk.cache.test_cache import NewPc, Pc, new_pc, one_pc
from disk.cache.test_references import holds
from disk.cache.test_versions import SOURCES, publish, site
from disk.deploy.room import Said, og
from oglib import settings
from oglib.connection import Connection
from oglib.errors import OgErr
from unit.ogrepo.conftest import Repository, folder, repository

__all__ = ["NewPc", "folder", "new_pc", "one_pc", "repository", "site"]


def restored(*more: str, image: str = "debian", json: bool = False) -> Said:
    words = ("--yes", *(("--json",) if json else ()), *more)
    return og("image", "restore", image, "1", "1", *words)


def told(monkeypatch: pytest.MonkeyPatch, **words: object) -> None:
    """What boot, engine.cfg or policy say of it besides."""
    loaded = replace(settings.load(), **words)  # type: ignore[arg-type]
    monkeypatch.setattr(settings, "load", lambda: loaded)


def test_through_the_cache_one_day_and_from_it_the_next(
    one_pc: Pc, site: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    before = one_pc.user_digest()
    planned = restored("--method", "unicast-cache", "--dry-run")
    assert planned.status == 0, planned.err
    first, fetches, last = planned.out.splitlines()
    assert re.fullmatch(r"bring debian version 1 into the cache .* at most .* to fetch", fetches)
    assert first == "UNICAST-CACHE: the image is brought into the cache and restored from there."
    assert last.startswith("Restore debian version 1 to ")
    assert (one_pc.names(), one_pc.user_digest()) == ([], before)

    done = restored("--method", "unicast-cache", json=True)
    assert done.status == 0, done.err
    assert first in done.err
    assert json.loads(done.out)["way"] == [first, fetches]
    assert one_pc.names() == ["debian"]
    assert holds(one_pc, 1)

    site.log.clear()
    done = restored("--method", "UNICAST")
    assert "the cache has these very bytes, so nothing is fetched" in done.err
    assert not [line for line in site.log if ".img " in line], "its bytes were fetched again"

    site.stop()
    told(monkeypatch, connection=Connection(deadline_s=0.5))
    assert restored(image="CACHE:debian").status == 0
    done = restored("--method", "unicast-cache", "--no-fallback")
    assert (done.status, "does not answer" in done.err) == (OgErr.REPO, True), done.err
    done = restored("--method", "unicast-cache")
    assert done.status == 0, done.err
    assert "could not say whether it is the newest" in done.err
    assert holds(one_pc, 1)
    site.start()


def test_a_new_version_goes_through_the_cache_and_an_old_one_where_it_is_named(
    one_pc: Pc, site: Repository
) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    one_pc.og("update", "debian")
    publish(site, 2)
    assert "debian version 2 is on" in restored("--method", "unicast-cache").out
    assert holds(one_pc, 2)
    assert restored("--method", "unicast-cache", image="debian@1").status == 0
    assert holds(one_pc, 1)


def test_a_pc_without_a_cache(
    one_pc: Pc, site: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(site, 1)
    before = one_pc.user_digest()
    for policy, more, code, said in (
        ("NONE", (), OgErr.NOTCACHE, "RESTOREPROTOCOLNOTCACHE=NONE"),
        ("UNICAST", ("--no-fallback",), OgErr.NOTCACHE, "No other way is tried"),
    ):
        told(monkeypatch, restore_not_cached=policy)
        done = restored("--method", "unicast-cache", *more)
        assert (done.status, said in done.err) == (code, True), done.err
    assert one_pc.user_digest() == before
    for policy, said in (("", "says nothing"), ("UNICAST", "sends it by UNICAST-DIRECT")):
        told(monkeypatch, restore_not_cached=policy)
        done = restored("--method", "unicast-cache")
        assert (done.status, said in done.err) == (0, True), done.err
        assert "this PC has no cache" in done.err
    assert holds(one_pc, 1)


def test_a_cache_that_is_full(
    one_pc: Pc, site: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_pc.og("create", "48MiB", "--yes")
    other = one_pc.home / "other.img"
    other.write_bytes(bytes(range(256)) * (38 << 12))
    one_pc.og("add", other)
    publish(site, 1)
    done = restored("--method", "unicast-cache", "--no-fallback")
    assert (done.status, "does not fit" in done.err) == (OgErr.CACHESIZE, True), done.err
    done = restored("--method", "unicast-cache")
    assert (done.status, "does not fit" in done.err) == (0, True), done.err
    assert one_pc.names() == ["other"]
    told(monkeypatch, action_cache_full="DELETE")
    done = restored("--method", "unicast-cache", "--no-fallback")
    assert (done.status, "ACTIONCACHEFULL" in done.err) == (0, True), done.err
    assert one_pc.names() == ["debian"]
    assert holds(one_pc, 1)


@pytest.mark.parametrize(
    ("method", "code"),
    [
        ("multicast-cache", OgErr.MCASTRECEIVERFILE),
        ("multicast-direct", OgErr.MCASTRECEIVERPARTITION),
        ("torrent", OgErr.NOTEXEC),
    ],
)
def test_a_method_without_an_engine(one_pc: Pc, site: Repository, method: str, code: OgErr) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    done = restored("--method", method, "--no-fallback")
    assert (done.status, "has no engine for it" in done.err) == (code, True), done.err
    done = restored("--method", method)
    assert (done.status, "UNICAST is tried instead of" in done.err) == (0, True), done.err
    assert one_pc.names() == (["debian"] if "direct" not in method else [])
    assert holds(one_pc, 1)


def test_what_the_boot_says_counts_where_nobody_says_more(
    one_pc: Pc, site: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    told(monkeypatch, method="UNICAST-CACHE", locale="es_ES.UTF-8")
    done = restored()
    assert "UNICAST-CACHE: la imagen se lleva a la caché" in done.err
    assert one_pc.names() == ["debian"]
    told(monkeypatch, method="PIGEON")
    done = restored()
    assert (done.status, "Mend the netboot entry" in done.err) == (OgErr.FORMAT, True)
    raw = one_pc.home / "plain.img"
    raw.write_bytes(SOURCES[2].stream())
    assert restored(image=str(raw)).status == 0, "a file comes from where it is"
    assert restored("--method", "unicast-cache", image=str(raw)).status == OgErr.FORMAT


def test_an_image_that_is_nowhere_is_not_found(one_pc: Pc, site: Repository) -> None:
    one_pc.og("create", "100MiB", "--yes")
    publish(site, 1)
    for method in ("unicast-cache", "unicast-direct"):
        done = restored("--method", method, image="debain")
        assert (done.status, "Did you mean debian" in done.err) == (OgErr.NOTFOUND, True), done.err
    assert restored("--method", "unicast", image="CACHE:debian").status == OgErr.NOTFOUND
