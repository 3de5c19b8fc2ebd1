# SPDX-License-Identifier: GPL-3.0-or-later
"""The command as a person meets it; the server as a real process."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from oglib.image.format.manifest import PublicKey
from oglib.wording import columns
from ogrepo.__main__ import main
from ogrepo.intake.tokens import load_secret, read_token
from ogrepo.library.folder import Folder
from ogrepo.verbs import listing
from ogrepo.verbs.listing import SPARE
from ogrepo.words import table
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import make_sample


def test_keygen_makes_a_repository_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "new" / "repo"
    assert main(["keygen", "--dir", str(target), "--comment", "Room 1"]) == 0
    key = PublicKey.from_line((target / "keys" / "image.pub").read_text())
    assert key.comment == "Room 1"
    assert key.key_id in capsys.readouterr().out
    before = (target / "private" / "image.key").read_bytes()
    assert main(["keygen", "--dir", str(target)]) == 4
    assert "signing key already" in capsys.readouterr().err
    assert (target / "private" / "image.key").read_bytes() == before
    assert main(["keygen", "--dir", str(target), "--comment", "a\nb"]) == 1


def test_token_prints_the_token_alone(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert main(["token", "debian", "--dir", str(folder.root)]) == 0
    out = capsys.readouterr().out
    assert read_token(load_secret(folder), out.strip()).name == "debian"
    assert main(["token", "../x", "--dir", str(folder.root)]) == 1


def test_list_and_verify(
    repository: Repository, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(repository.folder.root)
    assert main(["list", root]) == 0
    repository.upload(make_sample("debian"), tmp_path)
    repository.upload(make_sample("fedora"), tmp_path)
    capsys.readouterr()
    assert main(["list", root]) == 0
    out = capsys.readouterr().out
    assert re.search(r"^debian +1 +Debian GNU/Linux 13 +EXTFS", out, re.MULTILINE)
    assert main(["list", root, "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["images"]
    assert [image["name"] for image in listed] == ["debian", "fedora"]
    assert main(["verify", root]) == 0
    assert capsys.readouterr().out.count(": good: version 1, 3 frames") == 2

    image = repository.folder.images / "debian.img"
    data = bytearray(image.read_bytes())
    data[len(data) // 2] ^= 4
    image.write_bytes(data)
    assert main(["verify", root]) == 5
    out = capsys.readouterr().out
    assert "debian: DAMAGED: Frame" in out
    assert "fedora: good" in out
    assert main(["verify", root, "fedora"]) == 0
    capsys.readouterr()
    assert main(["--json", "verify", root, "debian"]) == 5
    assert json.loads(capsys.readouterr().out)["images"][0]["error"]["code"] == 5
    assert main(["verify", root, "nothing"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"ogrepo: There is no image nothing in {root}. `ogrepo list")
    assert "DAMAGED" not in said.out
    assert main(["verify", root, "debain"]) == 2
    assert "Did you mean debian?" in capsys.readouterr().err
    image.unlink()
    assert main(["list", root]) == 0
    assert "debian is incomplete" in capsys.readouterr().err


def test_the_folder_is_written_in_either_way(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(tmp_path / "repo")
    assert main(["keygen", root]) == 0
    for words in (
        ["token", root, "debian"],
        ["token", "debian", "--dir", root],
        ["token", "--dir", root, "debian"],
        ["list", root],
        ["list", "--dir", root],
        ["verify", root],
        ["verify", "--dir", root],
    ):
        assert main(words) == 0, words
    capsys.readouterr()
    for words, told in (
        (["token", root], "image's name is missing"),
        (["list"], "folder is missing"),
        (["list", root, "--dir", root], "Two folders are named"),
        (["verify", root, "debian", "--dir", root], "Two folders are named"),
        (
            ["list", root, "--nonsense"],
            "Unrecognized arguments: --nonsense. See `ogrepo list --help`.",
        ),
        ([], "required: VERB. See `ogrepo --help`."),
        (["serve", root, "--port", "x"], "See `ogrepo serve --help`."),
    ):
        assert main(words) == 1, words
        said = capsys.readouterr().err
        assert told in said
        assert said.count("\n") == 1


def test_a_key_that_was_cut_gets_its_public_half(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "repo"
    assert main(["keygen", str(root), "--comment", "one"]) == 0
    key, public = root / "private/image.key", root / "keys/image.pub"
    before = (key.read_bytes(), public.read_text())
    public.unlink()
    assert main(["keygen", str(root), "--comment", "one"]) == 0
    assert (key.read_bytes(), public.read_text()) == before
    assert main(["keygen", str(root)]) == 4
    assert "has a signing key already" in capsys.readouterr().err


def test_lines_fit_a_terminal_and_stay_whole_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", str(tmp_path)]) == 2
    piped = capsys.readouterr().err
    assert piped.count("\n") == 1
    monkeypatch.setattr(columns, "of", lambda _: 80)
    assert main(["list", str(tmp_path)]) == 2
    shown = capsys.readouterr().err
    assert all(len(line) <= 80 for line in shown.splitlines())
    assert "".join(shown.split()) == "".join(piped.split())


def test_a_table_fits_its_terminal() -> None:
    head = ("NAME", "VERSION", "SYSTEM", "FILESYSTEM", "SIZE", "NEEDS", "CAPTURED", "KEY")
    row = ("debian", "12", "Debian GNU/Linux 13 (trixie)", "EXTFS", "812.4 MiB", "20.0 GiB",
           "2026-11-27T03:28", "0123456789abcdef")  # fmt: skip
    assert table([head, row], None, SPARE)[1].endswith("0123456789abcdef")
    for most in (79, 60, 40, 20):
        lines = table([head, row], most, SPARE)
        assert max(map(len, lines)) <= most
        assert lines[1].startswith("debian")


def test_an_error_of_the_system_is_a_sentence(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(_: object) -> list[str]:
        raise PermissionError(13, "Permission denied", "/srv/images")

    monkeypatch.setattr(listing, "published", refuse)
    assert main(["list", str(folder.root)]) == 40
    assert capsys.readouterr().err == (
        "ogrepo: The system refused /srv/images: Permission denied. "
        "Run ogrepo as root, or as the user who owns the repository.\n"
    )


def test_what_is_no_repository_is_said_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for argv in (["serve", str(tmp_path)], ["list", str(tmp_path)], ["verify", "/nowhere"]):
        assert main(argv) == 2
        said = capsys.readouterr().err
        assert "is not a repository" in said
        assert "ogrepo keygen" in said
        assert said.count("\n") == 1
    assert main(["--json", "list", str(tmp_path)]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["name"] == "NOTFOUND"


def test_an_address_that_cannot_be_listened_on(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    root = str(folder.root)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["serve", root, "--bind", "127.0.0.1", "--port", port]) == 40
    assert "--port" in capsys.readouterr().err
    for wrong in (
        ["--port", "70000"], ["--bind", "nonsense"], ["--trusted-proxy", "nonsense"],
        ["--trusted-proxy", "10.0.0.1/8"], ["--most-gib", "0"],
    ):  # fmt: skip
        assert main(["serve", root, *wrong]) == 1
        assert capsys.readouterr().err.startswith("ogrepo: ")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_says_where_and_ends_cleanly(folder: Folder, number: signal.Signals) -> None:
    argv = [sys.executable, "-m", "ogrepo", "serve", str(folder.root)]
    argv += ["--bind", "127.0.0.1", "--port", "0"]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        try:
            assert server.stdout is not None
            match = re.fullmatch(
                r"ogrepo serves \S+ at http://127\.0\.0\.1:(\d+)/ \(0 images\); stop it with "
                r"Ctrl-C\.\n",
                server.stdout.readline(),
            )
            assert match is not None
            link = http.client.HTTPConnection("127.0.0.1", int(match[1]), timeout=5)
            link.request("GET", "/healthz")
            assert link.getresponse().read() == b"ok\n"
            second = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
            assert second.returncode == 4
            assert "in use by another ogrepo" in second.stderr
            server.send_signal(number)
            out, said = server.communicate(timeout=10)
        finally:
            server.kill()
    assert (server.returncode, out) == (0, "")
    assert re.search(r"^\d{4}-\S+T\S+ 127\.0\.0\.1 GET /healthz - 200 3 \d+ms$", said, re.MULTILINE)
    assert "Traceback" not in said
