# SPDX-License-Identifier: GPL-3.0-or-later
"""What a person types is understood, or refused with what is missing or nearly meant."""

from __future__ import annotations

import argparse
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from oglib import cli
from oglib.__main__ import main
from oglib.cli.words import image_named
from oglib.errors import OgErr, OgError, UsageError


def parsed(*words: str) -> argparse.Namespace:
    return cli.parser(words[0]).parse_args(words)


@pytest.mark.parametrize(
    "words",
    [
        ("1", "2", "debian", "--title", "For the labs"),
        ("1", "2", "--title", "For the labs", "debian"),
        ("--title", "For the labs", "1", "2", "--", "debian"),
        ("1", "--title=For the labs", "2", "--", "debian"),
        ("--title", "For the labs", "--", "1", "2", "debian"),
    ],
)
def test_options_may_stand_anywhere(words: tuple[str, ...]) -> None:
    args = parsed("image", "create", *words)
    assert image_named(args.disk, args.part, args.name, args.given) == ("2", "debian")
    assert args.title == "For the labs"


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("1", "debian"), (None, "debian")),
        (("1", "2", "debian"), ("2", "debian")),
        (("1", "--name", "2"), (None, "2")),
        (("1", "2", "--name", "2024"), ("2", "2024")),
        (("1", "PARTUUID=ab-1", "lab/debian"), ("PARTUUID=ab-1", "lab/debian")),
    ],
)
def test_partition_and_name(words: tuple[str, ...], meant: tuple[str | None, str]) -> None:
    args = parsed("image", "create", *words)
    assert image_named(args.disk, args.part, args.name, args.given) == meant


def test_a_word_too_many_is_named_with_the_help_of_its_verb() -> None:
    with pytest.raises(UsageError) as refused:
        parsed("disk", "list", "./disk.img")
    assert refused.value.message == "There are words too many: ./disk.img."
    assert refused.value.hint == "See `og disk list --help`."


@pytest.mark.parametrize("second", ["2", "02", "PARTUUID=ab-1", "/dev/sda2"])
def test_a_forgotten_name_is_missed_and_nothing_is_captured(
    second: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(bytes(1 << 20))
    assert main(["image", "create", str(disk), second, "--to", str(tmp_path)]) == OgErr.FORMAT
    said = capsys.readouterr().err
    assert f"name is missing: {second} is the partition" in said
    assert "--name" in said
    assert list(tmp_path.iterdir()) == [disk]


def test_two_names_and_none_are_refused() -> None:
    with pytest.raises(UsageError, match="two names, a and b"):
        image_named("1", "2", "a", "b")
    with pytest.raises(UsageError, match="name is missing"):
        image_named("1", None, None, "")


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (("imag", "list"), "image"),
        (("image", "creat"), "create"),
        (("image", "create", "--tilte", "x", "1", "2", "n"), "--title"),
        (("image", "create", "--format", "gzp", "1", "2", "n"), "gzip"),
        (("fs", "format", "1", "1", "ext5"), "ext4"),
        (("disk", "show", "sistem"), "system"),
        (("disk", "show", "{}/dsik.img"), "disk.img"),
        (("image", "info", "{}/debain.img"), "debian.img"),
    ],
)
def test_a_word_that_is_not_known_proposes_the_nearest(
    words: tuple[str, ...], meant: str, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("disk.img", "debian.img"):
        (tmp_path / name).write_bytes(bytes(1 << 20))
    monkeypatch.setenv("OG_DISKS", str(tmp_path / "disk.img"))
    if words[0] == "fs":  # the partition is looked for first
        monkeypatch.setattr("oglib.cli.filesystem.find_partition", lambda disk, _: disk)
    assert main([word.format(tmp_path) for word in words]) != 0
    said = capsys.readouterr().err
    assert "Did you mean " in said
    assert meant in said.partition("Did you mean ")[2].partition("?")[0]


def test_nothing_near_nothing_proposed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["image", "qqqqqqqq"]) == OgErr.FORMAT
    assert "Did you mean" not in capsys.readouterr().err


def _talking() -> list[tuple[str, ...]]:
    """Every verb that may talk to a repository."""
    image = [("image", verb) for verb in ("create", "restore", "verify", "convert", "diff")]
    others = [("deploy",), ("job",), ("cache", "update"), ("disk", "plan"), ("disk", "apply")]
    return [*image, ("image", "list"), ("image", "info"), *others]


@pytest.mark.parametrize("words", _talking(), ids=" ".join)
def test_every_verb_that_may_talk_to_a_repository_takes_its_address(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([*words, "--help"])
    assert "--repo" in capsys.readouterr().out


def test_the_repository_of_the_command_line_goes_before_that_of_the_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OGREPO", "127.0.0.1:1")
    monkeypatch.setattr("oglib.cli.image.RepositoryClient", _Named)
    assert main(["image", "list"]) == OgErr.REPO
    assert "http://127.0.0.1:1" in capsys.readouterr().err
    assert main(["image", "list", "--repo", "https://127.0.0.1:2/"]) == OgErr.REPO
    assert "https://127.0.0.1:2." in capsys.readouterr().err
    assert main(["image", "list", "--repo", "ftp://x"]) == OgErr.FORMAT
    monkeypatch.setenv("OGREPO", "a b")
    assert main(["image", "list"]) == OgErr.FORMAT
    assert "OGREPO" in capsys.readouterr().err


class _Named:
    """Instead of a repository: says which one was meant."""

    def __init__(self, url: str, **_: object) -> None:
        raise OgError(f"Asked {url}.", code=OgErr.REPO)


class _Shelf(BaseHTTPRequestHandler):
    """A repository with one image, of which only the listing is here, and no layout."""

    def do_GET(self) -> None:
        entry = dict.fromkeys(("title", "filesystem", "os", "created", "key_id"), "")
        sizes = dict.fromkeys(("version", "size_bytes", "required_bytes"), 1)
        body = json.dumps({"images": [{"name": "debian-13", **entry, **sizes}]}).encode()
        listing = self.path == "/images/"
        self.send_response(200 if listing else 404)
        self.send_header("Content-Length", str(len(body) if listing else 0))
        self.end_headers()
        if listing:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its address, for a PC with one blank disk."""
    (tmp_path / "disk.img").write_bytes(bytes(8 << 20))
    monkeypatch.setenv("OG_DISKS", str(tmp_path / "disk.img"))
    with ThreadingHTTPServer(("127.0.0.1", 0), _Shelf) as server:
        serving = threading.Thread(target=server.serve_forever, args=(0.01,))
        serving.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("image", "info", "debain-13"), "has no image debain-13. Did you mean debian-13?"),
        (("image", "verify", "debain-13"), "has no image debain-13. Did you mean debian-13?"),
        (("image", "diff", "debain-13", "x"), "has no image debain-13. Did you mean debian-13?"),
        (("deploy", "debain-13", "1", "2"), "has no image debain-13. Did you mean debian-13?"),
        (("disk", "plan", "1", "ueif"), "has no layout ueif. Did you mean uefi?"),
    ],
    ids=lambda one: " ".join(one) if isinstance(one, tuple) else "",
)
def test_a_name_that_the_repository_does_not_have_proposes_the_nearest(
    words: tuple[str, ...], said: str, shelf: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*words, "--repo", shelf]) == OgErr.NOTFOUND
    assert said in capsys.readouterr().err
