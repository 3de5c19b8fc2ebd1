# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about messages, logs and other processes."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from oglib.errors import OgErr
from oglib.inventory import firmware
from oglib.shim.messages import MESSAGES
from oglib.shim.names import MODULE_OF
from oglib.shim.system import COMMANDS
from unit.shim.old import Old, Ran

STAMP = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"


@pytest.fixture
def logs(tmp_path: Path) -> dict[str, str]:
    names = {"OGLOGFILE": "log", "OGLOGCOMMAND": "command", "OGLOGSESSION": "session"}
    return {variable: str(tmp_path / name) for variable, name in names.items()}


@pytest.mark.proves("ogEcho")
def test_a_message_goes_to_the_screen_and_to_the_logs(
    old: Old, logs: dict[str, str], tmp_path: Path
) -> None:
    ran = old("ogEcho", "LOG", "session", "warning", "disk", "full", env=logs)
    assert (ran.stderr, ran.status) == ("", 0)
    assert re.fullmatch(STAMP + " warning: disk full\n", ran.stdout)
    assert (tmp_path / "log").read_text() == (tmp_path / "session").read_text() == ran.stdout
    assert not (tmp_path / "command").exists()


@pytest.mark.proves("ogEcho")
def test_a_message_without_level_or_log_is_bare(old: Old, logs: dict[str, str]) -> None:
    assert old("ogEcho", "session", "[20] Restoring", env=logs).stdout == "[20] Restoring\n"
    assert old("ogEcho", "help", "Usage: x", env=logs).stdout == "Usage: x\n"
    assert not Path(logs["OGLOGFILE"]).exists()


@pytest.mark.proves("ogEcho")
@pytest.mark.parametrize("level", ["info", "warning", "error"])
def test_a_level_is_marked_and_logged_whatever_log_is_named(
    old: Old, logs: dict[str, str], level: str
) -> None:
    ran = old("ogEcho", "session", level, "two  blanks", env=logs)
    assert re.fullmatch(f"{STAMP} {level}: two  blanks\n", ran.stdout)
    plain = old("ogEcho", level.upper(), "-n", "ñ", env=logs)
    assert re.fullmatch(f"{STAMP} {level}: -n ñ\n", plain.stdout)
    assert Path(logs["OGLOGSESSION"]).read_text() == ran.stdout
    assert Path(logs["OGLOGFILE"]).read_text() == ran.stdout + plain.stdout
    assert old("ogEcho", level, "x", env={**logs, "DEBUG": "NO"}).stdout.endswith(f"{level}: x\n")
    assert Path(logs["OGLOGFILE"]).read_text() == ran.stdout + plain.stdout


@pytest.mark.refuses("ogEcho")
def test_a_log_that_cannot_be_written_is_said(old: Old, tmp_path: Path) -> None:
    ran = old("ogEcho", "log", "text", env={"OGLOGFILE": str(tmp_path / "no/log")})
    assert (ran.stdout, ran.status) == ("text\n", 0)
    assert "no/log cannot be written: No such file or directory." in ran.stderr


def test_information_inside_a_quiet_function_is_muted(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEBUG", "no")
    monkeypatch.setenv("OG_CALLERS", "ogGetOsType main")
    COMMANDS["ogEcho"].run(["info", "hidden"])
    COMMANDS["ogEcho"].run(["warning", "shown"])
    monkeypatch.setenv("NODEBUGFUNCTIONS", "other")
    COMMANDS["ogEcho"].run(["info", "shown too"])
    shown = f"{STAMP} warning: shown\n{STAMP} info: shown too\n"
    assert re.fullmatch(shown, capsys.readouterr().out)


@pytest.mark.proves("ogExecAndLog")
def test_output_is_shown_and_kept_and_the_exit_code_is_the_commands_own(
    old: Old, logs: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "command").write_text("of the last command\n")
    (tmp_path / "session").write_text("before\n")
    script = "cat; echo $HIS; echo problem >&2; exit 5"
    env = {**logs, "HIS": "own variable"}
    ran = old("ogExecAndLog", "COMMAND", "session", "sh", "-c", script, env=env, stdin="input\n")
    assert (ran.stdout, ran.status) == ("input\nown variable\nproblem\n", 5)
    assert (tmp_path / "command").read_text() == ran.stdout
    assert (tmp_path / "session").read_text() == "before\n" + ran.stdout


@pytest.mark.proves("ogExecAndLog")
def test_without_the_command_log_messages_pass_by(
    old: Old, logs: dict[str, str], tmp_path: Path
) -> None:
    ran = old("ogExecAndLog", "log", "sh", "-c", "echo out; echo problem >&2", env=logs)
    assert ran == Ran("out\n", "problem\n", 0)
    assert (tmp_path / "log").read_text() == "out\n"


@pytest.mark.refuses("ogExecAndLog")
@pytest.mark.parametrize(
    ("words", "status"),
    [(["log", "session"], OgErr.FORMAT), (["log", "og-no-such-program"], OgErr.NOTEXEC)],
)
def test_nothing_to_run(old: Old, logs: dict[str, str], words: list[str], status: OgErr) -> None:
    ran = old("ogExecAndLog", *words, env=logs)
    assert (ran.stdout, ran.status) == ("", status)


def test_a_command_ended_by_a_signal_counts_as_in_a_shell(old: Old) -> None:
    assert old("ogExecAndLog", "sh", "-c", "kill -KILL $$").status == 137


@pytest.mark.proves("ogGetCaller")
def test_the_caller_of_a_script_is_named_from_a_subshell_too(tmp_path: Path) -> None:
    outer, inner = tmp_path / "deployImage", tmp_path / "restoreImage"
    inner.write_text(
        f'#!/bin/bash\necho "$({sys.executable} -I -m oglib.shim ogGetCaller; true)"\n'
    )
    outer.write_text(f"#!/bin/bash\n{inner} a b\ntrue\n")
    for script in (outer, inner):
        script.chmod(0o755)
    done = subprocess.run([outer, "x"], capture_output=True, text=True, check=True)
    assert done.stdout == "deployImage\n"


@pytest.mark.refuses("ogGetCaller", "ogIsRepoLocked", "ogIsVirtualMachine")
@pytest.mark.parametrize("name", ["ogGetCaller", "ogIsRepoLocked", "ogIsVirtualMachine"])
def test_words_that_have_no_meaning_are_refused(old: Old, name: str) -> None:
    ran = old(name, "word")
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)


@pytest.mark.proves("ogHelp")
def test_help_of_a_function_and_of_a_sites_own(old: Old) -> None:
    assert old("ogHelp", "ogEcho").stdout == old("ogEcho", "help").stdout
    ran = old("ogHelp", "ogSite", "ogSite A", "ogSite 1", env={"MSG_HELP_ogSite": "does it"})
    assert ran == Ran("Function ogSite: does it\n  Usage: ogSite A\n  Example: ogSite 1\n", "", 0)


@pytest.mark.proves("ogHelp")
def test_help_alone_lists_every_function(capsys: pytest.CaptureFixture[str]) -> None:
    text = COMMANDS["ogHelp"].run([])
    assert {line.split(":")[0] for line in str(text).splitlines()} == set(MODULE_OF)
    assert capsys.readouterr().out == ""


@pytest.mark.refuses("ogHelp")
def test_help_of_nothing_known(old: Old) -> None:
    ran = old("ogHelp", "ogFly")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)


@pytest.mark.proves("ogRaiseError")
def test_an_error_is_said_logged_and_given_back(
    old: Old, logs: dict[str, str], tmp_path: Path
) -> None:
    env = {**logs, "OG_CALLERS": "ogMount restore main"}
    ran = old("ogRaiseError", "session", "4", "1 2", env=env)
    assert (ran.stdout, ran.status) == ("", 4)
    said = "error: restore -> ogMount: resource locked by another operation: 1 2\n"
    assert re.fullmatch(f"{STAMP} {said}", ran.stderr)
    assert (tmp_path / "session").read_text() == ran.stderr


@pytest.mark.proves("ogRaiseError")
def test_quiet_functions_give_the_code_alone_but_for_format(old: Old, logs: dict[str, str]) -> None:
    env = {**logs, "OG_CALLERS": "ogGetOsType main"}
    assert old("ogRaiseError", "3", "1 2", env=env) == Ran("", "", 3)
    assert old("ogRaiseError", "1", env=env).stderr != ""


@pytest.mark.refuses("ogRaiseError")
@pytest.mark.parametrize("words", [["session", "text"], ["77"], ["-1"], ["", "2"], []])
def test_what_is_no_error_number_is_the_general_one(
    old: Old, logs: dict[str, str], words: list[str]
) -> None:
    ran = old("ogRaiseError", *words, env=logs)
    assert (ran.stdout, ran.status) == ("", OgErr.GENERIC)


def test_every_error_has_a_meaning() -> None:
    assert set(MESSAGES) == set(OgErr)


@pytest.mark.proves("ogIsRepoLocked")
def test_an_open_file_locks_the_repository(old: Old, tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (tmp_path / "images-old").touch()
    env = {"OGIMG": str(images)}
    with (tmp_path / "images-old").open():
        assert old("ogIsRepoLocked", env=env) == Ran("", "", 1)
    (images / "a.img").touch()
    with (images / "a.img").open():
        assert old("ogIsRepoLocked", env=env) == Ran("", "", 0)


@pytest.mark.proves("ogCheckProgram")
def test_installed_programs(old: Old) -> None:
    assert old("ogCheckProgram", "sh ls") == Ran("", "", 0)
    assert old("ogCheckProgram", "") == Ran("", "", 0)


@pytest.mark.refuses("ogCheckProgram")
def test_every_missing_program_is_named(old: Old) -> None:
    ran = old("ogCheckProgram", "sh og-one og-two")
    assert (ran.stdout, ran.status) == ("", OgErr.NOTEXEC)
    assert "og-one, og-two" in ran.stderr
    assert old("ogCheckProgram", "sh", "ls").status == OgErr.FORMAT


@pytest.mark.proves("ogIsVirtualMachine")
def test_this_machine_says_the_same_as_its_processor(old: Old) -> None:
    virtual = "hypervisor" in Path("/proc/cpuinfo").read_text().split()
    assert old("ogIsVirtualMachine") == Ran("", "", 0 if virtual else 1)


@pytest.mark.refuses("ogIsVirtualMachine")
@pytest.mark.parametrize(("hypervisor", "virtual"), [("kvm", True), ("other", True), ("", False)])
def test_who_is_virtual(monkeypatch: pytest.MonkeyPatch, hypervisor: str, virtual: bool) -> None:
    monkeypatch.setattr(firmware, "virtual_machine", lambda: hypervisor)
    assert COMMANDS["ogIsVirtualMachine"].run([]) is virtual
