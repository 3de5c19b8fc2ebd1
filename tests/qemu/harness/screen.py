# SPDX-License-Identifier: GPL-3.0-or-later
"""Keyboard and picture of a machine: pictures as PNG, text mode as text, keys as a person's."""

from __future__ import annotations

from pathlib import Path

from harness.clock import Deadline, poll
from harness.qmp import Monitor

_TEXT_WINDOW = 0xB8000
_TEXT_WINDOW_BYTES = 0x8000
_COLUMNS = 80
_STILL_LOOKS = 5
_CURSOR_BITS = 9 * 16 * 24
_PLAIN = {" ": "spc", "\n": "ret", "-": "minus", "=": "equal", ".": "dot", "/": "slash",
          ";": "semicolon", "'": "apostrophe", ",": "comma"}  # fmt: skip
_SHIFTED = {"$": "4", "(": "9", ")": "0", "+": "equal", "_": "minus", "*": "8", "!": "1",
            "|": "backslash", ":": "semicolon", ">": "dot", '"': "apostrophe",
            "~": "grave_accent"}  # fmt: skip


def keys_of(character: str) -> list[str]:
    """QEMU's key names for a character of a US keyboard."""
    if character in _PLAIN:
        return [_PLAIN[character]]
    if character in _SHIFTED:
        return ["shift", _SHIFTED[character]]
    if character.isupper():
        return ["shift", character.lower()]
    return [character]


def text_of(window: bytes) -> str:
    """VGA text memory (character, attribute pairs) as lines without trailing blanks."""
    characters = window[::2].decode("cp437")
    rows = (characters[at : at + _COLUMNS] for at in range(0, len(characters), _COLUMNS))
    return "\n".join(row.replace("\0", " ").rstrip() for row in rows).rstrip()


def _same_but_cursor(one: bytes, other: bytes) -> bool:
    """Whether two pictures of one size differ in no more than a blinking cursor."""
    if len(one) != len(other):
        return False
    difference = int.from_bytes(one, "little") ^ int.from_bytes(other, "little")
    return difference.bit_count() <= _CURSOR_BITS


class Screen:
    """Looks at and types on a running machine."""

    def __init__(self, monitor: Monitor, scratch_dir: Path) -> None:
        self._monitor = monitor
        self._scratch_dir = scratch_dir

    def dump(self, path: Path) -> None:
        """The picture as it is now, as PNG."""
        self._monitor.command("screendump", {"filename": str(path), "format": "png"})

    def wait_until_still(self, deadline: Deadline) -> None:
        """Until there is a picture that does not change from look to look, a cursor apart."""
        last = [b""]
        looks = [0]

        def look() -> bool | None:
            now = self._pixels()
            still = any(now) and _same_but_cursor(last[0], now)
            looks[0] = looks[0] + 1 if still else 0
            last[0] = now
            return True if looks[0] == _STILL_LOOKS else None

        poll(look, deadline)

    def _pixels(self) -> bytes:
        return self.pixels()[1]

    def pixels(self) -> tuple[tuple[int, int], bytes]:
        """Width and height, and three bytes for each dot: red, green, blue."""
        path = self._scratch_dir / "picture"
        self._monitor.command("screendump", {"filename": str(path), "format": "ppm"})
        # P6, width and height, depth, then the pixels
        _, size, _, pixels = path.read_bytes().split(b"\n", 3)
        width, height = size.split()
        return (int(width), int(height)), pixels

    def text(self) -> str:
        """Everything in VGA text memory, which includes what scrolled off lately.

        The console driver scrolls by moving the start address inside this window, so all of it
        is read: what a person saw a moment ago is there too.
        """
        window = self._scratch_dir / "vga"
        self._monitor.command(
            "pmemsave",
            {"val": _TEXT_WINDOW, "size": _TEXT_WINDOW_BYTES, "filename": str(window)},
        )
        return text_of(window.read_bytes())

    def press(self, *keys: str) -> None:
        """Press keys together, by QEMU's names."""
        qcodes = [{"type": "qcode", "data": key} for key in keys]
        self._monitor.command("send-key", {"keys": qcodes, "hold-time": 40})

    def type(self, text: str) -> None:
        """Type a text, key after key."""
        for character in text:
            self.press(*keys_of(character))
