# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about rEFInd, the menu on the ESP."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.boot import refind
from oglib.boot.facts import part_label
from oglib.deploy.system.refind import change, install
from oglib.errors import OgErr, OgError
from oglib.shim.command import Command, positive


def _label(words: Sequence[str]) -> str:
    return part_label(positive(words[0], "The disk"), positive(words[1], "The partition"))


def _install(words: Sequence[str]) -> None:
    install(scanning=bool(words) and words[0].upper() == "TRUE")


def _default(words: Sequence[str]) -> None:
    label = _label(words)
    change(lambda text: refind.with_default(text, label))


def _delete(words: Sequence[str]) -> None:
    label = _label(words)
    change(lambda text: refind.without(text, label))


def _oglive(_: Sequence[str]) -> None:
    change(lambda text: refind.with_default(text, refind.OGLIVE))


def _timeout(words: Sequence[str]) -> None:
    seconds = 0 if words[0] == "0" else positive(words[0], "The seconds")
    change(lambda text: refind.with_timeout(text, seconds))


def _gone(what: str) -> Command:
    name, usage, made = {
        "theme": ("ogRefindSetTheme", "THEME", "a theme of rEFInd's menu"),
        "resolution": ("ogRefindSetResolution", "X [Y]", "a resolution of rEFInd's menu"),
    }[what]
    instead = "ogGrubSetTheme" if what == "theme" else "ogGrubSetResolution"

    def refuse(_words: Sequence[str]) -> None:
        raise OgError(
            f"{name} is retired: it set {made}. Nothing was changed.",
            hint=f"Instead of it: {instead}, for GRUB's menu.",
            code=OgErr.NOTEXEC,
        )

    return Command(
        name, usage, f"set {made}", refuse, 0, 100, f"{name} {usage}",
        f"Instead of it: {instead}, for GRUB's menu.", "retired",
    )  # fmt: skip


_BY_TITLE = "The default is named by its title, so it stays what it is when others go."
COMMANDS = {
    command.name: command
    for command in (
        Command("ogRefindInstall", "[TRUE]",
                "installs rEFInd on the ESP with an entry for each Part-DD-PP; TRUE: and scanning",
                _install, 0, 1, "ogRefindInstall TRUE",
                "Its files are Debian's, and a site's overlay brings them (NOTEXEC without). "
                "With Secure Boot on it is refused (NOTEXEC). It is the second of the firmware's "
                "order."),
        Command("ogRefindDefaultEntry", "DISK PARTITION", "chooses the entry that starts by itself",
                _default, 2, 2, "ogRefindDefaultEntry 1 2", _BY_TITLE),
        Command("ogRefindDeleteEntry", "DISK PARTITION", "removes the entry of a partition",
                _delete, 2, 2, "ogRefindDeleteEntry 1 2", "Of the file only that entry changes."),
        Command("ogRefindOgliveDefaultEntry", "", "lets ogLive start by itself", _oglive, 0, 0,
                "ogRefindOgliveDefaultEntry", _BY_TITLE),
        Command("ogRefindSetTimeOut", "SECONDS", "sets how long the menu waits", _timeout, 1, 1,
                "ogRefindSetTimeOut 5", "0 does not wait; rEFInd itself would wait for ever."),
        _gone("theme"),
        _gone("resolution"),
    )
}  # fmt: skip
