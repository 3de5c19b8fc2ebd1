# SPDX-License-Identifier: GPL-3.0-or-later
"""A site's own programs as steps: what they are told, what of their answers is believed."""

from __future__ import annotations

import json
from pathlib import Path, PurePosixPath

import pytest

from oglib.errors import UsageError
from oglib.fitting.fittings import Need, check_all
from oglib.fitting.steps import Outcome
from oglib.osconfig.root import TargetRoot
from oglib.osconfig.site_steps import SiteStep, site_steps
from ognetboot.overlay import sitecheck
from unit.osconfig.test_identity import FACTS

ASIDE = ["README", "README.md", ".gitkeep", "10-a~", ".50-a.swp"]
EXAMPLE = Path(__file__).parents[3] / "docs/examples/50-printers"


def program(folder: Path, text: str, name: str = "50-own", *, mode: int = 0o755) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(text)
    path.chmod(mode)
    return path


def shell(folder: Path, check: str, apply: str = "exit 9") -> SiteStep:
    text = f"#!/bin/sh\ncase $1 in check) {check} ;; apply) {apply} ;; *) exit 3 ;; esac\n"
    return SiteStep("site-own", program(folder, text))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


def test_what_a_step_is_told(tree: Path, tmp_path: Path) -> None:
    step = shell(tmp_path / "steps", f"cat > {tmp_path}/told; echo needed it")
    with TargetRoot(tree) as root:
        assert step.check(root, FACTS).need is Need.NEEDED
    assert json.loads((tmp_path / "told").read_text()) == {
        "version": 1,
        "root": str(tree),
        "hostname": "pc17",
        "partition": 0,
        "root_uuid": FACTS.root.uuid,
        "disk_id": "",
        "nics": [{"name": "enp1s0", "mac": "52:54:00:00:00:01"}],
        "deadline_s": 60,
    }


@pytest.mark.parametrize(
    ("check", "apply", "outcome", "said"),
    [
        ("echo needed a printer", "echo put it", Outcome.DONE, "put it"),
        ("echo needed a printer", ":", Outcome.DONE, "a printer"),
        ("echo not-needed it is there", "exit 9", Outcome.NOT_NEEDED, "it is there"),
        ("echo needed x", "echo no toner >&2; exit 4", Outcome.FAILED, "exit status 4: no toner"),
        ("echo needed x", "kill -9 $$", Outcome.FAILED, "signal 9: it said nothing"),
        ("echo needed x", "kill -INT $$", Outcome.FAILED, "signal 2: it said nothing"),
        ("kill -INT $$", ":", Outcome.FAILED, "check ended with signal 2"),
        ("exit 1", ":", Outcome.FAILED, "check ended with exit status 1"),
        ("echo maybe", ":", Outcome.FAILED, "answered neither"),
        (":", ":", Outcome.FAILED, "answered neither"),
    ],
)
def test_what_a_step_answers(
    tree: Path, check: str, apply: str, outcome: Outcome, said: str
) -> None:
    step = shell(tree.parent / "steps", check, apply)
    with TargetRoot(tree) as root:
        (one,) = check_all(root, FACTS, [step])
        done = one.done(root)
    assert (done.outcome, said in done.detail) == (outcome, True), done.detail


def test_a_step_that_does_not_end_is_ended(tree: Path, tmp_path: Path) -> None:
    text = program(tmp_path / "steps", "#!/bin/sh\nexec sleep 1000\n")
    with TargetRoot(tree) as root:
        told = SiteStep("site-own", text, check_s=0.2).check(root, FACTS)
    assert (told.need, "no answer within 0.2 s" in told.detail) == (Need.CANNOT, True)


@pytest.mark.parametrize("word", ["check", "apply"])
def test_what_a_step_leaves_running_is_ended_and_its_failure(tree: Path, word: str) -> None:
    """Also in a session of its own, and what that one has started."""
    leaves = "setsid sh -c 'sleep 1000 & echo $! > root/pid; wait' >/dev/null 2>&1 & "
    leaves += "while [ ! -s root/pid ]; do sleep 0.01; done"
    check = f"cd {tree.parent}; {leaves if word == 'check' else ':'}; echo needed x"
    step = shell(tree.parent / "steps", check, f"cd {tree.parent}; {leaves}; echo put it")
    with TargetRoot(tree) as root:
        (one,) = check_all(root, FACTS, [step])
        done = one.done(root)
    assert not Path(f"/proc/{(tree / 'pid').read_text().strip()}").exists()
    assert done.outcome is Outcome.FAILED
    assert f"50-own {word} ended and left sh, sleep running" in done.detail


@pytest.mark.parametrize(
    ("text", "mode", "said"),
    [
        ("#!/bin/sh\n", 0o644, "is not executable"),
        ("#!/no/such/thing\n", 0o755, "cannot be run"),
        ("", 0o755, "cannot be run"),
    ],
)
def test_what_is_no_program(tree: Path, tmp_path: Path, text: str, mode: int, said: str) -> None:
    step = SiteStep("site-own", program(tmp_path / "steps", text, mode=mode))
    with TargetRoot(tree) as root:
        told = step.check(root, FACTS)
    assert (told.need, said in told.detail) == (Need.CANNOT, True), told.detail


def test_steps_are_those_of_the_folder_in_their_order(tmp_path: Path) -> None:
    folder = tmp_path / "steps"
    assert site_steps(folder) == ()
    for name in ("60-b", "50-join-domain"):
        program(folder, "#!/bin/sh\n", name)
    assert [one.name for one in site_steps(folder)] == ["site-join-domain", "site-b"]


@pytest.mark.parametrize("name", ASIDE)
def test_what_lies_beside_steps_is_left_aside(tmp_path: Path, name: str) -> None:
    """ognetboot sends it, so that it must not keep every PC from being fitted."""
    program(tmp_path / "steps", "#!/bin/sh\n", "60-b")
    program(tmp_path / "steps", "", name, mode=0o644)
    assert [one.name for one in site_steps(tmp_path / "steps")] == ["site-b"]
    sitecheck.check({PurePosixPath("etc/oglive/steps", name): b""})


@pytest.mark.parametrize("name", ["printers", "5-x", "50-X", "50-a.sh", "70-b"])
def test_a_file_that_is_no_step_is_refused(tmp_path: Path, name: str) -> None:
    program(tmp_path / "steps", "#!/bin/sh\n", "60-b")
    program(tmp_path / "steps", "#!/bin/sh\n", name)
    with pytest.raises(UsageError, match="name of a step"):
        site_steps(tmp_path / "steps")


def test_the_example_of_the_guide(tree: Path) -> None:
    (tree / "etc/cups").mkdir()
    step = SiteStep("site-printers", EXAMPLE)
    with TargetRoot(tree) as root:
        (one,) = check_all(root, FACTS, [step])
        assert list((tree / "etc/cups").iterdir()) == []
        assert one.done(root).outcome is Outcome.DONE
        assert (tree / "etc/cups/client.conf").read_text() == "ServerName printers.uni.example\n"
        (again,) = check_all(root, FACTS, [step])
        assert again.done(root).outcome is Outcome.NOT_NEEDED
