# SPDX-License-Identifier: GPL-3.0-or-later
"""Parts of Python's library that a short command is spared; asked for before all else.

``dataclasses`` wants ``inspect`` for a class without a docstring, ``argparse`` wants ``gettext``
for translations that nobody made, ``pathlib`` quotes an address now and then. All of them cost more
than what is done with them, so something small stands in their place while they are imported.
Whoever else imports them gets the real ones.
"""

from __future__ import annotations

import sys
from types import ModuleType


class _Later(ModuleType):
    """The real module, as soon as something of it is asked for."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(__import__(self.__name__), name)


def _imported(user: str, without: ModuleType) -> None:
    """Import ``user``, which keeps the stand-in; nobody else sees it."""
    name = without.__name__
    if user in sys.modules or name in sys.modules:
        return
    sys.modules[name] = without
    try:
        __import__(user)
    finally:
        del sys.modules[name]


def _plain_gettext() -> ModuleType:
    found = ModuleType("gettext")
    vars(found).update(
        gettext=lambda text: text, ngettext=lambda one, many, count: one if count == 1 else many
    )
    return found


def _later_quoting() -> ModuleType:
    def quote_from_bytes(data: bytes) -> str:
        from urllib.parse import quote_from_bytes as real  # noqa: PLC0415

        return real(data)

    found = ModuleType("urllib.parse")
    vars(found).update(quote_from_bytes=quote_from_bytes)
    return found


def spare_urls() -> None:
    _imported("pathlib", _later_quoting())


def spare_inspect() -> None:
    _imported("dataclasses", _Later("inspect"))


def spare_gettext() -> None:
    _imported("argparse", _plain_gettext())
