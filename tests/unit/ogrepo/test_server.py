# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server answers to those who only read."""

from __future__ import annotations

import http.client
import json
import socket
import time
from pathlib import Path

import pytest

from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import make_sample

DATA = bytes(range(256)) * 400


@pytest.fixture
def kernel(repository: Repository) -> str:
    path = repository.folder.root / "oglive" / "v1" / "ogvmlinuz"
    path.parent.mkdir(parents=True)
    path.write_bytes(DATA)
    return "/oglive/v1/ogvmlinuz"


def test_health(repository: Repository) -> None:
    assert repository.ask("GET", "/healthz").body == b"ok\n"


def test_a_file_whole_and_its_head(repository: Repository, kernel: str) -> None:
    answer = repository.ask("GET", kernel)
    assert (answer.status, answer.body) == (200, DATA)
    assert answer.headers["accept-ranges"] == "bytes"
    assert answer.headers["etag"].startswith('"')
    assert "last-modified" in answer.headers
    head = repository.ask("HEAD", kernel)
    assert (head.status, head.body, head.headers["content-length"]) == (200, b"", str(len(DATA)))


@pytest.mark.parametrize(
    ("asked", "first", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=5-9", 5, 10),
        ("bytes=100-", 100, 102400),
        ("bytes=-7", 102393, 102400),
        ("bytes=102399-999999", 102399, 102400),
    ],
)
def test_ranges(repository: Repository, kernel: str, asked: str, first: int, stop: int) -> None:
    answer = repository.ask("GET", kernel, range=asked)
    assert (answer.status, answer.body) == (206, DATA[first:stop])
    assert answer.headers["content-range"] == f"bytes {first}-{stop - 1}/102400"


@pytest.mark.parametrize(
    "asked", ["bytes=102400-", "bytes=-0", "bytes=-000", "bytes=" + "9" * 6000 + "-", "bytes=5-4"]
)
def test_a_range_that_holds_nothing(repository: Repository, kernel: str, asked: str) -> None:
    answer = repository.ask("GET", kernel, range=asked)
    assert (answer.status, answer.headers["content-range"]) == (416, "bytes */102400")
    assert answer.body == b""
    assert answer.headers["content-length"] == "0"


def test_conditions_on_the_entity_tag(repository: Repository, kernel: str) -> None:
    tag = repository.ask("GET", kernel).headers["etag"]
    part = {"range": "bytes=0-9"}
    assert repository.ask("GET", kernel, if_range=tag, headers=part).status == 206
    assert repository.ask("GET", kernel, if_match=tag, headers=part).status == 206
    assert repository.ask("GET", kernel, if_none_match=tag).status == 304
    for other in ('"other"', f"W/{tag}"):
        changed = repository.ask("GET", kernel, if_range=other, headers=part)
        assert (changed.status, changed.body) == (200, DATA)
    assert repository.ask("GET", kernel, if_match='"other"', headers=part).status == 412


def test_if_range_matches_this_very_file_or_nothing(repository: Repository, kernel: str) -> None:
    part = {"range": "bytes=0-9"}
    date = repository.ask("HEAD", kernel).headers["last-modified"]
    assert repository.ask("GET", kernel, if_range=date, headers=part).status == 206
    for other in (
        "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 01 Jan 2100 00:00:00 GMT", "words", "0", "*",
        '"', "'tag'", "Thu, 99 Jan 2099 00:00:00 GMT",
    ):  # fmt: skip
        answer = repository.ask("GET", kernel, if_range=other, headers=part)
        assert (answer.status, answer.body) == (200, DATA)


def test_dates_are_conditions_too(repository: Repository, kernel: str) -> None:
    date = repository.ask("HEAD", kernel).headers["last-modified"]
    old = "Thu, 01 Jan 1970 00:00:00 GMT"
    assert repository.ask("GET", kernel, if_modified_since=date).status == 304
    assert repository.ask("GET", kernel, if_modified_since=old).status == 200
    assert repository.ask("GET", kernel, if_unmodified_since=date).status == 200
    assert repository.ask("GET", kernel, if_unmodified_since=old).status == 412


def test_two_slashes_lead_nowhere(repository: Repository, kernel: str, tmp_path: Path) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    for odd in ("//images/", "//images/debian.img", "/images//debian.img", "//", "/images//",
                "//oglive", f"/{kernel}", "//example.org/.."):  # fmt: skip
        assert repository.ask("GET", odd).status == 404, odd


def test_a_compressed_neighbour_is_never_sent_instead(repository: Repository, kernel: str) -> None:
    (repository.folder.root / f"{kernel}.gz"[1:]).write_bytes(b"something else")
    answer = repository.ask("GET", kernel, accept_encoding="gzip, br")
    assert answer.body == DATA
    assert "content-encoding" not in answer.headers


def test_one_connection_serves_many_requests(repository: Repository, kernel: str) -> None:
    link = http.client.HTTPConnection("127.0.0.1", repository.port, timeout=5)
    link.request("GET", kernel)
    link.getresponse().read()
    first = link.sock
    for _ in range(5):
        link.request("GET", kernel, headers={"range": "bytes=0-9"})
        assert link.getresponse().read() == DATA[:10]
    assert link.sock is first
    link.close()


def test_the_listing_for_programs_and_for_people(repository: Repository, tmp_path: Path) -> None:
    nasty = '<script>alert("x")</script>&'
    repository.upload(make_sample("debian", title=nasty, host="<b>"), tmp_path)
    for answer in (
        repository.ask("GET", "/images/", accept="application/json"),
        repository.ask("GET", "/images/?format=json"),
    ):
        assert answer.headers["content-type"].startswith("application/json")
        (image,) = json.loads(answer.body)["images"]
        assert (image["name"], image["version"], image["title"]) == ("debian", 1, nasty)
        assert image["required_bytes"] == 768 * 4096
    page = repository.ask("GET", "/images/", accept="text/html,*/*")
    assert page.headers["content-type"].startswith("text/html")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    text = page.body.decode()
    assert "debian" in text
    assert "&lt;script&gt;" in text
    assert "<script" not in text
    assert "<b>&lt;" not in text.replace("<b>no</b>", "")
    assert repository.ask("GET", "/images").headers["location"] == "/images/"


def test_an_empty_listing(repository: Repository) -> None:
    assert "No image has been published" in repository.ask("GET", "/images/").body.decode()


def test_folders_are_listed_plainly(repository: Repository, kernel: str) -> None:
    (repository.folder.root / "oglive" / "current").symlink_to("v1")
    odd = repository.folder.root / "oglive" / "a&b <i>.txt"
    odd.write_text("odd")
    page = repository.ask("GET", "/oglive/").body.decode()
    assert 'href="current/"' in page
    assert 'href="a%26b%20%3Ci%3E.txt">a&amp;b &lt;i&gt;.txt' in page
    assert repository.ask("GET", "/oglive/a%26b%20%3Ci%3E.txt").body == b"odd"
    assert repository.ask("GET", "/oglive/current/ogvmlinuz").body == DATA
    told = repository.ask("GET", "/oglive/?format=json").json()
    assert told == {"entries": ["a&b <i>.txt", "current/", "v1/"]}
    assert "private" not in repository.ask("GET", "/").body.decode()
    assert repository.ask("GET", "/oglive").status == 301
    assert kernel


def test_errors_are_one_json_object(repository: Repository) -> None:
    missing = repository.ask("GET", "/images/none.img")
    assert (missing.status, missing.error["code"], missing.error["name"]) == (404, 2, "NOTFOUND")
    assert repository.ask("POST", "/images/", b"x").status == 405
    assert repository.ask("GET", "/api/uploads/zz").error
    assert repository.ask("DELETE", "/keys/image.pub").error
    assert repository.ask("PUT", "/images/x.img", b"x").error


def test_an_image_that_is_being_exchanged_is_not_shown(
    repository: Repository, tmp_path: Path
) -> None:
    repository.upload(make_sample("debian"), tmp_path)
    decided = repository.folder.record("publishing", "debian")
    decided.mkdir()
    answer = repository.ask("GET", "/images/debian.img.json")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    decided.rmdir()
    assert repository.ask("GET", "/images/debian.img.json").status == 200


def test_the_log_is_one_plain_line_a_request(repository: Repository, kernel: str) -> None:
    repository.ask("GET", kernel, range="bytes=5-9")
    line = repository.logged(kernel)
    client, method, path, asked, status, size, took = line.split(" ")
    assert (client, method, path) == ("127.0.0.1", "GET", kernel)
    assert (asked, status, size) == ("bytes=5-9", "206", "5")
    assert took.endswith("ms")
    repository.ask("GET", "/a%0aforged?secret=1")
    line = repository.logged("forged")
    assert "secret" not in line
    assert "\n" not in line


def test_a_transfer_that_was_cut_is_logged_as_such(repository: Repository) -> None:
    big = repository.folder.root / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    with socket.create_connection(("127.0.0.1", repository.port)) as link:
        link.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        link.recv(1000)
    assert " cut " in repository.logged("/big")


def test_stopping_does_not_wait_for_a_reader_that_sleeps(repository: Repository) -> None:
    big = repository.folder.root / "big"
    with big.open("wb") as file:
        file.truncate(1 << 30)
    with socket.create_connection(("127.0.0.1", repository.port)) as link:
        link.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        link.recv(1000)
        started = time.monotonic()
        repository.stop()
        assert time.monotonic() - started < 10
    repository.start()
