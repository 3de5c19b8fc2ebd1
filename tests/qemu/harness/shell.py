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
from harness.console import Console
from harness.errors import HarnessError, ProductFailure

_KERNEL_LINE = re.compile(r"^\[ *\d+\.\d+\] .*$\n?", re.MULTILINE)
_LINE_LIMIT = 3500  # the tty's canonical mode takes 4095 bytes a line


@dataclass(frozen=True, slots=True)
class Result:
    """How a command ended and everything it wrote."""

    command: str
    status: int
    output: str

    def json(self) -> dict[str, object]:
        """The one JSON object among the output's lines."""
        start = re.search(r"^\{", self.output, re.MULTILINE)
        if start is None:
            raise ProductFailure(f"`{self.command}` printed no JSON object:\n{self.output}")
        value, _ = json.JSONDecoder().raw_decode(self.output[start.start() :])
        if not isinstance(value, dict):
            raise ProductFailure(f"`{self.command}` printed no JSON object:\n{self.output}")
        return value


class Shell:
    """Types into a console and reads answers."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._number = 0

    def prepare(self, deadline: Deadline) -> None:
        """Silence echo, prompt and kernel chatter; afterwards only answers come back."""
        self._console.send("\nstty -echo; PS1=; PS2=; unset PROMPT_COMMAND; dmesg -n 3\n")
        self.execute("true", deadline)

    def execute(self, command: str, deadline: Deadline) -> Result:
        """Run one line; standard input is empty, both outputs are joined through a pipe.

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
        match = self._console.wait_for(
            rf"OGBEGIN-{number}\r?\n(.*?)\r?\nOGEND-{number}-(\d+)\r?\n", deadline, since=since
        )
        output = match[1].decode("utf-8", "replace").replace("\r", "")
        return Result(command, int(match[2]), _KERNEL_LINE.sub("", output).strip("\n"))

    def place_secret(self, path: str, secret: str, deadline: Deadline) -> None:
        """Put a secret into a file of mode 0600; it is typed without echo, into no command."""
        since = self._console.position
        folder = path.rpartition("/")[0]
        self._console.send(
            f"umask 077; mkdir -p {folder}; printf 'OG%s\\n' WAITS; "
            f"IFS= read -r s; printf '%s\\n' \"$s\" > {path}; unset s; umask 022\n"
        )
        self._console.wait_for("OGWAITS\r?\n", deadline, since=since)
        self._console.send(secret + "\n")
        result = self.execute(f"stat -c %a:%s {path}", deadline)
        if result.output != f"600:{len(secret) + 1}":
            raise HarnessError(f"the secret did not arrive in {path}: {result.output}")
        if secret in self._console.text(since):
            raise HarnessError("the serial line echoed a secret")
