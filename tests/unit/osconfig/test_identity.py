# SPDX-License-Identifier: GPL-3.0-or-later
"""What tells a Linux from its copies: keys, ids, what programs remember; by the site's policy."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
    load_ssh_private_key,
)

from oglib.errors import OgError, UsageError
from oglib.fitting.changes import Linked, Renamed
from oglib.fitting.devices import Known
from oglib.fitting.fittings import Fitting, check_all
from oglib.fitting.policy import FittingPolicy, fitting_policy
from oglib.fitting.steps import Outcome, Step
from oglib.osconfig.facts import Nic, PcFacts
from oglib.osconfig.linux.fittings import FITTINGS, LAST
from oglib.osconfig.root import TargetRoot

ID = "0123456789abcdef0123456789abcdef"
NIC = Nic("enp1s0", frozenset(("eth0", "enp1s0")), "52:54:00:00:00:01")
FACTS = PcFacts(Known("ext4", "11111111-1111-4111-8111-111111111111"), "pc17", nics=(NIC,))
OTHER = replace(FACTS, nics=(replace(NIC, mac="52:54:00:00:00:02"),))


def fitted(name: str) -> Fitting[PcFacts]:
    return next(one for one in (*FITTINGS, *LAST) if one.name == name)


def step(tree: Path, name: str, facts: PcFacts = FACTS) -> Step:
    """Of a dry run, which must come out as the real one and write nothing."""
    with TargetRoot(tree) as root:
        (one,) = check_all(root, facts, [fitted(name)])
        done = one.done(root)
        assert done == one.foreseen
        return done


def with_policy(**words: str) -> PcFacts:
    return replace(FACTS, policy=FittingPolicy(**words))


def put(tree: Path, *names: str, text: str = "of the model\n") -> None:
    for name in names:
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)


KEYS = {"rsa": "ssh-rsa", "ecdsa": "ecdsa-sha2-nistp256", "ed25519": "ssh-ed25519"}


def judged(private: Path, copy: Path) -> list[str]:
    """The public half as OpenSSH has it, where it is installed; else as our library has it."""
    copy.unlink(missing_ok=True)
    copy.touch(0o600)
    copy.write_bytes(private.read_bytes())
    if shutil.which("ssh-keygen"):
        argv = ["ssh-keygen", "-y", "-f", str(copy)]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        return done.stdout.split()[:2]
    load = load_ssh_private_key if b"OPENSSH" in copy.read_bytes() else load_pem_private_key
    key = load(copy.read_bytes(), None)
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    return public.decode().split()[:2]


def test_host_keys_are_this_pcs_own_and_stay(tmp_path: Path) -> None:
    keys = [f"etc/ssh/ssh_host_{kind}_key" for kind in (*KEYS, "dsa")]
    put(tmp_path, *keys, *(f"{key}.pub" for key in keys), "etc/ssh/ssh_host_rsa_key-cert.pub")
    for key in keys:
        (tmp_path / key).chmod(0o640)  # as RHEL has it, for its group
    put(tmp_path, "etc/ssh/sshd_config", "etc/ssh/ssh_known_hosts")
    told = step(tmp_path, "ssh-host-keys")
    assert (told.outcome, told.detail) == (
        Outcome.DONE,
        "new: ecdsa, ed25519, rsa; removed: dsa",
    )
    for kind, word in KEYS.items():
        private = tmp_path / f"etc/ssh/ssh_host_{kind}_key"
        public = (tmp_path / f"etc/ssh/ssh_host_{kind}_key.pub").read_text().split()
        assert public[0] == word
        assert public[2] == "root@pc17"
        assert private.stat().st_mode & 0o777 == 0o640
        assert judged(private, tmp_path / "copy") == public[:2]
    left = {path.name for path in (tmp_path / "etc/ssh").iterdir()}
    assert not {name for name in left if "host_dsa" in name or "cert" in name}
    before = {path: path.read_bytes() for path in (tmp_path / "etc/ssh").iterdir()}
    assert step(tmp_path, "ssh-host-keys").outcome is Outcome.NOT_NEEDED
    assert {path: path.read_bytes() for path in (tmp_path / "etc/ssh").iterdir()} == before
    assert step(tmp_path, "ssh-host-keys", OTHER).outcome is Outcome.DONE


def test_a_key_that_was_not_there_is_made_for_root_alone(tmp_path: Path) -> None:
    put(tmp_path, "etc/ssh/ssh_host_ed25519_key")
    (tmp_path / "etc/ssh/ssh_host_ed25519_key").chmod(0o600)
    step(tmp_path, "ssh-host-keys")
    assert (tmp_path / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "etc/ssh/ssh_host_ed25519_key.pub").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (with_policy(ssh_host_keys="keep"), "the site keeps"),
        (replace(FACTS, nics=()), "no network card"),
    ],
)
def test_host_keys_that_stay(tmp_path: Path, facts: PcFacts, said: str) -> None:
    put(tmp_path, "etc/ssh/ssh_host_rsa_key")
    told = step(tmp_path, "ssh-host-keys", facts)
    assert told.outcome is Outcome.NOT_NEEDED
    assert said in told.detail
    assert (tmp_path / "etc/ssh/ssh_host_rsa_key").read_text() == "of the model\n"


def test_a_host_key_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "etc/ssh").mkdir(parents=True)
    (tmp_path / "etc/ssh/ssh_host_rsa_key").symlink_to("/etc/shadow")
    told = step(tmp_path, "ssh-host-keys")
    assert (told.outcome, told.detail.split()[-4:]) == (
        Outcome.FAILED,
        ["not", "a", "regular", "file"],
    )


MEMORIES = [
    ("random-seed", "var/lib/systemd/random-seed", "var/lib/systemd/timers"),
    ("dhcp", "var/lib/dhcp/dhclient.leases", "var/lib/dhcp/README"),
    ("dhcp", "var/lib/NetworkManager/internal-1-ens3.lease", "var/lib/NetworkManager/intern"),
    ("dhcp", "var/lib/wicked/duid.xml", "var/lib/wicked/README.xml"),
    ("logins", "var/lib/sss/db/cache_uni.example.ldb", "var/lib/sss/db/secrets.ldb"),
    ("agents", "var/lib/glpi-agent/GLPI-Agent.dump", "var/lib/glpi-agent/other"),
]


@pytest.mark.parametrize(("name", "gone", "stays"), MEMORIES)
def test_what_programs_remember_of_the_model_is_forgotten(
    tmp_path: Path, name: str, gone: str, stays: str
) -> None:
    put(tmp_path, gone, stays)
    with TargetRoot(tmp_path) as root:
        (one,) = check_all(root, FACTS, [fitted(name)])
        assert b"of the model" not in one.diff
        assert gone.encode() in one.diff
    assert step(tmp_path, name).detail == f"forgotten: {gone}"
    assert not (tmp_path / gone).exists()
    assert (tmp_path / stays).exists()
    assert step(tmp_path, name).outcome is Outcome.NOT_NEEDED


def test_keys_of_an_agent_go_and_their_file_stays(tmp_path: Path) -> None:
    put(tmp_path, "var/ossec/etc/client.keys")
    (tmp_path / "var/ossec/etc/client.keys").chmod(0o640)
    assert step(tmp_path, "agents").outcome is Outcome.DONE
    info = (tmp_path / "var/ossec/etc/client.keys").stat()
    assert (info.st_size, info.st_mode & 0o777) == (0, 0o640)
    assert step(tmp_path, "agents").outcome is Outcome.NOT_NEEDED


def test_what_the_site_keeps_and_what_is_kept_unasked(tmp_path: Path) -> None:
    put(tmp_path, "etc/pki/consumer/key.pem", "var/lib/glpi-agent/GLPI-Agent.dump")
    for name, facts in (("subscription", FACTS), ("agents", with_policy(agents="keep"))):
        told = step(tmp_path, name, facts)
        assert (told.outcome, told.detail) == (
            Outcome.NOT_NEEDED,
            "the site keeps what the image has",
        )
    assert step(tmp_path, "subscription", with_policy(subscription="forget")).outcome is (
        Outcome.DONE
    )


def test_a_link_among_them_is_left(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dhcp").mkdir(parents=True)
    (tmp_path / "var/lib/dhcp/dhclient.leases").symlink_to("/etc/passwd")
    assert step(tmp_path, "dhcp").outcome is Outcome.NOT_NEEDED


# ---- boot entries -------------------------------------------------------------------------------

ENTRIES = "boot/loader/entries"


def fedora(tree: Path) -> Path:
    """Shaped as Fedora's: GRUB reads the entries, kernels lie in /boot itself."""
    put(tree, f"{ENTRIES}/{ID}-6.12.conf", f"{ENTRIES}/{ID}-0-rescue.conf", "etc/kernel/cmdline")
    put(tree, f"{ENTRIES}/ffff-other.conf", "boot/grub2/grub.cfg")
    block = f"# GRUB Environment Block\nsaved_entry={ID}-6.12\nboot_success=1\n"
    put(tree, "boot/grub2/grubenv", text=block.ljust(1024, "#"))
    put(tree, "etc/machine-id", text=f"{ID}\n")
    return tree


def names(tree: Path) -> list[str]:
    return sorted(path.name for path in (tree / ENTRIES).iterdir())


def test_boot_entries_of_grub_follow_the_machine_id(tmp_path: Path) -> None:
    tree = fedora(tmp_path)
    told = step(tree, "machine-id")
    new = (tree / "etc/machine-id").read_text().strip()
    assert told.detail == f"{new}, boot entries follow it"
    assert len(new) == 32
    assert new != ID
    assert names(tree) == sorted([f"{new}-6.12.conf", f"{new}-0-rescue.conf", "ffff-other.conf"])
    block = (tree / "boot/grub2/grubenv").read_text()
    assert f"saved_entry={new}-6.12\n" in block
    assert len(block) == 1024
    assert step(tree, "machine-id").outcome is Outcome.NOT_NEEDED
    assert step(tree, "machine-id", OTHER).outcome is Outcome.DONE
    assert (tree / "etc/machine-id").read_text().strip() not in (ID, new)


@pytest.mark.parametrize("cut", range(4))
def test_entries_that_were_renamed_in_part_are_renamed_whole(tmp_path: Path, cut: int) -> None:
    """The power may go between any two of the changes."""
    whole, tree = fedora(tmp_path / "whole"), fedora(tmp_path / "cut")
    step(whole, "machine-id")
    with TargetRoot(tree) as root:
        (one,) = check_all(root, FACTS, [fitted("machine-id")])
        assert len(one.checked.edits) == 4
        for change in one.checked.edits[:cut]:
            change.write(root)
    step(tree, "machine-id")
    assert names(tree) == names(whole)
    for name in ("etc/machine-id", "boot/grub2/grubenv"):
        assert (tree / name).read_bytes() == (whole / name).read_bytes()


def test_kernels_in_a_folder_of_the_id_keep_it_as_their_token(tmp_path: Path) -> None:
    tree = fedora(tmp_path)
    (tree / "boot" / ID).mkdir()
    assert step(tree, "machine-id").outcome is Outcome.DONE
    assert (tree / "etc/kernel/entry-token").read_text() == f"{ID}\n"
    assert (tree / "etc/machine-id").read_bytes() == b""
    assert f"{ID}-6.12.conf" in names(tree)


# ---- changes and policy -------------------------------------------------------------------------


def test_a_link_is_put_whole_and_only_over_what_was_seen(tmp_path: Path) -> None:
    (tmp_path / "clock").symlink_to("/old")
    with TargetRoot(tmp_path) as root:
        Linked("clock", "/old", "../new").write(root)
        assert str((tmp_path / "clock").readlink()) == "../new"
        with pytest.raises(OgError, match="not as it was"):
            Linked("clock", "/old", "../newer").write(root)
        Linked("other", None, "x").write(root)
        with pytest.raises(OgError, match="does not name a file"):
            Renamed("other", "../up").write(root)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clock", "other"]


def test_a_policy_is_read_word_by_word() -> None:
    assert fitting_policy({}, "policy") == FittingPolicy()
    asked = fitting_policy({"ssh_host_keys": "keep", "timezone": "Europe/Madrid"}, "policy")
    assert (asked.ssh_host_keys, asked.timezone) == ("keep", "Europe/Madrid")


@pytest.mark.parametrize(
    "table",
    [
        [],
        {"ssh": "new"},
        {"agents": "forgive"},
        {"agents": True},
        {"timezone": "../../etc/shadow"},
        {"locale": "es_ES.UTF-8\nPATH=/evil"},
        {"keyboard": "es; rm"},
    ],
)
def test_words_that_no_policy_has_are_refused(table: object) -> None:
    with pytest.raises(UsageError):
        fitting_policy(table, "policy")
