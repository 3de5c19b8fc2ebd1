# SPDX-License-Identifier: GPL-3.0-or-later
"""One command serves a small site: a PC in a network of its own gets address, loader and script;
and whatever becomes of the server, no dnsmasq stays behind."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CLIENT = Path(__file__).with_name("pc.py")
ENDS_S = 60.0
INVENTORY = """\
[server]
address = "10.77.0.1"
subnet = "10.77.0.0/24"
interface = "og0"
http_port = 8080
repository = "10.77.0.1:9"
dhcp = "own"
dhcp_range = ["10.77.0.100", "10.77.0.200"]

[entries.oglive]
title = "ogLive"

[[clients]]
mac = "52:54:00:00:00:01"
name = "pc01"
"""


class Network:
    """A server's and a PC's end of one cable, each in a namespace of its own."""

    def __init__(self, name: str) -> None:
        self.server, self.pc = f"{name}s", f"{name}p"

    def start(self) -> None:
        _run("ip", "netns", "add", self.server)
        _run("ip", "netns", "add", self.pc)
        _run("ip", "-n", self.server, "link", "add", "og0", "type", "veth",
             "peer", "name", "pc0", "netns", self.pc)  # fmt: skip
        _run("ip", "-n", self.pc, "link", "set", "pc0", "address", "52:54:00:00:00:01")
        _run("ip", "-n", self.server, "addr", "add", "10.77.0.1/24", "dev", "og0")
        for place, card in ((self.server, "lo"), (self.server, "og0"), (self.pc, "pc0")):
            _run("ip", "-n", place, "link", "set", card, "up")

    def stop(self) -> None:
        for place in (self.server, self.pc):
            subprocess.run(["ip", "netns", "del", place], check=False, capture_output=True)

    def ask(self, *words: str) -> dict[str, Any]:
        """What the PC gets."""
        said = _run("ip", "netns", "exec", self.pc, sys.executable, str(CLIENT), *words)
        return dict(json.loads(said))


class Server:
    """A running `ognetboot serve`."""

    def __init__(self, network: Network, *words: str) -> None:
        program = Path(sys.executable).with_name("ognetboot")
        self.process = subprocess.Popen(
            ["ip", "netns", "exec", network.server, program, "serve", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
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
        """Wait until it has said this."""
        with self._news:
            said = self._news.wait_for(
                lambda: any(part in line for line in self.lines), timeout=ENDS_S
            )
        assert said, self.lines

    def child(self) -> int:
        """The process of its dnsmasq."""
        told = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        (one,) = [int(pid) for pid in told.split() if _name(int(pid)) == "dnsmasq"]
        return one

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        code = self.process.wait(ENDS_S)
        self._reader.join(ENDS_S)
        return code


def _run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, timeout=ENDS_S, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    return done.stdout


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def gone(pid: int) -> bool:
    """Wait until the process is no more."""
    end = time.monotonic() + ENDS_S
    while _name(pid) == "dnsmasq" and time.monotonic() < end:
        time.sleep(0.01)
    return _name(pid) != "dnsmasq"


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    # dnsmasq is no root: it must be able to come to its files.
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.geteuid() and folder != Path("/"):
            folder.chmod(folder.stat().st_mode | 0o011)
    one = Network(f"og{os.getpid()}")
    try:
        one.start()
        yield one
    finally:
        one.stop()


@pytest.fixture
def place(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "rooms.toml").write_text(INVENTORY)
    return str(tmp_path / "rooms.toml"), str(tmp_path / "srv/netboot")


@contextmanager
def serving(network: Network, *words: str) -> Iterator[Server]:
    server = Server(network, *words)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait(ENDS_S)


def test_a_pc_gets_all_that_it_needs(network: Network, place: tuple[str, str]) -> None:
    with serving(network, *place) as server:
        server.says("Stop it with Ctrl-C.")
        assert any("1 PC in 0 rooms" in line for line in server.lines)
        assert any("there is no ogLive in" in line for line in server.lines)
        assert any("repository 10.77.0.1:9 does not answer" in line for line in server.lines)
        status = Path(f"/proc/{server.child()}/status").read_text()
        assert "\nUid:\t0\t" not in status
        given = network.ask("dhcp", "pc0", "52:54:00:00:00:01", "0")
        assert given["file"] == "undionly.kpxe"
        assert given["server"] == "10.77.0.1"
        server.says(f"pc01 has the address {given['address']}.")
        _run("ip", "-n", network.pc, "addr", "add", f"{given['address']}/24", "dev", "pc0")
        loader = network.ask("tftp", "10.77.0.1", "undionly.kpxe")
        served = Path(place[1], "undionly.kpxe").read_bytes()
        assert loader["digest"] == hashlib.sha256(served).hexdigest()
        server.says(f"{given['address']} fetched undionly.kpxe by TFTP.")
        assert "error" in network.ask("tftp", "10.77.0.1", "nothing")
        server.says("asks by TFTP for nothing, which is not there.")
        base = "http://10.77.0.1:8080/netboot"
        own = network.ask("http", f"{base}/ipxe/mac-52-54-00-00-00-01.ipxe")
        assert "hostname=pc01" in own["text"]

        # Saved: the tree is another, and dnsmasq knows of it.
        text = INVENTORY.replace('"pc01"', '"pc-one"\nip = "10.77.0.50"')
        Path(place[0]).write_text(text)
        server.says("DHCP and TFTP have their new configuration.")
        assert network.ask("dhcp", "pc0", "52:54:00:00:00:01", "7")["address"] == "10.77.0.50"
        own = network.ask("http", f"{base}/ipxe/mac-52-54-00-00-00-01.ipxe")
        assert "hostname=pc-one" in own["text"]
        # A mistake changes nothing.
        Path(place[0]).write_text(text.replace("og0", "og 0"))
        server.says("PCs get what they got before.")
        assert network.ask("http", f"{base}/boot.ipxe")["status"] == 200

        child = server.child()
        assert server.end(signal.SIGTERM) == 0
        assert gone(child)
        assert server.lines[-1] == "ognetboot has stopped."


def test_no_death_leaves_a_dnsmasq_and_one_that_dies_comes_again(
    network: Network, place: tuple[str, str]
) -> None:
    with serving(network, *place, "--no-http") as server:
        server.says("Stop it with Ctrl-C.")
        first = server.child()
        os.kill(first, signal.SIGKILL)
        server.says("dnsmasq ended (signal SIGKILL); it is started again in 1 s.")
        assert gone(first)
        assert network.ask("dhcp", "pc0", "52:54:00:00:00:02", "7")["file"] == "snponly.efi"
        second = server.child()
        server.end(signal.SIGKILL)
        assert gone(second)


def test_a_port_that_is_taken_is_one_sentence(network: Network, place: tuple[str, str]) -> None:
    code = "import socket, sys; s = socket.socket(2, 2); s.bind(('', 69)); sys.stdin.read(1)"
    holder = subprocess.Popen(
        ["ip", "netns", "exec", network.server, sys.executable, "-c", code],
        stdin=subprocess.PIPE,
    )
    try:
        end = time.monotonic() + ENDS_S
        udp = Path(f"/proc/{holder.pid}/net/udp")
        while ":0045 " not in udp.read_text() and time.monotonic() < end:
            time.sleep(0.01)
        for words in ((*place, "--check"), place):
            with serving(network, *words, "--no-http") as server:
                assert server.process.wait(ENDS_S) == 1
                server.says(f"(process {holder.pid}) holds 69.")
    finally:
        assert holder.stdin is not None
        holder.stdin.close()
        holder.wait(ENDS_S)
