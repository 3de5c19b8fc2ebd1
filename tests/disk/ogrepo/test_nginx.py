# SPDX-License-Identifier: GPL-3.0-or-later
"""The real nginx before a repository, as docs/examples/nginx says: restores byte for byte, also of
a version that is replaced in the middle, and private files given to nobody."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from oglib import settings
from oglib.__main__ import main as og
from oglib.transfer.http import Got, HttpSource
from unit.ogrepo.conftest import Answer, Repository, folder, repository
from unit.ogrepo.sample import Sample, make_sample

__all__ = ["folder", "repository"]

NGINX = shutil.which("nginx", path="/usr/sbin:/usr/bin")
EXAMPLES = Path(__file__).parents[3] / "docs/examples/nginx"
WHOLE = """\
daemon off;
worker_processes 1;
user root;
pid {place}/pid;
error_log {place}/error.log;
events {{ }}
http {{
  access_log {place}/access.log;
  client_body_temp_path {place}/body;
  proxy_temp_path {place}/proxy;
  fastcgi_temp_path {place}/fastcgi;
  uwsgi_temp_path {place}/uwsgi;
  scgi_temp_path {place}/scgi;
  include {place}/site.conf;
}}
"""
ENDS_S = 30.0
V1, V2, V3 = (make_sample("debian", regions=9, seed=seed) for seed in (21, 22, 23))

pytestmark = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@dataclass(frozen=True)
class Web:
    """An nginx that listens; ``place``: its files."""

    port: int
    place: Path

    @property
    def base(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, **headers: str) -> Answer:
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ENDS_S)
        try:
            link.putrequest(method, path, skip_host=False)
            for name, value in headers.items():
                link.putheader(name.replace("_", "-"), value)
            link.endheaders()
            answer = link.getresponse()
            got = {name.lower(): value for name, value in answer.getheaders()}
            return Answer(answer.status, got, answer.read())
        finally:
            link.close()


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextmanager
def nginx(place: Path, text: str, port: int) -> Iterator[Web]:
    assert NGINX is not None
    place.mkdir()
    (place / "site.conf").write_text(text)
    (place / "nginx.conf").write_text(WHOLE.format(place=place))
    web = subprocess.Popen([NGINX, "-p", place, "-c", place / "nginx.conf"])
    try:
        end = time.monotonic() + ENDS_S
        while True:
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                break
            except OSError:
                assert web.poll() is None, (place / "error.log").read_text()
                assert time.monotonic() < end
                time.sleep(0.02)
        yield Web(port, place)
    finally:
        web.terminate()
        web.wait(ENDS_S)


def changed(text: str, *changes: tuple[str, str]) -> str:
    """An example with what a site changes; each word is there once."""
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@pytest.fixture
def front(repository: Repository, tmp_path: Path) -> Iterator[Web]:
    port = free()
    text = changed(
        (EXAMPLES / "front.conf").read_text(),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("  root /srv/oglive", f"  root {repository.folder.root}"),
        ("  server 127.0.0.1:8081", f"  server 127.0.0.1:{repository.port}"),
    )
    with nginx(tmp_path / "front", text, port) as web:
        yield web


@pytest.fixture
def cache(repository: Repository, tmp_path: Path) -> Iterator[Web]:
    with cached(repository, tmp_path / "cache") as web:
        yield web


@contextmanager
def cached(repository: Repository, place: Path, *more: tuple[str, str]) -> Iterator[Web]:
    port = free()
    text = changed(
        (EXAMPLES / "cache.conf").read_text(),
        ("listen 8080", f"listen 127.0.0.1:{port}"),
        ("/var/cache/nginx/oglive", f"{place}/kept"),
        ("repository.example:8080", f"127.0.0.1:{repository.port}"),
        *more,
    )
    with nginx(place, text, port) as web:
        yield web


@pytest.fixture
def pc(repository: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    told = settings.Settings(keys_dir=repository.folder.keys)
    monkeypatch.setattr(settings, "load", lambda: told)


def restored(port: int, target: Path, sample: Sample = V1) -> bytes:
    """What a PC whose repository is at this port has on its partition afterwards."""
    with target.open("wb") as file:
        file.truncate(sample.manifest.device_size_bytes)
    words = ["image", "restore", "debian", str(target), "--repo", f"127.0.0.1:{port}", "--yes"]
    assert og(words) == 0
    return target.read_bytes()


def test_what_is_private_is_given_to_nobody(repository: Repository, front: Web) -> None:
    repository.upload(V1, front.place)
    (repository.folder.root / ".hidden").write_text("x")
    (repository.folder.root / "boot").mkdir()
    for place in ("oglive", "images"):
        (repository.folder.root / place).mkdir(exist_ok=True)
        (repository.folder.root / place / "out.img").symlink_to(repository.folder.image_key)
    stranger = front.place / "stranger"
    stranger.write_text("x")
    os.chown(stranger, 65534, 65534)
    (repository.folder.root / "oglive/other").symlink_to(stranger)
    (repository.folder.root / "boot/out").symlink_to(repository.folder.image_key)
    for path in (
        "/private", "/private/", "/private/image.key", "/%70rivate/image.key",
        "//private/image.key", "/images/../private/image.key", "/./private/image.key",
        "/bytes/../private/image.key", "/oglive/../private/image.key", "/boot/out",
        "/images/out.img", "/oglive/other",
        "/private%2fimage.key", "/.hidden", "/%2ehidden", "/images/.part", "/bytes/.part",
        "/bytes/zz", f"/bytes/{'0' * 64}", "/PRIVATE/image.key", "/netboot/../private/image.key",
    ):  # fmt: skip
        answer = front.ask("GET", path)
        assert answer.status in (400, 403, 404), path
        assert b"PRIVATE KEY" not in answer.body, path


def test_bytes_are_kept_for_ever_and_given_in_ranges(repository: Repository, front: Web) -> None:
    repository.upload(V1, front.place)
    path = f"/bytes/{V1.manifest.image_blake3}"
    for web in (front.port, repository.port):
        answer = Web(web, front.place).ask("GET", path, range="bytes=5-1000")
        assert (answer.status, answer.body) == (206, V1.image[5:1001])
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-type"] == "application/octet-stream"
        tag = answer.headers["etag"]
        again = Web(web, front.place).ask("GET", path, range="bytes=5-9", if_match=tag)
        assert (again.status, again.body) == (206, V1.image[5:10])
    listed = front.ask("GET", "/images/", accept="application/json")
    assert json.loads(listed.body)["images"][0]["name"] == "debian"
    assert front.ask("GET", "/healthz").body == b"ok\n"
    manifest = front.ask("GET", "/images/debian.img.json")
    assert manifest.body == (repository.folder.images / "debian.img.json").read_bytes()
    assert manifest.headers["cache-control"] == "no-cache"


def test_an_upload_passes(repository: Repository, front: Web, tmp_path: Path) -> None:
    straight = repository.port
    repository.port = front.port
    try:
        assert repository.upload(V1, tmp_path).version == 1
    finally:
        repository.port = straight
    assert (repository.folder.images / "debian.img").read_bytes() == V1.image


@pytest.mark.usefixtures("pc")
def test_a_pc_restores_through_it_what_it_restores_without(
    repository: Repository, front: Web, cache: Web, tmp_path: Path
) -> None:
    repository.upload(V1, tmp_path)
    straight = restored(repository.port, tmp_path / "straight")
    assert restored(front.port, tmp_path / "front.img") == straight
    assert restored(cache.port, tmp_path / "cold") == straight
    assert restored(cache.port, tmp_path / "warm") == straight


def test_a_cache_asks_for_each_piece_once_and_outlives_the_repository(
    repository: Repository, cache: Web, tmp_path: Path
) -> None:
    repository.upload(V1, tmp_path)
    address = f"{cache.base}/bytes/{V1.manifest.image_blake3}"
    for step in (100_000, 70_000):
        with HttpSource(address, expected_size=len(V1.image)) as source:
            got = [source.read(at, min(step, len(V1.image) - at))
                   for at in range(0, len(V1.image), step)]  # fmt: skip
        assert b"".join(got) == V1.image
    asked = [line for line in repository.log if "/bytes/" in line and " 206 " in line]
    taken = [int(re.findall(r" 206 (\d+)", line)[0]) for line in asked]
    assert sum(taken) <= 1.05 * len(V1.image)
    assert max(taken) <= 1 << 20
    repository.stop()
    try:
        with HttpSource(address, expected_size=len(V1.image)) as source:
            assert source.read(0, len(V1.image)) == V1.image
    finally:
        repository.start()


def test_bytes_that_are_being_read_stay_when_newer_versions_come(
    repository: Repository, front: Web, cache: Web, tmp_path: Path
) -> None:
    repository.upload(V1, tmp_path)
    half = len(V1.image) // 2
    path = f"bytes/{V1.manifest.image_blake3}"
    with HttpSource(f"{front.base}/{path}") as one, HttpSource(f"{cache.base}/{path}") as two:
        first = [source.read(0, half) for source in (one, two)]
        repository.upload(V2, tmp_path)
        repository.upload(V3, tmp_path)
        rest = [source.read(half, len(V1.image) - half) for source in (one, two)]
    assert [a + b for a, b in zip(first, rest, strict=True)] == [V1.image, V1.image]


@pytest.fixture
def meanwhile(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], None]], None]:
    """Do something once, when a PC has got the second piece of an image."""

    def arrange(act: Callable[[], None]) -> None:
        read = HttpSource.read_into
        pieces = [0]

        def counted(source: HttpSource, got: Got, offset: int, length: int) -> None:
            read(source, got, offset, length)
            pieces[0] += 1
            if pieces[0] == 2:
                act()

        monkeypatch.setattr(HttpSource, "read_into", counted)

    return arrange


@pytest.fixture(params=["front", "cache"])
def web(request: pytest.FixtureRequest) -> Web:
    found = request.getfixturevalue(str(request.param))
    assert isinstance(found, Web)
    return found


@pytest.mark.usefixtures("pc")
def test_a_restore_ends_as_the_version_with_which_it_began(
    web: Web,
    repository: Repository,
    tmp_path: Path,
    meanwhile: Callable[[Callable[[], None]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    repository.upload(V1, tmp_path)
    straight = restored(repository.port, tmp_path / "straight")

    def publish() -> None:
        for sample in (V2, V3):
            done.append(repository.upload(sample, tmp_path).version)

    done: list[int] = []

    meanwhile(publish)
    capsys.readouterr()
    assert restored(web.port, tmp_path / "target") == straight
    assert "debian version 1 is on" in capsys.readouterr().out
    assert done == [2, 3]
    assert restored(web.port, tmp_path / "next") != straight
    assert "debian version 3 is on" in capsys.readouterr().out


KEEP = "proxy_cache oglive; proxy_cache_valid 200 1h; proxy_ignore_headers Cache-Control;"
EVERYTHING = (
    "    proxy_request_buffering off;\n    proxy_buffering off;\n",
    f"    {KEEP}\n",
)
# What a cache holds is not of one moment.
SOME = {
    "everything": EVERYTHING,
    "manifests": (
        "  # Everything else",
        f"  location ~ \\.json$ {{ {KEEP} proxy_pass http://repository; }}\n  # Everything else",
    ),
    "signatures": (
        "  # Everything else",
        f"  location ~ \\.sig$ {{ {KEEP} proxy_pass http://repository; }}\n  # Everything else",
    ),
}


@pytest.mark.usefixtures("pc")
@pytest.mark.parametrize(("kept", "version"), [("everything", 1), ("manifests", 1),
                                               ("signatures", 3)])  # fmt: skip
def test_a_cache_that_keeps_names_too_long_gives_one_version_whole(
    kept: str,
    version: int,
    repository: Repository,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Somebody's cache that holds some of the names of yesterday, and the listing."""
    repository.upload(V1, tmp_path)
    with cached(repository, tmp_path / "stale", SOME[kept]) as stale:
        straight = restored(stale.port, tmp_path / "first")
        listed = stale.ask("GET", "/images/?format=json")
        repository.upload(V2, tmp_path)
        repository.upload(V3, tmp_path)
        again = stale.ask("GET", "/images/?format=json")
        assert (again.body == listed.body) == (kept == "everything")
        capsys.readouterr()
        assert (restored(stale.port, tmp_path / "second") == straight) == (version == 1)
        assert f"debian version {version} is on" in capsys.readouterr().out
