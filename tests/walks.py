# SPDX-License-Identifier: GPL-3.0-or-later
"""Which functions of oglib an image passes through: a walk is counted, not guessed.

A function receives the image where one of its arguments is the text or path that a person named,
or a value that stands for it once it is opened. What an opened value is asked (its own methods) is
no stop of the walk: the image does not go anywhere for that.
"""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from inspect import CO_VARARGS, CO_VARKEYWORDS
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import oglib

_OGLIB = str(Path(oglib.__file__).parent)
_RESUMED = 0x20 | 0x80 | 0x200  # generators and coroutines are entered again and again


@dataclass
class Walk:
    """How often each function received the image; ``Counter`` of ``module:qualified name``."""

    stops: Counter[str] = field(default_factory=Counter)
    asked: Counter[str] = field(default_factory=Counter)

    @property
    def twice(self) -> dict[str, int]:
        return {name: count for name, count in self.stops.items() if count > 1}


@contextmanager
def walked(named: Path, opened: tuple[type, ...]) -> Iterator[Walk]:
    """Counts while the block lasts, in every thread that begins in it."""
    walk = Walk()
    texts = {str(named), str(named.resolve())}
    begun: dict[int, FrameType] = {}
    lock = threading.Lock()

    def is_it(value: object) -> bool:
        return isinstance(value, opened) or (isinstance(value, str | Path) and str(value) in texts)

    def seen(frame: FrameType, event: str, _: Any) -> None:
        if event != "call":
            return
        code = frame.f_code
        if not code.co_filename.startswith(_OGLIB):  # nor is a constructor that nobody wrote
            return
        module = frame.f_globals["__name__"]
        with lock:
            if code.co_flags & _RESUMED:
                if id(frame) in begun:
                    return
                begun[id(frame)] = frame
            values = [frame.f_locals.get(name) for name in _arguments(code)]
            first = values[:1] if code.co_varnames[:1] == ("self",) else []
            name = f"{module}:{code.co_qualname}"
            if any(is_it(one) for one in values[len(first) :]):
                walk.stops[name] += 1
            elif any(is_it(one) for one in first):
                walk.asked[name] += 1

    before = sys.getprofile()
    threading.setprofile(seen)
    sys.setprofile(seen)
    try:
        yield walk
    finally:
        sys.setprofile(before)
        threading.setprofile(None)


def _arguments(code: CodeType) -> tuple[str, ...]:
    more = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
    return code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + more]
