# SPDX-License-Identifier: GPL-3.0-or-later
"""``og boot``: the menu of a system on a disk changed, judged by GRUB's own check; hostile ones."""

from __future__ import annotations

import json
import os
import subprocess
from io import StringIO
from pathlib import Path

import pytest

from disk.boot.room import inside, make_system, names, read
from disk.deploy.room import og, said
from oglib.boot.menu import judge
from oglib.boot.menu.defaults import LOCK_PATH
from oglib.boot.menu.lock import digest_of
from oglib.errors import OgErr, OgError
from unit.boot.menus import MENU, TITLES

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="needs root: loop devices, mounts")

CFG = "boot/grub/grub.cfg"
DEFAULTS = "etc/default/grub"


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    return make_system(tmp_path)


def understood(text: str, folder: Path) -> None:
    file = folder / "judged.cfg"
    file.write_text(text)
    said("grub-script-check", file)


def test_the_menu_is_listed(disk: Path) -> None:
    answer = json.loads(og("boot", "menu", disk, "1", "--json").out)
    assert {one["number"]: one["title"] for one in answer["entries"]} == TITLES
    assert [one["number"] for one in answer["entries"] if one["default"]] == ["0"]
    assert (answer["file"], answer["timeout"]) == (CFG, "5")
    assert "* 0" in og("boot", "menu", disk, "1").out


def test_where_no_default_is_set_it_is_the_first(tmp_path: Path) -> None:
    disk = make_system(tmp_path, {CFG: "menuentry 'a' {\n\ttrue\n}\nmenuentry 'b' {\n\ttrue\n}\n"})
    assert "* 0" in og("boot", "menu", disk, "1").out


def test_a_default_in_a_submenu_is_marked(disk: Path) -> None:
    assert og("boot", "default", disk, "1", "1>0").status == 0
    assert "* 1>0" in og("boot", "menu", disk, "1").out


def test_changes_come_together_and_twice_changes_nothing(disk: Path, tmp_path: Path) -> None:
    words = [
        ("default", disk, "1", "osprober-chain-1"),
        ("timeout", disk, "1", "12", "--hidden"),
        ("resolution", disk, "1", "1024x768"),
        ("lock", disk, "1", "--nobody"),
    ]
    for one in words:
        done = og("boot", *one)
        assert done.status == 0, done.err
        understood(read(disk, CFG), tmp_path)
    text = read(disk, CFG)
    for line in ('default="osprober-chain-1"', "timeout=12", "timeout_style=hidden",
                 "gfxmode=1024x768", 'superusers="root"'):  # fmt: skip
        assert line in text
    assert read(disk, DEFAULTS) == (
        'GRUB_DEFAULT="osprober-chain-1"\nGRUB_TIMEOUT="12"\nGRUB_TIMEOUT_STYLE="hidden"\n'
        'GRUB_GFXMODE="1024x768"\n'
    )
    assert 'superusers="root"' not in read(disk, f"{CFG}.og-old")
    before = names(disk)
    for one in words:
        assert og("boot", *one).out.startswith("already so")
    assert names(disk) == before
    assert og("boot", "unlock", disk, "1").status == 0
    assert "superusers" not in read(disk, CFG)
    with inside(disk) as at:
        assert not (at / "etc/grub.d/01_oglive_lock").exists()


def test_a_dry_run_shows_the_difference_and_writes_nothing(disk: Path) -> None:
    before = names(disk)
    done = og("boot", "timeout", disk, "1", "9", "--dry-run")
    assert "-  set timeout=5\n+  set timeout=9\n" in done.out
    assert names(disk) == before


def test_a_password_goes_by_a_file_or_standard_input_and_stays_nowhere(
    disk: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_text("geheim-4711\n")
    file.chmod(0o644)
    refused = og("boot", "lock", disk, "1", "--password-file", file)
    assert "can be read by others" in refused.error
    file.chmod(0o600)
    assert og("boot", "lock", disk, "1", "--password-file", file).status == 0
    monkeypatch.setattr("sys.stdin", StringIO("geheim-4711\n"))
    assert og("boot", "lock", disk, "1", "--user", "admin").status == 0
    everything = names(disk)
    assert b"password_pbkdf2 admin grub.pbkdf2.sha512." in everything[CFG]
    assert b"password_pbkdf2 admin" in everything["etc/grub.d/01_oglive_lock"]
    assert not [name for name, content in everything.items() if b"geheim" in content]


def test_a_digest_is_read_by_root_alone_and_shown_to_nobody(disk: Path, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("geheim-4711\n")
    file.chmod(0o600)
    lock = ("boot", "lock", disk, "1", "--password-file", file)
    with inside(disk, options="rw") as at:
        (at / f"{CFG}.og-old").write_text("old\n")
        (at / LOCK_PATH).touch(0o755)
    for _ in range(2):
        for more in ((), ("--json",)):
            done = og(*lock, "--dry-run", *more)
            assert "password_pbkdf2 root grub.pbkdf2.(not shown)" in done.out
            assert "sha512" not in done.out
        assert og(*lock).status == 0
        text = read(disk, CFG)
        assert "password_pbkdf2 root grub.pbkdf2.sha512." in text
    with inside(disk) as at:
        for name in (CFG, f"{CFG}.og-old", LOCK_PATH):
            assert (at / name).stat().st_mode & 0o077 == 0, name


def test_what_is_said_again_is_carried_to_the_next_update_grub(disk: Path) -> None:
    words = ("boot", "timeout", disk, "1", "9")
    with inside(disk, options="rw") as at:
        said("chattr", "+i", at / DEFAULTS)
    assert og(*words).status == OgErr.NOTWRITE
    with inside(disk, options="rw") as at:
        said("chattr", "-i", at / DEFAULTS)
    done = og(*words)
    assert (done.status, "already so" in done.out) == (0, False)
    assert read(disk, DEFAULTS) == 'GRUB_DEFAULT=0\nGRUB_TIMEOUT="9"\n'
    assert "already so" in og(*words).out


def test_the_digest_is_that_of_grubs_own_tool() -> None:
    made = subprocess.run(
        ["grub-mkpasswd-pbkdf2"], input="secret\nsecret\n", capture_output=True, text=True,
        check=True,
    ).stdout.split()[-1]  # fmt: skip
    _, _, _, rounds, salt, _ = made.split(".")
    assert digest_of("secret", salt=bytes.fromhex(salt), rounds=int(rounds)) == made


def test_what_grub_runs_after_update_grub_makes_the_same_lock(disk: Path, tmp_path: Path) -> None:
    og("boot", "lock", disk, "1", "--nobody")
    with inside(disk) as at:
        script = (at / "etc/grub.d/01_oglive_lock").read_text()
        assert (at / "etc/grub.d/01_oglive_lock").stat().st_mode & 0o777 == 0o700
    file = tmp_path / "script"
    file.write_text(script)
    text = said("sh", file)
    understood(text, tmp_path)
    assert 'set superusers="root"' in text


def test_entries_of_another_partition_are_forgotten(disk: Path) -> None:
    refused = og("boot", "forget", disk, "1", "--disk", disk, "--part", "2")
    assert refused.status == OgErr.NOTFOUND
    done = og("boot", "forget", disk, "1", "--disk", disk, "--part", "1")
    assert done.status == 0
    assert "'Debian GNU/Linux'" not in read(disk, CFG)
    assert "Ubuntu" in read(disk, CFG)


def test_a_theme_must_be_there(disk: Path) -> None:
    assert og("boot", "theme", disk, "1", "Basic").status == OgErr.NOTFOUND
    with inside(disk, options="rw") as at:
        (at / "boot/grub/themes/Basic").mkdir(parents=True)
        (at / "boot/grub/themes/Basic/theme.txt").touch()
    assert og("boot", "theme", disk, "1", "Basic").status == 0
    assert "set theme=$prefix/themes/Basic/theme.txt" in read(disk, CFG)
    assert 'GRUB_THEME="/boot/grub/themes/Basic/theme.txt"' in read(disk, DEFAULTS)


def test_a_menu_that_grub_would_not_understand_is_not_written(tmp_path: Path) -> None:
    disk = make_system(tmp_path, {CFG: MENU + "if true; then\n"})
    before = names(disk)
    refused = og("boot", "timeout", disk, "1", "9")
    assert refused.status == OgErr.NOTWRITE
    assert "GRUB would not understand it" in refused.error
    assert names(disk) == before


def test_what_grub_judges() -> None:
    judge.check_script("", "an empty text")
    judge.check_script(MENU, "the menu")
    with pytest.raises(OgError):
        judge.check_script("menuentry a {\n", "half an entry")


@pytest.mark.parametrize("text", ["GRUB_TIMEOUT=5; GRUB_DEFAULT=3\n", "A='x\n", "A=1\n&& b\n"])
def test_defaults_that_are_not_changed_keep_the_menu_as_it_was(tmp_path: Path, text: str) -> None:
    disk = make_system(tmp_path, {DEFAULTS: text})
    before = names(disk)
    refused = og("boot", "timeout", disk, "1", "9")
    assert refused.status == OgErr.NOTWRITE
    assert DEFAULTS in refused.error
    assert names(disk) == before


HOSTILE = """\
menuentry '$(touch /tmp/og-trap)`touch /tmp/og-trap`' --id '";touch /tmp/og-trap;"' {
	true
}
"""


def test_shell_text_in_titles_and_ids_stays_text(tmp_path: Path) -> None:
    cfg = "set default=7\n" + HOSTILE + MENU
    disk = make_system(tmp_path, {CFG: cfg})
    assert og("boot", "default", disk, "1", "0").status == 0
    text = read(disk, CFG)
    assert 'set default="0"\n' in text
    assert HOSTILE in text
    assert read(disk, DEFAULTS).startswith("GRUB_DEFAULT=0\n")
    assert not Path("/tmp/og-trap").exists()


@pytest.mark.parametrize("way", ["absolute", "dots"])
@pytest.mark.parametrize("name", [CFG, DEFAULTS, "boot/grub", f"{CFG}.og-old"])
def test_links_lead_nowhere_outside(disk: Path, tmp_path: Path, name: str, way: str) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    for each in ("grub.cfg", "victim"):
        (outside / each).write_text(MENU)
    target = outside if name == "boot/grub" else outside / "victim"
    link = str(target) if way == "absolute" else "../" * 40 + str(target).lstrip("/")
    with inside(disk, options="rw") as at:
        place = at / name
        if place.is_dir():
            place.rename(at / "boot/away")
        place.unlink(missing_ok=True)
        place.symlink_to(link)
    og("boot", "timeout", disk, "1", "9")
    for each in ("grub.cfg", "victim"):
        assert (outside / each).read_text() == MENU
    assert sorted(one.name for one in outside.iterdir()) == ["grub.cfg", "victim"]


def test_a_system_without_a_menu(tmp_path: Path) -> None:
    disk = make_system(tmp_path)
    with inside(disk, options="rw") as at:
        (at / CFG).unlink()
    assert og("boot", "menu", disk, "1").status == OgErr.NOTFOUND
    assert og("boot", "menu", disk, "2").status == OgErr.FILESYS
