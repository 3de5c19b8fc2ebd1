# SPDX-License-Identifier: GPL-3.0-or-later
"""Between the first stage and the job: ogLive's own scripts, with a server of the test's.

What they would do to the PC (its clock, its services) is written down instead.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from ognetboot.hearing.identity import words_of
from ognetboot.hearing.seen import systems_of

EXTRA = Path(__file__).resolve().parents[3] / "image/mkosi.images/root/mkosi.extra"
LIB = EXTRA / "usr/lib/oglive"
STAGE = EXTRA.parents[1] / "first-stage/mkosi.extra/usr/lib/oglive"
COUNT = "OgliveFailedStarts-cfc8fc79-be2e-4ddc-97f0-9f98bfe298a0"
STATUS = """#!/bin/bash
echo "$*" >> {folder}/status
"""
TOOL = """#!/bin/bash
echo "{name} $*" >> {folder}/done
"""
GIVEN = "ogentry=exam-1 ogstamp=1a2b"
LATE = "Date: Mon, 15 Nov 2027 10:00:00 GMT"


@dataclass
class Place:
    """A copy of ogLive's scripts that writes down what it says and does."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shutil.copytree(LIB, self.folder / "lib")
        self.tool(self.folder / "lib/status", STATUS)
        (self.folder / "bin").mkdir()
        for name in ("systemctl", "udevadm"):
            self.replace(name)
        self.env = {
            "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}",
            "OGLIVE_CMDLINE": str(self.folder / "cmdline"),
            "OPENGNSYS": str(self.folder / "og"),
            "OGLIVE_SCREEN": str(self.folder / "screen"),
            "MAC": "52:54:00:77:00:0c",
            "IP": "10.0.0.7",
        }

    def tool(self, path: Path, text: str, name: str = "") -> None:
        path.write_text(text.format(folder=self.folder, name=name))
        path.chmod(0o755)

    def replace(self, name: str, text: str = TOOL) -> None:
        self.tool(self.folder / "bin" / name, text, name)

    def run(
        self, script: str, words: str, line: str = "", **env: str
    ) -> subprocess.CompletedProcess[str]:
        """Source a script and run ``words`` in it, with this boot line."""
        (self.folder / "cmdline").write_text(f"quiet {line}\n")
        return subprocess.run(
            ["bash", "-c", f"source {self.folder}/lib/{script}; {words}"],
            env={**self.env, **env},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def said(self, name: str = "status") -> list[str]:
        path = self.folder / name
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


class Server:
    """Answers every request with the same text and keeps what was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer.replace("\n", "\r\n").encode()
        self.asked: list[str] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            with peer:
                asked = b""
                while not asked.endswith(b"\r\n\r\n") and (more := peer.recv(4096)):
                    asked += more
                if asked:
                    self.asked.append(asked.decode())
                    peer.sendall(self.answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join(timeout=30)


@pytest.fixture
def server() -> Iterator[Server]:
    made = Server(f"HTTP/1.0 404 Not Found\n{LATE}\n\n")
    yield made
    made.close()


# ---- the repository ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("10.0.0.2", "http 10.0.0.2 80"),
        ("10.0.0.2:8080", "http 10.0.0.2 8080"),
        ("http://repo.uni.es/", "http repo.uni.es 80"),
        ("https://repo.uni.es", "https repo.uni.es 443"),
        ("https://repo:8443", "https repo 8443"),
        ("ftp://repo", "none"),
        ("repo/path", "none"),
        ("$(touch OWNED)", "none"),
        ("-x", "none"),
        ("", "none"),
    ],
)
def test_a_repository_is_host_port_or_address(place: Place, text: str, told: str) -> None:
    words = 'take_apart "$ASKED" && echo "$scheme $host $port" || echo none'
    assert place.run("ready", words, ASKED=text).stdout.strip() == told


def test_it_answers_whatever_the_status_is(place: Place, server: Server) -> None:
    words = f"answers {server.address} && [[ $head == HTTP/* ]] && echo yes"
    assert place.run("ready", words).stdout == "yes\n"
    assert server.asked[0].startswith("HEAD / HTTP/1.0\r\nHost: 127.0.0.1\r\n")


def test_by_https_it_is_enough_that_somebody_listens(place: Place, server: Server) -> None:
    words = f'answers https://{server.address} && echo yes; echo "[$head]"'
    assert place.run("ready", words).stdout == "yes\n[]\n"


def test_one_that_never_answers_has_an_end(place: Place) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        words = f"ask_s=1; answers 127.0.0.1:{silent.getsockname()[1]} || echo no"
        assert place.run("ready", words).stdout == "no\n"


def test_one_that_drips_for_ever_has_an_end(place: Place) -> None:
    drip = Server("HTTP/1.0 200 OK\n" + "X: y\n" * 100_000)
    try:
        words = f'answers {drip.address}; echo "$head" | wc -l'
        assert int(place.run("ready", words).stdout) <= 64
    finally:
        drip.close()


def test_offline_nobody_is_asked(place: Place) -> None:
    place.run("ready", "wait_for_repository 10.255.255.1", "ogstatus=offline")
    assert place.said() == ["say OFFLINE"]


def test_what_names_no_server_is_told_and_not_waited_for(place: Place) -> None:
    place.run("ready", 'wait_for_repository "$(told ogrepo)"', "ogrepo=$(reboot)")
    assert place.said() == ["say NO_REPOSITORY"]


# ---- the clock -----------------------------------------------------------------------------------


def clock(place: Place, head: str) -> list[str]:
    """What ``date`` was told to set, when the server's answer begins so."""
    place.replace(
        "date",
        '#!/bin/bash\n[[ $2 == -s ]] || exec /bin/date "$@"\necho "date $*" >> {folder}/done\n',
    )
    place.run("ready", "head=$HEAD; set_clock", HEAD=head)
    return place.said("done")


def test_a_clock_that_is_off_is_set_by_the_server(place: Place) -> None:
    assert clock(place, f"HTTP/1.0 200 OK\n{LATE}\r\nX: y") == ["date -u -s @1826272800"]
    assert place.said() == ["say CLOCK Mon, 15 Nov 2027 10:00:00 GMT"]


@pytest.mark.parametrize(
    "head",
    [
        "HTTP/1.0 200 OK",
        "HTTP/1.0 200 OK\nDate: yesterday",
        "HTTP/1.0 200 OK\nDate: Thu, 01 Jan 1970 00:00:00 GMT",
        "HTTP/1.0 200 OK\nDate: Mon, 15 Nov 2027 10:00:00 GMT-$(touch OWNED)"[:28],
        "HTTP/1.0 200 OK\nX-Date: Mon, 15 Nov 2027 10:00:00 GMT",
        "HTTP/1.0 200 OK\nDate: Mon, 99 Nov 2027 10:00:00 GMT",
    ],
)
def test_no_word_or_a_foolish_one_changes_no_clock(place: Place, head: str) -> None:
    assert clock(place, head) == []


def test_a_clock_that_is_right_stays(place: Place) -> None:
    now = subprocess.run(
        ["date", "-u", "+%a, %d %b %Y %T GMT"], env={"LC_ALL": "C", "PATH": os.environ["PATH"]},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert clock(place, f"HTTP/1.0 200 OK\nDate: {now.stdout}") == []


# ---- the report ----------------------------------------------------------------------------------


def test_the_server_hears_that_it_was_reached(place: Place, server: Server) -> None:
    place.run("ready", "report", GIVEN, SERVER=server.address, VERSION="2026+1 á")
    assert server.asked[0].splitlines()[0] == (
        "GET /netboot/do/reached?mac=52-54-00-77-00-0C&entry=exam-1&stamp=1a2b"
        "&oglive=2026%2B1%20%C3%A1 HTTP/1.0"
    )


@pytest.mark.parametrize(
    ("job", "changes"),
    [
        ("deploy:debian:1:2", True),
        ("restore:lab/pc:1", True),
        ("partition:1:uefi", True),
        ("inventory:os:1:2", False),
        ("boot:1:2", False),
        ("create:debian:1:2", False),
    ],
)
def test_a_job_that_may_change_what_is_on_the_disks_is_told_before_it(
    place: Place, server: Server, job: str, *, changes: bool
) -> None:
    place.run("ready", "report", f"{GIVEN} ogjob={job}", SERVER=server.address)
    words = parse_qs(server.asked[0].split()[1].partition("?")[2])
    assert words.get("disks", []) == (["0"] if changes else [])


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ogentry=a",
        "ogstamp=1",
        "ogentry=a&b ogstamp=1",
        "ogentry=a ogstamp=1%0d",
        "ogentry=.. ogstamp=1",
    ],
)
def test_without_entry_and_stamp_nothing_is_reported(
    place: Place, server: Server, line: str
) -> None:
    done = place.run("ready", "report && echo went on", line, SERVER=server.address)
    assert done.stdout == "went on\n"
    assert server.asked == []


def test_a_server_that_is_gone_is_no_error(place: Place) -> None:
    done = place.run("ready", "report; echo went on", "ogentry=a ogstamp=1", SERVER="127.0.0.1:1")
    assert (done.stdout, done.stderr) == ("went on\n", "")


# ---- what is on the disks ------------------------------------------------------------------------


@pytest.fixture
def hearing() -> Iterator[Server]:
    made = Server("HTTP/1.1 204 No Content\n\n")
    yield made
    made.close()


def found(place: Place, text: str, status: int = 0) -> None:
    """What ``og`` finds on the disks."""
    place.replace("og", '#!/bin/bash\necho "og $*" >> {folder}/done\n' + text + f"exit {status}\n")


def looked(place: Place, server: Server, line: str = "", word: str = "after-job") -> str:
    """What is in the journal after a look; after a job it needs no mark of partitions."""
    line = f"{GIVEN} {line or 'ogjob=deploy:windows:1:2'}"
    done = place.run("look", f'main "{word}"', line, SERVER=server.address, VERSION="2026")
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr


def test_the_server_hears_which_systems_are_on_the_disks(place: Place, hearing: Server) -> None:
    systems = {"1:2": "lab/windows@7", "1:3": "Débian & co 13", "12:128": ""}
    rows = "".join(f"{at}  {name or '?'}\n" for at, name in systems.items())
    found(place, f"cat <<'E'\n{rows}E\necho 'Note: x' >&2\n")
    assert looked(place, hearing) == ""
    assert place.said("done") == ["og inventory systems"]
    query = hearing.asked[0].split()[1].removeprefix("/netboot/do/reached?")
    words = words_of(query)
    assert systems_of(words) == systems
    assert (words["mac"], words["entry"], words["oglive"]) == (
        "52-54-00-77-00-0C",
        "exam-1",
        "2026",
    )
    assert "stamp" not in words  # one report alone uses up what was given for this once


def test_as_many_as_the_server_takes_are_told(place: Place, hearing: Server) -> None:
    found(place, 'for n in {{1..24}}; do echo "1:$n  Windows 11 Education 23H2 ($n)"; done\n')
    assert looked(place, hearing) == ""
    told = systems_of(words_of(hearing.asked[0].split()[1].partition("?")[2]))
    assert told is not None
    assert len(told) == 24
    assert told["1:24"] == "Windows 11 Education 23H2 (24)"


@pytest.mark.parametrize(
    "text",
    [
        "for n in {{1..25}}; do echo 1:$n x; done\n",
        "for n in {{1..24}}; do printf '1:%s %0160d\\n' $n 0; done\n",
    ],
    ids=["places", "bytes"],
)
def test_of_too_many_none_are_told(place: Place, hearing: Server, text: str) -> None:
    found(place, text)
    assert "they are too many (2" in looked(place, hearing)
    assert hearing.asked == []


def test_a_look_that_fails_is_a_line_in_the_journal(place: Place, hearing: Server) -> None:
    found(place, "printf '\\033[1mNo disks.\\nHint.\\n' >&2\n", 5)
    assert looked(place, hearing).splitlines() == [
        "The server was not told which systems are on the disks: "
        "`og inventory systems` ended with status 5 ([1mNo disks.).",
    ]
    assert hearing.asked == []


def test_a_look_has_an_end(place: Place, hearing: Server) -> None:
    found(place, "exec sleep 100\n")
    text = (place.folder / "lib/look").read_text().replace("look_s=9", "look_s=0.2")
    (place.folder / "lib/look").write_text(text)
    assert "status 124" in looked(place, hearing)


def test_a_server_that_does_not_hear_is_a_line_in_the_journal(place: Place, server: Server) -> None:
    found(place, "")
    assert looked(place, server).splitlines() == [
        "The server was not told which systems are on the disks: "
        f"{server.address} did not take it.",
    ]


def test_what_waits_with_empty_disks_says_so_without_a_look(place: Place, hearing: Server) -> None:
    found(place, "")
    without_partitions(place)
    assert looked(place, hearing, "quiet", "") == ""
    assert place.said("done") == []
    assert systems_of(words_of(hearing.asked[0].split()[1].partition("?")[2])) == {}


def test_a_job_that_changes_no_system_needs_no_look(place: Place, hearing: Server) -> None:
    found(place, "")
    assert looked(place, hearing, "ogjob=boot:1:2") == ""
    assert (place.said("done"), hearing.asked) == ([], [])


@pytest.mark.parametrize(
    ("line", "restored", "looks"),
    [
        ("quiet", True, True),
        ("ogjob=inventory", True, True),
        ("quiet", False, False),
        ("ogjob=deploy:windows:1:2", True, False),
    ],
)
def test_who_restored_without_a_job_is_seen_at_the_end(
    place: Place, hearing: Server, line: str, *, restored: bool, looks: bool
) -> None:
    found(place, "")
    receipts = place.folder / "receipts"
    script = place.folder / "lib/look"
    script.write_text(script.read_text().replace("/run/oglive/receipts", str(receipts)))
    if restored:
        receipts.mkdir()
        (receipts / "1.json").touch()
    assert looked(place, hearing, line, "at-end") == ""
    assert len(hearing.asked) == looks


def test_it_is_looked_before_a_script_of_the_sites_and_not_before_a_job(
    place: Place, hearing: Server
) -> None:
    found(place, "")
    without_partitions(place)
    site(place, default=f'cat <<< "script" >> {place.folder}/done\n')
    place.tool(place.folder / "lib/look", '#!/bin/bash\necho "look $*" >> {folder}/done\n')
    place.run("begin", "main", GIVEN, SERVER=hearing.address)
    assert place.said("done") == ["look ", "script"]
    place.run("begin", "main", f"{GIVEN} ogjob=inventory", SERVER=hearing.address)
    assert place.said("done") == ["look ", "script", "script"]


def without_partitions(place: Place) -> None:
    for name in ("look", "begin"):
        path = place.folder / "lib" / name
        path.write_text(
            path.read_text().replace("/run/oglive/partitions", str(place.folder / "no"))
        )


# ---- cache and site ------------------------------------------------------------------------------


def site(place: Place, **scripts: str) -> None:
    """Scripts of the site, NAME=TEXT, beside ogLive's own environment for scripts."""
    etc = place.folder / "og/etc"
    (etc / "init").mkdir(parents=True)
    shutil.copytree(EXTRA / "opt/opengnsys/etc/preinit", etc / "preinit")
    for name, text in scripts.items():
        (etc / "init" / f"{name}.sh").write_text(text)


@pytest.mark.parametrize(
    ("scripts", "group", "runs"),
    [
        (("10.0.0.7", "Aula_1", "default"), "Aula_1", "10.0.0.7"),
        (("Aula_1", "default"), "Aula_1", "Aula_1"),
        (("Aula_1", "default"), "Aula_2", "default"),
        (("default",), "../../x", "default"),
        (("Aula_1",), "", ""),
        ((), "Aula_1", ""),
    ],
)
def test_address_goes_before_group_before_default(
    place: Place, scripts: tuple[str, ...], group: str, runs: str
) -> None:
    site(place, **dict.fromkeys(scripts, ""))
    found = place.run("begin", "script", f"group={group}").stdout.strip()
    assert Path(found).name.removesuffix(".sh") == runs


def test_a_script_has_the_engines_variables_and_its_status_counts(place: Place) -> None:
    site(place, default='echo "$OGETC ${ogprof-}"; type -t ogEcho; exit 7\n')
    done = place.run(
        "begin", "main", "ogprof=true ogjob=x", OG_CMDLINE_FILE=str(place.folder / "cmdline")
    )
    assert done.returncode == 7
    assert done.stdout.splitlines() == [f"{place.folder}/og/etc true", "function"]
    assert place.said() == [
        "say SCRIPT default.sh",
        "say SCRIPT_BAD default.sh 7",
        "program OGLIVE-INIT status=7 script=default.sh",
    ]


def test_a_job_does_not_wait_for_a_script_for_ever(place: Place) -> None:
    site(place, default="sleep 100\n")
    done = place.run("begin", "script_s=0.2; main", "ogjob=x")
    assert done.returncode == 124
    assert place.said()[1] == "say SCRIPT_BAD default.sh 124"


def test_without_script_and_job_it_says_what_it_waits_for(place: Place) -> None:
    done = place.run("begin", "main")
    assert (done.returncode, place.said()) == (0, ["waits"])


def test_a_job_that_restarts_the_pc_says_its_end_first(place: Place) -> None:
    """systemd ends the job's own script then: by SIGTERM, to all of it."""
    place.replace("og", '#!/bin/bash\nkill -TERM "$PPID"\nexit 3\n')
    done = place.run("job", "true")
    assert (done.returncode, place.said()[-1]) == (3, "program OGLIVE-JOB status=3")


def test_with_a_job_alone_nothing_is_said(place: Place) -> None:
    done = place.run("begin", "main", "ogjob=x")
    assert (done.returncode, place.said()) == (0, [])


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (15, ["say NO_CACHE"]),
        (21, ["say BAD_CACHE The cache is damaged. Format it."]),
        (124, ["say BAD_CACHE The cache is damaged. Format it."]),
    ],
)
def test_a_cache_that_is_not_there_or_broken_stops_nothing(
    place: Place, status: int, told: list[str]
) -> None:
    place.replace(
        "og",
        "#!/bin/bash\necho noise\nprintf 'The cache is \\033damaged. Format it.\\n' >&2\n"
        f"exit {status}\n",
    )
    text = (
        (place.folder / "lib/begin")
        .read_text()
        .replace("/run/oglive/partitions", str(place.folder / "bin"))
    )
    (place.folder / "lib/begin").write_text(text)
    place.run("begin", "mount_cache")
    assert place.said() == told


def test_a_share_that_cannot_be_mounted_is_told(place: Place) -> None:
    site(place)
    place.replace("ogGetRepoIp", "#!/bin/bash\necho 10.0.0.2\n")
    place.replace(
        "ogChangeRepo",
        '#!/bin/bash\necho "$*" >> {folder}/done\necho "no such share" >&2; exit 23\n',
    )
    line = "ogprotocol=smb ogunit=faculty"
    place.run("begin", "mount_share", line, OG_CMDLINE_FILE=str(place.folder / "cmdline"))
    assert place.said("done") == ["10.0.0.2 faculty"]
    assert place.said() == ["say NO_SHARE no such share"]


@pytest.mark.parametrize("line", ["", "ogprotocol=local", "ogprotocol=http"])
def test_without_a_share_there_is_none_to_mount(place: Place, line: str) -> None:
    place.run("begin", "mount_share", line)
    assert place.said() == []


# ---- log server ----------------------------------------------------------------------------------


def test_the_journal_goes_to_the_log_server(place: Place) -> None:
    configuration = place.folder / "run/netlogd.conf"
    place.run("log-server", "", "oglog=127.0.0.1:5514", OGLIVE_NETLOGD=str(configuration))
    assert configuration.read_text().splitlines()[1:] == [
        "Address=127.0.0.1:5514", "Protocol=udp", "LogFormat=rfc5424",
    ]  # fmt: skip
    assert place.said("done") == ["systemctl --no-block start systemd-netlogd.service"]


@pytest.mark.parametrize("value", ["$(reboot)", "a/b", "", "host:port", "no-such-host.invalid"])
def test_what_is_no_log_server_is_told_and_nothing_starts(place: Place, value: str) -> None:
    configuration = place.folder / "run/netlogd.conf"
    done = place.run("log-server", "", f"oglog={value}", OGLIVE_NETLOGD=str(configuration))
    assert done.returncode == 1
    assert re.search("so no log is sent", done.stdout)
    assert not configuration.exists()
    assert place.said("done") == []


# ---- a start that fails behind the first stage ---------------------------------------------------


@pytest.mark.parametrize(
    ("before", "told"),
    [
        (None, "Ha fallado el arranque 1 de 3. Se reinicia en 0 segundos."),
        (b"\7\0\0\0\1", "Ha fallado el arranque 2 de 3. Se reinicia en 0 segundos."),
        (b"\7\0\0\0\2", "Ha fallado el arranque 3 de 3; no se conoce ningún sistema en disco."),
    ],
)
def test_what_stopped_is_counted_with_the_first_stages_failures(
    place: Place, before: bytes | None, told: str
) -> None:
    shutil.copy(STAGE / "starts.sh", place.folder / "lib")
    variables = place.folder / "efivars"
    variables.mkdir()
    if before:
        (variables / COUNT).write_bytes(before)
    console = place.folder / "console"
    words = f"wait_s=0; main rescue {console}"
    place.run("stopped", words, EFIVARS=str(variables), TEXTS="es")
    text = console.read_text()
    assert "ogLive se ha parado (rescue)" in text
    assert told in text
    assert place.said("done")[-1] == "systemctl --force reboot"


def test_on_a_pc_with_a_bios_it_restarts(place: Place) -> None:
    shutil.copy(STAGE / "starts.sh", place.folder / "lib")
    console = place.folder / "console"
    place.run("stopped", f"wait_s=0; main rescue {console}", EFIVARS=str(place.folder / "none"))
    assert "It restarts in 0 seconds." in console.read_text()


# ---- OpenGnsys' folders --------------------------------------------------------------------------


def test_every_folder_that_scripts_know_is_there() -> None:
    made = (EXTRA / "usr/lib/tmpfiles.d/opengnsys.conf").read_text()
    made_at_start = set(re.findall(r"^d (\S+)", made, re.MULTILINE))
    for name in ("bin", "etc", "etc/init", "scripts", "images", "cache", "log"):
        there = (EXTRA / "opt/opengnsys" / name).is_dir()
        assert there or f"/opt/opengnsys/{name}" in made_at_start, name
