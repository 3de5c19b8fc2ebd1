# SPDX-License-Identifier: GPL-3.0-or-later
"""Keeps the one child alive: dnsmasq, which does DHCP and TFTP.

It ends with this process, however that dies (the kernel sees to it), is started again when it ends
by itself, later and later, and runs without root.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import logging
import os
import pwd
import shutil
import signal
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ognetboot import keeping
from ognetboot.errors import NetbootError
from ognetboot.serving.dnsmasq_words import Told
from ognetboot.serving.holders import holder

LOG = logging.getLogger("ognetboot")

_SBIN = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_USERS = ("dnsmasq", "nobody")
_RIGHTS = "+net_admin,+net_raw,+net_bind_service"
_PR_SET_PDEATHSIG = 1
_FIRST_WAIT_S, _LAST_WAIT_S = 1.0, 60.0
# Who ran so long has not failed at its start.
_STEADY_S = 60.0
_STOP_S = 5.0
_TEST_S = 20.0
_LONGEST_LINE = 4096


@dataclass(frozen=True, slots=True)
class Child:
    """How it is started: `user` is who it runs as, None: as this process does."""

    program: Path
    setpriv: Path
    leases: Path
    user: pwd.struct_passwd | None

    def argv(self) -> list[str]:
        """The command; its configuration comes by standard input."""
        drop: list[str] = []
        if self.user is not None:
            drop = [
                f"--reuid={self.user.pw_uid}", f"--regid={self.user.pw_gid}", "--clear-groups",
                f"--inh-caps=-all,{_RIGHTS}", f"--ambient-caps=-all,{_RIGHTS}",
                f"--bounding-set=-all,{_RIGHTS}", "--no-new-privs",
            ]  # fmt: skip
        # After the change of user, which makes the kernel forget it.
        drop.append("--pdeathsig=KILL")
        options = [
            "--keep-in-foreground", "--log-facility=-", "--pid-file=", "--user=", "--group=",
            f"--dhcp-leasefile={self.leases}", "--conf-file=-",
        ]  # fmt: skip
        return [str(self.setpriv), *drop, "--", str(self.program), *options]


def find(leases: Path) -> Child:
    """What this machine has for it; one sentence where something is missing."""
    found = {name: shutil.which(name, path=_SBIN) for name in ("dnsmasq", "setpriv")}
    for name, package in (("dnsmasq", "dnsmasq-base"), ("setpriv", "util-linux")):
        if found[name] is None:
            raise NetbootError(
                f"the program {name} is missing: DHCP and TFTP need it",
                hint=f"install Debian's package {package}, or use --no-dhcp --no-tftp",
            )
    user = None
    if os.geteuid() == 0:
        for name in _USERS:
            with contextlib.suppress(KeyError):
                user = user or pwd.getpwnam(name)
    return Child(Path(str(found["dnsmasq"])), Path(str(found["setpriv"])), leases, user)


def make_leases(child: Child) -> None:
    """The file of given addresses, which dnsmasq may write and in whose folder it need not be able
    to."""
    try:
        child.leases.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(child.leases, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            if child.user is not None:
                keeping.refuse_second_name(handle, child.leases)
                os.fchown(handle, child.user.pw_uid, child.user.pw_gid)
        finally:
            os.close(handle)
    except OSError as error:
        raise NetbootError(
            f"{child.leases} cannot be written: {error.strerror}",
            hint="name another place for the addresses that are given, with --leases",
        ) from None


def configuration(rendered: str, *, tftp: bool) -> str:
    """What was rendered, without TFTP where another program serves that."""
    if tftp:
        return rendered
    lines = rendered.splitlines(keepends=True)
    return "".join(line for line in lines if not line.startswith(("enable-tftp", "tftp-")))


def check_port(address: str) -> None:
    """One sentence where another program does TFTP there.

    Of DHCP nothing can be told before: many programs listen on that port, each on its own network.
    """
    if holder("udp", 69, address):
        raise _no_start(_taken(69, address), "")


def check_readable(child: Child, tree: Path) -> None:
    """dnsmasq runs as another user: one sentence where that one cannot come to its files."""
    if child.user is None:
        return
    for folder in (tree, *tree.parents, *child.leases.parents):
        try:
            status = folder.stat()
        except FileNotFoundError:
            continue  # it will be made, for everybody to read
        if status.st_uid != child.user.pw_uid and not status.st_mode & stat.S_IXOTH:
            raise NetbootError(
                f"dnsmasq runs as the user {child.user.pw_name}, which may not enter {folder}",
                hint=f"choose another OUT, such as /srv/oglive/netboot, another place for the "
                f"addresses that are given (--leases), or `chmod o+x {folder}`",
            )


async def test(child: Child, config: str) -> None:
    """Let dnsmasq itself judge a configuration."""
    process = await asyncio.create_subprocess_exec(
        str(child.program), "--test", "--conf-file=-",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        async with asyncio.timeout(_TEST_S):
            _, said = await process.communicate(config.encode())
    except TimeoutError:
        process.kill()
        raise NetbootError("dnsmasq does not answer", hint="run it by hand") from None
    if process.returncode:
        line = " ".join(said.decode("utf-8", "replace").split())[:200]
        raise NetbootError(f"dnsmasq refuses its configuration: {line}", hint="correct [server]")


class Dnsmasq:
    """The running child. `tell` gives the sentence for a line of its log, or None."""

    def __init__(self, child: Child, config: str, tell: Callable[[str], Told | None]) -> None:
        self._child = child
        self._config = config
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._renewed = asyncio.Event()
        self._last_bad = ""
        # Done when it runs for the first time; its exception says why it does not.
        self.runs: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def use(self, config: str) -> None:
        """From now on with this configuration; nothing happens where it is the same."""
        if config != self._config:
            self._config = config
            self._renewed.set()
            self._end()

    async def keep(self) -> None:
        """Run it again and again until this task is cancelled."""
        wait_s = _FIRST_WAIT_S
        try:
            while True:
                begun = time.monotonic()
                self._renewed.clear()
                how = _how(await self._run())
                if not self.runs.done():
                    self.runs.set_exception(_no_start(self._last_bad, how))
                    return
                if self._renewed.is_set():
                    LOG.info("DHCP and TFTP have their new configuration.")
                    continue
                if time.monotonic() - begun > _STEADY_S:
                    wait_s = _FIRST_WAIT_S
                LOG.warning("dnsmasq ended (%s); it is started again in %.0f s.", how, wait_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._renewed.wait(), wait_s)
                wait_s = min(wait_s * 2, _LAST_WAIT_S)
        finally:
            await self._stop()

    async def _run(self) -> int:
        parent = os.getpid()
        process = await asyncio.create_subprocess_exec(
            *self._child.argv(),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            limit=_LONGEST_LINE,
            preexec_fn=lambda: _die_with(parent),
        )
        self._process = process
        assert process.stdin is not None  # noqa: S101 - asked for
        assert process.stderr is not None  # noqa: S101
        with contextlib.suppress(ConnectionError):
            process.stdin.write(self._config.encode())
            await process.stdin.drain()
        process.stdin.close()
        await self._listen(process.stderr)
        return await process.wait()

    async def _listen(self, log: asyncio.StreamReader) -> None:
        while True:
            try:
                line = await log.readuntil()
            except asyncio.IncompleteReadError as end:
                line = end.partial
                if not line:
                    return
            except asyncio.LimitOverrunError as error:
                await log.readexactly(error.consumed)
                continue
            text = line.decode("utf-8", "replace")
            if " started, " in text and not self.runs.done():
                self.runs.set_result(None)
            said = self._tell(text)
            if said is not None:
                self._log(said)

    def _log(self, said: Told) -> None:
        text = _taken(said.port) if said.port else said.text
        if not said.bad:
            LOG.info("%s", text)
        elif self.runs.done():
            LOG.warning("%s", text)
        else:
            self._last_bad = text  # it will be the reason

    def _end(self) -> None:
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGTERM)

    async def _stop(self) -> None:
        process = self._process
        if process is None or process.returncode is not None:
            return
        self._end()
        try:
            await asyncio.wait_for(asyncio.shield(process.wait()), _STOP_S)
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _taken(port: int, address: str = "") -> str:
    who = holder("udp", port, address) or "another program"
    what = {67: "DHCP", 69: "TFTP"}.get(port, "dnsmasq")
    return f"{what} has no port: {who} holds {port}."


def _no_start(why: str, how: str) -> NetbootError:
    return NetbootError(
        f"DHCP and TFTP do not start: {why.rstrip('.') or f'dnsmasq ended ({how})'}",
        hint="end what is in the way, or serve without them: --no-dhcp, --no-tftp",
    )


def _how(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit status {code}"


def _die_with(parent: int) -> None:
    """In the child, before its program: the kernel ends it with this process."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:  # it was gone before the kernel knew
        os._exit(1)
