# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that work beside us: image bytes from one, a caller's own command; the owner of ``sh``.

The rules are those of ``run``, which is for programs that are heard at their end. ``stream_from``
gives the raw standard output of a running program and judges its exit status at the end. Only
``run_through`` runs a program for somebody else: with the caller's own environment and input.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import select
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from oglib.errors import ProcessError
from oglib.run import INTERRUPTIONS, environment, is_undisturbed, need, word_of

if TYPE_CHECKING:
    import sh

_PIECE_BYTES = 65536
# What a program can write ahead: with the usual 64 KiB it waits for us sixteen times a MiB.
_PIPE_BYTES = 1 << 20
_STDERR_LINES = 400  # a tool that logs for hours must not fill the memory
_TIMER_SLACK = Path("/proc/self/timerslack_ns")  # of the child, and kept over exec: proc(5)
_CALM_NS = "10000000"
_ANY_NAME = "oglibanyname"  # Python spells it anew where it has more than letters


def _codec(name: str) -> codecs.CodecInfo | None:
    """Names of files are bytes, and pass as such; what a program says is shown, whatever it is."""
    if name != _ANY_NAME:
        return None

    def encode(text: str, _errors: str = "") -> tuple[bytes, int]:
        return text.encode("utf-8", "surrogateescape"), len(text)

    def decode(data: bytes, _errors: str = "") -> tuple[str, int]:
        return bytes(data).decode("utf-8", "replace"), len(data)

    return codecs.CodecInfo(encode, decode, name=_ANY_NAME)  # type: ignore[arg-type]


def _load_sh() -> ModuleType:
    """``sh``, only for who starts a process: loading it costs more than starting Python.

    A good part of that is asyncio, which sh needs for coroutines alone. Nobody awaits here, so
    an asyncio without any running loop stands in for it while sh is loaded.
    """
    stand_in = ModuleType("asyncio")
    vars(stand_in).update(get_running_loop=_no_running_loop, Queue=None)
    if "asyncio" not in sys.modules:
        sys.modules["asyncio"] = stand_in
    try:
        import sh  # noqa: PLC0415
    finally:
        if sys.modules["asyncio"] is stand_in:
            del sys.modules["asyncio"]
    codecs.register(_codec)
    return sh


def _no_running_loop() -> None:
    raise RuntimeError("no running event loop")


def _command(program: str) -> sh.Command:
    sh = sys.modules.get("sh") or _load_sh()
    return sh.Command(need(program))


def _started(
    command: sh.Command, words: Sequence[str], *, calm: bool = False, **options: Any
) -> sh.RunningCommand:
    """``command`` started; an interruption waits until the fork is another program, and we know it.

    Otherwise it would unwind our own stack in the child as well, clean up there and talk.
    """
    deaf = is_undisturbed()

    def be_a_program() -> None:
        if calm:
            with suppress(OSError):  # then it only costs more
                _TIMER_SLACK.write_text(_CALM_NS)
        for number in INTERRUPTIONS:
            if deaf:
                signal.signal(number, signal.SIG_IGN)  # forgets one that came before the own group
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)

    started: sh.RunningCommand | None = None
    signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
    try:
        started = command(*words, _preexec_fn=be_a_program, _encoding=_ANY_NAME, **options)
        return started
    finally:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)
        except KeyboardInterrupt:
            if started is not None and options["_new_group"] and started.is_alive():
                started.kill_group()  # in its own group it would go on without us
            raise


@contextmanager
def stream_from(
    *argv: str | Path,
    accept: Sequence[int] = (0,),
    stdin: BinaryIO | None = None,
    calm: bool = False,
    head_only: bool = False,
) -> Iterator[BinaryIO]:
    """Run a program and give its standard output as a raw binary stream.

    ``stdin``, the stream of another block like this, makes the two a pipeline. ``calm``: a
    program that waits in a loop of zero seconds gets ten milliseconds each time. ``head_only``:
    the reader wants the beginning; a program that is still writing when the block is left is
    ended and not judged, it waited for a reader until then.

    The reader must read to the end of the stream: leaving the block waits for the program and
    raises ``ProcessError`` unless it ended with an accepted status. When the block itself
    fails, the program is ended and the block's error wins.
    """
    words = tuple(word_of(word) for word in argv)
    command = _command(words[0])
    read_end, write_end = os.pipe()
    with suppress(OSError):  # a user who is not root may have used up what he is allowed
        fcntl.fcntl(read_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    said: deque[str] = deque(maxlen=_STDERR_LINES)

    with os.fdopen(read_end, "rb", buffering=0) as stream:
        try:
            process = _started(
                command,
                words[1:],
                calm=calm,
                _in="" if stdin is None else stdin,
                _out=write_end,
                _err=said.append,
                _env=environment(),
                _tty_in=False,
                _bg=True,
                _new_group=True,  # so that ending it ends its children and not us
                _bg_exc=False,
                _no_out=True,
                _ok_code=list(range(-64, 256)),
            )
        finally:
            os.close(write_end)
        try:
            yield stream
        except BaseException:
            if process.is_alive():
                process.kill_group()
            process.wait()
            raise
        if head_only and process.is_alive() and not _has_ended(stream):
            process.kill_group()
            process.wait()
            return
        process.wait()
        status = int(process.exit_code)
        if status not in accept:
            raise ProcessError(words, status, "".join(said))


def _has_ended(stream: BinaryIO) -> bool:
    """Whether all of it was read and nobody can write more: its program is about to end."""
    poller = select.poll()
    poller.register(stream, select.POLLIN)
    return any(
        events & select.POLLHUP and not events & select.POLLIN for _, events in poller.poll(0)
    )


def run_through(*argv: str, take: Callable[[bytes], None], with_errors: bool = False) -> int:
    """Run a caller's own command; its exit status as shells count (128 + a signal's number).

    It inherits environment and standard input. What it writes goes to ``take`` piece by piece
    as it comes; messages on standard error pass by, or are taken too ``with_errors``.
    """
    command = _command(argv[0])
    read_end, write_end = os.pipe()
    with os.fdopen(read_end, "rb", buffering=0) as said:
        try:
            process = _started(
                command,
                argv[1:],
                _in=os.fdopen(0, closefd=False) if sys.stdin else "",
                _out=write_end,
                _err=write_end if with_errors else sys.stderr.fileno(),
                _tty_in=False,
                _bg=True,
                _new_group=False,
                _bg_exc=False,
                _no_out=True,
                _ok_code=list(range(-64, 256)),
            )
        finally:
            os.close(write_end)
        try:
            while piece := said.read(_PIECE_BYTES):
                take(piece)
        except BaseException:
            if process.is_alive():
                process.terminate()
            process.wait()
            raise
    process.wait()
    status = int(process.exit_code)
    return status if status >= 0 else 128 - status
