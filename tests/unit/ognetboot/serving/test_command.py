# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot serve` as a process: what it says, hears and writes anew, and how it ends."""

from __future__ import annotations

import json
import pwd
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from ognetboot.assigning.ears import Ear, heard_by
from ognetboot.cli import main
from ognetboot.serving import dnsmasq
from ognetboot.serving.dnsmasq import Child
from ognetboot.serving.holders import holder
from ognetboot.texts.written import alone
from unit.ognetboot.serving.server import INVENTORY, MAC

ENDS_S = 60.0
SCRIPT = f"/netboot/ipxe/mac-{MAC.replace(':', '-')}.ipxe"


class Running:
    """The process, and what it has said."""

    def __init__(self, *words: str) -> None:
        program = Path(sys.executable).with_name("ognetboot")
        self.process = subprocess.Popen(
            [program, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        self.lines: list[str] = []
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def says(self, part: str) -> None:
        with self._news:
            assert self._news.wait_for(
                lambda: any(part in line for line in self.lines), timeout=ENDS_S
            ), self.lines

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(ENDS_S)
        self._reader.join(ENDS_S)
        return code


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@pytest.fixture
def file(tmp_path: Path, port: int) -> Path:
    path = tmp_path / "rooms.toml"
    path.write_text(INVENTORY.replace("8080", str(port)), "utf-8")
    return path


@pytest.fixture
def started() -> Iterator[list[Running]]:
    them: list[Running] = []
    yield them
    for one in them:
        one.process.kill()
        one.process.wait(ENDS_S)


def get(port: int, path: str) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=ENDS_S) as answer:
        return str(answer.read().decode())


def until(port: int, path: str, good: str) -> str:
    """The file, when it holds this."""
    end = time.monotonic() + ENDS_S
    while good not in (text := get(port, path)) and time.monotonic() < end:
        time.sleep(0.02)
    assert good in text
    return text


def test_from_a_report_to_another_script(
    file: Path, tmp_path: Path, port: int, started: list[Running]
) -> None:
    out = tmp_path / "srv/netboot"
    server = Running("serve", str(file), str(out), "--no-dhcp", "--no-tftp")
    started.append(server)
    server.says("Stop it with Ctrl-C.")
    assert f"  HTTP  http://127.0.0.1:{port}/netboot/ and /oglive/" in "\n".join(server.lines)
    assert "  DHCP  not served" in server.lines
    assert any("Missing: there is no ogLive in" in line for line in server.lines)
    assert any("this program serves no images" in line for line in server.lines)
    assert heard_by(file) is Ear.REPORT

    # Given once: the script has it, until the PC says that it got there.
    before = get(port, SCRIPT)
    common = ["--inventory", str(file), "--out", str(out)]
    assert main(["set", "pc:pc01", "oglive", "--once", *common]) == 0
    given = until(port, SCRIPT, "ogstamp=")
    stamp = given.partition("ogstamp=")[2].split()[0]
    assert get(port, f"/netboot/do/reached?mac={MAC}&entry=oglive&stamp={stamp}") == ""
    server.says("pc01 got to oglive, which it was given for this once.")
    end = time.monotonic() + ENDS_S
    while get(port, SCRIPT) != before and time.monotonic() < end:
        time.sleep(0.02)
    assert get(port, SCRIPT) == before

    # Registered, approved, and its next try has a script of its own.
    assert "number 1" in get(port, "/netboot/do/register.ipxe?mac=52:54:00:ff:00:01&name=pc09")
    assert main(["approve", "1", "--inventory", str(file)]) == 0
    server.says("3 PCs boot was written anew")
    assert "hostname=pc09" in get(port, "/netboot/ipxe/mac-52-54-00-ff-00-01.ipxe")

    assert server.end(signal.SIGTERM) == 0
    assert server.lines[-1] == "ognetboot has stopped."
    assert json.loads(file.with_name("rooms.seen.json").read_text())["pc01"]["entry"] == "oglive"
    assert heard_by(file) is Ear.NONE


def test_a_log_is_followed_until_ctrl_c(file: Path, tmp_path: Path, started: list[Running]) -> None:
    log = tmp_path / "access.log"
    log.touch()
    follower = Running("follow", str(log), "--inventory", str(file))
    started.append(follower)
    follower.says("Stop it with Ctrl-C.")
    assert heard_by(file) is Ear.FETCH
    assert follower.end(signal.SIGINT) == 0


def test_who_serves_no_dhcp_leaves_what_the_tree_says_of_it(
    file: Path, tmp_path: Path, started: list[Running]
) -> None:
    given = 'interface = "lo"\ndhcp = "own"\ndhcp_range = ["127.0.0.50", "127.0.0.99"]'
    file.write_text(file.read_text().replace('interface = "lo"', given))
    out = tmp_path / "srv/netboot"
    assert main(["render", str(file), str(out)]) == 0
    names = ("dnsmasq.conf", "dhcpd.conf", "kea-dhcp4.conf")
    before = [(out / name).read_text() for name in names]
    assert "dhcp-range=127.0.0.50" in before[0]
    server = Running("serve", str(file), str(out), "--no-dhcp", "--no-tftp")
    started.append(server)
    server.says("Stop it with Ctrl-C.")
    assert [(out / name).read_text() for name in names] == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--no-dhcp", "--no-tftp"], "listens there"),
        (["--no-dhcp", "--no-tftp", "--behind", "80"], "80 is no port for it"),
        (["--no-dhcp", "--no-tftp", "--bind", "nonsense"], "nonsense is not an IP address"),
    ],
)
def test_what_cannot_start_is_one_sentence(  # noqa: PLR0917
    file: Path,
    tmp_path: Path,
    port: int,
    words: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with socket.create_server(("0.0.0.0", port)):
        assert main(["serve", str(file), str(tmp_path / "srv/netboot"), *words]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert said in lines[0]
    assert not (tmp_path / "srv").exists()


def test_a_log_that_is_missing_is_refused_before_the_tree_is_written(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve", str(file), str(tmp_path / "srv/netboot"), "--no-dhcp", "--no-tftp"]
    assert main([*words, "--log", str(tmp_path / "none/access.log")]) == 1
    assert "there is no log" in capsys.readouterr().err
    assert not (tmp_path / "srv").exists()


def test_so_is_a_tree_that_dnsmasq_may_not_enter(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    given = 'interface = "lo"\ndhcp = "own"\ndhcp_range = ["127.0.0.50", "127.0.0.99"]'
    file.write_text(file.read_text().replace('interface = "lo"', given))
    (tmp_path / "srv").mkdir(0o700)
    nobody = pwd.getpwnam("nobody")
    program = Path("/usr/sbin/dnsmasq")
    child = Child(program, Path("/usr/bin/setpriv"), tmp_path / "leases", nobody)
    monkeypatch.setattr(dnsmasq, "find", lambda _: child)
    assert main(["serve", str(file), str(tmp_path / "srv/netboot"), "--no-tftp"]) == 1
    assert "runs as the user nobody, which may not enter" in capsys.readouterr().err
    assert list((tmp_path / "srv").iterdir()) == []


def test_ctrl_c_ends_a_wait_for_another_program(
    file: Path, tmp_path: Path, port: int, started: list[Running]
) -> None:
    out = tmp_path / "srv/netboot"
    out.parent.mkdir()
    with alone(out):
        server = Running("serve", str(file), str(out), "--no-dhcp", "--no-tftp")
        started.append(server)
        end = time.monotonic() + ENDS_S
        while holder("tcp", port) == "" and time.monotonic() < end:
            time.sleep(0.02)  # it listens before it writes
        assert server.end(signal.SIGINT) == 0, server.lines
    assert server.lines == ["ognetboot has stopped."]
    assert not out.exists()


def test_check_says_what_is_missing_and_writes_nothing(
    file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve", str(file), str(tmp_path / "srv/netboot"), "--no-dhcp", "--no-tftp", "--check"]
    assert main(words) == 1
    said = capsys.readouterr()
    lines = said.out.splitlines()
    assert lines[0].startswith("ognetboot serves 2 PCs in ")
    assert lines[4].startswith("Missing: there is no ogLive in")
    assert lines[5].startswith("Missing: the repository is to be at ")
    assert lines[6] == "2 things are missing: `ognetboot serve` starts, and PCs will miss them."
    assert (len(lines), said.err) == (7, "")
    assert not (tmp_path / "srv").exists()


def test_what_is_said_of_http_is_where_it_listens(
    file: Path, tmp_path: Path, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["serve", str(file), str(tmp_path / "srv/netboot"), "--no-dhcp", "--no-tftp", "--check"]
    main([*words, "--bind", "127.0.0.2"])
    said = capsys.readouterr().out
    assert f"  HTTP  http://127.0.0.2:{port}/netboot/ and /oglive/, " in said
    assert f"Missing: HTTP listens on 127.0.0.2 alone, and PCs are sent to 127.0.0.1:{port}" in said
    main([*words, "--bind", "127.0.0.1"])
    assert "listens on" not in capsys.readouterr().out
