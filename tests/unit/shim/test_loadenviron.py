# SPDX-License-Identifier: GPL-3.0-or-later
"""loadenviron.sh and engine.cfg as bash reads them, with a kernel command line of an enemy."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest

from compatibility import MESSAGES_FILE, render_messages
from oglib.errors import OgErr
from oglib.settings import Settings, load
from oglib.shim.__main__ import install
from oglib.shim.site_scripts import digest

ETC = Path(__file__).parents[3] / "image/mkosi.images/root/mkosi.extra/opt/opengnsys/etc"
LOADENVIRON = ETC / "preinit/loadenviron.sh"
LAUNCHER = "#!{} -I\nimport sys\nfrom oglib.shim.__main__ import main\nsys.exit(main())\n"
BOOT_ENV = "INTERFACE=eth7\nMAC=02:00:00:00:00:07\nIP=10.0.0.7\nSERVER=10.0.0.1\nPATH=/evil\n"


def sourced(tmp_path: Path, script: str, cmdline: str = "", **env: str) -> list[str]:
    """The lines that bash prints when it runs ``script`` after sourcing loadenviron.sh."""
    (tmp_path / "cmdline").write_text(cmdline)
    (tmp_path / "boot.env").write_text(BOOT_ENV)
    done = subprocess.run(
        ["bash", "-euc", f"source {LOADENVIRON}\n{script}"],
        env={
            "PATH": os.environ["PATH"],
            "OPENGNSYS": str(tmp_path),
            "OG_CMDLINE_FILE": str(tmp_path / "cmdline"),
            "OG_BOOT_ENV_FILE": str(tmp_path / "boot.env"),
            "OG_NET_FOLDER": str(tmp_path),
            **env,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """An OpenGnsys folder with every command in it, as ogLive has it."""
    launcher = tmp_path / "og-shim"
    launcher.write_text(LAUNCHER.format(sys.executable))
    launcher.chmod(0o755)
    install([str(tmp_path / "lib/engine/bin"), str(launcher)])
    (tmp_path / "log").mkdir()
    return tmp_path


def test_the_places_of_opengnsys(tmp_path: Path) -> None:
    names = "OGBIN OGETC OGLIB OGAPI OGSCRIPTS OGIMG OGCAC OGLOG"
    told = sourced(tmp_path, f'for n in {names}; do echo "${{!n}}"; done')
    below = "bin etc lib lib/engine/bin scripts images cache log"
    assert told == [str(tmp_path / name) for name in below.split()]


def test_the_path_begins_with_commands_and_scripts_once(tmp_path: Path) -> None:
    told = sourced(tmp_path, f'source {LOADENVIRON}; echo "$PATH"')
    begin = ":".join(str(tmp_path / name) for name in ("lib/engine/bin", "scripts", "bin"))
    assert told == [f"{begin}:{os.environ['PATH']}"]


def test_what_the_boot_told_becomes_variables_of_programs(tmp_path: Path) -> None:
    cmdline = "quiet group=lab_1 ogactiveadmin=true oglive=10.0.0.2 hostname=pc7 LANG=es_ES"
    lines = sourced(tmp_path, "env", f"{cmdline} TZ=Europe/Madrid\n")
    told = dict(line.partition("=")[::2] for line in lines)
    wanted = {
        "group": "lab_1",
        "OGGROUP": "lab_1",
        "ogactiveadmin": "true",
        "ROOTREPO": "10.0.0.2",
        "HOSTNAME": "pc7",
        "LANG": "es_ES",
        "TZ": "Europe/Madrid",
        "DEVICE": "eth7",
        "IPV4ADDR": "10.0.0.7",
        "OGLOGFILE": f"{tmp_path}/log/10.0.0.7.log",
        "OGLOGSESSION": "/tmp/session.log",
        "OGLOGCOMMAND": "/tmp/command.log",
    }
    assert {name: told.get(name) for name in wanted} == wanted


HOSTILE = {
    "PATH": "/evil",
    "LD_PRELOAD": "/evil.so",
    "BASH_ENV": "/evil.sh",
    "ENV": "/evil.sh",
    "IFS": "x",
    "PYTHONPATH": "/evil",
    "OG_CMDLINE_FILE": "/evil",
    "OGAPI": "/evil",
    "PROMPT_COMMAND": "evil",
    "PS4": "evil",
    "LC_ALL": "evil",
    "http_proxy": "evil",
    "a[$(touch${IFS}OWNED)]": "x",
    "group": "$(touch${IFS}OWNED)",
    "hostname": "`touch${IFS}OWNED`",
    "ogrepo": "1;touch${IFS}OWNED",
    "oglivedir": "*",
    "LANG": "../../tmp/evil",
    "TZ": ":/etc/shadow",
    "ogengine": "../sh",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_kernel_parameter_changes_nothing(tmp_path: Path, name: str) -> None:
    script = f"cd {tmp_path}; IFS=' '; eval \"echo ${{group-}} ${{hostname-}} ${{ogrepo-}}\"; env"
    quiet = sourced(tmp_path, script, "quiet\n")
    told = sourced(tmp_path, script, f"quiet {name}={HOSTILE[name]}\n")
    known = {f"{name}={HOSTILE[name]}"} if name == "ogengine" else set()  # text, and not used
    assert set(told) - known == set(quiet)
    assert not (tmp_path / "OWNED").exists()


def test_a_broken_ifs_of_the_script_does_not_matter(tmp_path: Path) -> None:
    script = f'IFS=o; source {LOADENVIRON}; echo "$group|$IFS"'
    assert sourced(tmp_path, script, "group=lab oglive=a\n") == ["lab|o"]


def test_error_numbers_are_those_of_the_commands(tmp_path: Path) -> None:
    told = sourced(tmp_path, "env | grep ^OG_ERR_")
    assert sorted(told) == sorted(f"OG_ERR_{error.name}={int(error)}" for error in OgErr)


def test_functions_know_who_called_them(commands: Path) -> None:
    script = """
    inner() { ogRaiseError session 2 image.img || echo "status $?"; }
    outer() { inner; }
    outer 2>&1
    """
    told = sourced(commands, script, OGLOGSESSION=str(commands / "session"))
    assert told[0].endswith(" error: outer -> inner: file or device not found: image.img")
    assert told[1:] == ["status 2"]
    assert (commands / "session").read_text() == f"{told[0]}\n"


def test_quiet_functions_of_engine_cfg(commands: Path) -> None:
    script = f"""
    source {ETC}/engine.cfg
    ogGetOsType() {{ ogEcho info hidden; ogRaiseError 3 || echo "$?"; }}
    other() {{ ogEcho info shown; }}
    ogGetOsType; other
    """
    told = sourced(commands, script)
    assert told[0] == "3"
    assert told[1].endswith(" info: shown")
    assert len(told) == 2


def test_a_function_of_the_shell_can_be_logged(commands: Path) -> None:
    script = """
    value=5
    work() { cat; echo problem >&2; return $value; }
    ogExecAndLog COMMAND session work < <(echo input) || echo "status $?"
    """
    logs = {"OGLOGSESSION": str(commands / "session"), "OGLOGCOMMAND": str(commands / "command")}
    assert sourced(commands, script, **logs) == ["input", "problem", "status 5"]
    assert (commands / "session").read_text() == "input\nproblem\n"
    assert (commands / "command").read_text() == "input\nproblem\n"


def test_the_caller_is_the_one_of_the_script_in_a_subshell_too(commands: Path) -> None:
    (commands / "scripts").mkdir()
    inner, outer = commands / "scripts/inner", commands / "outer"
    inner.write_text("#!/bin/bash\nvalue=$(echo $(ogGetCaller))\necho $value\n")
    inner.chmod(0o755)
    outer.write_text("#!/bin/bash\ninner\ntrue\n")
    outer.chmod(0o755)
    assert sourced(commands, shlex.quote(str(outer))) == ["outer"]


def test_the_hosts_name_is_set_where_it_is_asked_for(commands: Path) -> None:
    script = 'unset HOSTNAME; ogGetHostname; echo "$HOSTNAME"; ogGetHostname help | head -n 1'
    told = sourced(commands, script, "hostname=pc9\n")
    assert told[:2] == ["pc9", "pc9"]
    assert told[2].startswith("Function ogGetHostname")


def test_messages_and_functions_of_the_site(commands: Path) -> None:
    (commands / "etc").mkdir()
    (commands / "etc/lang.es_ES.conf").write_text('export MSG_HELP_ogSite="hace algo"\n')
    (commands / "lib/engine/bin/extra.site").write_text("ogSite() { ogHelp ogSite; }\n")
    path = f"{commands}:{os.environ['PATH']}"
    told = sourced(commands, "ogSite", "LANG=es_ES.UTF-8 ogengine=site\n", PATH=path)
    assert told == ["Function ogSite: hace algo"]
    log = (commands / "log/10.0.0.7.log").read_text()
    assert log == f"{commands}/lib/engine/bin/extra.site is taken\n"


def test_a_library_that_opengnsys_published_shadows_no_command(commands: Path) -> None:
    library = commands / "lib/engine/bin/String.site"
    library.write_text("ogCheckIpAddress() { echo old; }\r\n\r\n")
    launcher = commands / "og-shim"
    known = commands / "known"
    known.write_text(f"{digest(library.read_bytes())} String.lib\n")
    patch = "import oglib.shim.site_scripts as s, pathlib\n"
    patch += f"s._STOCK = pathlib.Path({str(known)!r})\n"
    launcher.write_text(launcher.read_text().replace("sys.exit", f"{patch}sys.exit"))
    path = f"{commands}:{os.environ['PATH']}"
    told = sourced(commands, "ogCheckIpAddress 10.0.0.1; echo $?", "ogengine=site\n", PATH=path)
    assert told == ["0"]
    assert (
        "String.site is one that OpenGnsys published: its functions are"
        in (commands / "log/10.0.0.7.log").read_text()
    )
    # and what nobody can judge is no function of ours either
    assert sourced(commands, "ogCheckIpAddress 10.0.0.1; echo $?", "ogengine=site\n") == ["0"]


def test_the_sites_messages_win_and_go_on_to_programs(commands: Path) -> None:
    (commands / "etc").mkdir()
    (commands / "etc/lang.en_GB.conf").write_text("MSG_ONE=one\nMSG_TWO=two\nOTHER=x\n")
    (commands / "etc/lang.es_ES.conf").write_text("MSG_TWO=dos\n")
    (commands / "etc/lang.es_ES.UTF-8.conf").write_text("MSG_THREE=años\nMSG_BAD=`\n")
    script = "bash -c 'echo \"$MSG_ONE $MSG_TWO ${MSG_THREE-} ${OTHER-}\"'"
    assert sourced(commands, script, LANG="es_ES.UTF-8") == ["one dos años "]
    assert sourced(commands, script, LANG="C.UTF-8") == ["one two  "]


def test_without_any_message_nothing_breaks(tmp_path: Path) -> None:
    assert sourced(tmp_path, "env | grep -c ^MSG_ || :") == ["0"]


def test_the_english_messages_are_the_commands_own() -> None:
    assert MESSAGES_FILE.read_text() == render_messages(), "run `python tests/compatibility.py`"


NET_TOOL = """#!/bin/sh
case "$*" in
*address*) echo "2: eth7    inet 10.0.0.7/22 brd 10.0.3.255 scope global eth7" ;;
*route*) echo "default via 10.0.0.254 dev eth7" ;;
esac
"""


def test_what_the_network_gave_is_a_file_of_variables(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/ip").write_text(NET_TOOL)
    (tmp_path / "bin/ip").chmod(0o755)
    path = f"{tmp_path}/bin:{os.environ['PATH']}"
    script = "bash -c 'cat $DEVICECFG'; source $DEVICECFG; echo $IPV4NETMASK"
    told = sourced(tmp_path, script, "hostname=pc7\n", PATH=path)
    assert told == [
        "DEVICE='eth7'",
        "IPV4ADDR='10.0.0.7'",
        "IPV4NETMASK='255.255.252.0'",
        "IPV4BROADCAST='10.0.3.255'",
        "IPV4GATEWAY='10.0.0.254'",
        "ROOTSERVER='10.0.0.1'",
        "HOSTNAME='pc7'",
        "255.255.252.0",
    ]
    assert [path.name for path in tmp_path.glob("net-*")] == ["net-eth7.conf"]


@pytest.mark.parametrize("planted", ["link", "foreign"])
def test_a_file_that_somebody_else_left_there_is_not_run(tmp_path: Path, planted: str) -> None:
    config = tmp_path / "net-eth7.conf"
    other = tmp_path / "other"
    other.write_text("touch OWNED\n")
    if planted == "link":
        config.symlink_to(other)
    else:
        if os.geteuid():
            pytest.skip("only root can leave a file of somebody else")
        config.write_text("touch OWNED\n")
        os.chown(config, 65534, 65534)
    assert sourced(tmp_path, "source $DEVICECFG; echo $DEVICE") == ["eth7"]
    assert other.read_text() == "touch OWNED\n"
    assert not config.is_symlink()


def test_a_line_of_shell_can_be_logged(commands: Path) -> None:
    script = """
    line='echo "a  b" | tr a c'
    ogExecAndLog session "$line"
    ogExecAndLog ls '/x y' || echo $?
    """
    told = sourced(commands, script, OGLOGSESSION=str(commands / "session"))
    assert told == ["c  b", "2"]
    assert (commands / "session").read_text() == "c  b\n"


def test_engine_cfg_says_what_is_so_without_it(tmp_path: Path) -> None:
    nothing = tmp_path / "none"
    files = {"cmdline": nothing, "boot_env": nothing, "policy": nothing}
    usual = replace(load(**files, engine_cfg=nothing), restore_not_cached="UNICAST")
    assert load(**files, engine_cfg=ETC / "engine.cfg") == usual  # without it that is told
    assert {field.name for field in fields(Settings)} > {"action_cache_full", "image_compressor"}


def test_bash_reads_engine_cfg_as_the_commands_do(tmp_path: Path) -> None:
    script = f'source {ETC}/engine.cfg; env | grep -E "^(ACTION|RESTORE|IMG|OGWIN|NODEBUG)"'
    told = sourced(tmp_path, script)
    assert "ACTIONCACHEFULL=NONE" in told
    assert "RESTOREPROTOCOLNOTCACHE=UNICAST" in told
    assert any(line.startswith("NODEBUGFUNCTIONS=ogCreateImageSyntax ") for line in told)
