# SPDX-License-Identifier: GPL-3.0-or-later
"""A build says one line a step; what its programs say is in a file, and shown when one fails."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ogimage import hostsetup, mkosi, shell
from ogimage.shell import BuildError, logging_to, report, run, say


@pytest.fixture(autouse=True)
def logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(shell, "LOG_DIR", tmp_path / "log")
    monkeypatch.delenv("V", raising=False)
    return tmp_path / "log"


def test_the_screen_gets_the_steps_and_the_file_everything(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to("image"):
        say("counting")
        run(["seq", "1", "5000"])
    assert capsys.readouterr().out == "==> counting\n"
    text = (logs / "image.log").read_text()
    assert text.startswith("==> counting\n$ seq 1 5000\n1\n2\n")
    assert text.endswith("\n5000\n")


def test_a_failure_shows_the_end_and_then_its_cause(
    logs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with logging_to("image"):
        with pytest.raises(BuildError) as caught:
            run(["sh", "-c", "seq 1 100; echo no space >&2; exit 3"])
        assert report(caught.value) == 1
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "  | 77"
    assert said[-3] == "  | no space"
    assert said[-2].startswith("error: sh -c ")
    assert said[-2].endswith("ended with status 3")
    assert said[-1] == f"hint: all of its output is in {logs / 'image.log'}"


def test_who_asks_sees_all(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with logging_to("image", verbose=True):
        run(["echo", "one"])
    monkeypatch.setenv("V", "1")
    with logging_to("image"):
        run(["echo", "two"])
    out = capfd.readouterr().out
    assert "one\n" in out
    assert "two\n" in out


def test_a_site_reaches_the_network_and_nothing_else_comes_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    kept = {
        "HTTPS_PROXY": "http://proxy.example:3128",
        "PIP_CERT": "/ca.pem",
        "PIP_INDEX_URL": "https://index.example/simple",
        "SSL_CERT_FILE": "/ca.pem",
        "XDG_CONFIG_HOME": "/config",
    }
    for name, value in {**kept, "PYTHONPATH": "/tmp", "LD_PRELOAD": "x.so"}.items():
        monkeypatch.setenv(name, value)
    env = shell.environment()
    assert kept.items() <= env.items()
    assert not {"PYTHONPATH", "LD_PRELOAD"} & env.keys()
    assert env["PATH"] == "/usr/sbin:/usr/bin:/sbin:/bin"


def test_a_program_that_is_not_there_is_a_sentence() -> None:
    with pytest.raises(BuildError, match="the program no-such-tool is not installed"):
        run(["no-such-tool"])


def test_an_error_of_the_system_ends_a_build_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(hostsetup, "ready", lambda: None)
    monkeypatch.setattr(mkosi, "CACHE_DIR", tmp_path)

    def fill() -> None:
        raise OSError(28, "No space left on device")

    assert mkosi.built_as_root(fill, log="image") == 1
    assert capsys.readouterr().err == "error: the build failed: No space left on device\n"


def test_who_builds_nothing_needs_no_right_to_the_log(logs: Path) -> None:
    """After `make image` as root, `make check` as somebody else readies nothing, and runs."""
    logs.parent.joinpath("log").write_text("in the way of the folder")
    with logging_to("image-setup"):
        pass
    with logging_to("image-setup"), pytest.raises(BuildError, match="cannot be written"):
        run(["true"])
