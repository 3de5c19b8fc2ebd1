# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that are run to their end; with ``streams`` the only place that starts processes.

Arguments are lists, never shell text; standard input is closed unless given; the language is C so
that messages can be relied upon, with UTF-8 for labels and names. A program that does not end with
an accepted status raises ``ProcessError`` with all it said.

A program is spawned, not forked: a copy of this process for a moment costs more than most of the
tools that are asked here, and loading a library for it more than all of them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from oglib.errors import OgErr, OgError, ProcessError
from oglib.kernel.children import Started, heard, kill
from oglib.wording.waits import waiting

_TOOL_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
# as programs expect them: Python ignores the last two
_USUAL = (*INTERRUPTIONS, signal.SIGPIPE, signal.SIGXFSZ)
_MESSAGES = 2  # the descriptor of standard error
_undisturbed = threading.Event()
_came: list[int] = []  # interruptions of the block that must not be cut


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program left: its exit status and everything it wrote, as text."""

    argv: tuple[str, ...]
    status: int
    stdout: str
    stderr: str


def environment() -> dict[str, str]:
    """What a tool gets of ours."""
    kept = {key: os.environ[key] for key in ("HOME", "TERM", "TMPDIR") if key in os.environ}
    return {
        **kept,
        "PATH": os.environ.get("PATH") or _TOOL_PATH,
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
    }


def word_of(word: str | Path) -> str:
    """A word for a program; a file whose name begins with a dash is no option."""
    text = str(word)
    return f"./{text}" if isinstance(word, Path) and text.startswith("-") else text


def where(program: str) -> str:
    """The file of a program, as PATH leads to it; empty where there is none."""
    folders = [""] if "/" in program else environment()["PATH"].split(":")
    for folder in folders:
        path = f"{folder}/{program}" if folder else program
        if os.access(path, os.X_OK) and not os.path.isdir(path):  # noqa: PTH112 - bytes go too
            return path
    return ""


def need(program: str) -> str:
    """The same; raises (NOTEXEC, naming it) where it is missing."""
    if path := where(program):
        return path
    raise OgError(
        f"The program {program} is not installed here.",
        hint="Install it, or run this inside ogLive.",
        code=OgErr.NOTEXEC,
    )


def is_undisturbed() -> bool:
    """Whether this is in a block that no interruption cuts."""
    return _undisturbed.is_set()


@contextmanager
def _held() -> Iterator[None]:
    """A moment that no interruption cuts, as short as it must be: they come at its end."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        # within: it heeds what came before it, once they are blocked
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def undisturbed() -> Iterator[None]:
    """A block that Ctrl-C and SIGTERM do not cut, nor the programs in it: they wait for its end.

    For the moment between doing a thing and knowing how to undo it, and for the undoing. Also
    when it fails they are heeded at its end: whoever deals with failures would go on working.
    """
    if threading.current_thread() is not threading.main_thread() or _undisturbed.is_set():
        yield
        return
    _came.clear()
    with _held():  # between the two handlers an interruption would leave one of them for ever
        before = [signal.signal(one, lambda came, _: _came.append(came)) for one in INTERRUPTIONS]
        _undisturbed.set()
    try:
        yield
    finally:
        with _held():
            _undisturbed.clear()
            for number, handler in zip(INTERRUPTIONS, before, strict=True):
                signal.signal(number, handler)
        handlers = dict(zip(INTERRUPTIONS, before, strict=True))
        if any(
            handlers[signal.Signals(came)] is not signal.SIG_IGN for came in _came
        ):  # nohup's stay ignored
            raise KeyboardInterrupt


def run(
    *argv: str | Path,
    stdin: str | None = None,
    accept: Sequence[int] = (0,),
    timeout_s: float | None = None,
) -> Finished:
    """Run one program to its end and return what it said.

    ``accept`` lists the exit statuses that mean success for this program. Raises
    ``ProcessError`` on any other one, or when ``timeout_s`` passed (it is killed then). That it
    died of SIGINT is no Ctrl-C: that one reaches us as well, before its end can be seen.
    """
    words = tuple(word_of(word) for word in argv)
    program = need(words[0])
    while (finished := _run(program, words, stdin, timeout_s)) is None:
        pass
    if finished.status not in accept:
        raise ProcessError(words, finished.status, finished.stderr or finished.stdout)
    return finished


def _run(
    program: str, words: tuple[str, ...], stdin: str | None, timeout_s: float | None
) -> Finished | None:
    """One run; None where an interruption ended it before it was that program.

    That one was for us, who are not to be disturbed: it has done nothing and is started anew.
    """
    with ExitStack() as stack:
        given = _given(stdin or "")
        stack.callback(os.close, given)
        ends: list[int] = []
        running: list[Started] = []
        stack.callback(_forget, running)
        try:
            with ExitStack() as writers:
                files = [given]
                for _ in ("stdout", "stderr"):
                    read_end, write_end = os.pipe()
                    stack.callback(os.close, read_end)
                    writers.callback(os.close, write_end)
                    ends.append(read_end)
                    files.append(write_end)
                disturbed = _spawned(
                    [program, *words[1:]], files, running, own_group=timeout_s is not None
                )
            (started,) = running
            if timeout_s is None:
                with waiting(f"{Path(words[0]).name} to end"):
                    said = heard(started, ends, None)
            else:
                said = heard(started, ends, timeout_s)
        except BaseException as error:
            for one in running:  # it would go on without us
                if one.has_own_group or not isinstance(error, KeyboardInterrupt):
                    kill(one.pid, own_group=one.has_own_group)
            raise
        if said is None:
            raise ProcessError(words, -9, f"no answer within {timeout_s} s")
        status = os.waitstatus_to_exitcode(os.waitpid(started.pid, 0)[1])
    if -status in disturbed:
        return None
    return Finished(words, status, *(text.decode(errors="replace") for text in said))


def _given(text: str) -> int:
    """A file that holds ``text`` and has no name: what is read from it never makes anybody wait."""
    file = os.memfd_create("stdin", os.MFD_CLOEXEC)
    try:
        rest = memoryview(text.encode("utf-8", "surrogateescape"))
        while rest:
            rest = rest[os.write(file, rest) :]
        os.lseek(file, 0, os.SEEK_SET)
    except BaseException:
        os.close(file)
        raise
    return file


def _spawned(
    argv: Sequence[str], files: Sequence[int], running: list[Started], *, own_group: bool
) -> frozenset[int]:
    """``argv``, its program by its path, with ``files`` as input, output and messages.

    Put into ``running``, whose owner ends it: an interruption waits until it stands there. Returns
    the signals that came for the whole group before it was in one of its own. It has none of our
    other files, and goes on when the terminal is closed: who repairs a filesystem is not to be cut
    there.
    """
    grouped = own_group or is_undisturbed()
    # otherwise in ours, which has no number where its leader is outside our namespace
    spawn = partial(os.posix_spawn, setpgroup=0) if grouped else os.posix_spawn
    moves = [(os.POSIX_SPAWN_DUP2, file, number) for number, file in enumerate(files)]
    closes = [(os.POSIX_SPAWN_CLOSE, file) for file in _inherited()]
    with _held():
        known = len(_came)
        pid = spawn(
            os.fsencode(argv[0]),
            [word.encode("utf-8", "surrogateescape") for word in argv],
            environment(),
            file_actions=[*moves, *closes],
            setsigdef=_USUAL,
            setsigmask=(signal.SIGHUP,),
        )
        try:
            running.append(Started(pid, os.pidfd_open(pid), grouped))
        except BaseException:  # no file is left for us: nobody would ever hear it
            kill(pid, own_group=grouped)
            raise
    return frozenset(_came[known:])


def _forget(running: Sequence[Started]) -> None:
    for one in running:
        os.close(one.pid_fd)


def _inherited() -> list[int]:
    """Files that whoever started us left open for programs: a daemon would keep their locks."""
    found = []
    for name in os.listdir("/proc/self/fd"):  # noqa: PTH208 - by their numbers
        with suppress(OSError):  # that of this very look
            if int(name) > _MESSAGES and os.get_inheritable(int(name)):
                found.append(int(name))
    return found
