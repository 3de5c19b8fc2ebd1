# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own small programs as fittings: each checks and applies one thing, told in JSON.

A program ``NN-NAME`` in the folder of steps becomes the step ``site-NAME``, in the order of the
numbers; names that begin with ``README`` or a dot, or end in ``~``, are left aside. It is run with
one word, ``check`` or ``apply``, and reads one object from standard input:
``{"version": 1, "root": FOLDER, "hostname": …, "partition": …, "root_uuid": …, "disk_id": …,
"nics": [{"name": …, "mac": …}], "deadline_s": …}``. ``check`` must write nothing; it prints
``needed WHAT`` or ``not-needed WHY`` in its first line. ``apply`` may print what it did. Any other
answer, any other exit status than 0, and one that comes after the deadline, is a failure; so is a
process that it leaves running, which is ended, or a mount inside of the system, which is undone.
"""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path

from oglib.errors import OgError, ProcessError, UsageError
from oglib.filesystem.mounts import nothing_stays_mounted
from oglib.fitting.edits import Files
from oglib.fitting.fittings import Check, Fitting, Need
from oglib.kernel.left import nothing_left
from oglib.osconfig.facts import PcFacts
from oglib.run import run
from oglib.texts import joined, shortened

_NAME = re.compile(r"[0-9]{2}-([a-z0-9]+(?:-[a-z0-9]+)*)")
# What people, editors and version control put beside programs.
_ASIDE = re.compile(r"README.*|\..*|.*~", re.DOTALL)
_MOST_STEPS = 100
_CHECK_S = 60
_APPLY_S = 600
_ANSWERS = {"needed": Need.NEEDED, "not-needed": Need.NOT_NEEDED}


@dataclass(frozen=True, slots=True)
class SiteStep:
    """One program; a value like every fitting. Deadlines are in seconds."""

    name: str
    program: Path
    check_s: float = _CHECK_S
    apply_s: float = _APPLY_S

    def check(self, root: Files, facts: PcFacts) -> Check:
        """What the program says; one that cannot be run or believed is this step's failure."""
        if not os.access(self.program, os.X_OK):
            return Check(Need.CANNOT, f"{self.program} is not executable")
        try:
            first = self._first_line("check", root, facts, self.check_s)
        except OgError as error:
            return Check(Need.CANNOT, error.message)
        word, _, detail = first.partition(" ")
        need = _ANSWERS.get(word)
        if need is None:
            why = f"{self.program.name} answered neither needed nor not-needed: {first!r}"
            return Check(Need.CANNOT, why)
        return Check(need, detail or word)

    def apply(self, root: Files, facts: PcFacts, checked: Check) -> str:
        """Run it; what it says it did, else what it said it would do."""
        return self._first_line("apply", root, facts, self.apply_s) or checked.detail

    def _first_line(self, word: str, root: Files, facts: PcFacts, deadline_s: float) -> str:
        given = json.dumps(_as_json_data(root, facts, deadline_s))
        try:
            with nothing_stays_mounted(root.path) as points, nothing_left() as left:
                done = run(self.program, word, stdin=given, timeout_s=deadline_s)
        except ProcessError as error:
            last = (error.stderr.strip().split("\n") or [""])[-1]
            raise OgError(
                f"{self.program.name} {word} ended with {_ending(error.status)}: "
                f"{_line(last, root) or 'it said nothing'}."
            ) from error
        except OSError as error:  # no program, whatever its mode says
            why = f"{self.program.name} cannot be run: {error.strerror}."
            raise OgError(why) from error
        if left:  # it may have been at work still, and would hold the filesystem
            names = _line(joined(left, ", "), root)
            why = f"{self.program.name} {word} ended and left {names} running: that was ended too."
            raise OgError(why)
        if points:
            names = _line(joined([str(one) for one in points], ", "), root)
            why = f"{self.program.name} {word} ended and left {names} mounted: that was undone."
            raise OgError(why)
        return _line(done.stdout.partition("\n")[0], root)


def _ending(status: int) -> str:
    return f"exit status {status}" if status >= 0 else f"signal {-status}"


def _line(text: str, root: Files) -> str:
    """What a program said, without where the system happened to be mounted."""
    return shortened(" ".join(text.replace(str(root.path), "").split())).rstrip(".")


def _as_json_data(root: Files, facts: PcFacts, deadline_s: float) -> dict[str, object]:
    return {
        "version": 1,
        "root": str(root.path),
        "hostname": facts.hostname,
        "partition": facts.root.number,
        "root_uuid": facts.root.uuid,
        "disk_id": facts.disk_id,
        "nics": [{"name": nic.name, "mac": nic.mac} for nic in facts.nics],
        "deadline_s": deadline_s,
    }


def site_steps(folder: Path) -> tuple[Fitting[PcFacts], ...]:
    """The steps in a folder, none where there is no folder; UsageError for a name of no step."""
    try:
        there = os.listdir(folder)  # noqa: PTH208 - names are all that is asked
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise OgError(f"The site's steps in {folder} cannot be read: {error.strerror}.") from error
    names = sorted(name for name in there if not _ASIDE.fullmatch(name))
    found: dict[str, Fitting[PcFacts]] = {}
    for name in names[:_MOST_STEPS]:
        match = _NAME.fullmatch(name)
        if match is None or f"site-{match[1]}" in found:
            raise UsageError(
                f"{folder / name} has no name of a step, or that of another.",
                hint="Call it NN-NAME as in 50-printers, and mend the site overlay.",
            )
        found[f"site-{match[1]}"] = SiteStep(f"site-{match[1]}", folder / name)
    if len(names) > _MOST_STEPS:
        raise UsageError(f"{folder} holds more than {_MOST_STEPS} steps.")
    return tuple(found.values())
