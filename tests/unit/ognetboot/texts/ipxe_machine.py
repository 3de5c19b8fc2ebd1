# SPDX-License-Identifier: GPL-3.0-or-later
"""A small iPXE: it runs a rendered script as iPXE's own rules read it, with servers as told.

Lines are cut at blanks and know no quotes; a word that begins with `#` ends a line, `||`, `&&` and
`;` part its commands from left to right; `${name}` is a setting, expanded inside a word after the
line was cut. A command that fails ends the script. Options and commands are those of the build of
2019; any other is a fault of the script.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

# What a server does when it is asked.
OK, MISSING, REFUSED, SILENT = "ok", "missing", "refused", "silent"
BUSY, STOPPED = "busy", "stopped"  # 503, and Ctrl-C at the keyboard
# What `errno` is afterwards, in the builds for BIOS and for UEFI.
_ERRNO = {
    (MISSING, "tftp"): ("0x2d12603b", "0x2d12608e"),
    (MISSING, "http"): ("0x2d0c613b", "0x2d0c618e"),
    (BUSY, "http"): ("0x1d0c6139", "0x1d0c6199"),
    (STOPPED, "tftp"): ("0xb8080a1", "0xb8080a1"),
    (STOPPED, "http"): ("0xb8080a1", "0xb8080a1"),
}
_SILENCE = ("0x4c072035", "0x4c072092")
_DHCP_S = 15.0  # 1, 2, 4 and 8 seconds
_STEPS_MOST = 2000

# Options with and without a value, of the commands that the scripts use.
_FETCH = ({"--name", "--timeout"}, {"--autofree", "--replace"})
_OPTIONS: Mapping[str, tuple[set[str], set[str]]] = {
    "chain": _FETCH,
    "imgfetch": _FETCH,
    "kernel": _FETCH,
    "initrd": _FETCH,
    "ifconf": ({"--configurator"}, set()),
    "ifopen": (set(), set()),
    "sanboot": ({"--drive"}, {"--no-describe"}),
    "prompt": ({"--key", "--timeout"}, set()),
    "menu": (set(), set()),
    "item": ({"--key"}, {"--gap"}),
    "choose": ({"--timeout", "--default"}, set()),
    "login": (set(), set()),
    "read": (set(), set()),
    "show": (set(), set()),
    "set": (set(), set()),
    "clear": (set(), set()),
    "isset": (set(), set()),
    "iseq": (set(), set()),
    "goto": (set(), set()),
    "imgfree": (set(), set()),
    "boot": (set(), set()),
    "echo": (set(), {"-n"}),
    "sleep": (set(), set()),
    "exit": (set(), set()),
}
# Commands and options that only a newer build has; a script asks first which one runs it.
_NEWER: Mapping[str, tuple[set[str], set[str]]] = {
    "console": ({"--x", "--y", "--left", "--right", "--top", "--bottom", "--picture"}, set()),
    "colour": ({"--rgb", "--basic"}, set()),
    "cpair": ({"--foreground", "--background"}, set()),
    "form": (set(), set()),
    "present": (set(), set()),
    "item": ({"--key"}, {"--gap", "--secret"}),
}
FETCHES = ("chain", "imgfetch", "kernel", "initrd")


class ScriptFault(AssertionError):
    """Something that no build, or not each of them, would understand."""


@dataclass
class Ipxe:
    """One PC that runs scripts. `serve` says how a URL is answered, and with which script."""

    serve: Callable[[str], tuple[str, str]]
    settings: dict[str, str] = field(default_factory=dict)
    dhcp_silent_s: float = 0.0
    choice: str | None = None
    newer: bool = True
    clock_s: float = 0.0
    ended: str = ""
    fetched: list[tuple[str, str]] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    shown: dict[str, str] = field(default_factory=dict)
    kernel: list[str] = field(default_factory=list)
    _lines: list[str] = field(default_factory=list)
    _at: int = 0
    _stop_line: bool = False
    _items: list[str] = field(default_factory=list)

    def run(self, script: str) -> str:
        """Run to the end; how it ended: `sanboot`, `exit`, `boot`, a chained program, `failed`."""
        self._load(script)
        steps = 0
        while not self.ended:
            steps += 1
            if steps > _STEPS_MOST:
                raise ScriptFault("the script does not come to an end")
            if self._at >= len(self._lines):
                self.ended = "end"
                break
            line = self._lines[self._at]
            self._at += 1
            if self._line(line) != 0 and not self.ended:
                self.ended = f"failed: {line}"
        return self.ended

    def _load(self, script: str) -> None:
        if not script.startswith("#!ipxe\n"):
            raise ScriptFault("no #!ipxe")
        if re.search(r"\\$", script, re.MULTILINE):
            raise ScriptFault("a line goes on behind a backslash")
        self._lines, self._at = script.split("\n"), 0

    def _line(self, line: str) -> int:
        text = line.strip(" \t")
        if text.startswith(":"):
            text = "".join(text.split(maxsplit=1)[1:])
        words: list[list[str]] = [[]]
        joints: list[str] = []
        for word in text.split():
            if word.startswith("#"):
                break
            if word in ("||", "&&", ";"):
                joints.append(word)
                words.append([])
            else:
                words[-1].append(word)
        self._stop_line = False
        code = 0
        for number, command in enumerate(words):
            before = joints[number - 1] if number else ";"
            if (before == "||" and code == 0) or (before == "&&" and code != 0):
                continue
            code = self._command([self._expand(word) for word in command])
            if code and command[0] not in FETCHES:
                self.settings["errno"] = "0x1"
            if self._stop_line or self.ended:
                return code
        return code

    def _expand(self, word: str) -> str:
        while match := re.search(r"\$\{([^${}]*)\}", word):
            word = word[: match.start()] + self._setting(match[1]) + word[match.end() :]
        return word

    def _setting(self, name: str) -> str:
        plain, _, kind = name.partition(":")
        value = self.settings.get(plain, "")
        if kind == "guid" and not self.newer:
            return ""
        return value.replace(":", "-") if kind == "hexhyp" else value

    def _command(self, argv: list[str]) -> int:
        if not argv:
            return 0
        name, *rest = argv
        known = {**_OPTIONS, **(_NEWER if self.newer else {})}
        if name not in known:
            raise ScriptFault(f"no such command: {name}")
        options, words = self._options(name, rest)
        if name in FETCHES and "--timeout" not in options:
            raise ScriptFault(f"a fetch without an end: {argv}")
        done = getattr(self, f"_do_{name}", None)
        return int(done(options, words)) if done else 0

    def _options(self, name: str, words: list[str]) -> tuple[dict[str, str], list[str]]:
        valued, flags = {**_OPTIONS, **(_NEWER if self.newer else {})}[name]
        found: dict[str, str] = {}
        rest = list(words)
        while rest and rest[0].startswith("-") and rest[0] != "-":
            word = rest.pop(0)
            if word == "--":
                break
            if word in valued:
                if not rest:
                    raise ScriptFault(f"{name} {word} lacks its value")
                found[word] = rest.pop(0)
            elif word in flags:
                found[word] = ""
            else:
                raise ScriptFault(f"{name} knows no {word} in every build")
        return found, rest

    # ---- commands ------------------------------------------------------------------------------

    def _fetch(self, options: Mapping[str, str], url: str) -> tuple[int, str]:
        answer, content = self.serve(url)
        self.fetched.append((url, answer))
        if answer == SILENT:
            self.clock_s += int(options["--timeout"]) / 1000
        if answer != OK:
            numbers = _ERRNO.get((answer, url.partition(":")[0]), _SILENCE)
            self.settings["errno"] = numbers[self.settings.get("platform") == "efi"]
        return (0 if answer == OK else 1), content

    def _do_chain(self, options: Mapping[str, str], words: list[str]) -> int:
        code, content = self._fetch(options, words[0])
        if code:
            return code
        if content.startswith("#!ipxe"):
            self._load(content)
            self._stop_line = True
        else:
            self.ended = f"chain {words[0]} {self._setting('netX/filename')}"
        return 0

    def _do_imgfetch(self, options: Mapping[str, str], words: list[str]) -> int:
        return self._fetch(options, words[0])[0]

    def _do_kernel(self, options: Mapping[str, str], words: list[str]) -> int:
        self.kernel = words
        return self._fetch(options, words[0])[0]

    _do_initrd = _do_imgfetch

    def _do_ifconf(self, _: Mapping[str, str], __: list[str]) -> int:
        left = self.dhcp_silent_s - self.clock_s
        sent = (0, 1, 3, 7)
        for second in sent:
            if second >= left:
                self.clock_s += second
                self.settings.update({"netX/ip": "10.0.0.9", "net0/ip": "10.0.0.9"})
                return 0
        self.clock_s += _DHCP_S
        return 1

    def _do_sanboot(self, _: Mapping[str, str], __: list[str]) -> int:
        self.ended = "sanboot"
        return 0

    def _do_boot(self, _: Mapping[str, str], __: list[str]) -> int:
        self.ended = "boot"
        return 0

    def _do_exit(self, _: Mapping[str, str], words: list[str]) -> int:
        self.ended = f"exit {words[0] if words else 0}"
        return 0

    def _do_prompt(self, options: Mapping[str, str], _: list[str]) -> int:
        self.clock_s += int(options["--timeout"]) / 1000
        return 1

    def _do_menu(self, _: Mapping[str, str], __: list[str]) -> int:
        self._items = []
        return 0

    def _do_item(self, options: Mapping[str, str], words: list[str]) -> int:
        if "--gap" not in options:
            self._items.append(words[0])
            self.shown[words[0]] = " ".join(words[1:])
        return 0

    def _do_choose(self, options: Mapping[str, str], words: list[str]) -> int:
        if not self._items or options.get("--default", self._items[0]) not in self._items:
            return 1
        self.clock_s += int(options.get("--timeout", "0")) / 1000
        chosen = self.choice or options.get("--default", self._items[0])
        if self.choice is None and not int(options.get("--timeout", "0")):
            self.ended = "waits"
        self.settings[words[0]] = chosen
        return 0

    def _do_login(self, _: Mapping[str, str], __: list[str]) -> int:
        return 1

    _do_read = _do_present = _do_login

    def _do_set(self, _: Mapping[str, str], words: list[str]) -> int:
        name, _colon, kind = words[0].partition(":")
        value = " ".join(words[1:])
        if kind == "hex":
            value = bytes.fromhex(value.replace(":", "")).decode("latin-1")
        self.settings[name] = value
        return 0

    def _do_clear(self, _: Mapping[str, str], words: list[str]) -> int:
        self.settings.pop(words[0], None)
        return 0

    def _do_isset(self, _: Mapping[str, str], words: list[str]) -> int:
        return 0 if words and words[0] else 1

    def _do_iseq(self, _: Mapping[str, str], words: list[str]) -> int:
        if len(words) != 2:
            raise ScriptFault(f"iseq takes two words: {words}")
        return 0 if words[0] == words[1] else 1

    def _do_goto(self, _: Mapping[str, str], words: list[str]) -> int:
        for number, line in enumerate(self._lines):
            if line.strip().split(maxsplit=1)[:1] == [f":{words[0]}"]:
                self._at = number
                self._stop_line = True
                return 0
        return 1

    def _do_echo(self, _: Mapping[str, str], words: list[str]) -> int:
        self.said.append(" ".join(words))
        return 0

    def _do_sleep(self, _: Mapping[str, str], words: list[str]) -> int:
        self.clock_s += float(words[0])
        return 0
