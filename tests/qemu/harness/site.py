# SPDX-License-Identifier: GPL-3.0-or-later
"""A site whose PCs boot what `ognetboot` says: a LAN of its own, an inventory, and it serves."""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

from harness.accel import TCG
from harness.clock import Deadline, Timeouts, poll
from harness.errors import HarnessError, ProductFailure
from harness.inventory import Pc
from harness.lan import BRIDGE, IPV6_PREFIX, IPV6_RANGE, SERVER_IP, Lan
from harness.machine import Machine
from harness.paths import LiveArtifacts, needed, program
from harness.process import Background, run
from harness.steps import LOG
from harness.tiny_disk import tiny_disk

PORT = 8080
ADDRESSES = ("10.77.0.100", "10.77.0.199")
# What Debian 12 has; what `make setup` fetched of Debian 13 is served unless this is asked for.
_OLDER = Path("/usr/lib/ipxe")
_IPXE = ("undionly.kpxe", "snponly.efi", "ipxe.efi")
_LIMIT_S = 240
_FETCH_S = 30
_DNSMASQ_UP = ": started, version"

Entries = Mapping[str, Mapping[str, object]]


def _table(name: str, values: Mapping[str, object]) -> str:
    return "\n".join([name, *(f"{key} = {json.dumps(value)}" for key, value in values.items()), ""])


def inventory_of(
    entries: Entries, clients: Sequence[Mapping[str, object]], server: Mapping[str, object]
) -> str:
    """The TOML text; `server` overrides what all sites here have in common."""
    common: dict[str, object] = {
        "title": "Faculty", "address": SERVER_IP, "http_port": PORT, "subnet": "10.77.0.0/24",
        "interface": BRIDGE, "dhcp": "own", "dhcp_range": list(ADDRESSES), "timeout_s": 0,
        "default_entry": "localdisk",
    }  # fmt: skip
    merged = {key: value for key, value in {**common, **server}.items() if value is not None}
    rows = [_table("[server]", merged)]
    rows += [_table(f"[entries.{name}]", entry) for name, entry in entries.items()]
    rows += [_table("[rooms.room1]", {"title": "Room 1"})]
    rows += [_table("[[clients]]", client) for client in clients]
    return "\n".join(rows)


class Site:
    """Use it as a context, then `serve` in it.

    `older`: with the loaders of Debian 12. `router`: one advertises itself by IPv6; without it that
    iPXE waits 16 seconds for one.
    """

    def __init__(
        self, folder: Path, inventory: str, *, older: bool = False, router: bool = True
    ) -> None:
        self.folder = folder
        self.inventory = folder / "site.toml"
        self.tree = folder / "netboot"
        self.lan = Lan("site")
        self._loaders = folder / "loaders"
        self._stack = ExitStack()
        self._server: Background | None = None
        self._router = router
        self._loaders.mkdir(parents=True)
        for name in _IPXE if older else ():
            shutil.copyfile(needed(_OLDER / name, "setup"), self._loaders / name)
        self.inventory.write_text(inventory, "utf-8")

    def __enter__(self) -> Site:
        if self._router:
            argv = ["dnsmasq", "--keep-in-foreground", "--user=root", "--conf-file=/dev/null"]
            argv += ["--port=0", "--log-facility=-", "--pid-file=", "--enable-ra"]
            argv += [f"--dhcp-leasefile={self.folder / 'router.leases'}"]
            argv += [f"--dhcp-range={IPV6_RANGE},ra-only,{IPV6_PREFIX}"]
            self.background("router", argv)
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        self.lan.close()

    def offer(self, live: LiveArtifacts) -> None:
        """Put a built ogLive where PCs fetch it from."""
        target = self.folder / f"oglive-{live.profile}" / "current"
        target.mkdir(parents=True)
        for source in live.folder.iterdir():
            try:
                os.link(source, target / source.name)
            except OSError:  # another filesystem
                shutil.copyfile(source, target / source.name)

    # ---- servers -----------------------------------------------------------------------------

    def background(self, name: str, argv: Sequence[str]) -> Background:
        """A program on the server; it ends with the site."""
        process = Background(name, self.lan.inside(list(argv)), self.folder / f"{name}.log")
        self._stack.callback(process.stop)
        return process

    def serve(self, *options: str) -> None:
        """`ognetboot serve`, until the site is closed."""
        self._server = self.background(
            "serve",
            [program("ognetboot"), "serve", str(self.inventory), str(self.tree), "--test",
             "--loaders", str(self._loaders), *options],
        )  # fmt: skip
        self.wait_for_line("Stop it with Ctrl-C", Timeouts().server_up)

    def render(self, tree: Path) -> None:
        """The same files, into another tree."""
        run([program("ognetboot"), "render", str(self.inventory), str(tree), "--test",
             "--loaders", str(self._loaders)])  # fmt: skip

    def dnsmasq(self, tree: Path, *options: str) -> Background:
        """DHCP and TFTP as a rendered tree says, and as these options say besides."""
        argv = ["dnsmasq", "--keep-in-foreground", "--user=root", "--log-facility=-"]
        argv += ["--pid-file=", f"--dhcp-leasefile={self.folder / 'leases'}", *options]
        log = self.folder / "dnsmasq.log"
        log.touch()
        begun = log.read_text("utf-8", "replace").count(_DNSMASQ_UP)
        process = self.background("dnsmasq", [*argv, f"--conf-file={tree / 'dnsmasq.conf'}"])

        def up() -> bool | None:
            process.require_alive()
            return process.log_text().count(_DNSMASQ_UP) > begun or None

        poll(up, Deadline(Timeouts().server_up, "dnsmasq is up"))
        return process

    @contextmanager
    def dead_http(self, way: str) -> Iterator[None]:
        """`silent`: it accepts and says nothing. `refused`: nobody listens there."""
        if way != "silent":
            yield
            return
        listener = self.lan.call(lambda: socket.create_server((SERVER_IP, PORT), backlog=64))
        with listener:
            yield

    def order(self, *words: str, status: int = 0) -> str:
        """An administrator's command about this inventory; what it said."""
        LOG.say(f"server# ognetboot {' '.join(words)}")
        where = ["--inventory", str(self.inventory), "--test"]
        if words[0] in ("set", "exam"):
            where += ["--out", str(self.tree)]
        with (self.folder / "orders.log").open("a", encoding="utf-8") as log:
            print("#", *words, file=log, flush=True)
            argv = ["sh", "-c", 'expected=$1; shift; "$@"; [ $? = "$expected" ]', "order"]
            try:
                said = run([*argv, str(status), program("ognetboot"), *words, *where])
            except HarnessError as error:
                raise ProductFailure(str(error)) from error
            print(said, file=log)
        return said

    def wait_for_line(self, text: str, seconds: float = _LIMIT_S, times: int = 1) -> None:
        """Until `ognetboot serve` has said this so often."""
        server = self._server
        assert server is not None

        def look() -> bool | None:
            server.require_alive()
            return server.log_text().count(text) >= times or None

        poll(look, Deadline(seconds, f"the server says {text!r}"))

    def fetched(self, name: str) -> str:
        """A file of the tree, as a PC gets it over HTTP."""

        def fetch() -> bytes:
            asking = HTTPConnection(SERVER_IP, PORT, timeout=_FETCH_S)
            with closing(asking):
                asking.request("GET", f"/netboot/{name}")
                return asking.getresponse().read()

        return self.lan.call(fetch).decode("utf-8", "replace")

    def wait_for_another(self, name: str) -> None:
        """Until a file of the tree is another than it is now, by nobody's doing."""
        now = self.fetched(name)
        deadline = Deadline(_LIMIT_S, f"{name} is written anew")
        poll(lambda: self.fetched(name) != now or None, deadline)

    # ---- PCs ---------------------------------------------------------------------------------

    @contextmanager
    def pc(self, pc: Pc, memory_mib: int = 512) -> Iterator[Machine]:
        """A PC with a disk that starts in a blink."""
        disk = tiny_disk(pc.firmware, self.folder / f"{pc.name}-disk")
        shape = pc.shape(memory_mib)
        logs = self.folder / pc.name
        with Machine(self.lan, TCG, shape, logs, [disk], name=pc.name) as machine:
            yield machine


def client(pc: Pc, **more: object) -> dict[str, object]:
    """A PC's row of the inventory."""
    return {"mac": pc.mac, "name": pc.name, "room": "room1", "firmware": pc.firmware.value,
            **more}  # fmt: skip


def wait_for_start(machine: Machine, seconds: float = _LIMIT_S) -> str:
    """What starts on its disk says its word; the PC is off then."""
    found = machine.wait_for_console(r"STARTED-(\w+)\s", seconds, f"{machine.name} starts its disk")
    word = found[1].decode()
    machine.kill()
    LOG.say(f"{machine.name}: {word}")
    return word
