# SPDX-License-Identifier: GPL-3.0-or-later
"""``ogrepo prune``: old versions go, and the bytes that nothing needs any more."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence

from oglib.errors import UsageError
from oglib.wording.amounts import human_bytes
from ogrepo.library.folder import open_folder
from ogrepo.verbs.line import Words, add_verb
from ogrepo.versions.prune import GRACE_S, KEEP, Plan, Policy, apply, look, plan


def add_to(words: Words) -> Sequence[argparse.ArgumentParser]:
    told = "remove old versions, and bytes that nothing needs"
    verb = add_verb(words, "prune", _prune, help=told)
    verb.add_argument(
        "--keep", type=int, default=KEEP, metavar="N",
        help=f"how many of the newest versions of each image stay, default {KEEP}",
    )  # fmt: skip
    verb.add_argument(
        "--grace", type=float, default=GRACE_S / 3600, metavar="HOURS",
        help=f"for how long a restore may still need what goes, default {GRACE_S / 3600:g}",
    )  # fmt: skip
    verb.add_argument("--dry-run", action="store_true", help="only say what would go")
    return (verb,)


def _prune(arguments: argparse.Namespace) -> int:
    if arguments.keep < 1:
        raise UsageError("--keep must be 1 or more.", hint="What is shown stays in any case.")
    if not 0 <= arguments.grace <= 1e6:
        raise UsageError("--grace must be 0 or more.")
    folder = open_folder(arguments.dir)
    policy, now = Policy(arguments.keep, arguments.grace * 3600), time.time()
    decided = plan(look(folder), policy, now)
    dry = arguments.dry_run
    freed = decided.freed_bytes if dry else apply(folder, decided, policy, now)
    if arguments.json:
        print(json.dumps(_as_dict(decided, freed, dry=dry), indent=2))
        return 0
    for kept in decided.goes:
        print(f"{kept.name} version {kept.version} {'would go' if dry else 'is gone'}.")
    print(f"{human_bytes(freed)} {'would be' if dry else 'are'} free for it.")
    if decided.waiting_bytes:
        print(
            f"{human_bytes(decided.waiting_bytes)} more can go later: a restore may still need "
            f"what nothing else has needed for less than {arguments.grace:g} hours."
        )
    return 0


def _as_dict(decided: Plan, freed: int, *, dry: bool) -> dict[str, object]:
    return {
        "dry_run": dry,
        "versions": [
            {"name": one.kept.name, "version": one.kept.version, "goes": not one.why,
             "why": one.why}
            for one in decided.verdicts
        ],
        "bytes": sorted(decided.bytes),
        "freed_bytes": freed,
        "waiting_bytes": decided.waiting_bytes,
    }  # fmt: skip
