# SPDX-License-Identifier: GPL-3.0-or-later
"""`set`, `exam`, `mode` and `render --ogserver` as they are typed, with the tree they change."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ognetboot.assigning.ears import Ear, hearing
from ognetboot.assigning.reports import Heard
from ognetboot.assigning.store import Store
from ognetboot.cli import main
from ognetboot.hearing import documents
from ognetboot.verbs import render as render_verb
from unit.ognetboot.assigning.rooms import NOW, Say, given, render, report_reached
from unit.ognetboot.assigning.test_clientmode import written


def inodes_of(file: Path) -> dict[str, int]:
    tree = file.parent / "www/netboot"
    return {path.name: path.stat().st_ino for path in tree.rglob("*") if path.is_file()}


def script(file: Path, number: int = 1) -> str:
    return (file.parent / f"www/netboot/ipxe/mac-52-54-00-00-00-0{number}.ipxe").read_text()


def stamps(file: Path, number: int = 1) -> set[str]:
    lines = script(file, number).split()
    return {word.partition("=")[2] for word in lines if word.startswith("ogstamp=")} - {"0"}


def begins_with(file: Path, number: int = 1) -> str:
    """What is marked in the first screen of a PC's menu."""
    lines = [each for each in script(file, number).splitlines() if each.startswith("choose ")]
    return lines[0].split("--default ")[1].split()[0]


def test_for_good_is_a_word_of_the_inventory(file: Path, say: Say) -> None:
    before, inodes = file.read_text(), inodes_of(file)
    code, said = say("set", "pc1", "oglive")
    assert (code, said) == (0, "pc:pc1: oglive for good; before: localdisk\n")
    assert begins_with(file) == "entry_oglive"
    # one PC of thousands costs one PC
    assert {name for name, inode in inodes_of(file).items() if inodes.get(name) != inode} == {
        "mac-52-54-00-00-00-01.ipxe", "01-52:54:00:00:00:01"
    }  # fmt: skip
    added = set(file.read_text().splitlines()) - set(before.splitlines())
    assert added == {'entry = "oglive"'}
    assert render(file) == 0
    assert begins_with(file) == "entry_oglive"


def test_the_same_again_changes_no_byte(file: Path, say: Say) -> None:
    for words in (("room:aula1", "oglive"), ("pc2", "oglive", "--boots", "3")):
        assert say("set", *words)[0] == 0
        before = {path: path.stat().st_mtime_ns for path in file.parent.rglob("*.*")}
        code, said = say("set", *words)
        assert code == 0
        assert "nothing to change" in said
        after = {path: path.stat().st_mtime_ns for path in file.parent.rglob("*.*")}
        assert after == before


def test_this_once_is_over_when_the_pc_reports_and_is_rendered_so(file: Path, say: Say) -> None:
    with hearing(file, Ear.REPORT):
        code, said = say("set", "aula1", "oglive", "--once")
    assert code == 0
    assert said.splitlines() == [
        "room:aula1 (2 PCs): oglive this once; before: localdisk on 2",
        "A PC uses it up when it reports that it got there.",
    ]
    (stamp,) = stamps(file)
    assert begins_with(file, 2) == "entry_oglive"
    store = Store(file)
    now = store.read().all[0].made
    assert report_reached(store, "pc1", "oglive", stamp, now) is Heard.USED
    assert render(file) == 0
    assert (begins_with(file), begins_with(file, 2)) == ("entry_localdisk", "entry_oglive")
    assert render(file) == 0


def test_a_system_that_is_given_once_is_reported_by_ipxe(file: Path, say: Say) -> None:
    assert say("set", "pc1", "windows", "--once")[0] == 0
    text = script(file)
    number = Store(file).read().all[0].number
    (line,) = [each for each in text.splitlines() if "do/reached" in each]
    assert line.startswith("imgfetch --timeout ")
    assert line.endswith(f"&entry=windows&stamp={number}x1 ||")
    assert text.index(":entry_windows") < text.index(line) < text.index("goto disk_loader")
    assert "do/reached" not in script(file, 2)


def test_the_local_disk_given_once_is_reported_by_its_own_name(file: Path, say: Say) -> None:
    assert say("set", "pc3", "10", "--once")[0] == 0
    (line,) = [each for each in script(file, 3).splitlines() if "do/reached" in each]
    assert "&entry=10&stamp=" in line


def test_without_an_ear_that_is_said(say: Say) -> None:
    assert "No server is running, so PCs cannot report" in say("set", "pc1", "oglive", "--once")[1]


def test_followed_fetches_are_said(file: Path, say: Say) -> None:
    with hearing(file, Ear.FETCH):
        assert "its file was fetched" in say("set", "pc1", "menu", "--once")[1]
    code, said = say("set", "pc1", "menu", "--once")
    assert code == 1
    assert "nothing tells it" in said


def test_what_was_given_can_be_taken_back(file: Path, say: Say) -> None:
    say("set", "pc1", "pxe", "--once")
    say("set", "aula1", "oglive", "--until", "+2h")
    code, said = say("set", "aula1", "--clear")
    assert code == 0
    assert said.splitlines()[0] == (
        "room:aula1 (2 PCs): pxe on 1, localdisk on 1; before: pxe on 1, oglive on 1"
    )
    assert "pc:pc1 keeps what is given: pxe" in said
    assert begins_with(file, 2) == "entry_localdisk"
    assert "nothing to change" in say("set", "aula1", "--clear")[1]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("pc1", "nothing"), "there is no entry `nothing`"),
        (("pc1", "windos"), "Did you mean windows?"),
        (("nobody", "oglive"), "the inventory has no `nobody`"),
        (("pc3", "setup"), "pc3 has a BIOS"),
        (("pc1", "oglive", "--until", "2020-01-01"), "years away"),
        (("pc1", "oglive", "--from", "+1h"), "needs one to end"),
        (("group:exams", "oglive", "--boots", "0"), "not between"),
        (("pc1",), "set takes SCOPE and ENTRY"),
        (("pc1", "oglive", "--out", "/nowhere/netboot"), "no folder that `ognetboot render` wrote"),
    ],
)
def test_a_refusal_writes_nothing(file: Path, say: Say, words: tuple[str, ...], why: str) -> None:
    locks = set(file.parent.rglob("*.lock"))
    before = {p: p.read_bytes() for p in {*file.parent.rglob("*.*")} - locks if p.is_file()}
    code, said = say("set", *words)
    assert code in (1, 2)
    assert why in said
    after = {path: path.read_bytes() for path in file.parent.rglob("*.*") if path.is_file()}
    assert {path for path in after if not path.name.endswith(".lock")} == set(before)
    assert all(after[path] == content for path, content in before.items())


def test_a_protected_disk_is_not_written(file: Path, say: Say) -> None:
    text = file.read_text().replace(
        'name = "pc2"\n', 'name = "pc2"\nprotected_until = 2027-12-20\n'
    )
    file.write_text(text)
    code, said = say("set", "aula1", "install", "--once")
    assert code == 1
    assert "pc2 is protected from jobs that write to its disk until" in said
    assert begins_with(file) == "entry_localdisk"
    assert say("set", "pc1", "install", "--once")[0] == 0


def test_another_inventory_s_tree_is_refused(file: Path, say: Say) -> None:
    other = file.with_name("other.toml")
    other.write_text(file.read_text())
    code, said = say("set", "pc1", "oglive", "--inventory", str(other))
    assert code == 1
    assert f"was rendered from {file}" in said


def test_render_keeps_another_inventory_s_tree(
    file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = file.with_name("other.toml")
    other.write_text(file.read_text().replace("52:54:00:00:00:01", "52:54:00:00:00:07"))
    before = inodes_of(file)
    for options in ((), ("--dry-run",)):
        assert render(other, *options) == 1
        assert f"was rendered from {file}, not from {other}" in capsys.readouterr().err
    assert inodes_of(file) == before
    assert render(other, "--force") == 0
    assert not (file.parent / "www/netboot/ipxe/mac-52-54-00-00-00-01.ipxe").exists()
    assert render(other) == 0


def test_a_dry_run_says_the_same_and_writes_nothing(file: Path, say: Say) -> None:
    before = script(file)
    assert say("set", "pc1", "oglive", "--dry-run")[1].startswith("pc:pc1: oglive for good")
    assert script(file) == before
    assert 'entry = "oglive"' not in file.read_text().split("[[clients]]")[1]


def test_an_exam_locks_says_who_is_not_ready_and_ends(file: Path, say: Say) -> None:
    at = "2026-11-27T08:00:00+00:00"
    seen = {
        "pc1": {"at": at, "entry": "oglive", "ip": "", "oglive": "", "looked": at,
                "systems": {"1:2": "windows@6"}}
    }  # fmt: skip
    documents.write(documents.beside(file, "seen"), seen)
    code, said = say("exam", "aula1", "windows@7", "--until", "+2h", "--check")
    assert code == 3
    assert "not ready: pc1 had windows@6 on 1:2 on" in said
    assert "not known: pc2 never told what is on the disk. Start ogLive once" in said
    assert not Store(file).path.exists()

    say("set", "pc1", "oglive", "--once")
    assert say("exam", "aula1", "windows@7", "--until", "+2h")[0] == 3
    assert "nothing to change" not in say("exam", "pc2", "windows", "--until", "+1h")[1]
    for number in (1, 2):
        assert "entry_windows" in script(file, number)
        assert "entry_oglive" not in script(file, number)
    assert say("exam", "aula1", "--end")[0] == 0
    assert "entry_oglive" in script(file)
    assert say("exam", "pc2", "--end")[0] == 0
    code, said = say("exam", "aula1", "--end")
    assert (code, "room:aula1 has no exam" in said) == (1, True)


def test_an_exam_of_ready_pcs_is_code_0_of_unknown_ones_4(file: Path, say: Say) -> None:
    at = "2026-11-27T08:00:00+00:00"
    told = {"at": at, "entry": "oglive", "ip": "", "oglive": "", "looked": at}
    seen = {pc: {**told, "systems": {"1:3": "debian@2"}} for pc in ("pc1", "pc2")}
    documents.write(documents.beside(file, "seen"), seen)
    code, said = say("exam", "aula1", "debian", "--from", "+1h", "--until", "+2h")
    assert (code, said.splitlines()[-1]) == (0, "2 of 2 ready")
    assert say("exam", "pc3", "1:2", "--until", "+2h")[0] == 4


@pytest.mark.parametrize("words", [("aula1",), ("aula1", "1:2"), ("aula1", "1:2", "--end")])
def test_half_an_exam_is_refused(say: Say, words: tuple[str, ...]) -> None:
    assert say("exam", *words)[0] == 2


def test_ogserver_sets_a_mode_through_bash(file: Path, tmp_path: Path) -> None:
    """As its source does: `/bin/bash /opt/opengnsys/bin/setclientmode FILE`, a room's name raw."""
    opengnsys = tmp_path / "opt"
    (opengnsys / "tftpboot").mkdir(parents=True)
    assert render(file, "--ogserver", str(opengnsys)) == 0
    order = tmp_path / "mode_params_x"
    order.write_bytes(written("oglive", "525400000001"))
    argv = ["/bin/bash", str(opengnsys / "bin/setclientmode"), str(order)]
    done = subprocess.run(
        argv, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout) == (0, "pc:pc1: oglive for good; before: localdisk\n")
    assert begins_with(file) == "entry_oglive"
    assert not list(tmp_path.glob("x*"))
    order.write_bytes(written("oglive", "525400000099"))
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith(
        "ognetboot: no PC of the inventory has the MAC 52:54:00:00:00:99."
    )


def test_the_older_call_is_for_this_once(file: Path, say: Say) -> None:
    code, said = say("mode", "--", "ogLive", "Laboratory", "TEMP")
    assert (code, said.splitlines()[0]) == (0, "room:lab (1 PC): pxe this once; before: oglive")
    assert begins_with(file, 3) == "entry_pxe"
    assert say("mode", "--", "nothing", "pc1", "TEMP")[0] == 2
    assert say("mode", "--", "help") == (
        0, "setclientmode FILE, or setclientmode TEMPLATE PC-OR-ROOM TEMP|PERM\n"
    )  # fmt: skip


def test_the_history_has_a_line_for_each(file: Path, say: Say) -> None:
    say("set", "pc1", "oglive", "--once")
    say("exam", "lab", "1:2", "--until", "+2h")
    say("mode", "--", "pxe", "pc1", "PERM")
    lines = Store(file).history.read_text().splitlines()
    assert [line.split(" ")[2:5] for line in lines] == [
        ["set", "pc:pc1", "oglive"], ["exam", "room:lab", "1:2"], ["set", "pc:pc1", "pxe"]
    ]  # fmt: skip
    assert lines[2].split()[1] == "opengnsys"


def test_a_later_time_takes_the_place_of_an_earlier_one(file: Path, say: Say) -> None:
    say("set", "lab", "pxe", "--until", "+1h")
    say("set", "lab", "windows", "--until", "+2h")
    (left,) = Store(file).read().all
    assert left.end is not None
    assert left.end - left.made == timedelta(hours=2)


def test_check_and_show_say_what_is_given(
    file: Path, say: Say, capsys: pytest.CaptureFixture[str]
) -> None:
    say("set", "pc1", "pxe", "--once")
    assert "now pxe this once (pc:pc1)" in " ".join(say("show", "pc1")[1].split())
    assert "now" not in say("show", "pc2")[1]
    gone = file.read_text().replace('name = "pc1"', 'name = "pc7"')
    file.write_text(gone)
    main(["check", str(file)])
    said = capsys.readouterr().out
    assert "pc:pc1: pxe is given to it, and the inventory has no PC there" in said
    assert said.count("no server is running, so PCs cannot report") == 0
    file.write_text(gone.replace('name = "pc7"', 'name = "pc1"'))
    main(["check", str(file)])
    assert capsys.readouterr().out.count("no server is running, so PCs cannot report") == 1
    with hearing(file, Ear.REPORT):
        main(["check", str(file)])
    assert f'{file.name}: what is given "this once": {Ear.REPORT.rule}' in capsys.readouterr().out
    Store(file).path.write_text("{}")
    assert main(["check", str(file)]) == 1
    assert "is not a file of assignments, or it is damaged" in capsys.readouterr().out


def test_what_is_given_while_it_is_rendered_is_in_the_tree(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, write = Store(file), render_verb.write
    calls: list[object] = []

    def then_given(*args: Any, **options: Any) -> object:
        changes = write(*args, **options)
        if not calls:
            with store.changing("ana", NOW) as change:
                change.assigned = change.assigned.plus(given("pc:pc1", "oglive", boots=1))
        calls.append(changes)
        return changes

    monkeypatch.setattr(render_verb, "write", then_given)
    assert render(file) == 0
    assert begins_with(file) == "entry_oglive"
    assert len(calls) == 2
