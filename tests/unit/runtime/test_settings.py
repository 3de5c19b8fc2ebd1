# SPDX-License-Identifier: GPL-3.0-or-later
"""What a PC was told: kernel parameters, the first stage's file, the site's policy."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib import settings
from oglib.errors import OgErr, OgError, UsageError
from ognetboot.inventory.choice_values import is_mirror


def load(
    tmp_path: Path, cmdline: str = "", boot_env: str = "", policy: str = ""
) -> settings.Settings:
    paths = {"cmdline": cmdline, "boot_env": boot_env, "policy": policy}
    for name, text in paths.items():
        (tmp_path / name).write_text(text)
    return settings.load(**{name: tmp_path / name for name in paths})


def test_everything_named_is_read(tmp_path: Path) -> None:
    told = load(
        tmp_path,
        "quiet ogrepo=10.0.0.2:8080 hostname=pc7 group=lab ogjob=deploy:a:1:2 oglayout=bios"
        " ogafter=poweroff",
        "SERVER=10.0.0.1\nIP=10.0.0.9\nVERSION=v1\nPROFILE=test\n",
        'allow_unsigned = ["http://old/"]\n',
    )
    assert told == settings.Settings(
        repository="10.0.0.2:8080",
        hostname="pc7",
        group="lab",
        job="deploy:a:1:2",
        layout="bios",
        after="poweroff",
        ip="10.0.0.9",
        version="v1",
        profile="test",
        allow_unsigned=("http://old/",),
    )
    assert told.repository_url() == "http://10.0.0.2:8080"


def test_the_server_that_served_the_root_is_the_repository_by_default(tmp_path: Path) -> None:
    told = load(tmp_path, "", "SERVER=10.0.0.1:8080\n")
    assert told.repository_url() == "http://10.0.0.1:8080"


@pytest.mark.parametrize(
    ("word", "url"),
    [
        ("https://h", "https://h"),
        ("https://h:8443", "https://h:8443"),
        ("http://h:80", "http://h:80"),
    ],
)
def test_a_repository_may_be_asked_by_https(tmp_path: Path, word: str, url: str) -> None:
    told = load(tmp_path, f"ogrepo={word}")
    assert told.repository_url() == url
    assert settings.host_of(told.repository) == "h"


@pytest.mark.parametrize("word", ["ftp://h", "https://h/path", "https://u@h", "https:///"])
def test_what_is_no_repository(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, f"ogrepo={word}")


def test_no_repository_says_how_to_name_one(tmp_path: Path) -> None:
    told = load(tmp_path)
    with pytest.raises(OgError, match="No repository") as caught:
        told.repository_url()
    assert caught.value.code == OgErr.REPO


@pytest.mark.parametrize(
    "cmdline",
    ["ogrepo=http://x/y", "ogrepo=a;b", "ogafter=explode", "oglayout=../etc/x", "ogrepo=a@b"],
)
def test_values_that_could_mean_something_else_are_refused(tmp_path: Path, cmdline: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, cmdline)


@pytest.mark.parametrize(
    "policy",
    [
        "allow_unsigned = 1",
        "allow_unsigned = [1]",
        "not toml [",
        "boot = 1",
        '[boot]\nfirst = "usb"\n',
        "[boot]\nfirst = []\n",
    ],
)
def test_a_damaged_policy_is_refused(tmp_path: Path, policy: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, policy=policy)


@given(st.dictionaries(st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"\S{0,9}")))
def test_cmdline_gives_back_what_was_put_in(words: dict[str, str]) -> None:
    words = {key: "".join(value.split()) for key, value in words.items()}
    text = " ".join(f"{key}={value}" for key, value in words.items())
    assert settings.parse_cmdline(text) == words


def test_a_site_says_what_firmware_tries_first(tmp_path: Path) -> None:
    assert load(tmp_path).network_first
    assert load(tmp_path, policy='[boot]\nfirst = "network"\n').network_first
    assert not load(tmp_path, policy='[boot]\nfirst = "disk"\n').network_first


def test_what_a_disk_is_called_on_this_pc(tmp_path: Path) -> None:
    told = load(
        tmp_path,
        "ogdisk.system=S6XNNX0R1 ogdisk.data=LABEL=Data ogdisks=x",
        policy='[disks]\nsystem = "nvme"\nscratch = "largest"\n',
    )
    assert told.disk_rules == {"system": "S6XNNX0R1", "scratch": "largest", "data": "LABEL=Data"}


@pytest.mark.parametrize(
    ("cmdline", "policy", "says"),
    [
        ("ogdisk.System=1", "", "'System' = '1' does not name a disk"),
        ("ogdisk.=1", "", "does not name a disk"),
        ("ogdisk.system=", "", "does not name a disk"),
        ("ogdisk.1=2", "", "does not name a disk"),
        ("", '[disks]\nsystem = "two words"\n', "'two words' does not name a disk"),
        ("", "[disks]\nsystem = 1\n", "does not name a disk"),
        ("", 'disks = "nvme"\n', "is not a table"),
    ],
)
def test_a_wrong_disk_name_is_refused(tmp_path: Path, cmdline: str, policy: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        load(tmp_path, cmdline, policy=policy)


def test_mirrors_of_the_boot_line_come_before_those_of_the_policy(tmp_path: Path) -> None:
    policy = 'mirrors = ["https://far.example/base/", "/srv/share"]'
    assert load(tmp_path, policy=policy).mirrors == ("https://far.example/base", "/srv/share")
    line = "ogmirrors=http://10.0.0.5:81,/opt/images ogprotocol=nfs ogunit=FIB"
    found = load(tmp_path, line, policy=policy)
    assert found.mirrors == ("http://10.0.0.5:81", "/opt/images")
    assert (found.protocol, found.unit) == ("nfs", "FIB")
    for wrong in ("ogmirrors=ftp://a", "ogmirrors=" + ",".join(["/a"] * 17)):
        with pytest.raises(UsageError, match="does not name mirrors"):
            load(tmp_path, wrong)
    with pytest.raises(UsageError, match="is not a list of mirrors"):
        load(tmp_path, policy='mirrors = "http://a"')


@pytest.mark.parametrize(
    "text",
    [
        "ftp://a",
        "a:80",
        "http://",
        "http://a/../b",
        "/",
        "",
        "http://u@a",
        "/a b",
        "http://a?x",
        "//a",
    ],
)
def test_what_is_no_mirror(text: str) -> None:
    """The server's inventory judges as the PC does."""
    assert not settings.is_mirror(text)
    assert not is_mirror(text)
