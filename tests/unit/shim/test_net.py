# SPDX-License-Identifier: GPL-3.0-or-later
"""Old commands about network, servers and groups, and how a share is mounted, as data."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from oglib.errors import OgErr, OgError, UsageError
from oglib.filesystem.share import Share, mount_words, parse_source, usual_share
from unit.shim.old import Old, Ran


def up_cards() -> dict[str, str]:
    """The cards of this machine that are up, with their hardware addresses, as `ip` tells them."""
    done = subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True)
    return {
        link["ifname"]: link["address"].upper()
        for link in json.loads(done.stdout)
        if "UP" in link["flags"] and link["ifname"] != "lo"
    }


@pytest.mark.proves("ogGetNetInterface", "ogGetMacAddress")
@pytest.mark.skipif(not up_cards(), reason="this machine has no network card that is up")
def test_the_card_and_its_address(old: Old) -> None:
    card, mac = next(iter(up_cards().items()))
    assert old("ogGetNetInterface") == Ran(f"{card}\n", "", 0)
    assert old("ogGetNetInterface", env={"DEVICE": "lo"}) == Ran("lo\n", "", 0)
    assert old("ogGetMacAddress") == Ran(f"{mac}\n", "", 0)


@pytest.mark.refuses("ogGetNetInterface", "ogGetMacAddress", "ogGetIpAddress")
@pytest.mark.parametrize("name", ["ogGetNetInterface", "ogGetMacAddress", "ogGetIpAddress"])
@pytest.mark.parametrize("card", ["ognone0", "../lo"])
def test_a_card_that_is_not_there(old: Old, name: str, card: str) -> None:
    ran = old(name, env={"DEVICE": card})
    assert (ran.stdout, ran.status) == ("", OgErr.NOTFOUND)


@pytest.mark.proves("ogGetIpAddress")
def test_the_address_without_its_prefix(old: Old) -> None:
    assert old("ogGetIpAddress", env={"DEVICE": "lo"}) == Ran("127.0.0.1\n", "", 0)
    assert old("ogGetIpAddress", env={"IPV4ADDR": "10.1.2.3/24"}) == Ran("10.1.2.3\n", "", 0)


@pytest.mark.proves("ogGetHostname")
def test_the_name_of_the_pc(old: Old) -> None:
    assert old("ogGetHostname", env={"HOSTNAME": "pc7", "hostname": "pc8"}).stdout == "pc7\n"
    assert old("ogGetHostname", env={"hostname": "pc8"}) == Ran("pc8\n", "", 0)


@pytest.mark.proves("ogGetGroupName", "ogGetGroupDir", "ogMakeGroupDir")
def test_the_group_and_its_folder(old: Old, tmp_path: Path) -> None:
    env = {"group": "Aula_ñ1", "OGIMG": str(tmp_path)}
    folder = tmp_path / "groups/Aula_ñ1"
    assert old("ogGetGroupName", env=env) == Ran("Aula_ñ1\n", "", 0)
    assert old("ogGetGroupDir", env=env) == Ran("", "", 0)
    assert old("ogMakeGroupDir", "repo", env=env) == Ran("", "", 0)
    assert folder.is_dir()
    assert old("ogGetGroupDir", "REPO", env=env) == Ran(f"{folder}\n", "", 0)


@pytest.mark.refuses("ogMakeGroupDir", "ogGetGroupDir", "ogGetGroupName")
def test_groups_that_are_none(old: Old, tmp_path: Path) -> None:
    env = {"OGIMG": str(tmp_path)}
    assert old("ogGetGroupName", env=env) == Ran("", "", 1)
    assert old("ogMakeGroupDir", env=env) == Ran("", "", 0)
    assert old("ogMakeGroupDir", env={**env, "group": "../up"}).status == OgErr.NOTFOUND
    assert old("ogGetGroupDir", env=env) == Ran("", "", 0)
    assert old("ogGetGroupDir", "CDROM", env={**env, "group": "a"}).status == OgErr.FORMAT
    assert list(tmp_path.iterdir()) == []


@pytest.mark.proves("ogGetRepoIp", "ogGetServerIp")
def test_servers_of_the_boot_entry_without_any_share(old: Old, tmp_path: Path) -> None:
    env = {"OGIMG": str(tmp_path), "OPENGNSYS": str(tmp_path)}
    told = {**env, "oglive": "10.0.0.1:8080", "ogrepo": "10.0.0.2"}
    assert old("ogGetRepoIp", env=told) == Ran("10.0.0.2\n", "", 0)
    assert old("ogGetServerIp", env=told) == Ran("10.0.0.1\n", "", 0)
    assert old("ogGetRepoIp", env=env) == Ran("", "", 0)


@pytest.mark.refuses("ogGetGroupName", "ogGetHostname", "ogGetRepoIp", "ogGetServerIp")
@pytest.mark.parametrize(
    "name", ["ogGetGroupName", "ogGetHostname", "ogGetRepoIp", "ogGetServerIp"]
)
def test_words_without_a_meaning(old: Old, name: str) -> None:
    ran = old(name, "word")
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)


@pytest.mark.parametrize(
    ("source", "share"),
    [
        ("//10.0.0.2/ogimages", usual_share("smb", "10.0.0.2")),
        ("//repo/ogimages/faculty", usual_share("smb", "repo", "faculty")),
        ("10.0.0.2:/opt/opengnsys/images", usual_share("nfs", "10.0.0.2")),
        ("repo:/opt/opengnsys/images/faculty", usual_share("nfs", "repo", "faculty")),
        ("repo:/srv/images", Share("nfs", "repo", PurePosixPath("/srv/images"))),
        ("/dev/sda1", None),
        ("tmpfs", None),
        ("//", None),
        (":/x", None),
    ],
)
def test_what_a_mounts_source_tells(source: str, share: Share | None) -> None:
    assert parse_source(source) == share
    if share is not None:
        assert share.source == source


def test_credentials_are_named_never_shown(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.write_text("username=og\npassword=secret\n")
    credentials.chmod(0o600)
    share = usual_share("smb", "10.0.0.2", "unit")
    words = mount_words(share, Path("/images"), write=False, credentials=credentials)
    options = f"ro,nosuid,nodev,noexec,credentials={credentials},echo_interval=5"
    assert words == ["mount", "-t", "cifs", "-o", options, "//10.0.0.2/ogimages/unit", "/images"]


def test_credentials_open_to_others_are_not_used(tmp_path: Path) -> None:
    credentials = tmp_path / "credentials"
    credentials.touch(0o640)
    credentials.chmod(0o640)
    with pytest.raises(UsageError, match="others"):
        mount_words(usual_share("smb", "a"), tmp_path, write=True, credentials=credentials)


def test_nfs_needs_no_credentials(tmp_path: Path) -> None:
    words = mount_words(
        usual_share("nfs", "repo"), Path("/images"), write=True, credentials=tmp_path
    )
    options = "rw,nosuid,nodev,noexec,nolock"
    assert words == ["mount", "-t", "nfs", "-o", options, "repo:/opt/opengnsys/images", "/images"]
    words = mount_words(usual_share("nfs", "repo"), Path("/images"), write=False)
    # what is only read shall fail, not wait for ever
    assert words[4] == "ro,nosuid,nodev,noexec,nolock,soft,timeo=50,retrans=2"


def test_other_protocols_have_no_share() -> None:
    with pytest.raises(OgError, match="ogprotocol is local") as caught:
        usual_share("local", "a")
    assert caught.value.code == OgErr.REPO


@pytest.mark.refuses("ogChangeRepo")
@pytest.mark.parametrize("words", [["-o remount"], ["a;b"], ["10.0.0.2:80"], ["a", "../x"], []])
def test_addresses_and_units_that_are_none(old: Old, words: list[str], tmp_path: Path) -> None:
    ran = old("ogChangeRepo", *words, env={"OGIMG": str(tmp_path), "ogprotocol": "smb"})
    assert (ran.stdout, ran.status) == ("", OgErr.FORMAT)
