# SPDX-License-Identifier: GPL-3.0-or-later
"""A small Debian in a folder, fitted to another PC."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.errors import UsageError
from oglib.fitting.devices import Known
from oglib.fitting.fittings import CheckedFitting, check_all
from oglib.fitting.steps import Outcome, Step
from oglib.osconfig.facts import PcFacts
from oglib.osconfig.linux.fittings import FITTINGS, LAST
from oglib.osconfig.linux.mounts import adapt_resume, wanted_swap_uuid
from oglib.osconfig.linux.names import adapt_hosts, adapt_variable
from oglib.osconfig.linux.system import LinuxSystem, detect_linux
from oglib.osconfig.root import TargetRoot

OLD_SWAP = "99999999-9999-4999-8999-999999999999"
FACTS = PcFacts(
    root=Known("ext4", "11111111-1111-4111-8111-111111111111", number=1),
    hostname="pc17",
    swaps=(Known("swap", "22222222-2222-4222-8222-222222222222", number=2),),
)
FILES = {
    "usr/lib/os-release": 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nID=debian\n',
    "etc/hostname": "golden\n",
    "etc/hosts": "127.0.0.1\tlocalhost\n127.0.1.1\tgolden\n\n::1 localhost ip6-localhost\n",
    "etc/fstab": f"UUID=old / ext4 defaults 0 1\nUUID={OLD_SWAP} none swap sw 0 0\n",
    "etc/machine-id": "0123456789abcdef0123456789abcdef\n",
    "etc/crypttab": "data UUID=x none luks\n",
    "etc/ssh/ssh_host_ed25519_key": "private\n",
    "etc/initramfs-tools/conf.d/resume": f"RESUME=UUID={OLD_SWAP}\n",
    "var/lib/dbus/machine-id": "0123456789abcdef0123456789abcdef\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    return tmp_path


def planned(root: TargetRoot, facts: PcFacts = FACTS) -> tuple[CheckedFitting[PcFacts], ...]:
    return check_all(root, facts, (*FITTINGS, *LAST))


def configured(tree: Path, facts: PcFacts = FACTS) -> dict[str, Step]:
    with TargetRoot(tree) as root:
        return {one.fitting.name: one.done(root) for one in planned(root, facts)}


def test_a_debian_becomes_another_pcs_own(tree: Path) -> None:
    steps = configured(tree)
    done = {name for name, step in steps.items() if step.outcome is Outcome.DONE}
    assert done >= {"hostname", "hosts", "fstab", "dbus-machine-id", "resume", "machine-id"}
    assert Outcome.FAILED not in {step.outcome for step in steps.values()}
    assert (tree / "etc/hostname").read_text() == "pc17\n"
    assert "127.0.1.1\tpc17\n" in (tree / "etc/hosts").read_text()
    assert (tree / "etc/fstab").read_text() == (
        f"UUID={FACTS.root.uuid} / ext4 defaults 0 1\nUUID={FACTS.swaps[0].uuid} none swap sw 0 0\n"
    )
    assert (tree / "etc/machine-id").read_bytes() == b""
    assert not (tree / "var/lib/dbus/machine-id").exists()
    assert (tree / "etc/initramfs-tools/conf.d/resume").read_text() == (
        f"RESUME=UUID={FACTS.swaps[0].uuid}\n"
    )
    for name in ("etc/crypttab", "etc/ssh/ssh_host_ed25519_key"):
        assert (tree / name).read_text() == FILES[name]


def test_planning_writes_nothing(tree: Path) -> None:
    with TargetRoot(tree) as root:
        planned(root)
    assert {name: (tree / name).read_text() for name in FILES} == FILES


def test_a_second_time_nothing_is_needed(tree: Path) -> None:
    configured(tree)
    assert {step.outcome for step in configured(tree).values()} == {Outcome.NOT_NEEDED}


def test_without_swap_resuming_is_switched_off(tree: Path) -> None:
    configured(tree, PcFacts(root=FACTS.root))
    assert (tree / "etc/initramfs-tools/conf.d/resume").read_text() == "RESUME=none\n"
    assert (tree / "etc/hostname").read_text() == "golden\n"
    assert f"# ogLive: not on this PC: UUID={OLD_SWAP}" in (tree / "etc/fstab").read_text()


def test_one_file_that_cannot_be_read_fails_alone(tree: Path) -> None:
    (tree / "etc/fstab").unlink()
    (tree / "etc/fstab").mkdir()
    steps = configured(tree)
    assert steps["fstab"].outcome is Outcome.FAILED
    assert "not a regular file" in steps["fstab"].detail
    assert steps["hostname"].outcome is Outcome.DONE
    assert steps["hosts"].outcome is Outcome.DONE
    # whether the swap is a file is said there
    assert steps["resume"].detail == steps["fstab"].detail


def test_links_to_the_host_are_not_written_through(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("root:x:0:0\n")
    for name in ("etc/hostname", "etc/hosts", "etc/machine-id"):
        (tree / name).unlink()
        (tree / name).symlink_to(outside)
    steps = configured(tree)
    assert steps["hostname"].outcome is Outcome.DONE
    assert outside.read_text() == "root:x:0:0\n"
    assert (tree / "etc/hostname").read_text() == "pc17\n"


def test_what_is_not_linux(tmp_path: Path) -> None:
    with TargetRoot(tmp_path) as root:
        assert detect_linux(root) is None


@pytest.mark.parametrize("name", ["a b", "pc_1", "-x", "a\nb", "x" * 65, "a..b", "é"])
def test_no_host_name(tree: Path, name: str) -> None:
    with TargetRoot(tree) as root, pytest.raises(UsageError, match="not a valid host name"):
        planned(root, PcFacts(root=FACTS.root, hostname=name))


def test_the_system_and_the_swap_it_knows(tree: Path) -> None:
    with TargetRoot(tree) as root:
        system = detect_linux(root)
        assert system is not None
        assert (system.id, system.pretty_name) == ("debian", "Debian GNU/Linux 13 (trixie)")
        assert wanted_swap_uuid(root) == OLD_SWAP


def test_an_os_release_that_wants_to_be_a_path(tree: Path) -> None:
    (tree / "usr/lib/os-release").write_text('ID="../../x"\nPRETTY_NAME=\'X "1"\'\n')
    with TargetRoot(tree) as root:
        system = detect_linux(root)
    assert system is not None
    assert system == LinuxSystem(id="linux", pretty_name='X "1"')


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("127.0.0.1 localhost\n", "127.0.0.1 localhost\n127.0.1.1\tpc17\n"),
        ("127.0.0.1 localhost", "127.0.0.1 localhost\n127.0.1.1\tpc17\n"),
        (
            "127.0.1.1  golden.example golden  printer # golden one\n10.0.0.1 golden\n",
            "127.0.1.1  pc17  printer # golden one\n10.0.0.1 golden\n",
        ),
        (
            "127.0.0.1\tlocalhost localhost.localdomain golden\r\n::1 localhost golden\n",
            "127.0.0.1\tlocalhost localhost.localdomain pc17\r\n::1 localhost pc17\n",
        ),
        ("", "127.0.1.1\tpc17\n"),
        ("127.0.1.1 golden\n127.0.1.1 again\n", "127.0.1.1 pc17\n127.0.1.1 again\n"),
        ("127.0.1.1 unknown alias\n", "127.0.1.1 pc17 alias\n"),
        ("# 127.0.1.1 golden\x85\n", "127.0.1.1\tpc17\n# 127.0.1.1 golden\x85\n"),
    ],
)
def test_hosts(old: str, new: str) -> None:
    assert adapt_hosts(old, "golden", "pc17") == new
    assert adapt_hosts(new, "pc17", "pc17") == new


def test_hosts_of_a_full_name() -> None:
    new = "127.0.1.1 pc17.uni.example pc17\n"
    assert adapt_hosts("127.0.1.1 golden\n", "golden", "pc17.uni.example") == new
    assert adapt_hosts(new, "pc17.uni.example", "pc17.uni.example") == new


@pytest.mark.parametrize("old", ["localhost", "localhost.localdomain", ""])
def test_a_system_that_had_no_name_of_its_own(old: str) -> None:
    text = "127.0.0.1 localhost.localdomain localhost\n"
    assert adapt_hosts(text, old, "pc17") == f"{text}127.0.1.1\tpc17\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("", f"RESUME=UUID={FACTS.swaps[0].uuid}\n"),
        (
            "# by hand\nRESUME=/dev/sda2 # x\n",
            f"# by hand\nRESUME=UUID={FACTS.swaps[0].uuid} # x\n",
        ),
        ("RESUME=/dev/mapper/vg-swap\n", "RESUME=/dev/mapper/vg-swap\n"),
        ('RESUME="UUID=22222222-2222-4222-8222-222222222222"', None),
        ("# nothing", f"# nothing\nRESUME=UUID={FACTS.swaps[0].uuid}\n"),
    ],
)
def test_resume(old: str, new: str | None) -> None:
    assert adapt_resume(old, FACTS) == (old if new is None else new)


def with_files(tree: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    return tree


@pytest.mark.parametrize(
    ("missing", "there", "after"),
    [
        # CentOS 6: there is no etc/hostname, and none is made
        (
            True,
            {"etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=golden # x\n"},
            {"etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=pc17 # x\n"},
        ),
        (
            True,
            {"etc/sysconfig/network": "NETWORKING=yes"},
            {"etc/sysconfig/network": "NETWORKING=yes\nHOSTNAME=pc17\n"},
        ),
        # SLES 11
        (True, {"etc/HOSTNAME": "golden.uni.example\n"}, {"etc/HOSTNAME": "pc17\n"}),
        # Gentoo has both, Fedora a file without a word about it
        (
            False,
            {"etc/conf.d/hostname": '# c\nhostname="golden"\n'},
            {"etc/conf.d/hostname": '# c\nhostname="pc17"\n', "etc/hostname": "pc17\n"},
        ),
        (
            False,
            {"etc/sysconfig/network": "# Created by anaconda\n", "etc/mailname": "golden\n"},
            {
                "etc/sysconfig/network": "# Created by anaconda\n",
                "etc/mailname": "pc17\n",
                "etc/hostname": "pc17\n",
            },
        ),
        (False, {"etc/mailname": "mail.uni.example\n"}, {"etc/mailname": "mail.uni.example\n"}),
        (True, {}, {"etc/hostname": "pc17\n"}),
    ],
)
def test_the_name_is_where_the_distribution_keeps_it(
    tree: Path, missing: bool, there: dict[str, str], after: dict[str, str]
) -> None:
    if missing:
        (tree / "etc/hostname").unlink()
    steps = configured(with_files(tree, there))
    assert steps["hostname"].outcome is Outcome.DONE
    assert {name: (tree / name).read_text() for name in after} == after
    assert (tree / "etc/hostname").exists() is (not missing or not there)
    if there or not missing:
        assert "golden" not in (tree / "etc/hosts").read_text()
    assert configured(tree)["hostname"].outcome is Outcome.NOT_NEEDED


@pytest.mark.parametrize(("file", "link"), [("hostname", "HOSTNAME"), ("HOSTNAME", "hostname")])
def test_suses_link_is_not_a_second_file(tree: Path, file: str, link: str) -> None:
    (tree / "etc/hostname").rename(tree / "etc" / file)
    (tree / "etc" / link).symlink_to(file)
    assert configured(tree)["hostname"].outcome is Outcome.DONE
    assert (tree / "etc" / link).is_symlink()
    assert (tree / "etc" / file).read_text() == "pc17\n"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("A=x\n", "A=v\n"),
        ("\tA='x' # c\r\nAB=x\n", "\tA='v' # c\r\nAB=x\n"),
        ('A="x\n', 'A="x\nA=v\n'),
        ("#A=x", "#A=x\nA=v\n"),
        ("", "A=v\n"),
    ],
)
def test_a_variable(old: str, new: str) -> None:
    assert adapt_variable(old, "A", "v", missing=True) == new
    assert adapt_variable(new, "A", "v", missing=True) == new


ID = "0123456789abcdef0123456789abcdef"


def test_boot_entries_named_by_the_machine_id_keep_their_name(tree: Path) -> None:
    """Fedora and RHEL: else GRUB goes on starting the kernel of the image for ever."""
    with_files(tree, {f"boot/loader/entries/{ID}-6.12.conf": "x", "etc/kernel/cmdline": "ro"})
    assert configured(tree)["machine-id"].outcome is Outcome.DONE
    assert (tree / "etc/kernel/entry-token").read_text() == f"{ID}\n"
    assert (tree / "etc/machine-id").read_bytes() == b""
    assert configured(tree)["machine-id"].outcome is Outcome.NOT_NEEDED


def test_a_token_that_is_there_stays(tree: Path) -> None:
    with_files(tree, {f"boot/loader/entries/{ID}-6.conf": "x", "etc/kernel/entry-token": "own\n"})
    assert configured(tree)["machine-id"].outcome is Outcome.DONE
    assert (tree / "etc/kernel/entry-token").read_text() == "own\n"


def test_an_id_that_boot_entries_need_stays_where_their_name_cannot_be_kept(tree: Path) -> None:
    with_files(tree, {f"boot/loader/entries/{ID}-6.12.conf": "x"})
    step = configured(tree)["machine-id"]
    assert step.outcome is Outcome.FAILED
    assert "boot entries are named by it" in step.detail
    assert (tree / "etc/machine-id").read_text() == f"{ID}\n"


@pytest.mark.parametrize(
    ("line", "outcome", "said"),
    [
        (f"a UUID={FACTS.root.uuid} none luks", Outcome.NOT_NEEDED, "already so"),
        ("a /dev/mapper/vg-a none luks", Outcome.NOT_NEEDED, "already so"),
        ("a /dev/vg/a none luks", Outcome.NOT_NEEDED, "already so"),
        ("a /swap.img /dev/urandom swap", Outcome.NOT_NEEDED, "already so"),
        ("# a /dev/sda3 none luks", Outcome.NOT_NEEDED, "already so"),
        ("a UUID=x none luks", Outcome.NOT_NEEDED, "a is on UUID=x, not found on this PC"),
        ("a\t/dev/sda3 /dev/urandom swap", Outcome.FAILED, "a is on /dev/sda3, which is another"),
        ("a /dev/nvme0n1p3 none luks,nofail", Outcome.FAILED, "a is on /dev/nvme0n1p3"),
        ("a", Outcome.NOT_NEEDED, "already so"),
    ],
)
def test_crypttab_is_looked_at_and_left_alone(
    tree: Path, line: str, outcome: Outcome, said: str
) -> None:
    (tree / "etc/crypttab").write_text(f"{line}\n")
    step = configured(tree)["crypttab"]
    assert (step.outcome, said in step.detail) == (outcome, True)
    assert (tree / "etc/crypttab").read_text() == f"{line}\n"


LUKS = Known("crypto_LUKS", "33333333-3333-4333-8333-333333333333", partuuid="b-03", number=3)
PLAIN = Known("swap", "22222222-2222-4222-8222-222222222222", partuuid="a-02", number=2)


@pytest.mark.parametrize(
    ("line", "after"),
    [
        ("a /dev/sda3 none luks # c\r", f"a UUID={LUKS.uuid} none luks # c\r"),
        ("a\t/dev/disk/by-id/x-part3  none", f"a\tUUID={LUKS.uuid}  none"),
        ("a /dev/sda2 /dev/urandom swap,cipher=x", "a PARTUUID=a-02 /dev/urandom swap,cipher=x"),
        ("a UUID=gone /dev/urandom swap,x=1", "a PARTUUID=a-02 /dev/urandom swap,x=1"),
        ("a\t/dev/sda2\t/dev/urandom\tswap,c=x", "a\tPARTUUID=a-02\t/dev/urandom\tswap,c=x"),
        ("a /dev/sda2 /dev/urandom\tswap", "a PARTUUID=a-02 /dev/urandom\tswap"),
        ("a /dev/sda3 \"/dev/urandom\" 'swap'", "a PARTUUID=a-02 \"/dev/urandom\" 'swap'"),
        ('a "/dev/sda3" /dev//urandom swap', "a PARTUUID=a-02 /dev//urandom swap"),
        ("a /dev/sda3 /etc/key plain,swap", "a PARTUUID=a-02 /etc/key plain,swap"),
        ("a\t/dev/sda3  none\tswap", "a\tPARTUUID=a-02  none\tswap"),
        (f"a UUID={PLAIN.uuid} /dev/urandom swap,offset=1024", None),
        ("a PARTUUID=A-02 /dev/urandom swap", None),
        ("a /dev/vg/swap /dev/urandom swap", None),
        ("a /swap.img /dev/urandom swap", None),
        ("# a /dev/sda3 none luks", None),
    ],
)  # fmt: skip
def test_crypttab_by_what_its_lines_mean(tree: Path, line: str, after: str | None) -> None:
    facts = replace(FACTS, swaps=(PLAIN,), others=(LUKS,))
    (tree / "etc/crypttab").write_bytes(f"{line}\n".encode())
    done = configured(tree, facts)["crypttab"]
    assert done.outcome is (Outcome.NOT_NEEDED if after is None else Outcome.DONE)
    assert (tree / "etc/crypttab").read_bytes() == f"{after or line}\n".encode()
    assert configured(tree, facts)["crypttab"].outcome is Outcome.NOT_NEEDED


@pytest.mark.parametrize(
    "line",
    [
        "a /dev/sda1 none luks",
        "a /dev/sda2 none luks",
        "a /dev/sda3 /dev/urandom plain",
        "a\t/dev/sda3\t/dev/urandom\tplain",
        "a /dev/sda3 '/dev/urandom'",
        "a /dev/sda3 /etc/key plain",
        "a /dev/sda3 /etc/key tmp=ext4",
        "a /dev/sda3 /etc/key\rtmp",
        f"a UUID={LUKS.uuid} /dev/urandom swap",
        f"a UUID={LUKS.uuid}\t/etc/key\tplain,swap",
    ],
)
def test_a_partition_of_that_number_that_is_something_else_is_refused(
    tree: Path, line: str
) -> None:
    (tree / "etc/crypttab").write_text(f"{line}\n")
    facts = replace(FACTS, swaps=(PLAIN,), others=(LUKS,))
    assert configured(tree, facts)["crypttab"].outcome is Outcome.FAILED
    assert (tree / "etc/crypttab").read_bytes() == f"{line}\n".encode()


@pytest.mark.parametrize("between", [" ", "\t", " \t"])
@pytest.mark.parametrize("key", ["/dev/urandom", '"/dev/urandom"', "/etc/swapkey"])
def test_what_is_written_over_at_each_start_is_never_a_luks_volume(
    tree: Path, between: str, key: str
) -> None:
    line = between.join(("a", "/dev/sda3", key, "swap,cipher=aes-xts-plain64")) + "\n"
    (tree / "etc/crypttab").write_text(line)
    facts = replace(FACTS, swaps=(), others=(LUKS,))
    assert configured(tree, facts)["crypttab"].outcome is Outcome.FAILED
    assert (tree / "etc/crypttab").read_text() == line


def test_the_fstab_that_was_is_kept_and_not_written_again(tree: Path) -> None:
    old = (tree / "etc/fstab").read_text()
    configured(tree)
    backup = tree / "etc/fstab.backup"
    assert (backup.read_text(), backup.stat().st_mode & 0o777) == (old, 0o600)
    seen = backup.stat()
    assert configured(tree)["fstab"].outcome is Outcome.NOT_NEEDED
    assert backup.stat() == seen


@pytest.mark.parametrize("target", ["/usr/share/fstab", "../usr/share/fstab"])
def test_an_fstab_that_is_a_link_becomes_a_file(tree: Path, target: str) -> None:
    """An initramfs looks at it from another root; and what it leads to is a package's."""
    (tree / "usr/share").mkdir()
    (tree / "etc/fstab").rename(tree / "usr/share/fstab")
    (tree / "etc/fstab").symlink_to(target)
    old = (tree / "usr/share/fstab").read_text()
    assert configured(tree)["fstab"].outcome is Outcome.DONE
    assert not (tree / "etc/fstab").is_symlink()
    assert FACTS.root.uuid in (tree / "etc/fstab").read_text()
    assert (tree / "usr/share/fstab").read_text() == old


def test_a_resume_from_a_swap_file_follows_the_root(tree: Path) -> None:
    (tree / "etc/fstab").write_text("UUID=old / ext4 x 0 1\n/swap.img none swap sw 0 0\n")
    (tree / "etc/initramfs-tools/conf.d/resume").write_text("RESUME=UUID=old\n")
    facts = replace(FACTS, swaps=())
    configured(tree, facts)
    told = (tree / "etc/initramfs-tools/conf.d/resume").read_text()
    assert told == f"RESUME=UUID={FACTS.root.uuid}\n"
    assert configured(tree, facts)["resume"].outcome is Outcome.NOT_NEEDED


def test_a_resume_from_a_swap_file_stays(tree: Path) -> None:
    line = f"RESUME=UUID={FACTS.root.uuid}\n"
    (tree / "etc/initramfs-tools/conf.d/resume").write_text(line)
    assert configured(tree)["resume"].outcome is Outcome.NOT_NEEDED


@pytest.mark.parametrize("path", ["etc/mailname", "etc/sysconfig/network", "etc/conf.d/hostname"])
def test_what_is_no_file_holds_no_name_and_is_told(tree: Path, path: str) -> None:
    """The name is written where it can be, so that etc/hosts does not know another one."""
    (tree / path).parent.mkdir(parents=True, exist_ok=True)
    os.mkfifo(tree / path)
    for outcome in (Outcome.DONE, Outcome.NOT_NEEDED):
        step = configured(tree)["hostname"]
        assert (step.outcome, f"{path} is not a regular file" in step.detail) == (outcome, True)
    assert (tree / "etc/hostname").read_text() == "pc17\n"
    (tree / "etc/hostname").unlink()
    assert configured(tree)["hostname"].outcome is Outcome.FAILED


def test_a_link_to_a_file_that_is_no_name_is_replaced_itself(tree: Path) -> None:
    """What it leads to is something else of the system's."""
    shadow = "root:*:19000:0:99999:7:::\n"
    (tree / "etc/shadow").write_text(shadow)
    (tree / "etc/hostname").unlink()
    (tree / "etc/hostname").symlink_to("/etc/shadow")
    assert configured(tree)["hostname"].outcome is Outcome.DONE
    assert (tree / "etc/shadow").read_text() == shadow
    assert (tree / "etc/hostname").read_text() == "pc17\n"
    assert not (tree / "etc/hostname").is_symlink()
