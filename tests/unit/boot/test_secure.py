# SPDX-License-Identifier: GPL-3.0-or-later
"""Secure Boot: what a loader says of itself against what the firmware's variables say."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib.boot.loaders import Pair, chosen, pair_of_oglive, stub
from oglib.boot.secure.firmware import Accepts, Signers, read_accepts, signers_in
from oglib.boot.secure.judging import why_refused
from oglib.boot.secure.loader import Loader
from oglib.errors import OgError
from unit.boot.loaders import authority, grub, loader, shim, signature_list

MICROSOFT, NEWER, DEBIAN, STRANGER = map(authority, ("MS 2011", "MS 2023", "Debian CA", "Stranger"))
SHIM = Loader("shim", shim([MICROSOFT, NEWER], DEBIAN))
GRUB = Loader("GRUB", grub([DEBIAN]))
GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
IMAGES = "d719b2cb-3d3a-4596-a3bc-dad00e67656f"
LEVEL = "605dab50-e046-4300-abb6-3dd810dd8b23"


def accepts(*allowed: bytes, level: dict[str, int] | None = None, **more: Signers) -> Accepts:
    return Accepts(True, Signers(allowed), level=level or {}, **more)


def test_what_a_loader_says_of_itself() -> None:
    assert SHIM.generations == {"sbat": 1, "shim": 4}
    assert SHIM.brings_level == {"sbat": 1, "grub": 5}
    assert SHIM.brings_certificates == (DEBIAN.der,)
    assert [MICROSOFT.der in chain for chain in SHIM.signatures] == [True, False]
    assert GRUB.generations == {"sbat": 1, "grub": 5}
    assert GRUB.brings_level == {}


@pytest.mark.parametrize("one", [MICROSOFT, NEWER])
def test_either_signature_of_a_shim_is_enough(one: object) -> None:
    assert isinstance(one, type(MICROSOFT))
    assert why_refused(SHIM, GRUB, accepts(one.der)) == ""


@pytest.mark.parametrize(
    ("first", "second", "known", "why"),
    [
        (SHIM, GRUB, accepts(), "shim is signed by MS 2011 and MS 2023, which this PC does not"),
        (SHIM, GRUB, accepts(STRANGER.der), "which this PC does not accept"),
        (None, GRUB, accepts(MICROSOFT.der), "GRUB is signed by Debian CA"),
        (SHIM, Loader("GRUB", grub([])), accepts(MICROSOFT.der), "GRUB is not signed"),
        (SHIM, Loader("GRUB", grub([STRANGER])), accepts(MICROSOFT.der), "signed by Stranger"),
        (SHIM, Loader("GRUB", grub([DEBIAN], generation=4)), accepts(MICROSOFT.der),
         "GRUB has generation 4 of grub, and this PC starts 5"),
        (SHIM, GRUB, accepts(MICROSOFT.der, level={"grub": 6}), "starts 6 or newer"),
        (SHIM, GRUB, accepts(MICROSOFT.der, level={"shim": 5}), "shim has generation 4 of shim"),
        (SHIM, Loader("GRUB", loader({}, [DEBIAN])), accepts(MICROSOFT.der), "no generations"),
        (SHIM, GRUB, accepts(MICROSOFT.der, forbidden=Signers(digests=frozenset([GRUB.digest]))),
         "GRUB is on the firmware's list"),
        (SHIM, GRUB, accepts(MICROSOFT.der, forbidden=Signers((DEBIAN.der,))), "signed by Debian"),
        (Loader("shim", b"no loader"), GRUB, accepts(MICROSOFT.der), "it is cut off"),
        (Loader("shim", b"MZ" + bytes(200)), GRUB, accepts(MICROSOFT.der), "it is no loader"),
    ],
)  # fmt: skip
def test_what_is_not_started(
    first: Loader | None, second: Loader, known: Accepts, why: str
) -> None:
    assert why in why_refused(first, second, known)


def test_a_changed_byte_is_no_signature() -> None:
    data = bytearray(GRUB.data)
    data[0x10] ^= 1
    assert "GRUB is not signed" in why_refused(
        SHIM, Loader("GRUB", bytes(data)), accepts(MICROSOFT.der)
    )


def test_a_digest_that_the_site_enrolled() -> None:
    unsigned = Loader("GRUB", grub([]))
    known = Accepts(True, Signers((MICROSOFT.der,), frozenset([unsigned.digest])))
    assert why_refused(SHIM, unsigned, known) == ""


@pytest.mark.parametrize("known", [Accepts(), Accepts(enforced=False)])
def test_without_secure_boot_everything_starts(known: Accepts) -> None:
    assert why_refused(None, Loader("GRUB", b""), known) == ""


def variables(folder: Path, **values: bytes) -> Path:
    folder.mkdir(exist_ok=True)
    guids = {"SecureBoot": GLOBAL, "SetupMode": GLOBAL, "SbatLevelRT": LEVEL}
    for name, value in values.items():
        (folder / f"{name}-{guids.get(name, IMAGES)}").write_bytes(b"\6\0\0\0" + value)
    return folder


def test_the_variables_of_the_firmware(tmp_path: Path) -> None:
    folder = variables(
        tmp_path / "vars", SecureBoot=b"\1", SetupMode=b"\0",
        db=signature_list([MICROSOFT.der, NEWER.der]),
        dbx=signature_list([b"d" * 32, b"e" * 32], digests=True),
        SbatLevelRT=b"sbat,1,2024040900\nshim,4\ngrub,4\n",
    )  # fmt: skip
    found = read_accepts(folder)
    assert found.enforced
    assert found.allowed.certificates == (MICROSOFT.der, NEWER.der)
    assert found.forbidden.digests == {b"d" * 32, b"e" * 32}
    assert found.level == {"sbat": 1, "shim": 4, "grub": 4}
    assert why_refused(SHIM, GRUB, found) == ""


def test_what_is_not_known_is_not_off(tmp_path: Path) -> None:
    assert read_accepts(tmp_path / "none").enforced is None
    assert read_accepts(variables(tmp_path / "empty")).enforced is None
    assert read_accepts(variables(tmp_path / "off", SecureBoot=b"\0")).enforced is False
    setup = variables(tmp_path / "setup", SecureBoot=b"\1", SetupMode=b"\1")
    assert read_accepts(setup).enforced is False
    bare = variables(tmp_path / "bare", SecureBoot=b"\1")
    assert read_accepts(bare).allowed == Signers()
    (tmp_path / f"bare/db-{IMAGES}").symlink_to(f"db-{IMAGES}")
    with pytest.raises(OgError):
        read_accepts(tmp_path / "bare")


@pytest.mark.parametrize("cut", [0, 10, 27, 28, 60, 300])
def test_a_cut_list_ends(cut: int) -> None:
    raw = signature_list([MICROSOFT.der])
    assert signers_in(raw[:cut]) == Signers()
    assert signers_in(raw + raw[:cut]).certificates == (MICROSOFT.der,)
    assert signers_in(raw + bytes(100)).certificates == (MICROSOFT.der,)


def test_the_first_pair_that_starts_is_taken() -> None:
    old = Pair("the system's", SHIM.data, grub([DEBIAN], generation=3))
    new = Pair("ogLive's", SHIM.data, GRUB.data)
    known = accepts(MICROSOFT.der)
    assert chosen([old, new], known) == (new, "")
    assert chosen([old, None], Accepts()) == (old, "")
    assert chosen([None, None], Accepts()) == (None, "")
    pair, why = chosen([old], known)
    assert pair is None
    assert "the system's GRUB has generation 3" in why
    assert "neither ogLive nor the system" in chosen([None], known)[1]


def test_where_pairs_come_from(tmp_path: Path) -> None:
    assert pair_of_oglive(tmp_path) is None
    for name, data in (
        ("usr/lib/shim/shimx64.efi.signed", SHIM.data),
        ("usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed", GRUB.data),
    ):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_bytes(data)
    found = pair_of_oglive(tmp_path)
    assert found == Pair("ogLive's", SHIM.data, GRUB.data)
    (tmp_path / "usr/lib/shim/mmx64.efi.signed").write_bytes(b"keys")
    found = pair_of_oglive(tmp_path)
    assert found is not None
    assert list(found.files("x")) == ["grub.cfg", "grubx64.efi", "mmx64.efi", "shimx64.efi"]


def test_the_stub_is_made_of_plain_words_alone() -> None:
    assert stub("11-22", "/@/boot/grub") == (
        "search --no-floppy --fs-uuid --set=root 11-22\nset prefix=($root)/@/boot/grub\n"
        "configfile $prefix/grub.cfg\n"
    )
    for uuid, prefix in (("", "/boot"), ("a;reboot", "/boot"), ("a", "boot"), ("a", "/b c"),
                         ("a", "/$x"), ("a\n", "/boot")):  # fmt: skip
        with pytest.raises(OgError):
            stub(uuid, prefix)
