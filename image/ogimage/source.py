# SPDX-License-Identifier: GPL-3.0-or-later
"""Which source an image is made of: its commit and its day, never the day of the build."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ogimage.shell import BuildError, output


@dataclass(frozen=True, slots=True)
class Source:
    """``day``: YYYYMMDD; ``commit``: its digest, ``-dirty`` behind it where files were changed."""

    day: str
    commit: str


def source_of(project: Path, env: Mapping[str, str] = os.environ) -> Source:
    """What git says of a clone; of files without git, SOURCE_DATE_EPOCH's day or today."""
    asked = env.get("SOURCE_DATE_EPOCH", "")
    if asked and not (asked.isascii() and asked.isdigit()):
        raise BuildError(
            f"SOURCE_DATE_EPOCH is no number of seconds: {asked}", "unset it, or give one"
        )
    commit, date = "", ""
    if (project / ".git").exists():
        # The clone may belong to the person who called sudo.
        git = ("git", "-c", f"safe.directory={project}", "-C", project)
        commit = output([*git, "describe", "--always", "--abbrev=40", "--dirty", "--exclude=*"])
        date = output([*git, "log", "-1", "--format=%ct"])
    seconds = int(asked or date or time.time())
    return Source(time.strftime("%Y%m%d", time.gmtime(seconds)), commit.strip())
