# SPDX-License-Identifier: GPL-3.0-or-later
"""No verb writes a line that is wider than a terminal of 80 columns, whatever names are long."""

from __future__ import annotations

import argparse
import json
import os
import pty
import re
import subprocess
import sys
import termios
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace, TracebackType

import pytest

from oglib import cli
from oglib.__main__ import main
from oglib.disk.model import MIB
from oglib.transfer.repository import ListedImage
from oglib.wording import columns

COLUMNS = 80
_NAME = "laboratorio-de-informática-y-electrónica"[:36]  # a GPT holds no more
_WIDE = "教室の映像データ第十二号室の保存用"
_IMAGE = "laboratorio-de-diseno-industrial-y-arquitectura-de-interiores-curso-2026-2027"
_TITLE = f"Imagen del sistema para el laboratorio de diseño industrial, edificio B; {_WIDE}"
_SEQUENCE = re.compile(r"\x1b\[K")

Terminal = Callable[..., tuple[int, str]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """``og`` on a terminal; ``answer`` is typed. The status and all that was written."""
    monkeypatch.setenv("COLUMNS", str(COLUMNS))  # argparse asks for the first terminal there is

    def run(*words: str | Path, answer: str = "") -> tuple[int, str]:
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (25, COLUMNS))
        modes = termios.tcgetattr(slave)
        modes[1] &= ~termios.OPOST
        modes[3] &= ~termios.ECHO
        termios.tcsetattr(slave, termios.TCSANOW, modes)
        os.write(master, answer.encode())
        written: list[bytes] = []
        reading = threading.Thread(target=_read_all, args=(master, written))
        reading.start()
        with (
            os.fdopen(slave, "w", encoding="utf-8") as out,
            os.fdopen(os.dup(slave), encoding="utf-8") as typed,
            monkeypatch.context() as patch,
        ):
            for name, stream in (("stdout", out), ("stderr", out), ("stdin", typed)):
                patch.setattr(sys, name, stream)
            try:
                status = main([str(word) for word in words])
            except SystemExit as ended:  # after --help
                status = int(ended.code or 0)
        reading.join()
        os.close(master)
        return status, b"".join(written).decode()

    return run


def _read_all(master: int, written: list[bytes]) -> None:
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # nobody has the other end any more
            return
        if not piece:
            return
        written.append(piece)


def too_wide(text: str) -> list[str]:
    drawn = re.split(r"[\r\n]|\[y/N\] ", _SEQUENCE.sub("", text))
    return [line for line in drawn if columns.width(line) > COLUMNS]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A disk with long and wide names, in a folder with a long one."""
    folder = tmp_path_factory.mktemp("una-carpeta-con-un-nombre-bastante-largo-para-las-copias")
    disk = folder / f"disco-{_NAME}.img"
    disk.touch()
    os.truncate(disk, 200 * MIB)
    table = f'label: gpt\nsize=40MiB, name="{_NAME}"\nsize=60MiB, name="{_WIDE}"\nsize=40MiB\n'
    subprocess.run(["sfdisk", "-q", "--no-tell-kernel", disk], input=table, text=True, check=True)
    return disk


@pytest.fixture
def disk(made: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OG_DISKS", str(made))
    return made


def test_all_that_is_said_of_disks_and_images(terminal: Terminal, disk: Path) -> None:
    folder = disk.parent
    image, other = folder / f"{_IMAGE}.img", folder / "otra.img"
    layout = folder / "layout.json"
    wanted = {"type": "LINUX", "size": "rest", "name": _NAME}
    layout.write_text(json.dumps({"table": "gpt", "partitions": [wanted]}))
    capture = ("image", "create", "1", "1", _IMAGE, "--to", folder, "--title", _TITLE)
    told = [
        (("fs", "format", "1", "1", "ext4", "--label", "diseño-arquit"), "y\n"),
        (("fs", "format", "1", "2", "ntfs", "--label", _WIDE), "y\n"),
        (("fs", "format", "1", "3", "ext4"), "n\n"),
        *((words, "") for words in (
            ("disk", "list"), ("disk", "show", "1"), ("disk", "plan", "1", layout),
            ("disk", "apply", "1", layout, "--dry-run"),
            ("fs", "info", "1", "1"), ("fs", "info", "1", "2"), ("fs", "check", "1", "1"),
            ("fs", "grow", "1", "1"), ("fs", "mount", "1", "1"), ("fs", "mount", "1", "1"),
            capture, ("fs", "umount", "1", "1"), ("fs", "umount", "1", "1"),
            (*capture, "--comment", f"{_TITLE}\n{_TITLE}"),
            ("image", "create", "1", "1", "otra", "--to", folder, "--parent", _IMAGE),
            ("image", "info", image), ("image", "verify", image),
            ("image", "verify", image, "1", "1"), ("image", "diff", image, other),
            ("image", "create", "1", f"{_IMAGE}-1", "--to", folder, "--title", _TITLE),
            ("image", "info", folder / f"{_IMAGE}-1"),
            ("image", "verify", folder / f"{_IMAGE}-1"),
            ("image", "verify", folder / f"{_IMAGE}-1", "1"),
            ("image", "convert", image, "--to", folder, "--name", f"{_IMAGE}-2"),
            ("image", "restore", image, "1", "3", "--yes"),
            ("image", "restore", folder / f"{_IMAGE}-1", "1", "--dry-run"),
            ("inventory", "os", "1", "1"), ("inventory", "software", "1", "1"),
            ("cache", "list"), ("cache", "create", "20MiB", "--dry-run"),
            ("os", "configure", "1", "1"),
        )),
        (("image", "restore", image, "1", "3"), "y\n"),
        (("image", "restore", folder / f"{_IMAGE}-1", "1"), "n\n"),
        (("image", "restore", folder / f"{_IMAGE}-1", "1"), "y\n"),
        (("disk", "apply", "1", layout), "n\n"),
        (("disk", "apply", "1", layout), "y\n"),
    ]  # fmt: skip
    wide = {}
    for words, answer in told:
        status, text = terminal(*words, answer=answer)
        assert "defect" not in text, text
        assert text.strip(), words
        if found := too_wide(text):
            wide[" ".join(map(str, words))] = (status, found)
    assert not wide


def test_all_errors_that_name_long_things(terminal: Terminal, disk: Path) -> None:
    away = disk.parent / f"{_IMAGE}-que-no-esta.img"
    for words in (
        ("disk", "show", _IMAGE),
        ("disk", "show", away),
        ("disk", "show", f"LABEL={_WIDE}"),
        ("fs", "info", "1", f"PARTUUID={_IMAGE}"),
        ("fs", "format", "1", "1", _WIDE),
        ("fs", "format", "1", "1", "ext4", "--label", _TITLE),
        ("image", "restore", away, "1", "1"),
        ("image", "info", away),
        ("image", "list"),
        ("image", "create", "1", "2"),
        ("image", "restore", disk, "1", "1"),
        ("image", "lst"),
        ("cache", "pin", _IMAGE),
        ("deploy", away, "1", "2", "--layout", away),
    ):
        status, text = terminal(*words)
        assert status != 0
        assert "og:" in text
        assert not too_wide(text), text


class _Shelf:
    """A repository whose images have long names."""

    def __init__(self, _url: str, **_: object) -> None:
        pass

    def __enter__(self) -> _Shelf:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        pass

    def listing(self) -> tuple[ListedImage, ...]:
        def image(name: str, title: str) -> ListedImage:
            system = "Debian GNU/Linux 13 (trixie) de la sala de arquitectura"
            return ListedImage(name, 12, title, "NTFS", system, "", 3 << 33, 3 << 34, "")

        return (image("debian", ""), image(_IMAGE, _TITLE), image("win", _WIDE * 3))


def test_images_of_a_repository(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oglib.cli.image.RepositoryClient", _Shelf)
    where = f"not on partition 1 of /dev/sda (Una marca {_NAME}): {_TITLE}"
    one = SimpleNamespace(name=_IMAGE, filesystem="NTFS", required_bytes=3 << 34, text=where)
    monkeypatch.setattr("oglib.cli.image_convert.suitable_images", lambda *_: (one,))
    for fits in ((), ("--fits", "1", "1")):
        status, text = terminal("image", "list", *fits, "--repo", "10.0.0.1")
        assert status == 0, text
        assert _IMAGE[:20] in text
        assert not too_wide(text), text


def _verbs(parser: argparse.ArgumentParser, words: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield words
    for action in parser._actions:
        if action.nargs == argparse.PARSER and isinstance(action.choices, dict):
            for name, below in action.choices.items():
                yield from _verbs(below, (*words, name))


def test_every_help(terminal: Terminal) -> None:
    seen = 0
    for words in _verbs(cli.parser(), ()):
        status, text = terminal(*words, "--help")
        assert status == 0
        assert not too_wide(text), text
        seen += 1
    assert seen > 40


def test_hardware(terminal: Terminal) -> None:
    _, text = terminal("inventory", "hardware")
    assert not too_wide(text), text
