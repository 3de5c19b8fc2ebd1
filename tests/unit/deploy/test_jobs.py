# SPDX-License-Identifier: GPL-3.0-or-later
"""Jobs go as JSON and come back as they were; what is not understood is refused, word by word."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from oglib.deploy.jobs import (
    WORKS,
    Adapt,
    Boot,
    Configure,
    Create,
    Deploy,
    Inventory,
    Job,
    Partition,
    Restore,
    UpdateCache,
    as_dict,
    from_dict,
)
from oglib.errors import UsageError

JOBS: list[Job] = [
    Deploy("lab1/debian@3", "1", "2", layout="uefi", hostname="pc7"),
    Restore("debian", "largest", "1", grow=True, set_type=True),
    Restore("pc", "1", parts=(1, 3), keep_size=True, delta=True, read_back=False),
    Create("lab1/debian", "1", "2", title="a title", parent="debian", shrink=True),
    UpdateCache("lab1/debian"),
    Configure("1", "2", hostname="pc7"),
    Adapt("1", "2", hardware="any"),
    Partition("1", "uefi", replace_damaged=True),
    Boot("1", "2", how="kexec"),
    Inventory(),
    Inventory("software", "1", "2"),
]


@pytest.mark.parametrize("job", JOBS, ids=lambda job: type(job).__name__)
def test_a_job_comes_back_as_it_was(job: Job) -> None:
    assert from_dict(json.loads(json.dumps(as_dict(job)))) == job


def test_every_job_has_a_word_and_an_example() -> None:
    assert set(WORKS.values()) == set(get_args(Job)) == {type(job) for job in JOBS}


def test_what_is_left_out_is_as_usual() -> None:
    assert from_dict({"work": "restore", "image": "a", "disk": "1"}) == Restore("a", "1")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (["restore"], "is an object"),
        ({1: 2}, "is an object"),
        ({}, "no work 'None'"),
        ({"work": "erase", "disk": "1"}, "no work 'erase'"),
        ({"work": ["restore"]}, "no work"),
        ({"work": "restore", "image": "a"}, "lacks its disk"),
        ({"work": "restore", "image": "a", "disk": "1", "delte": True}, "knows no 'delte'"),
        ({"work": "restore", "image": "a", "disk": 1}, "'1' is no disk"),
        ({"work": "restore", "image": "a", "disk": "1", "delta": "yes"}, "'yes' is no delta"),
        ({"work": "restore", "image": "a", "disk": "1", "delta": 1}, "'1' is no delta"),
        ({"work": "restore", "image": "a", "disk": None}, "'None' is no disk"),
        ({"work": "restore", "image": "a", "disk": "1", "parts": [True]}, "is no parts"),
        ({"work": "restore", "image": "a", "disk": "1", "parts": [0]}, "is no parts"),
        ({"work": "restore", "image": "a", "disk": "1", "parts": [1] * 300}, "is no parts"),
        ({"work": "inventory", "what": "everything"}, "is no what"),
        ({"work": "create", "image": "a", "disk": "1", "title": "x" * 5000}, "is no title"),
    ],
)
def test_what_is_no_job_is_refused(data: object, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_dict(data, own=True)
    assert said in caught.value.message


@pytest.mark.parametrize(
    "words",
    [
        {"work": "restore", "image": "/etc/a.img", "disk": "1"},
        {"work": "restore", "image": "http://h/a", "disk": "1"},
        {"work": "restore", "image": "a", "disk": "/dev/sda"},
        {"work": "restore", "image": "a", "disk": "1", "part": "1;reboot"},
        {"work": "create", "image": "a@2", "disk": "1"},
        {"work": "create", "image": "a", "disk": "1", "destination": "/mnt"},
        {"work": "partition", "disk": "1", "layout": "../x.json"},
        {"work": "inventory", "what": "os", "disk": "../x", "part": "1"},
    ],
)
def test_a_job_from_elsewhere_names_no_path_and_no_address(words: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        from_dict(words)


def test_this_pcs_own_job_may() -> None:
    job = Restore("/mnt/a.img", "/dev/sda", "1")
    assert from_dict(as_dict(job), own=True) == job
