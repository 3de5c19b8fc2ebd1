# SPDX-License-Identifier: GPL-3.0-or-later
"""Boot entries in GRUB's menu, where the GRUB that reads it has no command for them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from oglib.boot import grub, place
from oglib.boot.default_entry import of_grub
from oglib.boot.facts import BootFacts
from oglib.boot.fittings import FITTINGS
from oglib.boot.static_menu import is_bls, with_static, without_static
from oglib.disk.firmware import Firmware
from oglib.errors import OgError
from oglib.fitting.fittings import Need, check_all, chosen
from oglib.osconfig.root import TargetRoot
from unit.boot.facts import BOOT, BOOT_UUID, GONE, ROOT_UUID, facts
from unit.osconfig.test_identity import put

needs_grub = pytest.mark.skipif(not shutil.which("grub-script-check"), reason="needs GRUB's tools")
ID = "0123456789abcdef0123456789abcdef"
MENU = f"""### BEGIN /etc/grub.d/00_header ###
load_env
set default="${{saved_entry}}"
### END /etc/grub.d/00_header ###
### BEGIN /etc/grub.d/10_linux ###
search --no-floppy --fs-uuid --set=root {GONE}
if [ -z "${{kernelopts}}" ]; then
  set kernelopts="root=UUID={GONE} ro "
fi

insmod blscfg
blscfg
### END /etc/grub.d/10_linux ###
"""
FILES = {
    f"boot/loader/entries/{ID}-0-rescue.conf": "title Red Hat (rescue)\nversion 0-rescue\n"
    "linux /vmlinuz-0-rescue\ninitrd /initramfs-0-rescue.img\noptions $kernelopts\n",
    f"boot/loader/entries/{ID}-5.14.0-70.el9.conf": "title Red Hat's (5.14.0-70)\n"
    "version 5.14.0-70.el9\nlinux /vmlinuz-5.14.0-70\n"
    "initrd /initramfs-5.14.0-70.img $tuned_initrd\n"
    f'options root=UUID={GONE} ro dyndbg="file a +p" $tuned_params\ngrub_arg --unrestricted\n',
    "boot/grub2/grub.cfg": MENU,
    "boot/grub2/grubenv": "# GRUB Environment Block\ntuned_params=quiet\n".ljust(1024, "#"),
}
BIOS = facts(boot=BOOT)
UEFI = replace(BIOS, firmware=Firmware.UEFI)


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A RHEL as its installer leaves it, and a GRUB of ours without the command."""
    for name, text in FILES.items():
        put(tmp_path / "root", name, text=text)
    monkeypatch.setattr(place, "_MODULES", tmp_path / "modules")
    return tmp_path / "root"


def fitted(tree: Path, told: BootFacts = BIOS) -> tuple[str, str]:
    """How the step ends, and the menu then."""
    with TargetRoot(tree) as root:
        (one,) = check_all(root, told, chosen(FITTINGS[Firmware.BIOS], ("grub.cfg",)))
        done = one.done(root)
    return f"{done.outcome}: {done.detail}", (tree / "boot/grub2/grub.cfg").read_text()


@needs_grub
def test_the_entries_stand_in_the_menu_the_newest_first(tree: Path) -> None:
    told, menu = fitted(tree)
    assert told.startswith("done: ")
    assert "boot/loader/entries stand in it now" in told
    assert "run this again after an update of the kernel" in told
    start = menu.partition("menuentry ")[2].partition("}\n")[0]
    assert start == (
        "'Red Hat'\\''s (5.14.0-70)' --class gnu-linux {\n"
        f"\tsearch --no-floppy --fs-uuid --set=root '{BOOT_UUID}'\n"
        f"\tlinux /vmlinuz-5.14.0-70 root=UUID={ROOT_UUID} ro 'dyndbg=file a +p' quiet\n"
        "\tinitrd /initramfs-5.14.0-70.img\n"
    )
    assert f"/vmlinuz-0-rescue root=UUID={ROOT_UUID} ro\n" in menu  # by kernelopts
    found = of_grub(menu, {})
    assert found is not None
    assert found.kernel == "/vmlinuz-5.14.0-70"
    assert not is_bls(menu)
    assert fitted(tree) == ("not-needed: already so", menu)


@needs_grub
def test_a_new_kernel_comes_in_when_it_is_fitted_again(tree: Path) -> None:
    fitted(tree)
    put(
        tree,
        f"boot/loader/entries/{ID}-5.14.0-284.el9.conf",
        text="title New\nversion 5.14.0-284\n"
        f"linux /vmlinuz-5.14.0-284\noptions root=UUID={ROOT_UUID} ro\n",
    )
    told, menu = fitted(tree)
    assert told.startswith("done: ")
    assert menu.index("menuentry 'New'") < menu.index("menuentry 'Red Hat'")
    assert menu.count("### BEGIN ogLive: blscfg ###") == 1


@needs_grub
def test_where_its_own_grub_starts_it_the_command_is_back(tree: Path) -> None:
    fitted(tree)
    told, menu = fitted(tree, UEFI)
    assert "read by the distribution's GRUB again" in told
    plain = MENU.replace(f"--set=root {GONE}", f"--set=root {BOOT_UUID}")
    assert menu == plain.replace(GONE, ROOT_UUID)
    assert fitted(tree, UEFI) == ("not-needed: already so", menu)


@needs_grub
def test_our_loader_on_an_esp_is_asked_of_the_menu_that_will_be_there(tree: Path) -> None:
    with TargetRoot(tree) as root:
        for _ in range(2):
            assert "(blscfg)" in place.not_understood(root, "x86_64-efi", "", static=False)
            fitted(tree)
        assert place.not_understood(root, "i386-pc", "") == ""


def test_a_grub_that_has_the_command_gets_none(tree: Path) -> None:
    place._MODULES.joinpath("i386-pc").mkdir(parents=True)
    place._MODULES.joinpath("i386-pc/blscfg.mod").touch()
    assert "menuentry" not in fitted(tree)[1]


@needs_grub
def test_boot_code_is_only_put_before_a_menu_that_it_reads(tree: Path) -> None:
    with TargetRoot(tree) as root:
        checked = grub.BIOS_CODE.check(root, BIOS)
        assert checked.need is Need.NEEDED
        with pytest.raises(OgError, match="reads boot/loader/entries by blscfg"):
            grub.BIOS_CODE.apply(root, BIOS, checked)


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("boot/grub2/grub.cfg", "if true; then\n blscfg; fi\n", "in a form that is not known"),
        (f"boot/loader/entries/{ID}-0-rescue.conf", "title Bad\nlinux /x\n", "'Bad' names no root"),
    ],
)
def test_what_would_not_start_is_refused_and_stays(
    tree: Path, name: str, text: str, why: str
) -> None:
    put(tree, name, text=text)
    before = (tree / "boot/grub2/grub.cfg").read_text()
    told, menu = fitted(tree)
    assert told.startswith("failed: boot/loader/entries cannot be written into GRUB's menu")
    assert why in told
    assert menu == before
    with TargetRoot(tree) as root:
        assert grub.BIOS_CODE.check(root, BIOS).need is Need.CANNOT


def test_words_of_an_entry_are_words_and_no_script() -> None:
    entry = "title x'\nlinux /v';reboot\ninitrd /i'\noptions root=x 'a;b' c=\"$d\"\n"
    menu = with_static("blscfg\n", {"a.conf": entry}, "", "u")
    assert menu.splitlines()[3:] == [
        "menuentry 'x'\\''' --class gnu-linux {",
        "\tsearch --no-floppy --fs-uuid --set=root 'u'",
        "\tlinux '/v'\\'';reboot' root=x 'a;b' c=",
        "\tinitrd '/i'\\'''",
        "}",
        "### END ogLive: blscfg ###",
    ]
    assert without_static(menu) == "blscfg\n"
