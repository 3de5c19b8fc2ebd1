# SPDX-License-Identifier: GPL-3.0-or-later
"""A power cut after every single step of a change: old or new, whole, and told.

This knows steps, not blocks: what a disk does with writes that were not flushed is replayed in
tests/power.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from oglib.cache.store import Store
from unit.cache.stores import Fuse, PowerCut, content, fill, held

Change = Callable[[Store], object]
OLD = {"debian": content("debian", 1), "lab/windows": content("lab/windows", 1)}
NEW = {**OLD, "debian": content("debian", 2)}
CHANGES: dict[str, tuple[Change, list[object]]] = {
    "replace": (lambda store: store.publish("debian", fill("debian", 2)), [OLD, NEW]),
    "add": (
        lambda store: store.publish("arch", fill("arch", 1)),
        [OLD, {**OLD, "arch": content("arch", 1)}],
    ),
    "evict": (
        lambda store: store.evict("lab/windows"),
        [OLD, {"debian": content("debian", 1)}],
    ),
    "recover": (lambda store: store.recover(), [OLD]),
}


def filled(root: Path) -> Store:
    root.mkdir()
    store = Store(root)
    for name in OLD:
        store.publish(name, fill(name, 1))
    return store


@pytest.mark.parametrize("change", CHANGES)
def test_old_or_new_after_every_step(
    change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, allowed = CHANGES[change]
    seen: list[object] = []
    fuse = Fuse(monkeypatch)
    for step in range(200):
        store = filled(tmp_path / str(step))
        fuse.arm(step)
        try:
            call(store)
            whole = True
        except PowerCut:
            whole = False
        fuse.disarm()
        visible = held(store)
        for name, files in visible.items():
            assert files in [state[name] for state in allowed if name in state], step  # type: ignore[index, operator]
        again = Store(store.root)
        again.recover()
        seen.append(held(again))
        assert seen[-1] in allowed, step
        assert again.recover() == (), step
        for room in ("staging", "ready", "trash"):
            assert not list((store.root / ".oglive" / room).iterdir()), (step, room)
        if whole:
            break
    assert whole
    assert seen[0] == OLD
    assert seen[-1] == allowed[-1]
    # once the new state was reached, no later cut leads back
    turned = seen.index(allowed[-1])
    assert all(state == allowed[-1] for state in seen[turned:])


def test_a_cut_during_recovery_is_recovered_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fuse = Fuse(monkeypatch)

    def is_cut(step: int, change: Callable[[], object]) -> bool:
        fuse.arm(step)
        try:
            change()
        except PowerCut:
            return True
        finally:
            fuse.disarm()
        return False

    for first in range(0, 200, 3):
        for second in range(0, 200, 2):
            store = filled(tmp_path / f"{first}-{second}")
            published = not is_cut(first, partial(store.publish, "debian", fill("debian", 2)))
            recovered = not is_cut(second, Store(store.root).recover)
            store.recover()
            assert held(store) in (OLD, NEW), (first, second)
            assert store.recover() == ()
            if recovered:  # later cuts of this recovery are none
                break
        if published:
            return
    raise AssertionError("no change came to its end")
