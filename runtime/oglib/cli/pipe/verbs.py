# SPDX-License-Identifier: GPL-3.0-or-later
"""``og image send|receive``: a partition from one PC to others, without a repository between."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from oglib.cli.arguments import Subparsers, add_disk, add_partition, verb
from oglib.cli.context import Context, Result, print_stderr
from oglib.deploy.partition import clone_code, cloning
from oglib.deploy.partition.capture import CaptureWishes
from oglib.deploy.partition.restore import Request
from oglib.disk.find import find_disk, find_partition
from oglib.errors import UsageError
from oglib.image.writing.receipt import Receipt
from oglib.settings import host_of, is_address
from oglib.transfer.pipe.secret import new_code
from oglib.wording.amounts import human_bytes

Shown = Callable[[Context, Receipt], str]

_CODE_HELP = "the code that both sides know, in a file of mode 0600; default: "


def add_pipe(verbs: Subparsers, shown: Shown) -> None:
    """``shown``: a receipt for a person."""
    sending = verb(verbs, "send", _send, "send a partition to PCs that receive it")
    add_disk(sending)
    add_partition(sending, optional=True)
    sending.add_argument(
        "--to", action="append", required=True, metavar="HOST[:PORT]",
        help=f"a PC that receives; for each one once more; port {cloning.PORT} unless said",
    )  # fmt: skip
    sending.add_argument("--name", default="clone", help="what it is called in receipts")
    sending.add_argument("--raw", action="store_true", help="take all blocks, whatever it is")
    sending.add_argument(
        "--dirty", action="store_true", help="send it although it was not shut down cleanly"
    )
    sending.add_argument("--code-file", type=Path, help=_CODE_HELP + "a new one, shown here")
    receiving = verb(
        verbs, "receive", partial(_receive, shown), "restore what a PC sends", destroys=True
    )
    add_disk(receiving)
    add_partition(receiving, optional=True)
    receiving.add_argument("--from", dest="sender", required=True, metavar="HOST", help="who sends")
    receiving.add_argument("--port", type=int, default=cloning.PORT, help="where it is waited for")
    receiving.add_argument("--code-file", type=Path, help=_CODE_HELP + "it is asked for")


def receivers(words: list[str]) -> list[tuple[str, int]]:
    """HOST[:PORT], each."""
    for word in words:
        if not is_address(word):
            raise UsageError(f"{word} is not HOST or HOST:PORT.")
    return [
        (host_of(word), int(word.rpartition(":")[2]) if ":" in word else cloning.PORT)
        for word in words
    ]


def _send(context: Context) -> Result:
    args = context.args
    where = receivers(args.to)
    code = _shown_code(context)
    sent = cloning.send(
        args.disk, args.part, where, code,
        name=args.name, settings=context.settings, progress=context.progress,
        wishes=CaptureWishes(raw=args.raw, dirty=args.dirty),
    )  # fmt: skip
    for line in sent.failed:
        context.warn(f"It did not come to {line}")
    text = (
        f"{sent.name}: {human_bytes(sent.image_size_bytes)} to {', '.join(sent.done)}, "
        f"{sent.seconds:.1f} s"
    )
    return Result(sent.as_dict(), text)


def _shown_code(context: Context) -> str:
    """The one in the file, or a new one, which is shown, and kept where a file was named."""
    path: Path | None = context.args.code_file
    if path is not None and path.exists():
        return clone_code.read_code(path)
    code = new_code()
    if path is not None:
        clone_code.keep_code(code, path)
    context.tell([f"The code for `og image receive`: {code}"])
    return code


def _receive(shown: Shown, context: Context) -> Result:
    args = context.args
    disk = find_disk(args.disk, rules=context.settings.disk_rules)
    part = find_partition(disk, args.part) if args.part else None
    where = f"partition {part.number} of {disk.describe()}" if part else disk.describe()
    changes = [f"Restore what {args.sender} sends to {where}"]
    if args.dry_run:
        return Result({"changes": changes}, "\n".join(changes))
    context.confirm(f"Overwrite {where}?", lambda: changes)
    receipt: Receipt = cloning.receive(
        Request(args.disk, args.part), args.sender, args.port, _code(args.code_file),
        settings=context.settings, progress=context.progress,
    )  # fmt: skip
    return Result(receipt.as_dict(), shown(context, receipt))


def _code(path: Path | None) -> str:
    if path is not None:
        return clone_code.read_code(path)
    if not sys.stdin.isatty():
        raise UsageError("Nobody can be asked for the code here.", hint="Say --code-file FILE.")
    print_stderr("The code on the sender's screen: ", end="")
    return sys.stdin.readline().strip()
