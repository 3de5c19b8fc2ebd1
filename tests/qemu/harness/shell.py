# SPDX-License-Identifier: GPL-3.0-or-later
"""The root shell of the test profile over the serial line: commands with status and output.

Each command is framed by markers with a number of its own. The typed line holds the markers only
in pieces, so an echo is never taken for an answer; the end is said twice, because a kernel
message may fall into the middle of one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from harness.clock import Deadline
from harness.console import Console, without_kernel_messages
from harness.errors import HarnessError, ProductFailure

_LINE_LIMIT = 3500  # the tty's canonical mode takes 4095 bytes a line


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and everything it wrote."""

    command: str
    status: int
    output: str

    def json(self) -> dict[str, object]:
        """The answer of ``--json``: the last object printed that is no progress report."""
        found: dict[str, object] | None = None
        decoder = json.JSONDecoder()
        for start in re.finditer(r"^\{", self.output, re.MULTILINE):
            try:
                value, _ = decoder.raw_decode(self.output[start.start() :])
            except json.JSONDecodeError:
                continue  # a brace at the beginning of some other line
            if isinstance(value, dict) and "progress" not in value:
                found = value
        if found is None:
            raise ProductFailure(f"`{self.command}` printed no JSON object:\n{self.output}")
        return found

    def error(self) -> dict[str, object]:
        """The error object of ``--json``: code, name, message, hint."""
        error = self.json().get("error")
        if not isinstance(error, dict):
            raise ProductFailure(f"`{self.command}` printed no error object:\n{self.output}")
        return error


class Pending:
    """A command that is running."""

    def __init__(self, console: Console, command: str, number: int, since: int) -> None:
        self._console = console
        self._command = command
        self._number = number
        self._since = since

    def wait_for_progress(self, phase: str, percent: int, deadline: Deadline) -> None:
        """Until a progress report of ``--json`` says that this much of a phase is done."""
        report = rf'"phase": "{phase}", "done_bytes": (\d+), .*?"total_bytes": (\d+)'
        at = self._since
        while True:
            match = self._console.wait_for(rf"{report}|OGEND-{self._number}-", deadline, since=at)
            if match[1] is None:
                raise ProductFailure(
                    f"`{self._command}` ended before {percent} % of {phase}:\n"
                    f"{self._console.text(self._since)[-1500:]}"
                )
            if int(match[1]) * 100 >= int(match[2]) * percent:
                return
            at = match.end()

    def wait(self, deadline: Deadline) -> Result:
        """Its end."""
        number = self._number
        match = self._console.wait_for(
            rf"OGBEGIN-{number}\r*\n(.*?)\r*\nOGEND-{number}-(\d+)\r*\n",
            deadline,
            since=self._since,
        )
        output = without_kernel_messages(match[1].decode("utf-8", "replace"))
        return Result(self._command, int(match[2]), output.strip("\n"))


class Shell:
    """Types into a console and reads answers."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    def prepare(self, deadline: Deadline) -> None:
        """Silence echo, prompt and kernel chatter; afterwards only answers come back."""
        self._console.send("\nstty -echo; PS1=; PS2=; unset PROMPT_COMMAND; dmesg -n 3\n")
        self.execute("true", deadline)

    def begin(self, command: str) -> Pending:
        """Start one line; standard input is empty, both outputs are joined through a pipe.

        The pipe makes them no terminal, so that progress comes as plain lines, as it happens.
        """
        self._number += 1
        number = self._number
        line = (
            f"printf '\\nOG%s-{number}\\n' BEGIN; "
            f"{{ ( {command} ); echo $? > /run/.ogtest-status; }} 2>&1 </dev/null | cat; "
            f"s=$(cat /run/.ogtest-status); "
            f"printf '\\nOG%s-{number}-%d\\nOG%s-{number}-%d\\n' END $s END $s\n"
        )
        if len(line) > _LINE_LIMIT:
            raise HarnessError(f"command too long for a serial line: {command[:80]}…")
        since = self._console.position
        self._console.send(line)
        return Pending(self._console, command, number, since)

    def execute(self, command: str, deadline: Deadline) -> Result:
        """Run one line to its end."""
        return self.begin(command).wait(deadline)

    def place_secret(self, path: str, secret: str, deadline: Deadline) -> None:
        """Put a secret into a file of mode 0600; it is typed without echo, into no command."""
        since = self._console.position
        folder = path.rpartition("/")[0]
        self._console.send(
            f"umask 077; mkdir -p {folder}; printf 'OG%s\\n' WAITS; "
            f"IFS= read -r s; printf '%s\\n' \"$s\" > {path}; unset s; umask 022\n"
        )
        self._console.wait_for("OGWAITS\r*\n", deadline, since=since)
        self._console.send(secret + "\n")
        result = self.execute(f"stat -c %a:%s {path}", deadline)
        if result.output != f"600:{len(secret) + 1}":
            raise HarnessError(f"the secret did not arrive in {path}: {result.output}")
        if secret in self._console.text(since):
            raise HarnessError("the serial line echoed a secret")
