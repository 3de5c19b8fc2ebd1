# SPDX-License-Identifier: GPL-3.0-or-later
"""``og job``: what the netboot entry of this boot asks for, told on the PC's screen."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from oglib.cache.turn import Tell
from oglib.cli.arguments import Subparsers, verb
from oglib.cli.context import Context, Result
from oglib.cli.token_prompt import ask_for_token
from oglib.deploy.jobs import Boot, Create, Job, as_dict
from oglib.deploy.netboot import parse_job
from oglib.deploy.planned import FinishedJob, PlannedJob
from oglib.deploy.work import end_of_job, perform
from oglib.ending import ended, last_words
from oglib.errors import OgError
from oglib.progress import Progress
from oglib.settings import Settings
from oglib.views.board import Board, opened_board
from oglib.views.output import plain
from oglib.wording import waits

_NOTHING = "The boot entry of this PC carries no job."
_GOES_ON = {
    "reboot": "This PC restarts.",
    "poweroff": "This PC switches itself off.",
    "stay": "This PC stays as it is; Ctrl-Alt-Del restarts it.",
}
_STARTS = "This PC leaves ogLive for it."
_FAILED = "This PC stays; Ctrl-Alt-Del restarts it, and it tries again."


def add_to(nouns: Subparsers) -> None:
    made = verb(
        nouns,
        "job",
        _job,
        "do the job of this boot's netboot entry, if it has one",
        repository=True,
    )
    made.add_argument(
        "--screen",
        type=Path,
        metavar="TTY",
        help="tell all of it there, also how it ends; a token is asked for there",
    )
    made.add_argument(
        "--line",
        type=Path,
        metavar="TTY",
        action="append",
        default=[],
        help="with --screen: plain lines there too, for a serial line",
    )
    made.add_argument("--log", type=Path, metavar="FILE", help="with --screen: and into this file")


def _job(context: Context) -> Result:
    args = context.args
    if args.screen is None:
        return _by_hand(context)
    with opened_board(args.screen, args.line, args.log) as board:
        waits.report_to(board.progress.waits)
        work = partial(_on_screen, context.settings, board, args.screen)
        status = ended(work, _reporting(board), final=True)
    return Result({"status": status}, "", status)


def _by_hand(context: Context) -> Result:
    """For a person at a console, where errors and results go as those of any command."""
    job = parse_job(context.settings)
    if job is None:
        return Result({"job": None}, _NOTHING)
    done = _done(job, context.settings, context.progress, context.tell)
    for note in done.notes:
        context.warn(note)
    _leave(job, done, context.settings)
    return Result(_data(job, done), done.sentence, done.status)


def _on_screen(settings: Settings, board: Board, screen: Path) -> int:
    job = parse_job(settings)
    if job is None:
        board.tell([_NOTHING])
        return 0
    if isinstance(job, Create):
        ask_for_token(job.image, settings.upload_token, screen, tell=board.tell)
    done = _done(job, settings, board.progress, board.tell)
    with last_words():  # going down ends this process too, and that is no end of the job
        goes_on = _goes_on(job, settings) if done.is_over else _FAILED
        board.tell([*(f"Note: {note}" for note in done.notes), "", done.sentence, goes_on])
    _leave(job, done, settings)
    return done.status


def _goes_on(job: Job, settings: Settings) -> str:
    return _STARTS if isinstance(job, Boot) else _GOES_ON[settings.after]


def _leave(job: Job, done: FinishedJob, settings: Settings) -> None:
    """One that starts a system is on its way there already, whatever the entry says."""
    if done.is_over and not isinstance(job, Boot):
        end_of_job(settings.after)


def _done(job: Job, settings: Settings, progress: Progress, tell: Tell) -> FinishedJob:
    """Nobody is asked, for whoever gave the job has decided; what it changes is told before."""

    def approve(planned: PlannedJob) -> bool:
        tell(planned.told)
        return True

    done = perform(job, settings, progress=progress, approve=approve, tell=tell)
    if done is None:
        raise OgError("The job was not approved.")
    return done


def _reporting(board: Board) -> Callable[[OgError], None]:
    """Tells what ended the job: the cause, what to do, and the number for whoever is asked."""

    def report(error: OgError) -> None:
        told = ["", f"The job failed: {error.message}"]
        if error.hint:
            told.append(f"What to do: {error.hint}")
        told.append(f"(code {int(error.code)}, {error.code.name}) {_FAILED}")
        board.tell(told)

    return report


def _data(job: Job, done: FinishedJob) -> dict[str, object]:
    return {
        "job": as_dict(job),
        "sentence": done.sentence,
        "notes": list(done.notes),
        "done": plain(done.done),
        "status": done.status,
    }
