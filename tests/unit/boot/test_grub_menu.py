# SPDX-License-Identifier: GPL-3.0-or-later
"""GRUB's menu by its structure: read, changed, and left as it was everywhere else."""

from __future__ import annotations

import time

import pytest

from oglib.boot.menu.defaults import lock_script, with_variables
from oglib.boot.menu.edits import (
    PartitionNames,
    entries_of,
    entry_named,
    with_default,
    with_resolution,
    with_theme,
    with_timeout,
    without,
)
from oglib.boot.menu.entries import is_oglive, with_hidden, with_oglive
from oglib.boot.menu.lock import digest_of, is_locked, with_lock, without_lock
from oglib.boot.menu.reader import Menu, read_menu
from oglib.boot.menu.words import quoted, unquoted
from oglib.errors import NotFoundError, OgErr, OgError, UsageError
from unit.boot.menus import MENU, OTHER, ROOT, TITLES

UBUNTU = PartitionNames("", OTHER, "Part-01-03")
WINDOWS = PartitionNames("/dev/sda1", "0123456789ABCDEF", "Part-01-01")


def titles(text: str) -> list[str]:
    return [one.title for one in read_menu(text).all_entries]


def changed_lines(new: str, old: str = MENU) -> tuple[list[str], list[str]]:
    """The lines that went, and those that came."""
    before, after = old.split("\n"), new.split("\n")
    gone = [line for line in before if line not in after]
    return gone, [line for line in after if line not in before]


def test_entries_with_their_numbers_ids_and_what_they_start() -> None:
    menu = read_menu(MENU)
    assert {one.number: one.title for one in menu.all_entries} == TITLES
    debian, advanced, inner, windows, ubuntu, setup = menu.all_entries
    assert debian.id == f"gnulinux-simple-{ROOT}"
    assert debian.root == f"UUID={ROOT}"
    assert debian.searched == ROOT
    assert advanced.is_submenu
    assert not debian.is_submenu
    assert inner.path == (1, 0)
    assert (windows.device, ubuntu.device) == ("/dev/sda1", "/dev/sda3")
    assert [one.guarded for one in menu.entries] == [False, False, False, False, True]
    assert setup.id == "uefi-firmware"
    assert menu.setting("default") == "0"
    assert menu.setting("timeout") == "5"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("menuentry 'a {\n}\n", "a quote in line 1 never ends"),
        ('set x="a\n', "a quote in line 1 never ends"),
        ("menuentry a {\n", "never closed"),
        ("}\n", "never opened"),
        ("{" * 60, "nested too deep"),
        ("x" * (1 << 20) + "x", "more than a menu has"),
    ],
)
def test_what_is_no_menu(text: str, why: str) -> None:
    with pytest.raises(OgError) as caught:
        read_menu(text)
    assert why in caught.value.message
    assert caught.value.code == OgErr.NOTWRITE


@pytest.mark.parametrize(
    "text",
    [
        "a " * 500_000,
        "\\\n" * 500_000,
        '"a" ' * 200_000,
        "$" * 1_000_000,
        "menuentry a {\n}\n" * 9999,
    ],
)
def test_a_long_text_is_read_in_a_time_that_grows_with_it(text: str) -> None:
    begun = time.process_time()
    read_menu(text)
    assert time.process_time() - begun < 20  # ten times what it takes


@pytest.mark.parametrize(
    "word", ["a", "a b", "it's", "$(reboot)", "`x`", 'a"b', "{", "}", "#", ";"]
)
def test_a_quoted_word_is_that_word_and_one(word: str) -> None:
    assert unquoted(quoted(word)) == word
    menu = read_menu(f"menuentry {quoted(word)} {{\n}}\nmenuentry b {{\n}}\n")
    assert [one.title for one in menu.entries] == [word, "b"]


@pytest.mark.parametrize("name", ["2", "osprober-chain-1", "Windows 10 (on /dev/sda1)"])
def test_a_default_by_number_id_or_title(name: str) -> None:
    menu = read_menu(MENU)
    done = with_default(menu, entry_named(menu, name))
    assert changed_lines(done.text) == (
        ['   set default="0"'],
        ['   set default="osprober-chain-1"'],
    )
    assert done.defaults == (("GRUB_DEFAULT", "osprober-chain-1"),)
    again = read_menu(done.text)
    assert with_default(again, entry_named(again, name)).text == done.text


def test_a_default_in_a_submenu_and_one_whose_id_is_no_plain_word() -> None:
    menu = read_menu(MENU)
    done = with_default(menu, entry_named(menu, "1>0"))
    assert f'"gnulinux-advanced-{ROOT}>gnulinux-6.12-advanced-{ROOT}"' in done.text
    hostile = "set default=0\nmenuentry a {\n}\nmenuentry b --id '\"; reboot; \"' {\n}\n"
    menu = read_menu(hostile)
    assert 'set default="1"' in with_default(menu, menu.entries[1]).text
    doubled = "set default=0\nmenuentry a --id x {\n}\nmenuentry b --id x {\n}\n"
    menu = read_menu(doubled)
    assert 'set default="1"' in with_default(menu, menu.entries[1]).text


def test_a_saved_default_is_the_one_that_was_said() -> None:
    menu = read_menu(MENU.replace('default="0"', 'default="${saved_entry}"'))
    done = with_default(menu, entry_named(menu, "3"))
    assert f'default="osprober-gnulinux-simple-{OTHER}"' in done.text
    assert 'default="${next_entry}"' in done.text


@pytest.mark.parametrize("name", ["9", "nothing", ""])
def test_an_entry_that_is_not_there(name: str) -> None:
    with pytest.raises(NotFoundError):
        entry_named(read_menu(MENU), name)


def test_the_entries_of_a_partition() -> None:
    menu = read_menu(MENU)
    assert [one.number for one in entries_of(menu, WINDOWS)] == ["2"]
    assert entries_of(menu, UBUNTU) == ()  # its title names another device
    place = PartitionNames("/dev/sda3", OTHER, "Part-01-03")
    assert [one.number for one in entries_of(menu, place)] == ["3"]
    own = PartitionNames("/dev/sda2", ROOT, "Part-01-02")
    assert [one.number for one in entries_of(menu, own)] == ["0", "1>0"]
    assert entries_of(menu, PartitionNames("", "", "Part-01-09")) == ()


def test_deleted_entries_leave_all_others_and_the_default_follows_its_own() -> None:
    menu = read_menu(MENU.replace('default="0"', 'default="3"'))
    done = without(menu, entries_of(menu, WINDOWS))
    assert titles(done.text) == [title for title in TITLES.values() if "Windows" not in title]
    assert read_menu(done.text).setting("default") == "2"
    assert done.defaults == (("GRUB_DEFAULT", "2"),)
    kept = done.text.replace('default="2"', 'default="3"')
    assert changed_lines(kept, menu.text)[1] == []


def test_a_submenu_whose_entries_all_go_goes_too() -> None:
    menu = read_menu(MENU)
    done = without(menu, entries_of(menu, PartitionNames("/dev/sda2", ROOT, "Part-01-02")))
    assert titles(done.text) == list(TITLES.values())[3:]


def test_the_default_that_goes_becomes_the_first() -> None:
    menu = read_menu(MENU.replace('default="0"', 'default="osprober-chain-1"'))
    done = without(menu, entries_of(menu, WINDOWS))
    assert read_menu(done.text).setting("default") == "0"


def test_an_entry_in_an_if_leaves_a_command_in_its_place() -> None:
    menu = read_menu(MENU)
    done = without(menu, [entry_named(menu, "uefi-firmware")])
    assert "then\n\ttrue\nfi\n" in done.text


@pytest.mark.parametrize("said", ["default=2", 'set "default=2"', "set default='2'"])
@pytest.mark.parametrize("entry", ["%s", "if a; then\n%s\nfi"])
def test_a_default_holds_however_the_menu_sets_it(said: str, entry: str) -> None:
    text = entry.replace("%s", "menuentry a --id x {\n}") + f"\nset default=1\n{said}\n"
    menu = read_menu(text)
    assert menu.setting("default") == "2"
    done = with_default(menu, menu.entries[0])
    assert done.text == text.replace("default=1", 'default="x"').replace(
        said, 'set default="x"' if said.startswith("set") else 'default="x"'
    )
    assert read_menu(done.text).setting("default") == "x"


def test_a_default_that_would_not_hold_is_refused_and_one_for_once_wins() -> None:
    once = 'if [ "$n" ]; then\nset default="$n"\nfi\n'
    menu = read_menu(once + "menuentry a --id x {\n}\n")
    assert with_default(menu, menu.entries[0]).text == f'set default="x"\n{menu.text}'
    menu = read_menu('set default=0\nmenuentry a --id x {\n}\ndefault="$n"\n')
    with pytest.raises(OgError) as caught:
        with_default(menu, menu.entries[0])
    assert caught.value.code == OgErr.NOTWRITE
    assert "line 4" in caught.value.message


def test_the_timeout() -> None:
    menu = read_menu(MENU)
    done = with_timeout(menu, 12, hidden=True)
    assert done.text == MENU.replace("timeout=5", "timeout=12").replace(
        "style=menu", "style=hidden"
    )
    assert done.defaults == (("GRUB_TIMEOUT", "12"), ("GRUB_TIMEOUT_STYLE", "hidden"))
    assert with_timeout(menu, 5).text == MENU
    with pytest.raises(UsageError) as caught:
        with_timeout(menu, 3601)
    assert caught.value.code == OgErr.OUTOFLIMIT


def test_what_the_menu_does_not_say_yet_is_said_before_its_entries() -> None:
    menu = read_menu("# a comment\nmenuentry a {\n}\n")
    assert with_timeout(menu, 3).text == "# a comment\nset timeout=3\nmenuentry a {\n}\n"


def test_the_resolution() -> None:
    menu = read_menu(MENU)
    assert changed_lines(with_resolution(menu, "1024x768").text) == (
        ["  set gfxmode=auto"],
        ["  set gfxmode=1024x768"],
    )
    for wrong in ("big", "1024x768;reboot", "", "1x1", "1024x768\n"):
        with pytest.raises(UsageError):
            with_resolution(menu, wrong)


def test_a_theme() -> None:
    done = with_theme(read_menu(MENU), "Basic", "/boot/grub/themes/Basic/theme.txt")
    again = with_theme(read_menu(done.text), "Other", "/boot/grub/themes/Other/theme.txt")
    assert read_menu(done.text).setting("theme") == ""  # beside the menu, wherever that lies
    assert "set theme=$prefix/themes/Basic/theme.txt\nexport theme\n" in done.text
    assert again.text == done.text.replace("Basic", "Other")
    for wrong in ("../x", "a b", "", "$x", "a/b"):
        with pytest.raises(UsageError):
            with_theme(read_menu(MENU), wrong, "")


def test_a_lock_lets_every_entry_start() -> None:
    digest = digest_of("secret", salt=b"s" * 64)
    done = with_lock(read_menu(MENU), "root", digest)
    menu = read_menu(done.text)
    assert is_locked(menu)
    assert all("--unrestricted" in one.options for one in menu.all_entries)
    assert f"password_pbkdf2 root {digest}\n" in done.text
    assert "secret" not in done.text
    assert with_lock(menu, "root", digest).text == done.text
    assert not is_locked(read_menu(without_lock(menu).text))
    assert "password" not in with_lock(menu, "root").text
    assert "mallory" not in with_lock(read_menu("superusers=mallory\n" + MENU), "root").text
    with pytest.raises(UsageError):
        with_lock(menu, "root; reboot", digest)


@pytest.mark.parametrize(
    ("search", "found"),
    [
        (f"search --fs-uuid {OTHER} --set=root", OTHER),
        (f"search --set=root --fs-uuid {OTHER} --hint hd0,msdos2", OTHER),
        (f"search -nu '{OTHER}' root # x", OTHER),
        (f"if search.fs_uuid {OTHER} root hd0,gpt2; then true; fi", OTHER),
        ("search --set=root --label x", ""),
    ],
)
def test_where_an_entry_looks_for_its_filesystem(search: str, found: str) -> None:
    (entry,) = read_menu(f"menuentry x {{\n{search}\n}}\n").entries
    assert entry.searched == found


@pytest.mark.parametrize("password", ["", "a\nb", "a\0b"])
def test_what_is_no_password(password: str) -> None:
    with pytest.raises(UsageError):
        digest_of(password)


def oglive(text: str = MENU) -> Menu:
    words = ["ip=dhcp", "ogrepo=10.1.0.1", "it's; reboot"]
    return read_menu(with_oglive(read_menu(text), OTHER, "/boot/ogLive", words).text)


def test_oglive_is_the_first_entry_and_the_default_stays_the_same() -> None:
    menu = oglive()
    first = menu.entries[0]
    assert is_oglive(first)
    assert first.searched == OTHER
    (words,) = first.values("linux")
    assert words == ("/boot/ogLive/ogvmlinuz", "ip=dhcp", "ogrepo=10.1.0.1", "it's; reboot")
    assert [one.title for one in menu.all_entries][1:] == list(TITLES.values())
    assert menu.setting("default") == "1"
    assert oglive(menu.text).text == menu.text
    old = MENU.replace("### BEGIN /etc/grub.d/10", "menuentry OpenGnsys --class x {\n}\n###", 1)
    assert sum(is_oglive(one) for one in oglive(old).entries) == 1


def test_partitions_are_hidden_before_a_windows_starts() -> None:
    menu = read_menu(MENU)
    windows = entry_named(menu, "2")
    done = with_hidden(menu, [(windows, ["parttool (hd0,msdos2) hidden+"])])
    lines = "{\n\tparttool (hd0,msdos2) hidden+\n\tinsmod ntfs\n"
    assert lines in done.text
    again = read_menu(done.text)
    both = with_hidden(again, [(entry_named(again, "2"), ["parttool (hd0,msdos2) hidden+"])])
    assert both.text == done.text


def test_the_defaults_of_the_system() -> None:
    text = "GRUB_DEFAULT=0\n#GRUB_GFXMODE=640x480\nGRUB_TIMEOUT=5\nGRUB_TIMEOUT=7"
    new = with_variables(text, [("GRUB_TIMEOUT", "9"), ("GRUB_GFXMODE", "800x600")])
    assert new == (
        'GRUB_DEFAULT=0\n#GRUB_GFXMODE=640x480\nGRUB_TIMEOUT=5\nGRUB_TIMEOUT="9"\n'
        'GRUB_GFXMODE="800x600"\n'
    )
    assert with_variables("", [("A", "b")]) == 'A="b"\n'
    for hostile in ("$(reboot)", "`x`", 'a"b', "a\nb", "a\\"):
        with pytest.raises(UsageError):
            with_variables("", [("GRUB_DEFAULT", hostile)])


@pytest.mark.parametrize(
    ("text", "new"),
    [
        ("GRUB_TIMEOUT=5 # keep me\n", 'GRUB_TIMEOUT="9" # keep me\n'),
        ("GRUB_TIMEOUT=5\r\nA=1\r\n", 'GRUB_TIMEOUT="9"\r\nA=1\r\n'),
        (" \tGRUB_TIMEOUT='5 x' \n", ' \tGRUB_TIMEOUT="9" \n'),
        ("GRUB_TIMEOUT=9\n", "GRUB_TIMEOUT=9\n"),
        ("GRUB_TIMEOUT='9' # so\n", "GRUB_TIMEOUT='9' # so\n"),
        ("GRUB_TIMEOUT_STYLE=menu\n", 'GRUB_TIMEOUT_STYLE=menu\nGRUB_TIMEOUT="9"\n'),
        ("A=\"x ${GRUB_TIMEOUT}\"\n", 'A="x ${GRUB_TIMEOUT}"\nGRUB_TIMEOUT="9"\n'),
        ("# it's GRUB_TIMEOUT=5\n", '# it\'s GRUB_TIMEOUT=5\nGRUB_TIMEOUT="9"\n'),
        ("GRUB_TIMEOUT=5\nexport GRUB_TIMEOUT\n", 'GRUB_TIMEOUT="9"\nexport GRUB_TIMEOUT\n'),
        ("D=`( . /etc/os-release; echo ${NAME:-Debian} ) || echo Debian`\n",
         'D=`( . /etc/os-release; echo ${NAME:-Debian} ) || echo Debian`\nGRUB_TIMEOUT="9"\n'),
        ("D=\"$(sed 's, release .*$,,g' /etc/system-release)\"\n",
         'D="$(sed \'s, release .*$,,g\' /etc/system-release)"\nGRUB_TIMEOUT="9"\n'),
        ("if a; then\nB=1\nfi\nC='a\nb'\n",
         "if a; then\nB=1\nfi\nC='a\nb'\nGRUB_TIMEOUT=\"9\"\n"),
    ],
)  # fmt: skip
def test_a_plain_assignment_changes_in_its_value_alone(text: str, new: str) -> None:
    assert with_variables(text, [("GRUB_TIMEOUT", "9")]) == new


@pytest.mark.parametrize(
    "text",
    [
        "GRUB_TIMEOUT=5; GRUB_DEFAULT=3\n",
        "GRUB_DEFAULT=3; GRUB_TIMEOUT=5\n",
        "GRUB_TIMEOUT=\\\n5\n",
        "GRUB_TIMEOUT=5\\\n6\n",
        "A=\\\nGRUB_TIMEOUT=5\n",
        "A='\nGRUB_TIMEOUT=5\n'\n",
        'A="\nGRUB_TIMEOUT=5\n"\n',
        "A=`\nGRUB_TIMEOUT=5\n`\n",
        "A=$(\nGRUB_TIMEOUT=5\n)\n",
        "GRUB_TIMEOUT='5\n6'\n",
        "A='open\n",
        'A="open\n',
        "A=5\\",
        "if a; then\nGRUB_TIMEOUT=5\nfi\n",
        "f() {\nGRUB_TIMEOUT=5\n}\n",
        "a && GRUB_TIMEOUT=5\n",
        "export GRUB_TIMEOUT=5\n",
        "GRUB_TIMEOUT+=5\n",
        ": ${GRUB_TIMEOUT:=5}\n",
        "unset GRUB_TIMEOUT\n",
        "eval 'GRUB_TIMEOUT=5'\n",
        "GRUB_TIMEOUT=5 true\n",
        "GRUB_TIMEOUT=1>2\n",
        'GRUB_TIMEOUT="$(cat)"\n',
        "GRUB_TIMEOUT=`cat`\n",
        "cat <<E\nGRUB_TIMEOUT=5\nE\n",
        "GRUB_TIMEOUT=5; A=1\nGRUB_TIMEOUT=6\n",
    ],
)
def test_what_is_no_plain_assignment_is_not_changed(text: str) -> None:
    with pytest.raises(OgError) as caught:
        with_variables(text, [("GRUB_TIMEOUT", "9")])
    assert caught.value.code == OgErr.NOTWRITE
    assert "Nothing was written" in caught.value.message


def test_the_lock_of_the_next_update_grub() -> None:
    assert "password" not in lock_script("root", "")
    assert "password_pbkdf2 root grub.x\n" in lock_script("root", "grub.x")
