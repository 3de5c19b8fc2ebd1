# SPDX-License-Identifier: GPL-3.0-or-later
"""rEFInd's menu, changed by its blocks; what is not meant stays byte for byte."""

from __future__ import annotations

import pytest

from oglib.boot.refind import Loader, config, is_part, with_default, with_timeout, without
from oglib.errors import OgErr, OgError

OLD = """\
default_selection "Part-01-03"
# menuentry "Part-01-02" {
timeout 20
menuentry "Part-01-02" {
    loader /EFI/Part-01-02/Boot/ogloader.efi
    submenuentry "rescue" {
        add_options "single"
    }
}
menuentry Part-01-03 {
    loader /EFI/Part-01-03/Boot/ogloader.efi
    icon /EFI/refind/icons/os_win8.png
}
scanfor manual"""


def test_a_menu_is_made() -> None:
    oglive = Loader("OpenGnsys Live", "boot/ogLive/ogvmlinuz", "a-b", "boot/ogLive/i", 'a="b c"')
    text = config([Loader("Part-01-02", "EFI/Part-01-02/Boot/x.efi"), oglive], scanning=False)
    assert text == (
        "timeout 20\nshowtools reboot,shutdown\nscanfor manual\n\n"
        'menuentry "Part-01-02" {\n    loader /EFI/Part-01-02/Boot/x.efi\n}\n\n'
        'menuentry "OpenGnsys Live" {\n    volume a-b\n    ostype Linux\n'
        "    loader /boot/ogLive/ogvmlinuz\n    initrd /boot/ogLive/i\n"
        '    options "a=""b c"""\n}\n'
    )
    assert "scanfor internal,manual\n" in config([], scanning=True)


def test_an_entry_goes_with_the_default_that_named_it() -> None:
    assert without(OLD, "Part-01-03") == (
        OLD.replace('default_selection "Part-01-03"\n', "").replace(
            "menuentry Part-01-03 {\n    loader /EFI/Part-01-03/Boot/ogloader.efi\n"
            "    icon /EFI/refind/icons/os_win8.png\n}\n",
            "",
        )
    )


def test_an_entry_ends_where_its_block_does() -> None:
    left = without(OLD, "Part-01-02")
    assert left.splitlines()[:4] == [
        'default_selection "Part-01-03"', '# menuentry "Part-01-02" {', "timeout 20",
        "menuentry Part-01-03 {",
    ]  # fmt: skip
    assert left.endswith("}\nscanfor manual")


def test_default_and_timeout_are_one_line_each() -> None:
    text = with_default(OLD, "Part-01-02")
    assert text == 'default_selection "Part-01-02"\n' + OLD.partition("\n")[2]
    assert with_default(text, "Part-01-02") == text
    assert with_timeout(OLD, 5).startswith("timeout 5\n")
    assert with_timeout(OLD, 5).count("timeout ") == 1
    assert with_timeout(OLD, 0).startswith("timeout -1\n")


def test_what_is_not_there_or_too_much() -> None:
    for call in (without, with_default):
        with pytest.raises(OgError) as told:
            call(OLD, "Part-01")
        assert told.value.code == OgErr.NOTFOUND
    with pytest.raises(OgError) as told:
        with_timeout(OLD, 4000)
    assert told.value.code == OgErr.OUTOFLIMIT


@pytest.mark.parametrize("name", ['Part-01-02" {', "Part-1-2", "Part-01-02.old", "part-01-02", ""])
def test_other_folders_are_no_entries(name: str) -> None:
    assert not is_part(name)
    assert is_part("Part-01-12")
