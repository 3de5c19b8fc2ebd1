# SPDX-License-Identifier: GPL-3.0-or-later
"""``og deploy``."""

from __future__ import annotations

from collections.abc import Sequence

from oglib.cli.arguments import Subparsers, add_disk, add_method, add_partition, verb
from oglib.cli.context import Context, Result
from oglib.cli.doing import do
from oglib.cli.image import receipt_text
from oglib.cli.system import status_of
from oglib.deploy.jobs import Deploy
from oglib.deploy.system.deploy import Deployed
from oglib.errors import OgErr
from oglib.views.output import plain
from oglib.views.steps import steps_text


def add_to(nouns: Subparsers) -> None:
    made = verb(
        nouns, "deploy", _deploy, "partition, restore and configure", destroys=True, repository=True
    )
    made.add_argument(
        "image",
        metavar="IMAGE",
        help="name in the repository (NAME@VERSION), CACHE:NAME, address or path",
    )
    add_disk(made)
    add_partition(made)
    add_method(made)
    made.add_argument("--layout", default="", help="layout file, or its name in the repository")
    made.add_argument("--hostname", default="", help="default: what this boot was told, or kept")
    made.add_argument(
        "--no-read-back", action="store_true", help="do not prove it; the receipt says so"
    )


def _deploy(context: Context) -> Result:
    args = context.args
    job = Deploy(
        image=args.image,
        disk=args.disk,
        part=args.part,
        layout=args.layout,
        hostname=args.hostname or context.settings.hostname,
        read_back=not args.no_read_back,
        method=args.method,
        fallback=not args.no_fallback,
    )
    doing = do(context, job)
    if doing.finished is None:
        changes = doing.planned.told
        return Result({"plan": list(changes)}, "\n".join(changes), doing.planned.status)
    done = doing.finished.done
    assert isinstance(done, Deployed)  # noqa: S101 - for the type checker
    return _result(context, done, doing.planned.way)


def _result(context: Context, done: Deployed, way: Sequence[str]) -> Result:
    data = {
        "way": list(way),
        "receipt": done.receipt.as_dict(),
        "steps": plain(done.steps),
        "seconds": done.seconds,
        "not_fitted": done.not_fitted,
        "ready": done.ready,
    }
    lines = [receipt_text(context, done.receipt), steps_text(done.steps)]
    if done.not_fitted:
        lines.append(f"restored, not fitted: {done.not_fitted}")
    if done.ready:
        lines.append(done.ready)
    status = status_of(done.steps) or (OgErr.NOTFITTED if done.not_fitted else 0)
    return Result(data, "\n".join(lines), status)
