# SPDX-License-Identifier: GPL-3.0-or-later
"""The words of a command line, put so that argparse understands them as a person does."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator, Sequence

from oglib.errors import UsageError
from oglib.wording.nearest import meant

_NUMBER = re.compile(r"-\d+(\.\d*)?")
_END = "--"


def options_first(parser: argparse.ArgumentParser, words: Sequence[str]) -> list[str]:
    """``words`` of a verb with its options before all else, and ``--`` between.

    argparse takes the first words in a row for all that may be left out: of ``1 2 --title T NAME``
    it would make NAME a word too many. Raises where an option is not known.
    """
    options, rest, todo = list[str](), list[str](), list(words)
    while todo:
        word = todo.pop(0)
        if word == _END:
            rest += todo
            break
        if not _is_option(word):
            rest.append(word)
            continue
        action = _action_of(parser, word)
        options += [word, *_values(action, todo)] if "=" not in word else [word]
    return [*options, *([_END, *rest] if rest else [])]


def _is_option(word: str) -> bool:
    return word.startswith("-") and word != "-" and not _NUMBER.fullmatch(word)


def _action_of(parser: argparse.ArgumentParser, word: str) -> argparse.Action:
    known = {name: one for one in parser._actions for name in one.option_strings}
    name = word.partition("=")[0]
    if name not in known:
        raise UsageError(
            f"There is no option {name} here.",
            hint=f"{meant(name, known)}See `{parser.prog} --help`.",
        )
    return known[name]


def _values(action: argparse.Action, todo: list[str]) -> Iterator[str]:
    """The words behind an option that are its own."""
    most = {None: 1, 0: 0, "?": 1}.get(action.nargs, len(todo))
    while most and todo and todo[0] != _END and not _is_option(todo[0]):
        yield todo.pop(0)
        most -= 1


def refuse_unknown(parser: argparse.ArgumentParser, action: argparse.Action, value: object) -> None:
    """Raise where ``value`` is none of what an argument may be, with what is nearest to it."""
    choices = [str(one) for one in action.choices or () if one]
    if action.choices is None or value in action.choices:
        return
    what = str(action.metavar or action.dest).lower()
    raise UsageError(
        f"There is no {what} {value!r} here.",
        hint=f"{meant(str(value), choices)}There are {', '.join(choices)}; "
        f"see `{parser.prog} --help`.",
    )


def spelled_out(words: Sequence[str]) -> Sequence[str]:
    """``boot 1 2`` as ``boot start 1 2``: a disk stands where a verb would."""
    noun, *rest = words
    first = next((word for word in rest if not word.startswith("-")), "")
    if noun == "boot" and (first.isdecimal() or any(mark in first for mark in "/=@")):
        return [noun, "start", *rest]
    return words


def image_named(
    disk: str, part: str | None, name: str | None, given: str
) -> tuple[str | None, str]:
    """Partition and image name of ``DISK [PART] NAME``, or of ``DISK [PART] --name NAME``.

    Of two words the second is the name, unless it may as well be a partition whose image's name was
    forgotten: then all of the disk would be captured under the name of the partition. Such a name
    goes with ``--name``.
    """
    if given:
        if name is not None:
            raise UsageError(f"The image has two names, {name} and {given}.", hint="Say one.")
        return part, given
    if name is not None:
        return part, name
    if part is None:
        raise UsageError(
            "The image's name is missing.",
            hint=f"Say `og image create {disk} PART NAME`, or `og image create {disk} NAME` for "
            "the whole disk.",
        )
    if part.isdecimal() or "=" in part or part.startswith("/dev/"):
        raise UsageError(
            f"The image's name is missing: {part} is the partition.",
            hint=f"Say `og image create {disk} {part} NAME`; the whole disk as an image that is "
            f"called {part} is `og image create {disk} --name {part}`.",
        )
    return None, part
