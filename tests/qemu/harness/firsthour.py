# SPDX-License-Identifier: GPL-3.0-or-later
"""A machine as an administrator finds it: nothing of ogLive in /etc and /srv, a network card.

It is a mount namespace whose /etc and /var/lib are layers over the host's, whose /srv and /run are
empty, and which is in the LAN's network. systemd does not run in it: what an installed unit says is
started here as systemd would start it, by its user, with its rights.
"""

from __future__ import annotations

import re
import shlex
import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from harness import accesslog
from harness.accesslog import Request
from harness.clock import Deadline, Timeouts, poll
from harness.errors import HarnessError, ProductFailure
from harness.lan import Lan
from harness.other_dhcp import other_dhcp
from harness.paths import ROOT
from harness.process import Background, run
from harness.steps import LOG

UNITS = Path("/etc/systemd/system")
_HOLD = """\
set -e
mount --make-rprivate /
mount -t tmpfs -o mode=755 layers {scratch}
for folder in etc var/lib; do
    mkdir -p "{scratch}/$folder" "{scratch}/work/$folder"
    layers="lowerdir=/$folder,upperdir={scratch}/$folder,workdir={scratch}/work/$folder"
    mount -t overlay -o "$layers" layer "/$folder"
done
mount -t tmpfs -o mode=755 run /run
mount -t tmpfs -o mode=755,size=3G srv /srv
echo ready
exec sleep infinity
"""
# A user that no machine has, as systemd makes one for DynamicUser=.
_DYNAMIC_USER = 64913


@dataclass(frozen=True, slots=True)
class Unit:
    """What of an installed unit is needed to start it without systemd."""

    user: str
    argv: tuple[str, ...]
    rights: str
    state: str
    shown: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Unit:
        said: dict[str, list[str]] = {}
        for line in text.splitlines():
            key, equals, value = line.partition("=")
            if equals and not line.startswith("#"):
                said.setdefault(key, []).append(value)

        def last(key: str) -> str:
            return said.get(key, [""])[-1]

        words = shlex.split(last("ExecStart"))
        plain = [word for word in words if not re.fullmatch(r"\$[A-Z_]+", word)]  # options: none
        user = str(_DYNAMIC_USER) if last("DynamicUser") == "yes" else last("User")
        return cls(
            user=user,
            argv=tuple(word.replace("%%", "%").replace("$$", "$") for word in plain),
            rights=",".join(f"+{one.lower().removeprefix('cap_')}"
                            for one in last("AmbientCapabilities").split()),
            state=last("StateDirectory"),
            shown=tuple(said.get("BindReadOnlyPaths", ())),
        )  # fmt: skip

    def script(self) -> str:
        """What systemd does before and with the command, for a shell as root."""
        lines = ["set -e", "mount --make-rprivate /"]
        if self.state:
            folder = f"/var/lib/{self.state}"
            lines += [f"mkdir -p {folder}", f"chown {self.user} {folder}"]
        for path in self.shown:  # a home is hidden but for these
            home = Path("/", *Path(path).parts[1:2])
            aside = "/run/shown"
            lines += [
                f"mkdir -p {aside}",
                f"mount --bind {shlex.quote(path)} {aside}",
                f"mount -t tmpfs -o mode=755 home {home}",
                f"mkdir -p {shlex.quote(path)}",
                f"mount --bind {aside} {shlex.quote(path)}",
            ]
        rights = self.rights or "-all"
        drop = [
            "setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--clear-groups",
            f"--bounding-set=-all{f',{self.rights}' if self.rights else ''}",
            f"--inh-caps={rights}", f"--ambient-caps={rights}", "--no-new-privs",
        ]  # fmt: skip
        return "\n".join([*lines, f"exec {shlex.join([*drop, *self.argv])}"])


class FreshMachine:
    """A server that README makes; everything of it is gone at the end."""

    def __init__(self, lan: Lan, scratch: Path, log_dir: Path, timeouts: Timeouts) -> None:
        self._lan = lan
        self._logs = log_dir
        self._timeouts = timeouts
        self._stack = ExitStack()
        scratch.mkdir(parents=True)
        self._stack.callback(shutil.rmtree, scratch)
        log_dir.mkdir(parents=True, exist_ok=True)
        hold = lan.inside(["unshare", "-m", "sh", "-c", _HOLD.format(scratch=scratch)])
        self._holder = self._background("machine", hold)
        deadline = Deadline(timeouts.server_up, "the fresh machine is there")
        poll(lambda: self._alive_and("ready", self._holder), deadline)

    def _background(self, name: str, argv: list[str]) -> Background:
        process = Background(name, argv, self._logs / f"{name}.log")
        self._stack.callback(process.stop)
        return process

    @staticmethod
    def _alive_and(word: str, process: Background) -> bool | None:
        process.require_alive()
        return True if word in process.log_text() else None

    def _inside(self, *argv: str) -> list[str]:
        return ["nsenter", f"--target={self._holder.process.pid}", "--mount", "--net", *argv]

    def type(self, line: str) -> str:
        """A line as an administrator types it in the clone, as root; what it said."""
        LOG.say(f"server# {line}")
        where = f"cd {shlex.quote(str(ROOT))} && {line}"
        try:
            said = run(self._inside("sh", "-c", where))
        except HarnessError as error:
            raise ProductFailure(f"`{line}` failed: {error}") from error
        with (self._logs / "typed.log").open("a", encoding="utf-8") as stream:
            stream.write(f"# {line}\n{said}\n")
        return said

    def start(self, unit: str, word: str) -> None:
        """Start an installed unit as systemd would, and wait until it says ``word``."""
        text = run(self._inside("cat", str(UNITS / unit)))
        script = Unit.parse(text).script()
        process = self._background(unit, self._inside("unshare", "-m", "sh", "-c", script))
        deadline = Deadline(self._timeouts.server_up, f"{unit} is up")
        poll(lambda: self._alive_and(word, process), deadline)

    def requests(self) -> list[Request]:
        """Everything asked over HTTP so far."""
        return accesslog.parse((self._logs / "ogrepo.service.log").read_text("utf-8", "replace"))

    def asked(self, path: str) -> bool | None:
        """True once a file was given out whole."""
        return any(one.path == path and one.status == 200 for one in self.requests()) or None

    def add_site_dhcp(self, first: str, last: str) -> None:
        """Another machine on the segment: the DHCP server that a network has already."""
        self._stack.enter_context(other_dhcp(self._lan, self._logs, first, last))

    def close(self) -> None:
        self._stack.close()
