# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot serve`: starts what a site of one server needs, tells it, and stops it whole."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

from ognetboot.assigning.ears import Ear, hearing
from ognetboot.errors import NetbootError
from ognetboot.hearing import documents
from ognetboot.hearing.following import Log
from ognetboot.hearing.forms import Forms
from ognetboot.hearing.known import Known
from ognetboot.hearing.seen import Reports
from ognetboot.hearing.uses import Uses, follow
from ognetboot.inventory import reading
from ognetboot.inventory.model import Dhcp, Inventory
from ognetboot.serving import dnsmasq, dnsmasq_words, http
from ognetboot.serving.announcing import Parts, announcement
from ognetboot.serving.dnsmasq import Dnsmasq
from ognetboot.serving.files import Tree
from ognetboot.serving.missing import missing
from ognetboot.serving.tree import Keeper, Write, Written

LOG = logging.getLogger("ognetboot")

_SEEN_EVERY_S = 10.0
_START_S = 30.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """What one `ognetboot serve` is to do. `out`: where the tree lies.

    `behind`: the forms alone, on this port of 127.0.0.1, for another HTTP server to pass on to.
    `log`: of another HTTP server, whose fetches count where nothing reports.
    """

    inventory: Path
    out: Path
    bind: str
    behind: int | None
    with_dhcp: bool
    with_tftp: bool
    with_http: bool
    log: Path | None
    leases: Path | None

    def parts(self, inventory: Inventory) -> Parts:
        """What of it this inventory has use for."""
        dhcp = inventory.server.dhcp if self.with_dhcp else Dhcp.OFF
        port = self.behind or inventory.server.http_port
        return Parts(
            dhcp=dhcp,
            tftp=self.with_tftp,
            http=port if self.with_http or self.behind else None,
            files=self.with_http and not self.behind,
        )


def serve(wanted: Wanted, write: Write) -> None:
    """Serve until SIGINT or SIGTERM; raises where something cannot be started."""
    with _logging():
        asyncio.run(_serve(wanted, write))


def follow_alone(path: Path, inventory: Path) -> None:
    """Follow another server's log until SIGINT or SIGTERM; another program keeps the tree."""
    uses = Uses(inventory, Known(reading.load(inventory, allow_test=True)))

    async def run() -> None:
        stop = _stop()
        async with contextlib.AsyncExitStack() as stack:
            stack.enter_context(hearing(inventory, Ear.FETCH))
            log = Log(path)
            stack.callback(log.close)
            await _enter(stack, follow(log, uses, lambda: None))
            print(f"ognetboot follows {path}. Stop it with Ctrl-C.", flush=True)
            await stop.wait()

    with _logging():
        asyncio.run(run())


@contextlib.contextmanager
def _logging() -> Iterator[None]:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(message)s"))
    LOG.addHandler(handler)
    LOG.setLevel(logging.INFO)
    try:
        yield
    finally:
        LOG.removeHandler(handler)


def _stop() -> asyncio.Event:
    """Set by SIGINT and SIGTERM."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


def check(wanted: Wanted, write: Write) -> str:
    """What would be served; raises where it cannot be. Nothing is written or started."""
    return asyncio.run(_check(wanted, write))


async def _check(wanted: Wanted, write: Write) -> str:
    written = write()
    parts = wanted.parts(written.inventory)
    if parts.http is not None:
        http.listen(_bind(wanted), parts.http).close()
    if parts.child:
        child = dnsmasq.find(_leases(wanted))
        await dnsmasq.test(child, dnsmasq.configuration(written.dnsmasq, tftp=parts.tftp))
        if parts.tftp:
            dnsmasq.check_port(str(written.inventory.server.address))
        dnsmasq.check_readable(child, wanted.out)
    absent = list(missing(written.inventory, wanted.out, serves_http=parts.files))
    if absent:
        raise NetbootError(
            f"{len(absent)} thing{'s are' if len(absent) > 1 else ' is'} missing: "
            + "; ".join(absent),
            hint="PCs would ask for it",
        )
    return announcement(wanted.inventory, written.inventory, wanted.out, parts)


async def _serve(wanted: Wanted, write: Write) -> None:
    stop = _stop()
    async with _running(wanted, write) as (first, parts):
        print(announcement(wanted.inventory, first.inventory, wanted.out, parts), flush=True)
        absent = await asyncio.to_thread(
            lambda: list(missing(first.inventory, wanted.out, serves_http=parts.files))
        )
        for line in absent:
            LOG.warning("Missing: %s.", line)
        print("Stop it with Ctrl-C.", flush=True)
        await stop.wait()


@contextlib.asynccontextmanager
async def _running(wanted: Wanted, write: Write) -> AsyncIterator[tuple[Written, Parts]]:
    """All of it; whatever ends it, nothing is left running."""
    async with contextlib.AsyncExitStack() as stack:
        then: list[Callable[[Written], None]] = []
        watched = (wanted.inventory, documents.beside(wanted.inventory, "assigned"))
        keeper = Keeper(watched, write, lambda written: [one(written) for one in then])
        first = keeper.begin()
        parts = wanted.parts(first.inventory)
        known = Known(first.inventory)
        uses = Uses(wanted.inventory, known)
        then.append(lambda written: uses.use(Known(written.inventory)))
        if parts.http is not None:
            stack.enter_context(hearing(wanted.inventory, Ear.REPORT))
            reports = Reports(wanted.inventory, lambda line: LOG.warning("%s.", line))
            stack.callback(reports.write)
            forms = Forms(wanted.inventory, known, reports, uses, keeper.wake)
            then.append(lambda written: _renew(forms, reports, written))
            tree = Tree(wanted.out) if parts.files else None
            app = http.application(tree, forms, behind_proxy=wanted.behind is not None)
            await stack.enter_async_context(
                http.opened(app, http.listen(_bind(wanted), parts.http))
            )
            await _enter(stack, _write_now_and_then(reports))
        if parts.child:
            child = await _start_child(stack, wanted, first, parts)
            then.append(
                lambda written: child.use(dnsmasq.configuration(written.dnsmasq, tftp=parts.tftp))
            )
        if wanted.log is not None:
            stack.enter_context(hearing(wanted.inventory, Ear.FETCH))
            log = Log(wanted.log)
            stack.callback(log.close)
            await _enter(stack, follow(log, uses, keeper.wake))
        await _enter(stack, keeper.keep())
        yield first, parts


async def _start_child(
    stack: contextlib.AsyncExitStack, wanted: Wanted, first: Written, parts: Parts
) -> Dnsmasq:
    child = dnsmasq.find(_leases(wanted))
    dnsmasq.check_readable(child, wanted.out)
    if parts.tftp:
        dnsmasq.check_port(str(first.inventory.server.address))
    dnsmasq.make_leases(child)
    names = {mac: client.name for client in first.inventory.clients for mac in client.macs}
    config = dnsmasq.configuration(first.dnsmasq, tftp=parts.tftp)
    running = Dnsmasq(
        child, config, lambda line: dnsmasq_words.told(line, names.get, str(wanted.out))
    )
    await _enter(stack, running.keep())
    async with asyncio.timeout(_START_S):
        await running.runs
    return running


def _renew(forms: Forms, reports: Reports, written: Written) -> None:
    forms.use(Known(written.inventory))
    reports.keep_only(client.name for client in written.inventory.clients)


async def _enter(stack: contextlib.AsyncExitStack, work: Coroutine[None, None, None]) -> None:
    """Begin a task that ends with the stack."""
    task = asyncio.create_task(work)

    async def end() -> None:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task

    stack.push_async_callback(end)


async def _write_now_and_then(reports: Reports) -> None:
    while True:
        await asyncio.sleep(_SEEN_EVERY_S)
        try:
            reports.write()
        except NetbootError as error:
            LOG.warning("%s. %s.", error.message, error.hint)


def _bind(wanted: Wanted) -> str:
    return "127.0.0.1" if wanted.behind is not None else wanted.bind


def _leases(wanted: Wanted) -> Path:
    return wanted.leases or wanted.inventory.with_name(f"{wanted.inventory.stem}.leases")
