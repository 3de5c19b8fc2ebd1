# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that pipe a partition: sessions, words, and what they refuse before they begin."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.errors import OgErr, OgError
from oglib.shim.ucast import Session, session_of
from unit.shim.old import Old, Ran

DEVICE = "/dev/sda1"


@pytest.mark.proves("ogUcastSyntax")
def test_the_command_that_does_it(old: Old) -> None:
    ran = old(
        "ogUcastSyntax", "sendpartition", "8001:10.0.0.6:10.0.0.7", DEVICE, "partclone", "lzop"
    )
    assert ran == Ran(
        "og image send $(ogDevToDisk /dev/sda1) --code-file /run/oglive/clone.code "
        "--to 10.0.0.6:8001 --to 10.0.0.7:8001\n",
        "",
        0,
    )
    ran = old("ogUcastSyntax", "RECEIVERPARTITION", "8001:10.0.0.5", DEVICE, "partimage", "gzip")
    assert ran.stdout == (
        "og image receive $(ogDevToDisk /dev/sda1) --code-file /run/oglive/clone.code "
        "--from 10.0.0.5 --port 8001 --yes\n"
    )


@pytest.mark.refuses("ogUcastSyntax")
@pytest.mark.parametrize(
    "words",
    [
        ("SEND", "8000:10.0.0.6", DEVICE, "partclone", "lzop"),
        ("SENDPARTITION", "7999:10.0.0.6", DEVICE, "partclone", "lzop"),
        ("SENDPARTITION", "8000", DEVICE, "partclone", "lzop"),
        ("SENDPARTITION", "8000:10.0.0.6", "$(reboot)", "partclone", "lzop"),
        ("SENDPARTITION", "8000:10.0.0.6", DEVICE, "dd", "lzop"),
        ("SENDPARTITION", "8000:10.0.0.6", DEVICE),
        ("RECEIVERPARTITION", "8000:10.0.0.5:10.0.0.6", DEVICE, "partclone", "lzop"),
        ("SENDFILE", "8000:10.0.0.6", "/a.img"),
    ],
)
def test_what_is_no_syntax(old: Old, words: tuple[str, ...]) -> None:
    assert old("ogUcastSyntax", *words).status == OgErr.UCASTSYNTAXT


@pytest.mark.refuses("ogUcastSendPartition", "ogUcastReceiverPartition")
def test_nothing_is_sent_without_a_code(old: Old, tmp_path: Path) -> None:
    for name, code in (
        ("ogUcastSendPartition", OgErr.UCASTSENDPARTITION),
        ("ogUcastReceiverPartition", OgErr.UCASTRECEIVERPARTITION),
    ):
        words = ("1", "1", "8000:10.0.0.6", "partclone", "lzop")
        env = {"OGCODE": str(tmp_path / "code")}
        ran = old(name, *words, env=env)
        assert ran.status == code
        assert "cannot be read" in ran.stderr
        (tmp_path / "code").write_text("x")
        (tmp_path / "code").chmod(0o644)
        assert "read by others" in old(name, *words, env=env).stderr
        (tmp_path / "code").unlink()
        assert (
            old(name, "1", "1", "9000:10.0.0.6", *words[3:], env=env).status == OgErr.UCASTSYNTAXT
        )
        assert old(name, "0", *words[1:], env=env).status == OgErr.FORMAT
        assert old(name, "1", env=env).status == OgErr.FORMAT


@pytest.mark.proves("ogUcastSendFile")
@pytest.mark.refuses("ogUcastSendFile")
def test_files_are_not_piped(old: Old) -> None:
    ran = old("ogUcastSendFile", "REPO", "/a.img", "8000:10.0.0.6")
    assert ran.status == OgErr.UCASTSENDFILE
    assert "og cache update" in ran.stderr
    assert old("ogUcastSendFile", "1", "1", "/a.img", "8000:10.0.0.6").status == OgErr.UCASTSENDFILE
    assert old("ogUcastSendFile", "HOME", "/a.img", "8000:10.0.0.6").status == OgErr.FORMAT
    assert old("ogUcastSendFile", "/a.img", "80:10.0.0.6").status == OgErr.UCASTSYNTAXT


def test_sessions() -> None:
    assert session_of("8005:a:b", sends=True) == Session(8005, ("a", "b"))
    for text in ("", "8000:", "8000:a b", "x:a", "80000:a", "8006:a", "8000:a:b"):
        with pytest.raises(OgError) as caught:
            session_of(text, sends=False)
        assert caught.value.code == OgErr.UCASTSYNTAXT
