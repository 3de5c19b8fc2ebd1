# SPDX-License-Identifier: GPL-3.0-or-later
"""A small site whose PCs see nothing but their menus: `ognetboot serve` in a LAN of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from harness.clock import Deadline, Timeouts, poll
from harness.lan import SERVER_IP, Lan
from harness.paths import BUILD, ROOT, needed, program
from harness.process import Background, run
from harness.screen import Screen

PICTURES = BUILD / "menus"
PASSWORD = "horse-battery"  # noqa: S105  that of a site which lives for a minute
# What Debian 12 has, and what `make setup` fetched of Debian 13.
_OLDER = Path("/usr/lib/ipxe")
NEWER = ROOT / ".tools/loaders/usr/lib/ipxe"
# Enough dots of the marked line's colour: a bar of a screen's width, letters left out.
_MARKED, _MARKED_DOTS = bytes.fromhex("2b78c2"), 5000
_IPXE = ("undionly.kpxe", "snponly.efi", "ipxe.efi")

_WORDS = {
    "en": (
        "University - Faculty of Science",
        "Debian 13",
        "Put Debian back as it was, then start it",
        "Laboratory 1",
    ),
    "es": (
        "Universidad - Facultad de Ciencias",
        "Debian 13",
        "Restaurar Debian y después iniciarlo",
        "Aula de Informática 1",
    ),
    "ca": (
        "Universitat - Facultat de Ciències",
        "Debian 13",
        "Restaura Debian i després l'inicia",
        "Aula d'Informàtica 1",
    ),
}
_INVENTORY = """
[server]
title = "{title}"
address = "{address}"
http_port = 8080
subnet = "10.77.0.0/24"
interface = "oglan"
dhcp = "own"
dhcp_range = ["10.77.0.100", "10.77.0.200"]
uefi_loader = "{loader}"
language = "{language}"
timeout_s = 900

[entries.localdisk]
title = "{system}"

[entries.windows]
title = "Windows 11"
kind = "system"
partition = 3

[entries.restore]
title = "{restore}"
job = {{ restore = "debian@3", disk = "system", partition = 2, after = "reboot" }}
in_menu = true

[entries.oglive]
title = "ogLive"

[entries.maintenance]
title = "ogLive (root)"
admin = true
password = true

[rooms.room1]
title = "{room}"

[[clients]]
mac = "{mac}"
name = "pc14"
room = "room1"
"""


def has_marked_line(screen: Screen) -> bool:
    """Whether a menu with a picture is there: by the bar behind its marked line."""
    return screen.pixels()[1].count(_MARKED) > _MARKED_DOTS


def this_machine_has_the_older() -> bool:
    """Whether its own iPXE, and so the one in QEMU's cards, is that of Debian 12."""
    path = _OLDER / "snponly.efi"
    return path.exists() and b"+git-2019" in path.read_bytes()


class MenuSite:
    """The server; use it as a context. `older`: with the loaders of Debian 12."""

    def __init__(
        self,
        folder: Path,
        mac: str,
        language: str,
        *,
        older: bool,
        loader: str = "ipxe",
        title: str = "",
    ) -> None:
        self.folder = folder
        self.lan = Lan("menus")
        self.inventory = folder / "site.toml"
        self._log = folder / "serve.log"
        self._server: Background | None = None
        loaders = folder / "loaders"
        loaders.mkdir(parents=True)
        for name in _IPXE if older else ():
            shutil.copyfile(needed(_OLDER / name, "setup"), loaders / name)
        if loader == "shim":
            # No Secure Boot here: GRUB itself is the first program.
            grub = ROOT / ".tools/loaders/usr/lib/grub/x86_64-efi/monolithic/grubnetx64.efi"
            for name in ("shimx64.efi", "grubx64.efi"):
                shutil.copyfile(needed(grub, "setup"), loaders / name)
        usual, system, restore, room = _WORDS[language]
        text = _INVENTORY.format(
            address=SERVER_IP, loader=loader, language=language, mac=mac,
            title=title or usual, system=system, restore=restore, room=room,
        )  # fmt: skip
        self.inventory.write_text(text, "utf-8")
        secret = folder / "secret"
        secret.write_text(f"{PASSWORD}\n", "ascii")
        run([program("ognetboot"), "password", "all", "--file", str(secret),
             "--inventory", str(self.inventory)])  # fmt: skip

    def __enter__(self) -> MenuSite:
        argv = [program("ognetboot"), "serve", str(self.inventory), str(self.folder / "netboot"),
                "--loaders", str(self.folder / "loaders")]  # fmt: skip
        self._server = Background("ognetboot serve", self.lan.inside(argv), self._log)
        return self

    def __exit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.stop()
        self.lan.close()

    def wait_for_line(self, text: str, seconds: float) -> str:
        """Until the server has said this; all that it has said."""

        def look() -> str | None:
            assert self._server is not None
            self._server.require_alive()
            said = self._server.log_text()
            return said if text in said else None

        return poll(look, Deadline(seconds, f"the server says {text!r}"))

    def wait_until_up(self) -> None:
        """DHCP, TFTP and HTTP answer."""
        self.wait_for_line("Stop it with Ctrl-C", Timeouts().server_up)
