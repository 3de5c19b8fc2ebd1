# SPDX-License-Identifier: GPL-3.0-or-later
"""The repository server of the segment: ogrepo and dnsmasq in the LAN's namespace.

It lays out the repository folder as a site would (keys, layouts, artefacts, netboot files, site
overlay) with the project's own commands, and answers what was asked of it.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from harness import accesslog, frames
from harness.accesslog import Request
from harness.clock import Deadline, Timeouts, poll
from harness.disks import SECTOR_BYTES
from harness.inventory import HTTP_PORT, inventory_text
from harness.lan import IPV6_PREFIX, IPV6_RANGE, SERVER_IP, Lan
from harness.layouts import LAYOUTS
from harness.paths import LiveArtifacts, cache_dir, digest_of, program
from harness.process import Background, run
from harness.steps import LOG
from oglib.settings import UPLOAD_TOKEN

_ARTIFACT_NAMES = ("ogvmlinuz", "oginitrd.img", "ogclient.sqfs", "ogclient.erofs", "manifest.json",
                   "SHA256SUMS")  # fmt: skip


def test_keys() -> Path:
    """The image key pair of this host's tests: kept, so that a saved ready state knows it."""
    folder = cache_dir("test-keys")
    if not (folder / "keys" / "image.pub").exists():
        run([program("ogrepo"), "keygen", "--dir", str(folder)])
    return folder


class Server:
    """One repository folder and the two processes that serve it."""

    url = f"http://{SERVER_IP}" if HTTP_PORT == 80 else f"http://{SERVER_IP}:{HTTP_PORT}"

    def __init__(self, lan: Lan, folder: Path, log_dir: Path, timeouts: Timeouts) -> None:
        self.root = folder
        self.log_dir = log_dir
        self._lan = lan
        self._timeouts = timeouts
        self._processes: list[Background] = []
        log_dir.mkdir(parents=True, exist_ok=True)

    # ---- the folder --------------------------------------------------------------------------

    def prepare(self, *artifacts: LiveArtifacts) -> None:
        """Fill the folder; afterwards it can be started."""
        shutil.copytree(test_keys(), self.root)
        self.root.chmod(0o755)
        layouts = self.root / "layouts"
        layouts.mkdir(exist_ok=True)
        for name, layout in LAYOUTS.items():
            (layouts / f"{name}.json").write_text(json.dumps(layout, indent=2) + "\n", "ascii")
        for one in artifacts:
            self.add_live(one)
        (self.root / "oglive").mkdir(exist_ok=True)
        self._pack_site_overlay()
        inventory = self.root.parent / "inventory.toml"
        inventory.write_text(inventory_text(), "utf-8")
        run([program("ognetboot"), "render", str(inventory), str(self.netboot), "--test"])

    def add_live(self, live: LiveArtifacts) -> None:
        """Offer a built ogLive. Hard links, for no link that leads out of the folder is served."""
        name = "oglive" if live.profile == "default" else f"oglive-{live.profile}"
        target = self.root / name / "current"
        target.mkdir(parents=True)
        for file in _ARTIFACT_NAMES:
            source = live.folder / file
            if source.exists():
                try:
                    os.link(source, target / file)
                except OSError:  # another filesystem
                    shutil.copyfile(source, target / file)

    def _pack_site_overlay(self) -> None:
        """site.cpio, as a site makes it: the repository's public key, where ogLive looks for it."""
        keys = self.root.parent / "site/etc/oglive/keys"
        keys.mkdir(parents=True)
        for key in sorted((self.root / "keys").glob("*.pub")):
            shutil.copyfile(key, keys / key.name)
        out = self.root / "oglive/site.cpio"
        run([program("ognetboot"), "site", str(self.root.parent / "site"), str(out)])

    @property
    def netboot(self) -> Path:
        return self.root / "netboot"

    def boot_digest(self) -> str:
        """Changes with anything that a PC receives before it is ready, artefacts apart."""
        parts = [digest_of(path) for path in sorted(self.netboot.glob("ipxe/*.ipxe"))]
        return "-".join([*parts, digest_of(self.root / "oglive" / "site.cpio")])

    # ---- running -----------------------------------------------------------------------------

    def start(self) -> None:
        """Start both servers and wait until they answer."""
        self._start_ogrepo()
        leases = self.log_dir / "leases"
        dnsmasq = ["dnsmasq", "--keep-in-foreground", "--user=root", "--log-facility=-"]
        dnsmasq += ["--pid-file=", f"--dhcp-leasefile={leases}"]
        # The test LAN's own, no part of what a site gets: a router that advertises itself.
        dnsmasq += ["--enable-ra", f"--dhcp-range={IPV6_RANGE},ra-only,{IPV6_PREFIX}"]
        self._spawn("dnsmasq", [*dnsmasq, f"--conf-file={self.netboot / 'dnsmasq.conf'}"])
        deadline = Deadline(self._timeouts.server_up, "the servers answer")
        self._lan.call(lambda: poll(self._http_answers, deadline))
        poll(self._dnsmasq_started, deadline)

    def _start_ogrepo(self) -> None:
        ogrepo = [program("ogrepo"), "serve", str(self.root), "--bind", SERVER_IP]
        self._spawn("ogrepo", [*ogrepo, "--port", str(HTTP_PORT)], first=True)

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within this block the repository does not answer; PCs still get addresses."""
        LOG.say("the repository is switched off")
        self._processes.pop(0).stop()
        try:
            yield
        finally:
            self._start_ogrepo()
            deadline = Deadline(self._timeouts.server_up, "the repository answers again")
            self._lan.call(lambda: poll(self._http_answers, deadline))

    def _spawn(self, name: str, argv: list[str], *, first: bool = False) -> None:
        log = self.log_dir / f"{name}.log"
        process = Background(name, self._lan.inside(argv), log)
        self._processes.insert(0 if first else len(self._processes), process)

    def _http_answers(self) -> bool | None:
        for process in self._processes:
            process.require_alive()
        with socket.socket() as probe:
            probe.settimeout(1)
            return True if probe.connect_ex((SERVER_IP, HTTP_PORT)) == 0 else None

    def _dnsmasq_started(self) -> bool | None:
        dnsmasq = self._processes[-1]
        dnsmasq.require_alive()
        return True if "started" in dnsmasq.log_text() else None

    def stop(self) -> None:
        while self._processes:
            self._processes.pop().stop()

    # ---- what a scenario asks of it ----------------------------------------------------------

    def token(self, name: str) -> str:
        """A one-image upload token."""
        out = run([program("ogrepo"), "token", name, "--dir", str(self.root)])
        return out.strip().splitlines()[-1]

    def convert(self, name: str, copy: str, *options: str) -> None:
        """``og image convert`` beside the repository; the copy is uploaded and signed."""
        argv = ["image", "convert", str(self.image(name)), *options, "--name", copy]
        self._upload(copy, *argv, "--scratch", str(self.root.parent))

    def capture(self, disk: Path, part: int, name: str) -> None:
        """``og image create`` of a disk in a file, beside the repository; likewise signed."""
        self._upload(name, "image", "create", str(disk), str(part), name)

    def _upload(self, name: str, *words: str) -> None:
        token = UPLOAD_TOKEN
        token.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        token.touch(mode=0o600)
        token.write_text(self.token(name), "ascii")
        try:
            run(self._lan.inside([program("og"), *words, "--to", self.url]))
        finally:
            token.unlink()

    def image(self, name: str) -> Path:
        return self.root / "images" / f"{name}.img"

    def _beside(self, name: str, suffix: str) -> Path:
        image = self.image(name)
        return image.with_name(f"{image.name}{suffix}")

    def manifest(self, name: str) -> dict[str, object]:
        loaded = json.loads(self._beside(name, ".json").read_bytes())
        assert isinstance(loaded, dict)
        return loaded

    def required_bytes(self, name: str) -> int:
        """What a target must have for this image, as its manifest says."""
        size = self.manifest(name)["device_size_bytes"]
        assert isinstance(size, int)
        assert size % SECTOR_BYTES == 0
        return size

    def frames(self, name: str) -> list[tuple[int, int]]:
        """Every frame's place in the image file, as [first, end)."""
        return frames.spans(self._beside(name, ".frames"))

    def requests(self) -> list[Request]:
        """Everything asked over HTTP so far."""
        return accesslog.parse((self.log_dir / "ogrepo.log").read_text("utf-8", "replace"))

    def image_reads(self, name: str, client: str = "") -> list[Request]:
        """The answered reads of an image's body, by its name or by its digest."""
        paths = (f"/images/{name}.img", f"/bytes/{self.manifest(name)['image_blake3']}")
        return accesslog.served(self.requests(), paths, client)

    @contextmanager
    def flipped_bit(self, name: str, offset: int) -> Iterator[None]:
        """Within this block the stored image has one bit wrong at this byte."""
        LOG.say(f"one bit of {name}.img is flipped at byte {offset}")
        path = self.image(name)
        self._flip(path, offset)
        try:
            yield
        finally:
            self._flip(path, offset)

    @staticmethod
    def _flip(path: Path, offset: int) -> None:
        with path.open("r+b") as stream:
            stream.seek(offset)
            value = stream.read(1)[0]
            stream.seek(offset)
            stream.write(bytes([value ^ 0x10]))
