# SPDX-License-Identifier: GPL-3.0-or-later
"""Which unsigned images a site takes: by address, by share, by folder, and what slips by none."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import pytest

from oglib.deploy.opening import policy
from oglib.deploy.opening.foreign_image import later_volumes
from oglib.deploy.opening.policy import (
    Share,
    covers,
    covers_url,
    judge_unsigned,
    policy_for_url,
    share_at,
)
from oglib.errors import ImageError
from oglib.filesystem.mounts import parse_mountinfo
from oglib.filesystem.share import place_in
from oglib.settings import Settings

IMAGES = Path("/opt/opengnsys/images")
MOUNTS = parse_mountinfo(
    "1 0 0:1 / / rw - overlay overlay rw\n"
    "2 1 8:1 / /mnt/disk rw - ext4 /dev/sda1 rw\n"
    "3 1 0:9 / /srv/nfs rw - nfs4 old:/export rw\n"
    "4 1 0:8 / /opt/opengnsys/images rw - cifs //old/ogimages rw\n"
)


@pytest.mark.parametrize(
    ("path", "share"),
    [
        ("/root/a.img", None),
        ("/mnt/disk/a.img", None),
        ("/srv/nfs/lab/a.img", Share("old:/export", PurePosixPath("lab/a.img"), False)),
        (IMAGES / "a.img", Share("//old/ogimages", PurePosixPath("a.img"), True)),
        ("/opt/opengnsys/images2/a.img", None),
    ],
)
def test_what_is_mounted_from_a_server_is_a_share(path: str, share: Share | None) -> None:
    assert share_at(place_in(MOUNTS, Path(path)), IMAGES) == share


def test_whatever_is_mounted_as_the_repository_is_one() -> None:
    mounts = parse_mountinfo("1 0 0:1 / / rw - overlay o rw\n2 1 7:0 / /og rw - ext4 /dev/loop0 rw")
    found = share_at(place_in(mounts, Path("/og/a.img")), Path("/og"))
    assert found is not None
    assert found.is_repository


@pytest.mark.parametrize(
    ("entry", "place", "covered"),
    [
        ("http://old/images/", "http://old/images/a.img", True),
        ("http://old/images", "http://old/images/a.img", True),
        ("http://old", "http://old.evil.example/a.img", False),
        ("http://old/images/", "http://old/images/../secret/a.img", False),
        ("/opt/opengnsys/images", "/opt/opengnsys/images/a.img", True),
        ("/opt/opengnsys/images", "/opt/opengnsys/images2/a.img", False),
        ("//old/ogimages", "//old/ogimages/lab/a.img", True),
        ("old:/export", "old:/export/a.img", True),
        ("old:/exp", "old:/export/a.img", False),
    ],
)
def test_an_entry_covers_itself_and_what_is_below(entry: str, place: str, covered: bool) -> None:
    assert covers(entry, place) is covered


@pytest.mark.parametrize(
    ("place", "covered"),
    [
        ("http://old/images/a.img", True),
        ("http://old/images/lab/a.img", True),
        ("http://old:80/images/a.img", True),
        ("http://OLD/images/a.img", True),
        ("http://old/%69mages/a.img", True),
        ("http://old/images/se%C3%B1al.img", True),
        ("http://old/images/señal.img", True),
        ("http://old/images2/a.img", False),
        ("http://old/%69mages2/a.img", False),
        ("http://old/a.img", False),
        ("http://old/Images/a.img", False),
        ("https://old/images/a.img", False),
        ("http://old:8080/images/a.img", False),
        ("http://old.evil.example/images/a.img", False),
        ("http://old@evil.example/images/a.img", False),
        ("http://evil.example/http://old/images/a.img", False),
        ("http://old/images/../a.img", False),
        ("http://old/images/./../a.img", False),
        ("http://old/images/./a.img", False),
        ("http://old/images/%2e%2e/a.img", False),
        ("http://old/images/%2E./a.img", False),
        ("http://old/images/.%2e/a.img", False),
        ("http://old/images/..%2fa.img", False),
        ("http://old/images/%2e%2e%2Fa.img", False),
        ("http://old/images%2fa.img", False),
        ("http://old/images/..%5ca.img", False),
        ("http://old/images/x%5C..%5C..%5Ca.img", False),
        ("http://old/images/..\\a.img", False),
        ("http://old/images/..;/a.img", False),
        ("http://old/images/..;x=1/a.img", False),
        ("http://old/images/%2e%2e%3b/a.img", False),
        ("http://old/images/a.img;v=2", False),
        ("http://old/images/%252e%252e/a.img", False),
        ("http://old/images/%25%32%65/a.img", False),
        ("http://old/images/..%00/a.img", False),
        ("http://old/images/%0d%0aX/a.img", False),
        ("http://old/images/%c0%ae%c0%ae/a.img", False),
        ("http://old/images/%zz/a.img", False),
        ("http://old/images/a.img?x=/../b", False),
        ("http://old/images/a.img#x", False),
        ("http://old/images/a.img%3fx", False),
    ],
)
@pytest.mark.parametrize("entry", ["http://old/images/", "http://old/images"])
def test_an_address_is_judged_as_a_server_reads_it(entry: str, place: str, covered: bool) -> None:
    assert covers_url(entry, place) is covered
    told = Settings(allow_unsigned=(entry,))
    assert policy_for_url(place, told).unsigned_remote is covered


def test_a_whole_server_may_be_named() -> None:
    assert covers_url("http://old", "http://old/a/b.img")
    assert covers_url("https://old/", "https://old/b.img")
    for entry in ("REPO", "/opt/opengnsys/images", "//old/images", "http://", "http://old/x y"):
        assert not covers_url(entry, "http://old/images/a.img")


@pytest.mark.parametrize(
    ("entries", "allowed"),
    [
        ((), False),
        (("REPO",), True),
        (("/opt/opengnsys/images",), True),
        (("//old/ogimages",), True),
        (("//other/ogimages", "http://old/"), False),
    ],
)
def test_a_mounted_share_needs_the_sites_word(
    monkeypatch: pytest.MonkeyPatch, entries: tuple[str, ...], allowed: bool
) -> None:
    monkeypatch.setattr(policy, "share_of", lambda path: share_at(place_in(MOUNTS, path), IMAGES))
    told = Settings(allow_unsigned=entries)
    assert policy.policy_on(policy.share_of(IMAGES / "a.img"), told).unsigned_local is allowed
    assert policy.policy_on(policy.share_of(Path("/root/a.img")), told).unsigned_local


def test_an_address_needs_the_sites_word() -> None:
    told = Settings(allow_unsigned=("http://old/images/",))
    assert policy_for_url("http://old/images/a.img", told).unsigned_remote
    assert not policy_for_url("http://new/images/a.img", told).unsigned_remote
    assert not policy_for_url("http://old/images/a.img", Settings()).unsigned_remote


def test_one_warning_or_a_refusal() -> None:
    assert "not signed" in judge_unsigned("a", "/a", True)
    with pytest.raises(ImageError, match="from http://old/a is not signed"):
        judge_unsigned("a", "http://old/a", False)


@pytest.mark.parametrize(
    ("first", "following"),
    [
        ("http://h/x.aa", ["http://h/x.ab", "http://h/x.ac"]),
        ("http://h/x.img.aaa", ["http://h/x.img.aab", "http://h/x.img.aac"]),
        ("http://h/x.000", ["http://h/x.001", "http://h/x.002"]),
        ("http://h/f/d1p3.img", ["http://h/f/d1p3.img.001", "http://h/f/d1p3.img.002"]),
        ("http://h/x.img", []),
        ("http://h/x.001", []),
    ],
)
def test_volumes_follow_by_name(first: str, following: list[str]) -> None:
    found = later_volumes(first)
    assert [next(found, "") for _ in following] == following
    assert following or next(found, None) is None


def test_the_volumes_of_two_letters_end() -> None:
    every = list(later_volumes("x.aa"))
    assert (len(every), every[24:26], every[-1]) == (675, ["x.az", "x.ba"], "x.zz")
