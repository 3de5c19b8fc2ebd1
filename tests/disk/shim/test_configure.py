# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands that make a Linux this PC's own or clean it, on a small Debian, judged by mount."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from disk.deploy.room import LINUX, tree
from disk.shim.images import device, mount_points, mounted, partitioned, tool
from oglib.disk.firmware import Firmware
from oglib.errors import OgErr
from oglib.shim import configure
from oglib.shim.__main__ import install
from unit.shim.old import Old, answer, code_of

TABLE = """label: dos
start=2048, size=98304, type=83
size=16384, type=82
size=32768, type=83
size=32768, type=7
"""
RULES = "etc/udev/rules.d/70-persistent-net.rules"
AGENT = "usr/share/OGAgent/cfg/ogagent.cfg"
MORE = {
    RULES: 'ATTR{address}=="00:11:22:33:44:55", NAME="eth0"\n',
    "etc/initramfs-tools/conf.d/resume": "RESUME=UUID=66666666-7777-8888-9999-aaaaaaaaaaaa\n",
    AGENT: "[opengnsys]\n# the server\nremote=https://old/opengnsys/rest/\nlog=DEBUG\n",
    "usr/sbin/ogAdmLnxClient": "old\n",
    "etc/ogAdmLnxClient.cfg": "old\n",
    "etc/rc.local": "#!/bin/sh\n/usr/sbin/ogAdmLnxClient -l /x\nexit 0\n",
    "tmp/left": "over\n",
    "tmp/deep/er/left": "over\n",
    "etc/crypttab": "",
}
LAUNCHER = "#!{} -I\nimport sys\nfrom oglib.shim.__main__ import main\nsys.exit(main())\n"


@pytest.fixture(scope="module")
def formatted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    work = tmp_path_factory.mktemp("os")
    made = partitioned(work / "made.img", TABLE, 100)
    content = tree(work / "tree", {**LINUX, **MORE})
    with device(made, 1) as loop:
        tool("mke2fs", "-q", "-t", "ext4", "-F", "-d", content, loop, "40M")
    with device(made, 2) as loop:
        tool("mkswap", "-q", loop)
    with device(made, 3) as loop:
        tool("mke2fs", "-q", "-t", "ext4", "-F", loop)
    return made


@pytest.fixture(autouse=True)
def bios(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTNAME", "pc17")
    monkeypatch.setattr(configure, "running_firmware", lambda: Firmware.BIOS)


@pytest.fixture
def at(tmp_path: Path) -> Path:
    return tmp_path / "at"


def files(image: Path, at: Path, *names: str) -> list[str]:
    with mounted(image, 1, at, "ro"):
        return [(at / name).read_text() if (at / name).exists() else "" for name in names]


def uuid(image: Path, number: int) -> str:
    with device(image, number) as loop:
        return tool("blkid", "-p", "-o", "value", "-s", "UUID", loop).strip()


@pytest.mark.proves("ogConfigureFstab")
def test_fstab_names_what_is_here_and_mounts_come_back(old: Old, image: Path, at: Path) -> None:
    point = old("ogMount", 1, 1, disks=[image]).stdout.strip()
    ran = old("ogConfigureFstab", 1, 1, disks=[image])
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    assert mount_points(image) == [point]
    text = (Path(point) / "etc/fstab").read_text()
    assert text.splitlines() == [
        f"UUID={uuid(image, 1)} / ext4 errors=remount-ro 0 1",
        f"UUID={uuid(image, 2)} none swap sw 0 0",
    ]
    tool("umount", point)
    assert files(image, at, "etc/hostname") == ["model-pc\n"]


@pytest.mark.proves("ogSetLinuxName")
def test_a_linux_gets_its_name(old: Old, image: Path, at: Path) -> None:
    assert old("ogSetLinuxName", 1, 1, "pc14", disks=[image]).status == 0
    name, hosts = files(image, at, "etc/hostname", "etc/hosts")
    assert (name, hosts) == ("pc14\n", "127.0.0.1\tlocalhost\n127.0.1.1\tpc14\n")
    assert old("ogSetLinuxName", 1, 1, disks=[image], env={"HOSTNAME": "pc15"}).status == 0
    assert files(image, at, "etc/hostname") == ["pc15\n"]


@pytest.mark.proves("ogCleanLinuxDevices")
def test_what_is_remembered_of_devices_goes(old: Old, image: Path, at: Path) -> None:
    ran = old("ogCleanLinuxDevices", 1, 1, disks=[image])
    assert (ran.stdout, ran.stderr, ran.status) == ("", "", 0)
    resume = "etc/initramfs-tools/conf.d/resume"
    assert files(image, at, RULES, resume, "tmp/left") == ["", "", "over\n"]
    assert old("ogCleanLinuxDevices", 1, 1, disks=[image]).status == 0


@pytest.mark.proves("ogCleanOs")
def test_a_linux_is_cleaned_before_it_is_captured(old: Old, image: Path, at: Path) -> None:
    outside = at.parent / "outside"
    outside.mkdir()
    (outside / "thesis").touch()
    with mounted(image, 1, at):
        (at / "tmp/link").symlink_to(outside)
    assert old("ogCleanOs", 1, 1, disks=[image]).status == 0
    with mounted(image, 1, at, "ro"):
        assert list((at / "tmp").iterdir()) == []
        assert not (at / RULES).exists()
    assert (outside / "thesis").exists()
    assert old("ogCleanOs", 1, 3, disks=[image]).status == 0  # no system, nothing to do


def test_a_tmp_that_is_a_link_is_left_alone(old: Old, image: Path, at: Path) -> None:
    with mounted(image, 1, at):
        tool("rm", "-r", at / "tmp")
        (at / "tmp").symlink_to("etc")
    assert old("ogCleanOs", 1, 1, disks=[image]).status == 0
    assert files(image, at, "etc/hostname") == ["model-pc\n"]


@pytest.mark.proves("ogConfigureOgagent")
def test_the_agent_is_told_its_server(
    image: Path, at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oglib.shim.net._server", lambda: "10.0.0.1")
    assert answer("ogConfigureOgagent", "1", "1") is None
    assert files(image, at, AGENT) == [
        MORE[AGENT].replace("https://old/", "https://10.0.0.1/"),
    ]


@pytest.mark.proves("ogUninstallLinuxClient")
def test_the_old_client_goes(old: Old, image: Path, at: Path) -> None:
    assert old("ogUninstallLinuxClient", 1, 1, disks=[image]).status == 0
    client, config = "usr/sbin/ogAdmLnxClient", "etc/ogAdmLnxClient.cfg"
    assert files(image, at, client, config, "etc/rc.local") == ["", "", "#!/bin/sh\nexit 0\n"]


NAMES = ("ogCleanLinuxDevices", "ogConfigureFstab", "ogConfigureOgagent", "ogSetLinuxName",
         "ogUninstallLinuxClient", "configureOs", "ogCleanOs")  # fmt: skip


@pytest.mark.refuses(
    "ogCleanLinuxDevices", "ogConfigureFstab", "ogConfigureOgagent", "ogSetLinuxName",
    "ogUninstallLinuxClient", "configureOs", "ogCleanOs",
)  # fmt: skip
@pytest.mark.parametrize("name", NAMES)
def test_where_there_is_nothing_to_configure(image: Path, name: str) -> None:
    before = image.read_bytes()
    assert code_of(name, "1") is OgErr.FORMAT
    assert code_of(name, "1", "9") is OgErr.NOTFOUND
    assert code_of(name, "1", "x") is OgErr.FORMAT
    if name == "ogCleanOs":
        assert code_of(name, "1", "2") is OgErr.PARTITION
        return
    wanted = OgErr.NOTFOUND if name == "ogConfigureFstab" else OgErr.NOTOS
    if name != "configureOs":  # which grows the filesystem first
        assert code_of(name, "1", "3") is wanted
        assert image.read_bytes() == before


def test_a_name_that_none_can_have(image: Path, at: Path) -> None:
    assert code_of("ogSetLinuxName", "1", "1", "-x;rm") is OgErr.FORMAT
    assert files(image, at, "etc/hostname") == ["model-pc\n"]


def test_an_agent_that_is_not_there_and_a_server_that_is_not_known(
    image: Path, at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("oglib.shim.net._server", lambda: "")
    assert code_of("ogConfigureOgagent", "1", "1") is OgErr.NOTFOUND
    with mounted(image, 1, at):
        (at / AGENT).unlink()
    monkeypatch.setattr("oglib.shim.net._server", lambda: "10.0.0.1")
    assert code_of("ogConfigureOgagent", "1", "1") is OgErr.NOTFOUND


# ---- configureOs, ours and the site's ------------------------------------------------------------


@pytest.fixture
def shell(tmp_path: Path) -> Path:
    """A folder of OpenGnsys with every command in it, as ogLive has it."""
    launcher = tmp_path / "og-shim"
    launcher.write_text(LAUNCHER.format(sys.executable))
    launcher.chmod(0o755)
    install([str(tmp_path / "lib/engine/bin"), str(launcher)])
    for name in ("log", "scripts"):
        (tmp_path / name).mkdir()
    return tmp_path


LOADENVIRON = (
    Path(__file__)
    .parents[3]
    .joinpath("image/mkosi.images/root/mkosi.extra/opt/opengnsys/etc/preinit/loadenviron.sh")
)


def bash(shell: Path, image: Path, script: str) -> subprocess.CompletedProcess[str]:
    (shell / "cmdline").write_text("oglive=10.0.0.1 hostname=pc17\n")
    (shell / "boot.env").write_text("INTERFACE=eth7\nIP=10.0.0.7\nSERVER=10.0.0.1\n")
    return subprocess.run(
        ["bash", "-uc", f"source {LOADENVIRON}\n{script}"],
        env={
            "PATH": os.environ["PATH"],
            "OPENGNSYS": str(shell),
            "OG_CMDLINE_FILE": str(shell / "cmdline"),
            "OG_BOOT_ENV_FILE": str(shell / "boot.env"),
            "OG_NET_FOLDER": str(shell),
            "OG_DISKS": str(image),
        },
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.proves("configureOs")
def test_a_restored_system_becomes_this_pcs_own(
    image: Path, at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert answer("configureOs", "1", "1", "REPO", "debian") is None
    rows = [line.split()[:2] for line in capsys.readouterr().out.splitlines()]
    assert ["done", "hostname"] in rows
    assert ["done", "grub-bios"] in rows
    assert "failed" not in {row[0] for row in rows}
    assert files(image, at, "etc/hostname", "etc/machine-id") == ["pc17\n", ""]
    with device(image, 1) as loop:
        size = tool("dumpe2fs", "-h", loop).partition("Block count:")[2].split()[0]
    assert int(size) * 1024 >= 48 << 20  # grown over its partition
    assert tool("sfdisk", "--activate", image).split()[-1] == f"{image}1"


def test_a_step_that_fails_is_the_exit_code(
    image: Path, at: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mounted(image, 1, at):
        (at / "etc/crypttab").write_text("data /dev/sda3 none luks\n")
    assert code_of("configureOs", "1", "1") is OgErr.GENERIC
    out = capsys.readouterr().out
    assert "crypttab" in next(line for line in out.splitlines() if line.startswith("failed"))
    assert files(image, at, "etc/hostname") == ["pc17\n"]


def test_the_sites_own_script_wins_and_may_call_ours(shell: Path, image: Path) -> None:
    custom = shell / "scripts/configureOsCustom"
    custom.write_text('#!/bin/bash\necho "custom $*"\nconfigureOs 1\n')
    custom.chmod(0o755)
    ran = bash(shell, image, "configureOs 1 1 REPO debian")
    assert ran.stdout == "custom 1 1 REPO debian\n"
    assert f"configureOs: {custom} runs" in (shell / "log/10.0.0.7.log").read_text()
    assert "configureOs was given 1 arguments" in ran.stderr  # ours, and not the site's again
    (shell / "scripts/configureOs").write_text("#!/bin/bash\necho edited\n")
    (shell / "scripts/configureOs").chmod(0o755)
    ran = bash(shell, image, "configureOs 1 1 REPO debian")
    assert ran.stdout == "custom 1 1 REPO debian\nedited\n"  # which the custom one calls
    custom.unlink()
    assert bash(shell, image, "configureOs 1 1").stdout == "edited\n"


# What the script of OpenGnsys calls for a Linux, with the words that it gives; each must be there.
ORIGINAL = r"""
try() { "$@" || echo "$1 ended with $?" >&2; }
try ogGetPartitionSize 1 1 > size
try ogGetFsSize 1 1 >> size
try ogExtendFs 1 1
try ogGetPartitionActive 1
try ogSetPartitionActive 1 1
mnt=$(ogMount 1 1)
try ogIsWritable 1 1
echo "host $(ogGetHostname)"
echo "type $(ogGetOsType 1 1)"
try ogConfigureFstab 1 1
try command -v ogGrubInstallPartition ogGrubInstallMbr > loaders
ogIsEfiActive; case $? in 0|1) ;; *) echo "ogIsEfiActive ended with $?" >&2 ;; esac
ogGetEsp > esp; case $? in 0|2|3) ;; *) echo "ogGetEsp ended with $?" >&2 ;; esac
[ -z "$(find "$mnt"/usr/sbin -name ogAdmLnxClient -print)" ] || try ogUninstallLinuxClient 1 1
try ogConfigureOgagent 1 1
etc=$(ogGetPath 1 1 /etc)
[ -d "$etc" ] && ogGetHostname > "$etc/hostname"
try ogUnmount 1 1
"""


def test_what_the_original_script_calls_is_there(shell: Path, image: Path, at: Path) -> None:
    ran = bash(shell, image, f"cd {shell}\n{ORIGINAL}")
    assert "ended with" not in ran.stderr, ran.stderr
    assert "not found" not in ran.stderr, ran.stderr
    assert ran.stdout.splitlines()[-2:] == ["host pc17", "type Linux"]
    assert int((shell / "size").read_text().split()[0]) == 49152
    name, fstab, agent, client = files(
        image, at, "etc/hostname", "etc/fstab", AGENT, "usr/sbin/ogAdmLnxClient"
    )
    assert (name, client) == ("pc17\n", "")
    assert uuid(image, 1) in fstab
    assert "remote=https://10.0.0.1/opengnsys/rest/" in agent


def test_a_windows_is_cleaned_of_its_swap_files(old: Old, image: Path, at: Path) -> None:
    at.mkdir()
    with device(image, 4) as loop:
        tool("mkfs.ntfs", "--fast", "--force", "--quiet", loop)
        tool("mount", "-t", "ntfs-3g", loop, at)
        try:
            tree(at, {"Windows/System32/config/SYSTEM": "", "Pagefile.sys": "", "thesis": "x\n"})
        finally:
            tool("umount", at)
    ran = old("ogCleanOs", 1, 4, disks=[image])
    assert (ran.stdout, ran.status) == ("", 0), ran.stderr
    tool("umount", *mount_points(image))
    with device(image, 4) as loop:
        assert "Pagefile.sys" not in tool("ntfsls", loop)
        assert "thesis" in tool("ntfsls", loop)
    assert old("configureOs", 1, 4, disks=[image]).status == OgErr.NOTOS
