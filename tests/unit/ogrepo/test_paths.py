# SPDX-License-Identifier: GPL-3.0-or-later
"""No request leaves the folder or sees what is private, however it is spelled."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oglib.errors import NotFoundError
from ogrepo.library.folder import Folder, make_folder
from ogrepo.serving.paths import entries, resolve
from unit.ogrepo.conftest import Repository


@pytest.fixture(scope="module")
def crooked(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """A folder with links in every direction."""
    base = tmp_path_factory.mktemp("crooked")
    (base / "outside").write_text("outside")
    folder = make_folder(base / "repo")
    root = folder.root
    folder.image_key.write_text("secret")
    (root / "boot" / "v1").mkdir(parents=True)
    (root / "boot" / "v1" / "ogvmlinuz").write_text("kernel")
    (root / "boot" / "current").symlink_to("v1")
    (root / "boot" / ".hidden").write_text("hidden")
    (root / "boot" / "out").symlink_to(base / "outside")
    (root / "boot" / "up").symlink_to("../..")
    (root / "boot" / "key").symlink_to(folder.image_key)
    (root / "boot" / "secrets").symlink_to("../private")
    (root / "boot" / "dot").symlink_to(".hidden")
    (root / "boot" / ".alias").symlink_to("v1")
    (root / "boot" / "loop").symlink_to("loop")
    (root / "boot" / "gone").symlink_to("nothing")
    return folder


def test_files_and_links_inside_are_shown(crooked: Folder) -> None:
    for asked in ("boot/v1/ogvmlinuz", "boot/current/ogvmlinuz"):
        assert resolve(crooked, asked)[0].read_text() == "kernel"
    assert resolve(crooked, "") == (crooked.root, True)
    assert entries(crooked, crooked.root / "boot") == [("current", True), ("v1", True)]
    assert [name for name, _ in entries(crooked, crooked.root)] == [
        *("boot", "bytes", "images", "keys", "versions"),
    ]


@pytest.mark.parametrize(
    "asked",
    [
        "private", "private/", "private/image.key", "//private/image.key", "./private/image.key",
        "boot/../private/image.key", "..", "../outside", "boot/../../outside", "boot/.hidden",
        "boot/out", "boot/.alias/ogvmlinuz", "boot/up",
        "boot/up/outside", "boot/key", "boot/secrets", "boot/dot",
        "boot/secrets/image.key", "boot/loop", "boot/gone", "boot/v1/ogvmlinuz/x",
        "boot\\v1", "boot/v1/ogvmlinuz\0", "boot/\n", "x" * 5000, "/etc/passwd", "nothing",
        "/boot/v1/ogvmlinuz", "boot//v1/ogvmlinuz", "boot/v1//", "/", "/images/",
    ],
)  # fmt: skip
def test_nothing_else_is(crooked: Folder, asked: str) -> None:
    with pytest.raises(NotFoundError, match="no such file"):
        resolve(crooked, asked)


_parts = st.sampled_from(
    ["boot", "private", "image.key", "..", ".", "", "up", "secrets", "key", "repo", "outside"]
) | st.text(max_size=8)


@given(st.lists(_parts, max_size=8).map("/".join))
def test_no_path_leads_to_a_secret(crooked: Folder, asked: str) -> None:
    try:
        found, _ = resolve(crooked, asked)
    except NotFoundError:
        return
    assert found.is_relative_to(crooked.root)
    assert not found.is_relative_to(crooked.private)
    assert not any(part.startswith(".") for part in found.relative_to(crooked.root).parts)


@pytest.mark.parametrize(
    "asked",
    [
        "/private/image.key", "/%70rivate/image.key", "/private%2Fimage.key",
        "/boot/%2e%2e/private/",
        "/./private/image.key", "//private/image.key", "/images/../private/image.key",
        "/images/%2e%2e%2f%2e%2e%2f%2e%2e%2fetc/passwd", "/..%5cprivate", "/private%00",
        "/private",
        "/.git/config", "/images/.x", "/private/token.secret?format=json", "/images/%0aX",
    ],
)  # fmt: skip
def test_over_http_neither(repository: Repository, asked: str) -> None:
    (repository.folder.root / ".git").mkdir()
    (repository.folder.root / ".git" / "config").write_text("x")
    answer = repository.ask("GET", asked)
    assert answer.status == 404
    assert answer.error["code"] == 2
