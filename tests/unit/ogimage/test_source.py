# SPDX-License-Identifier: GPL-3.0-or-later
"""The name of a version: of its commit's day and its content, whenever it was built."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ogimage.shell import BuildError
from ogimage.source import source_of


def commit(folder: Path) -> str:
    def git(*words: str) -> str:
        env = {
            **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
            "GIT_COMMITTER_DATE": "2025-03-04T05:06:07Z",
            "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
        }
        name = ("-c", "user.name=x", "-c", "user.email=x@example.org")
        argv = ["git", "-C", str(folder), *name, *words]
        return subprocess.run(argv, env=env, check=True, capture_output=True, text=True).stdout

    (folder / "file").write_text("one")
    git("init", "-q")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    git("tag", "v1")
    return git("rev-parse", "HEAD").strip()


def test_a_clone_gives_the_day_of_its_commit(tmp_path: Path) -> None:
    digest = commit(tmp_path)
    found = source_of(tmp_path, {})
    assert (found.day, found.commit) == ("20250304", digest)
    (tmp_path / "file").write_text("other")
    assert source_of(tmp_path, {}).commit == f"{digest}-dirty"


def test_the_common_variable_wins_and_files_without_git_have_it_alone(tmp_path: Path) -> None:
    given = {"SOURCE_DATE_EPOCH": "86400"}
    assert source_of(tmp_path, given).day == "19700102"
    assert source_of(tmp_path, given).commit == ""
    commit(tmp_path)
    assert source_of(tmp_path, given).day == "19700102"


def test_what_cannot_be_read_is_not_taken_for_today(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match="SOURCE_DATE_EPOCH is no number"):
        source_of(tmp_path, {"SOURCE_DATE_EPOCH": "yesterday"})
    (tmp_path / ".git").write_text("gitdir: /nowhere\n")
    with pytest.raises(BuildError, match="git"):
        source_of(tmp_path, {})
