# SPDX-License-Identifier: GPL-3.0-or-later
"""How a command starts and ends: whatever happened in it becomes words and an exit code.

Shared by the two ``__main__`` modules, ``og`` and the old names, and used by nothing else.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from oglib.errors import OgErr, OgError

TYPE_CHECKING = False  # to checkers it is true; typing itself is a good part of a short command
if TYPE_CHECKING:
    from typing import NoReturn

_INTERRUPTED = 130  # 128 + SIGINT, as shells count
_STOPS = (signal.SIGINT, signal.SIGTERM)
_judging = False  # signals are ours meanwhile
_READER_S = 5  # for who reads our last words, once we were told to stop


class _Interrupted(OgError):
    """Ctrl-C or SIGTERM; no number of OpenGnsys stands for it."""

    def __init__(self) -> None:
        super().__init__("This was interrupted.", hint="Run the same command again to go on.")

    def as_dict(self) -> dict[str, object]:
        said = {"message": self.message, "hint": self.hint}
        return {"error": {"code": _INTERRUPTED, "name": "INTERRUPTED", **said}}


@contextmanager
def last_words() -> Iterator[None]:
    """Around the printing of a result: what is done is said, and who says stop now comes too late.

    A reader that does not read keeps us for a few seconds after that, and not for ever. Without
    ``ended`` around it, it does nothing.
    """
    if not _judging:
        yield
        return

    def hurry(*_: object) -> None:
        signal.alarm(_READER_S)

    _heed(hurry)
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    yield
    sys.stdout.flush()
    _heed(signal.SIG_IGN)
    signal.alarm(0)


@contextmanager
def quick_start(*, final: bool) -> Iterator[None]:
    """Around imports: nothing of them is ever let go, so nobody looks for what could be.

    ``final``: nor later, each time that something else may be; this process ends with its command.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if final:
            gc.freeze()
        if was_on:
            gc.enable()


def _heed(handler: Callable[..., object] | signal.Handlers) -> None:
    for one in _STOPS:
        signal.signal(one, handler)


def ended(
    work: Callable[[], int],
    report: Callable[[OgError], None],
    *,
    final: bool = False,
    debug: bool = False,
) -> int:
    """Run ``work`` to its end: its exit code, or the OG_ERR number of the error ``report`` gets.

    ``final``: the process ends with it, and from here on nothing that it is sent makes another
    end of it; otherwise signals are heeded as before. ``debug``: where an error was raised is
    shown before it is told.
    """
    global _judging  # noqa: PLW0603
    before = {one: signal.getsignal(one) for one in (*_STOPS, signal.SIGALRM)}
    # Being told to stop is an interruption like Ctrl-C: work settles, a rerun goes on from there.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _judging = True
    try:
        status = _judged(_telling(work) if debug else work, report)
        _heed(signal.SIG_IGN)
    except KeyboardInterrupt:  # while an error was told
        status = _INTERRUPTED
    finally:
        _judging = False
        if not final:
            for one, handler in before.items():
                signal.signal(one, handler)
    return status


def leave(status: int) -> NoReturn:
    """The end of this process, at once.

    All work is done and undone by now; Python would only take its thousand modules down one by
    one, which costs a short command a quarter of its time.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            status = status or int(OgErr.GENERIC)
    os._exit(status)


def _judged(work: Callable[[], int], report: Callable[[OgError], None]) -> int:
    try:
        status = work()
        sys.stdout.flush()
        return status
    except OgError as error:
        report(error)
        return int(error.code)
    except KeyboardInterrupt:
        print(file=sys.stderr)  # the terminal's ^C has no end of line
        report(_Interrupted())
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of our output left, as `| head` does
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(OgErr.GENERIC)
    except OSError as error:
        named = f" {error.filename}" if error.filename else ""
        failure = OgError(
            f"The system refused{named}: {error.strerror or error}.",
            hint="Look at the kernel log (dmesg) for the device's own message.",
        )
        report(failure)
        return int(failure.code)
    except Exception as error:  # noqa: BLE001 - nothing but words ever reaches a user
        report(_defect(error))
        return int(OgErr.GENERIC)


def _telling(work: Callable[[], int]) -> Callable[[], int]:
    """``work``; whatever it raises is shown on standard error with the whole way to it."""

    def traced() -> int:
        try:
            return work()
        except Exception:
            import traceback  # noqa: PLC0415  few ask for it, all commands start

            traceback.print_exc()
            raise

    return traced


def _defect(error: Exception) -> OgError:
    """What nobody thought of, with its place in our code, so that it can be reported."""
    places = []
    trace = error.__traceback__
    while trace is not None:
        file = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
        places.append(f"{file}:{trace.tb_lineno}")
        trace = trace.tb_next
    return OgError(
        f"This is a defect of ogLive: {type(error).__name__} at {' '.join(places[-4:])}: {error}.",
        hint="Report it with what `--debug` shows, and with the file that `og report` makes.",
    )
