# SPDX-License-Identifier: GPL-3.0-or-later
"""One Jinja environment for each language that is written: iPXE, GRUB, dnsmasq.

Every value that a template prints goes through its language's guard (Jinja's `finalize`), so a
template that forgets to escape fails instead of writing syntax. `{{ }}` is known when rendering,
`${ }` when booting; no value may bring the second kind in. Templates come from this package only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from enum import StrEnum
from functools import cache, lru_cache
from importlib.resources import files

from jinja2 import BaseLoader, Environment, FunctionLoader, StrictUndefined, pass_context
from jinja2.runtime import Context

from ognetboot.errors import NetbootError
from ognetboot.texts.charsets import Charset, spelled

# What none of the three languages gives a meaning to, at any place of a line.
_PLAIN = re.compile(r"[A-Za-z0-9_.,:=/@%+~-]*")
_PLAIN_FIELD = re.compile(r"[A-Za-z0-9_.:=/@%+~-]*")


class Language(StrEnum):
    """What a template writes."""

    IPXE = "ipxe"
    GRUB = "grub"
    DNSMASQ = "dnsmasq"


class Quoted(str):
    """Text that a filter has made safe for its language; the guard lets it pass."""

    __slots__ = ()


# What iPXE takes for syntax where it stands in a line, and what says the same to a person.
_SYNTAX = {"||": "|", "&&": "&", ";": ","}


def plain(text: str) -> str:
    """A title as every firmware can draw it: ASCII, accents dropped (Informática → Informatica),
    other signs as `?`; nothing in it is syntax to iPXE, which has no quoting."""
    bare = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    shown = "".join(c if c.isascii() and c.isprintable() else "?" for c in bare)
    shown = shown.replace("${", "$ {").replace("\\", "/")
    words = [word.lstrip("#" if at else "#-") for at, word in enumerate(shown.split())]
    return " ".join(_SYNTAX.get(word, word or "+") for word in words)


def _refuse(value: object, language: Language) -> NetbootError:
    return NetbootError(
        f"{str(value)!r} cannot be written into a {language} file",
        hint="use plain letters and digits there",
    )


def _guard_ipxe(value: object) -> object:
    """iPXE splits at blanks and knows no quotes: words that it reads as syntax are refused."""
    if not isinstance(value, Quoted) and not _is_plain_ipxe(str(value)):
        raise _refuse(value, Language.IPXE)
    return value


# Scripts of thousands of PCs say the same words; each is looked at once.
@lru_cache(maxsize=1 << 16)
def _is_plain_ipxe(text: str) -> bool:
    if not text.isascii() or (text and not text.isprintable()) or "${" in text or "\\" in text:
        return False
    return not any(word in {"||", "&&", ";"} or word.startswith("#") for word in text.split())


def _guard_grub(value: object) -> object:
    if not isinstance(value, Quoted) and not _PLAIN.fullmatch(str(value)):
        raise _refuse(value, Language.GRUB)
    return value


def _guard_dnsmasq(value: object) -> object:
    """A comma would begin the next field of the line."""
    if not _PLAIN_FIELD.fullmatch(str(value)):
        raise _refuse(value, Language.DNSMASQ)
    return value


def grub_quote(value: object) -> Quoted:
    """One GRUB word in single quotes, where only the quote itself needs care; ASCII."""
    text = spelled(str(value), Charset.ASCII)
    if text and not text.isprintable():
        raise _refuse(value, Language.GRUB)
    return quoted(text)


def quoted(text: str) -> Quoted:
    """The same of any letters; control characters have been refused."""
    return Quoted("'" + text.replace("'", "'\\''") + "'")


@pass_context
def shown(
    context: Context, text: object, before: str = "", after: str = "", limit: int = 0
) -> object:
    """A text as a line of an iPXE script names it: the script's `words` know its bytes.

    A script that collects none shows plain letters.
    """
    words = context.get("words")
    if words is None:
        return plain(spelled(f"{before}{text}{after}", Charset.ASCII))
    return words.shown(str(text), before, after, limit)


def written(value: object) -> Quoted:
    """Lines of a script whose values were guarded when they were printed."""
    return Quoted(value)


def theme_quote(value: object) -> Quoted:
    """One line in double quotes of a GRUB theme, which knows no way to write a quote."""
    text = spelled(str(value), Charset.UNICODE).replace('"', "'").replace("\\", "/")
    if not text.isprintable():
        raise _refuse(value, Language.GRUB)
    return Quoted(f'"{text}"')


def comment(value: object) -> Quoted:
    """What may stand in a comment: letters, digits and little else."""
    return Quoted(re.sub(r"[^A-Za-z0-9 ._-]", "_", str(value)))


def centred(text: object, columns: int) -> str:
    """The text in the middle of so many columns."""
    return " " * max(0, (columns - len(str(text))) // 2) + str(text)


_GUARDS: dict[Language, Callable[[object], object]] = {
    Language.IPXE: _guard_ipxe,
    Language.GRUB: _guard_grub,
    Language.DNSMASQ: _guard_dnsmasq,
}


def resource(name: str) -> str:
    """The text of `templates/NAME` or `menus/NAME` of this package."""
    return files("ognetboot").joinpath(name).read_text("utf-8")


def _loader() -> BaseLoader:
    # A missing template is a broken installation, not a fault of the inventory: let it raise.
    return FunctionLoader(resource)


@cache
def environment(language: Language) -> Environment:
    """Strict environment for templates named from the package's root, e.g. `menus/menu.ipxe.j2`."""
    env = Environment(
        loader=_loader(),
        undefined=StrictUndefined,
        finalize=_GUARDS[language],
        autoescape=False,  # noqa: S701  no HTML is written here, and `finalize` guards every value
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    env.filters["grub_quote"] = grub_quote
    env.filters["plain"] = plain
    env.filters["shown"] = shown
    env.filters["written"] = written
    env.filters["centred"] = centred
    env.filters["comment"] = comment
    env.filters["theme_quote"] = theme_quote
    return env
