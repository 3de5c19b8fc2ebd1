# SPDX-License-Identifier: GPL-3.0-or-later
"""The only place where the runtime starts processes, and the only one that knows ``sh``.

Arguments are lists, never shell text; standard input is closed unless given; the language is C so
that messages can be relied upon, with UTF-8 for labels and names. A program that does not end with
an accepted status raises ``ProcessError`` with all it said. Image bytes go through ``stream_from``,
which gives the raw standard output of a running program and judges its exit status at the end. Only
``run_through`` runs a program for somebody else: with the caller's own environment and input.
"""

from __future__ import annotations

import codecs
import fcntl
import os
import select
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, BinaryIO

from oglib.errors import OgErr, OgError, ProcessError
from oglib.waits import waiting

if TYPE_CHECKING:
    import sh

_TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_PIECE_BYTES = 65536
# What a program can write ahead: with the usual 64 KiB it waits for us sixteen times a MiB.
_PIPE_BYTES = 1 << 20
_STDERR_LINES = 400  # a tool that logs for hours must not fill the memory
_TIMER_SLACK = Path("/proc/self/timerslack_ns")  # of the child, and kept over exec: proc(5)
_CALM_NS = "10000000"
_INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
_ANY_NAME = "oglibanyname"  # Python spells it anew where it has more than letters
_undisturbed = threading.Event()


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left: its exit status and everything it wrote, as text."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def _environment() -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("HOME", "TERM", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "PATH": os.environ.get("PATH") or _TOOL_PATH,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }


def _codec(name: str) -> codecs.CodecInfo | None:
    """Names of files are bytes, and pass as such; what a program says is shown, whatever it is."""
    if name != _ANY_NAME:
        return None

    def encode(text: str, _errors: str = "") -> tuple[bytes, int]:
        return text.encode("utf-8", "surrogateescape"), len(text)

    def decode(data: bytes, _errors: str = "") -> tuple[str, int]:
        return bytes(data).decode("utf-8", "replace"), len(data)

    return codecs.CodecInfo(encode, decode, name=_ANY_NAME)  # type: ignore[arg-type]


def _word(word: str | Path) -> str:
    """A word for a program; a file whose name begins with a dash is no option."""
    text = str(word)
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text


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
    try:
        return sh.Command(program)
    except sh.CommandNotFound:
        raise OgError(
            f"The program {program} is not installed here.",
            hint="Install it, or run this inside ogLive.",
            code=OgErr.NOTEXEC,
        ) from None


def _started(
    command: sh.Command, words: Sequence[str], *, calm: bool = False, **options: Any
) -> sh.RunningCommand:
    """``command`` started; an interruption waits until the fork is another program, and we know it.

    Otherwise it would unwind our own stack in the child as well, clean up there and talk.
    """
    deaf = _undisturbed.is_set()

    def be_a_program() -> None:
        if calm:
            with suppress(OSError):  # then it only costs more
                _TIMER_SLACK.write_text(_CALM_NS)
        for number in _INTERRUPTIONS:
            if deaf:
                signal.signal(number, signal.SIG_IGN)  # forgets one that came before the own group
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)

    started: sh.RunningCommand | None = None
    signal.pthread_sigmask(signal.SIG_BLOCK, _INTERRUPTIONS)
    try:
        started = command(*words, _preexec_fn=be_a_program, _encoding=_ANY_NAME, **options)
        return started
    finally:
        try:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _INTERRUPTIONS)
        except KeyboardInterrupt:
            if started is not None and options["_new_group"] and started.is_alive():
                started.kill_group()  # in its own group it would go on without us
            raise


def need(program: str) -> None:
    """Raise (NOTEXEC, naming it) where a program is missing, before anything was changed."""
    _command(program)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A block that Ctrl-C and SIGTERM do not cut, nor the programs in it: they wait for its end.

    For the moment between doing a thing and knowing how to undo it, and for the undoing.
    """
    if threading.current_thread() is not threading.main_thread() or _undisturbed.is_set():
        yield
        return
    came: list[int] = []
    before = [signal.signal(one, lambda number, _: came.append(number)) for one in _INTERRUPTIONS]
    _undisturbed.set()
    try:
        yield
    finally:
        _undisturbed.clear()
        for number, handler in zip(_INTERRUPTIONS, before, strict=True):
            signal.signal(number, handler)
    if came:
        raise KeyboardInterrupt


def run(
    *argv: str | Path,
    stdin: str | None = None,
    accept: Sequence[int] = (0,),
    timeout_s: float | None = None,
) -> Finished:
    """Run one program to its end and return what it said.

    ``accept`` lists the exit statuses that mean success for this program. Raises
    ``ProcessError`` on any other one, or when ``timeout_s`` passed (it is killed then).
    """
    words = tuple(_word(word) for word in argv)
    expired = threading.Event()
    done = _started(
        _command(words[0]),
        words[1:],
        _in=stdin if stdin is not None else "",
        _env=_environment(),
        _tty_in=False,
        _tty_out=False,
        _bg=True,
        _bg_exc=False,
        # so that ending it ends its children and not us; or that Ctrl-C does not reach it
        _new_group=timeout_s is not None or _undisturbed.is_set(),
        _ok_code=list(range(-64, 256)),
    )
    if timeout_s is None:
        with waiting(f"{Path(words[0]).name} to end"):
            done.wait()
    else:
        # sh's own _timeout polls: it costs a tenth of a second on every call.
        timer = threading.Timer(timeout_s, _end, (done, expired))
        timer.start()
        try:
            done.wait()
        finally:
            timer.cancel()
            if done.is_alive():  # interrupted: a program in its own group would go on without us
                done.kill_group()
    if expired.is_set():
        raise ProcessError(words, -9, f"no answer within {timeout_s} s")
    finished = Finished(
        words,
        int(done.exit_code),
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
    if finished.status == -signal.SIGINT:  # Ctrl-C has reached the program before us
        raise KeyboardInterrupt
    if finished.status not in accept:
        raise ProcessError(words, finished.status, finished.stderr or finished.stdout)
    return finished


def _end(running: sh.RunningCommand, expired: threading.Event) -> None:
    if running.is_alive():
        expired.set()
        running.kill_group()


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
    words = tuple(_word(word) for word in argv)
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
                _env=_environment(),
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
