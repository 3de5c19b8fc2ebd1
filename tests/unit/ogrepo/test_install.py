# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo install``: what it makes, what it keeps, what it refuses; ``ogrepo check``."""

from __future__ import annotations

import hashlib
import io
import json
import os
import pwd
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import replace
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from types import SimpleNamespace

import pytest

import ognetboot.cli
from oglib.disk.planning.layout import load_layout
from oglib.errors import OgError, ProcessError, UsageError
from oglib.run import Finished, run
from ognetboot.inventory.reading import parse as parse_inventory
from ogrepo import cli
from ogrepo.__main__ import main
from ogrepo.install import apply, check, plan, probe, texts, units
from ogrepo.install.model import InstallRequest, Program, Run, WriteFile
from ogrepo.install.plan import chosen_interface
from unit.exposure import MOST, exposure

ME = pwd.getpwuid(os.geteuid()).pw_name
PROGRAM = Program(Path("/opt/oglive/ogrepo"), Path("/opt/oglive/ognetboot"), Path("/bin/dnsmasq"))


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other users can reach, as the services must; pytest's own is closed."""
    path = Path(tempfile.mkdtemp(prefix="ogrepo-test-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


def build(folder: Path, version: str = "20260101-aaaa", text: bytes = b"kernel") -> Path:
    """A small ogLive, as `make image` lays it out."""
    built = folder / version
    built.mkdir(parents=True)
    files = {"ogvmlinuz": text, "oginitrd.img": b"initrd", "ogclient.sqfs": b"root"}
    for name, content in files.items():
        (built / name).write_bytes(content)
    sums = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in files.items())
    (built / "SHA256SUMS").write_text("".join(sums))
    (built / "manifest.json").write_text(json.dumps({"version": version, "profile": "default"}))
    (folder / "current").unlink(missing_ok=True)
    (folder / "current").symlink_to(version)
    return folder


def inventory(path: Path, port: int = 8080) -> Path:
    path.write_text(
        '[server]\naddress = "127.0.0.1"\nsubnet = "127.0.0.0/8"\ninterface = "lo"\n'
        f"http_port = {port}\nsite_overlay = true\n"
    )
    return path


def argv(place: Path, *more: str) -> list[str]:
    words = ["install", str(place / "srv"), "--user", ME, "--config", str(place / "etc")]
    words += ["--units", str(place / "units"), "--artefacts", str(place / "build")]
    return [*words, "--inventory", str(place / "inventory.toml"), *more]


def tree(place: Path) -> dict[str, tuple[int, str]]:
    """Mode and digest (or target) of everything below."""
    found = {}
    for path in sorted(place.rglob("*")):
        content = str(path.readlink()) if path.is_symlink() else ""
        if path.is_file() and not path.is_symlink():
            content = hashlib.sha256(path.read_bytes()).hexdigest()
        found[str(path.relative_to(place))] = (stat.S_IMODE(path.lstat().st_mode), content)
    return found


@pytest.fixture
def ready_with_programs(place: Path) -> Path:
    build(place / "build")
    inventory(place / "inventory.toml")
    return place


def run_here(*argv: str | Path, timeout_s: float | None = None) -> Finished:
    """As ``run``, but ognetboot without a process: its start is most of its time."""
    words = tuple(map(str, argv))
    if Path(words[0]).name != "ognetboot":
        return run(*argv, timeout_s=timeout_s)
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        status = ognetboot.cli.main(words[1:])
    if status:
        raise ProcessError(words, status, err.getvalue())
    return Finished(words, status, out.getvalue(), err.getvalue())


@pytest.fixture
def ready(ready_with_programs: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same where the programs themselves are not what is tried."""
    monkeypatch.setattr(apply, "run", run_here)
    return ready_with_programs


def test_install_makes_a_server_once(
    ready_with_programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ready = ready_with_programs
    before = tree(ready)
    assert main(argv(ready, "--dry-run")) == 0
    said = capsys.readouterr().out
    assert "make the repository's signing key" in said
    assert "would be written" in said
    assert tree(ready) == before

    assert main(argv(ready)) == 0
    said = capsys.readouterr().out
    assert "check " in said
    made = tree(ready)
    assert made["srv/private"][0] == 0o700
    assert made["srv/private/image.key"][0] == 0o600
    assert made["srv/oglive/current"][1] == "20260101-aaaa"
    assert {"srv/netboot/boot.ipxe", "srv/oglive/site.cpio", "srv/layouts/bios.json"} <= made.keys()
    assert {f"units/{name}" for name in (*units.ALL, *units.KEEPING)} <= made.keys()
    daemon = (ready / "units" / units.DAEMON).read_text()
    assert f"serve {ready}/inventory.toml {ready}/srv/netboot --no-dhcp --no-tftp" in daemon
    assert f"User={ME}\n" in daemon
    assert units.is_unedited(daemon)
    assert (ready / "srv/keys/image.pub").read_bytes() in (
        ready / "srv/oglive/site.cpio"
    ).read_bytes()

    assert main(argv(ready)) == 0
    assert capsys.readouterr().out.startswith("nothing to change\n")
    assert main(argv(ready, "--dry-run")) == 0
    assert capsys.readouterr().out == "nothing to change\n"
    assert tree(ready) == made


@pytest.mark.parametrize("first", ["[server]\n", None])
def test_only_a_stand_in_may_rehearse_over_another_inventory_s_tree(
    place: Path, monkeypatch: pytest.MonkeyPatch, first: str | None
) -> None:
    """A server whose inventory was removed has its tree still: it can be installed again."""
    ran: list[tuple[str, ...]] = []
    monkeypatch.setattr(apply, "first_inventory", lambda *_: first)

    def run_own(step: Run) -> str:
        ran.append(step.argv)
        return ""

    monkeypatch.setattr(apply, "run_own", run_own)
    facts = SimpleNamespace(program=PROGRAM)
    apply.rehearse(InstallRequest(place / "srv", config=place), facts)  # type: ignore[arg-type]
    assert ("--force" in ran[1]) is (first is not None)


def test_what_was_edited_is_kept(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv(ready)) == 0
    edited = {
        "srv/layouts/uefi.json": '{"table": "gpt", "partitions": []}\n',
        "etc/site/etc/oglive/policy.toml": 'allow_unsigned = ["REPO"]\n',
        "etc/ogrepo.conf": 'OGREPO_SERVE="--at-once 12"\n',
    }
    for name, text in edited.items():
        (ready / name).write_text(text)
    unit = ready / "units" / units.REPOSITORY
    ours = unit.read_text()
    unit.write_text(ours.replace("RestartSec=3", "RestartSec=30"))
    key = (ready / "srv/private/image.key").read_bytes()
    other = (ready / "units" / units.DNSMASQ).read_text()
    inventory(ready / "inventory.toml", port=81)
    capsys.readouterr()
    assert main(argv(ready)) == 0
    said = capsys.readouterr().out
    assert f"kept: {unit} was edited" in said
    assert "RestartSec=30" in unit.read_text()
    assert (ready / "srv/private/image.key").read_bytes() == key
    assert {name: (ready / name).read_text() for name in edited} == edited
    assert (ready / "units" / units.DNSMASQ).read_text() == other
    assert b'"REPO"' in (ready / "srv/oglive/site.cpio").read_bytes()

    # One that nobody edited follows the inventory.
    unit.write_text(ours)
    inventory(ready / "inventory.toml", port=8081)
    capsys.readouterr()
    assert main(argv(ready)) == 0
    assert f"replace {unit}" in capsys.readouterr().out
    assert "--port 8081" in unit.read_text()


def test_the_daemon_is_started_where_it_may_write(
    ready: Path,
) -> None:
    """An administrator's folder stays his; whose inventory install makes gets no daemon."""
    wanted = InstallRequest(
        ready / "srv", ready / "etc", user=ME, inventory=ready / "inventory.toml",
        artefacts=ready / "build",
    )  # fmt: skip
    facts = probe.probe_machine(wanted)
    assert facts.may_keep
    facts = replace(facts, keeping=apply.keeping(wanted, facts), systemd_runs=True,
                    program=replace(facts.program, systemctl=Path("/bin/systemctl")))  # fmt: skip
    here = plan.plan(wanted, facts)
    assert f"start {units.DAEMON}" in map(str, here.start)
    assert here.notes == ()
    shut = plan.plan(wanted, replace(facts, may_keep=False))
    assert not [step for step in shut.start if units.DAEMON in str(step)]
    assert "was not enabled" in shut.notes[0]
    assert "ognetboot-render.timer" in {step.path.name for step in shut.steps
                                        if isinstance(step, WriteFile)}  # fmt: skip
    assert apply.keeping(replace(wanted, inventory=None), facts) == {}


def test_a_new_ogLive_is_offered_and_the_old_one_stays(ready: Path) -> None:
    assert main(argv(ready)) == 0
    build(ready / "build", "20260202-bbbb", b"newer")
    assert main(argv(ready)) == 0
    served = ready / "srv/oglive"
    assert (served / "current").readlink() == Path("20260202-bbbb")
    assert (served / "current/ogvmlinuz").read_bytes() == b"newer"
    assert (served / "20260101-aaaa/ogvmlinuz").read_bytes() == b"kernel"


def test_a_damaged_ogLive_is_never_offered(ready: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (ready / "build/current/ogclient.sqfs").write_bytes(b"rooT")
    assert main(argv(ready)) == 5
    assert "ogclient.sqfs is damaged" in capsys.readouterr().err
    assert list((ready / "srv/oglive").iterdir()) == []
    # Whole again, the same command goes on.
    (ready / "build/current/ogclient.sqfs").write_bytes(b"root")
    assert main(argv(ready)) == 0
    assert (ready / "srv/oglive/current/ogclient.sqfs").read_bytes() == b"root"


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        ("inventory", "inventory.toml:3: [server] subnet:"),
        ("policy", "Did you mean allow_unsigned?\n"),
        ("no-image", "no built ogLive"),
        ("foreign", "is neither empty nor a repository"),
        ("ca", "holds no certificate"),
        ("port", "says another http_port"),
        ("closed", "is closed to other users"),
    ],
)
def test_refusals_come_before_the_first_write(
    ready: Path, spoil: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    more: list[str] = []
    match spoil:
        case "inventory":
            text = (ready / "inventory.toml").read_text().replace("127.0.0.0/8", "nonsense")
            (ready / "inventory.toml").write_text(text)
        case "policy":
            policy = ready / "etc/site/etc/oglive/policy.toml"
            policy.parent.mkdir(parents=True)
            policy.write_text("allow_unsined = []\n")
        case "no-image":
            shutil.rmtree(ready / "build")
        case "foreign":
            (ready / "srv").mkdir()
            (ready / "srv/thesis.txt").write_text("mine")
        case "ca":
            (ready / "ca.pem").write_text("no certificate")
            more = ["--ca", str(ready / "ca.pem")]
        case "port":
            more = ["--port", "9000"]
        case "closed":
            (ready / "shut").mkdir()
            (ready / "shut").chmod(0o700)
            more = ["--dir", str(ready / "shut/srv")]
    before = tree(ready)
    words = argv(ready, *more)
    if spoil == "closed":
        words.remove(str(ready / "srv"))
    for one in (words, [*words, "--dry-run"]):
        assert main(one) != 0
        said = capsys.readouterr().err
        assert told in said
        assert said.startswith("ogrepo: ")
        assert said.count("\n") == 1
        assert tree(ready) == before


def test_only_root_installs_for_another_user(
    ready: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = argv(ready)
    words[words.index(ME)] = "oglive"
    monkeypatch.setattr(os, "geteuid", lambda: 65534)
    assert main(words) == 14
    assert "with sudo" in capsys.readouterr().err


# ---- what is written ----------------------------------------------------------------------------


def test_the_interface_is_found_or_asked_for() -> None:
    one = ("eth0", IPv4Interface("10.1.0.2/24"))
    two = ("eth1", IPv4Interface("10.2.0.2/24"))
    assert chosen_interface(None, (one,)) == one
    assert chosen_interface("eth1", (one, two)) == two
    with pytest.raises(UsageError, match=r"--interface.*eth0 \(10\.1\.0\.2/24\), eth1"):
        chosen_interface(None, (one, two))
    with pytest.raises(OgError, match="The interface eth9 has no IPv4 address"):
        chosen_interface("eth9", (one, two))
    with pytest.raises(OgError, match="There is no network"):
        chosen_interface(None, ())


@pytest.mark.parametrize("dhcp", ["proxy", "own", "off"])
def test_the_first_inventory_is_one(dhcp: str) -> None:
    first_last = (IPv4Address("10.1.0.100"), IPv4Address("10.1.0.200"))
    text = texts.inventory(
        "/srv/oglive",
        ("eth0", IPv4Interface("10.1.0.2/24")),
        port=8080,
        dhcp=dhcp,
        dhcp_range=first_last if dhcp == "own" else None,
    )
    server = parse_inventory(text, source="test").server
    assert (str(server.address), str(server.subnet)) == ("10.1.0.2", "10.1.0.0/24")
    assert (server.dhcp, server.http_port, server.site_overlay) == (dhcp, 8080, True)


def test_the_examples_in_the_first_inventory_are_right() -> None:
    text = texts.inventory(
        "/srv/oglive",
        ("eth0", IPv4Interface("10.1.0.2/24")),
        port=8080,
        dhcp="proxy",
        dhcp_range=None,
    )
    lines = text.splitlines()
    examples = next(n for n, line in enumerate(lines) if line == "# [entries.install-debian]")
    there = [line.removeprefix("# ") for line in lines[examples:]]
    found = parse_inventory("\n".join([*lines[:examples], *there]), source="test")
    assert [client.name for client in found.clients] == ["aula1-pc01"]
    assert found.entry("install-debian").job is not None


def test_the_layouts_are_layouts(tmp_path: Path) -> None:
    for name, text in texts.layouts().items():
        (tmp_path / name).write_text(text)
        assert load_layout(tmp_path / name)
    assert texts.layouts().keys() == {"uefi.json", "bios.json"}


def unit_of(name: str, wanted: InstallRequest, program: Program = PROGRAM, port: int = 8080) -> str:
    return units.texts(wanted, program, port)[name]


def test_units_say_which_folder_and_nothing_more_than_needed() -> None:
    wanted = InstallRequest(Path("/srv/oglive"))
    text = unit_of(units.REPOSITORY, wanted)
    assert "ExecStart=/opt/oglive/ogrepo serve /srv/oglive --port 8080 $OGREPO_SERVE\n" in text
    assert "EnvironmentFile=-/etc/oglive/ogrepo.conf\n" in text
    assert "User=oglive\n" in text
    assert "CapabilityBoundingSet=\n" in text
    assert "ProtectHome=yes\n" in text
    assert "CapabilityBoundingSet=CAP_NET_BIND_SERVICE\n" in unit_of(
        units.REPOSITORY, wanted, port=80
    )
    assert "DynamicUser=yes\n" in unit_of(units.DNSMASQ, wanted)
    assert "PathChanged=/etc/oglive/inventory.toml\n" in unit_of(units.WATCH, wanted)


def test_images_are_proven_every_night_and_nobody_waits_for_it() -> None:
    wanted = InstallRequest(Path("/srv/oglive"))
    text = unit_of(units.VERIFY, wanted)
    assert "ExecStart=/opt/oglive/ogrepo verify /srv/oglive --all $OGREPO_VERIFY\n" in text
    # Without the file of options too: what is not due is not read, nor read as fast as it goes.
    assert 'Environment="OGREPO_VERIFY=--due 30 --rate 50"\nEnvironmentFile=-' in text
    assert "IOSchedulingClass=idle\n" in text
    assert "[Install]" not in text
    words = cli.parse(["verify", "/srv/oglive", "--all", *units.VERIFY_WORDS.split()])
    assert (words.due, words.rate) == (30, 50)
    timer = unit_of(units.VERIFY_TIMER, wanted)
    assert "Persistent=yes\n" in timer
    assert timer.startswith("[Unit]")
    assert units.VERIFY.removesuffix(".service") == units.VERIFY_TIMER.removesuffix(".timer")
    assert f'OGREPO_VERIFY="{units.VERIFY_WORDS}"\n' in texts.options(units.VERIFY_WORDS)


def test_a_clone_in_a_home_is_shown_to_its_services() -> None:
    program = replace(PROGRAM, roots=(Path("/root/oglive"),))
    text = unit_of(units.REPOSITORY, InstallRequest(Path("/srv/oglive")), program)
    assert "ProtectHome=tmpfs\nBindReadOnlyPaths=/root/oglive\n" in text
    text = unit_of(units.NETBOOT, InstallRequest(Path("/home/og/srv")), program)
    assert "BindReadOnlyPaths=/root/oglive\nBindPaths=/home/og/srv\n" in text


def test_odd_paths_stay_one_word() -> None:
    text = unit_of(units.REPOSITORY, InstallRequest(Path("/srv/my %images $1")))
    assert 'serve "/srv/my %%images $$1" --port' in text
    assert 'ReadWritePaths="/srv/my %%images $1"\n' in text
    # But for what is watched, which systemd takes as it stands.
    watch = unit_of(units.WATCH, InstallRequest(Path("/srv/my %images")))
    assert "PathChanged=/srv/my %%images/keys\n" in watch


def test_an_edited_unit_is_known() -> None:
    text = unit_of(units.DNSMASQ, InstallRequest(Path("/srv/oglive")))
    assert units.is_unedited(text)
    assert not units.is_unedited(text.replace("RestartSec=3", "RestartSec=4"))
    assert not units.is_unedited(text + "# more\n")
    assert not units.is_unedited("[Service]\n")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
def test_systemd_reads_the_units(place: Path) -> None:
    program = replace(PROGRAM, ogrepo=Path("/bin/true"), ognetboot=Path("/bin/true"),
                      dnsmasq=Path("/bin/true"), roots=(Path("/root/oglive"),))  # fmt: skip
    written = units.texts(InstallRequest(Path("/srv/oglive"), user=ME), program, 80)
    for name, text in written.items():
        (place / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", *(str(place / name) for name in written)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "SYSTEMD_LOG_COLOR": "0"},
    )
    ours = [line for line in done.stderr.splitlines() if any(name in line for name in written)]
    assert (done.returncode, ours) == (0, [])


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")
@pytest.mark.parametrize(
    "name", [units.REPOSITORY, units.DNSMASQ, units.NETBOOT, units.VERIFY], ids=str
)
def test_what_a_service_may_is_little(place: Path, name: str) -> None:
    wanted = InstallRequest(Path("/srv/oglive"), user="oglive")
    (place / name).write_text(unit_of(name, wanted, port=80))
    assert exposure(place / name) <= MOST


def test_what_the_kernel_keeps_of_images_is_not_bounded() -> None:
    """MemoryMax of the server counts the pages that it sends, which all PCs share."""
    wanted = InstallRequest(Path("/srv/oglive"))
    text = unit_of(units.REPOSITORY, wanted)
    assert "MemoryMax" not in text
    assert "LimitDATA=" in text
    for name in (units.DNSMASQ, units.NETBOOT, units.VERIFY):
        assert "MemoryMax=" in unit_of(name, wanted)


# ---- check --------------------------------------------------------------------------------------


@pytest.fixture
def tftp(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Answers one request as a TFTP server does, on a port that needs no rights."""
    asked: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        monkeypatch.setattr(check, "_TFTP_PORT", server.getsockname()[1])

        def answer() -> None:
            request, sender = server.recvfrom(600)
            asked.append(request)
            server.sendto(b"\0\3\0\1" + bytes(512), sender)

        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        yield asked


def test_check_asks_as_a_pc_does(
    ready: Path,
    tftp: list[bytes],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check, "_SYSTEMD_RUNS", ready / "none")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    inventory(ready / "inventory.toml", port=port)
    assert main(argv(ready)) == 0
    serve = [sys.executable, "-m", "ogrepo", "serve", str(ready / "srv")]
    serve += ["--bind", "127.0.0.1", "--port", str(port)]
    words = ["check", str(ready / "srv"), "--inventory", str(ready / "inventory.toml")]
    words += ["--config", str(ready / "etc")]
    with subprocess.Popen(
        serve, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as server:
        try:
            assert server.stdout is not None
            server.stdout.readline()
            capsys.readouterr()
            assert main(words) == 0
            said = capsys.readouterr().out.splitlines()
        finally:
            server.terminate()
    assert [line[:4] for line in said] == ["good"] * 7
    assert tftp == [b"\0\1undionly.kpxe\0octet\0"]

    # The server is down, the inventory newer than what is served, ogLive damaged.
    monkeypatch.setattr(check, "_ASK_S", 0.2)
    text = (ready / "inventory.toml").read_text()
    (ready / "inventory.toml").write_text(f'{text}title = "Another"\n')
    (ready / "srv/oglive/current/ogvmlinuz").write_bytes(b"spoilt")
    assert main(words) == 23
    said = capsys.readouterr().out.splitlines()
    bad = [line for line in said if line.startswith("BAD")]
    assert len(bad) == 4
    assert "is damaged: ogvmlinuz" in bad[0]
    assert "netboot is older than" in bad[1]
    assert "does not answer: Connection refused" in bad[2]
    assert "TFTP at 127.0.0.1 does not answer" in bad[3]


def test_check_without_an_installation(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", str(place), "--config", str(place / "etc")]) == 2
    assert "Run `ogrepo install" in capsys.readouterr().err
