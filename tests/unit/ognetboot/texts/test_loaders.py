# SPDX-License-Identifier: GPL-3.0-or-later
"""Where loaders come from, and that their version is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from ognetboot.errors import NetbootError
from ognetboot.texts.loaders import LOADERS, Loader, read_loaders, told

BY_NAME = {loader.name: loader for loader in LOADERS}


def put(folder: Path, loader: Loader, content: bytes) -> None:
    path = folder / loader.source
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def test_the_sites_own_comes_before_debians(tmp_path: Path) -> None:
    site, fetched = tmp_path / "site", tmp_path / "fetched"
    site.mkdir()
    for loader in LOADERS:
        put(fetched, loader, b"debian")
    (site / "snponly.efi").write_bytes(b"own build")
    put(site, BY_NAME["ipxe.efi"], b"as in a package")
    found = read_loaders([], (site, fetched))
    assert {one.loader.name for one in found.values()} == set(BY_NAME)
    assert found["snponly.efi"].content == b"own build"
    assert found["ipxe.efi"].content == b"as in a package"
    assert found["undionly.kpxe"].content == b"debian"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    put(tmp_path, BY_NAME["snponly.efi"], b"x")
    with pytest.raises(NetbootError) as caught:
        read_loaders(["snponly.efi", "shimx64.efi", "memtest.efi"], (tmp_path,))
    assert "needs shimx64.efi, memtest.efi" in caught.value.message
    assert str(tmp_path) in caught.value.message
    assert "shim-signed (usr/lib/shim/shimx64.efi.signed)" in caught.value.hint
    assert "snponly" not in caught.value.hint


@pytest.mark.parametrize(
    ("name", "content", "version"),
    [
        (
            "snponly.efi",
            b"x\x001.0.0+git-20190125.36a4c85-5.1\x00x",
            "1.0.0+git-20190125.36a4c85-5.1",
        ),
        (
            "ipxe.efi",
            b"\x001.21.1+git20250501.dad20602+dfsg-1\x00",
            "1.21.1+git20250501.dad20602+dfsg-1",
        ),
        ("disk.efi", b"grub.debian,5,Debian,grub2,2.06-13+deb12u2,https", "2.06-13+deb12u2"),
        ("shimx64.efi", b"$Version: 16.1 $", "16.1"),
        ("memtest.efi", b"Memtest86+ v7.20", "7.20"),
        ("undionly.kpxe", b"packed", ""),
    ],
)
def test_the_program_says_its_version(
    tmp_path: Path, name: str, content: bytes, version: str
) -> None:
    (tmp_path / name).write_bytes(content)
    found = read_loaders([name], (tmp_path,))
    assert found[name].version == version
    assert (version or "of no version that it tells") in told(found)[0]


def test_a_packed_program_has_its_packages_version(tmp_path: Path) -> None:
    fetched, machine = tmp_path / "fetched", tmp_path / "machine"
    for folder in (fetched, machine):
        put(folder, BY_NAME["undionly.kpxe"], b"packed")
    (fetched / "packages").write_text("grub2 2\nipxe 1.21.1+git20250501\n")
    status = machine / "var/lib/dpkg/status"
    status.parent.mkdir(parents=True)
    status.write_text(
        "Package: ipxe-qemu\nStatus: ok\nVersion: 9\n\n"
        "Package: ipxe\nStatus: ok\nDescription: a\n long one\nVersion: 1.0.0+git-20190125\n\n"
    )
    for folder, version in ((fetched, "1.21.1+git20250501"), (machine, "1.0.0+git-20190125")):
        found = read_loaders(["undionly.kpxe"], (folder,))
        assert told(found) == (f"iPXE {version} from {folder}/usr/lib/ipxe: undionly.kpxe",)
