# SPDX-License-Identifier: GPL-3.0-or-later
"""Fills the templates of `menus/` for one screen: iPXE's script, and GRUB's menu."""

from __future__ import annotations

from collections.abc import Mapping

from ognetboot.inventory.choices import Tongue
from ognetboot.texts.languages import Language, environment
from ognetboot.texts.screens import Screen
from ognetboot.texts.sentences import (
    load_colours,
    load_look,
    load_picture,
    load_reasons,
    load_texts,
)
from ognetboot.texts.words import GrubWords, Words


class Menus:
    """The menus of one tree; `common` is what its other templates know too."""

    def __init__(self, common: Mapping[str, object]) -> None:
        self._common = {
            **common,
            "look": load_look(),
            "colours": load_colours(),
            "picture": load_picture(),
            "reasons": load_reasons(),
        }
        self._ipxe_language = environment(Language.IPXE)
        self._ipxe = self._ipxe_language.get_template("menus/menu.ipxe.j2")
        self._grub_language = environment(Language.GRUB)
        self._grub = self._grub_language.get_template("menus/menu.grub.j2")

    def ipxe(self, screen: Screen) -> str:
        """The script of the PCs that get this screen."""
        known = {**self._common, "screen": screen, "texts": screen.texts, "words": Words()}
        return self._ipxe.render(known)

    def answer(self, script: str, language: Tongue, **values: object) -> str:
        """The `script` of `menus/`, which a server answers a PC with."""
        template = self._ipxe_language.get_template(f"menus/{script}.ipxe.j2")
        known = {**self._common, "texts": load_texts(language), "words": Words(), **values}
        return template.render(known)

    def grub(self, screen: Screen) -> str:
        """GRUB's menu of the same."""
        known = {**self._common, "screen": screen, "texts": screen.texts, "words": GrubWords()}
        return self._grub.render(known)

    def grub_look(self, site: str, picture: str) -> dict[str, str]:
        """What all menus of GRUB share, by its path below `grub/`."""
        known = {**self._common, "site": site, "picture_name": picture}
        look = self._grub_language.get_template("menus/look.grub.j2")
        theme = self._grub_language.get_template("menus/theme.grub.j2")
        themes = {
            f"look/{tongue}.txt": theme.render({**known, "texts": load_texts(tongue)})
            for tongue in Tongue
        }
        return {"look.cfg": look.render(known), **themes}
