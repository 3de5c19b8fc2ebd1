# SPDX-License-Identifier: GPL-3.0-or-later
"""`ognetboot serve`: starts what a site of one server needs, tells it, and stops it whole."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path

from ognetboot import keeping
from ognetboot.assigning.ears import Ear, hearing, keeping_time
from ognetboot.errors import FoundFaultsError, NetbootError
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
from ognetboot.serving.stopping import Stop
from ognetboot.serving.tree import Keeper, Write, Written

LOG = logging.getLogger("ognetboot")

_SEEN_EVERY_S = 10.0
_START_S = 30.0


@dataclass(frozen=True, slots=True)
class ServeRequest:
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
            bind=self.bind,
        )


# The configuration of our own dnsmasq that follows from an inventory.
Configure = Callable[[Inventory], str]


def serve(request: ServeRequest, write: Write, configure: Configure) -> None:
    """Serve until SIGINT or SIGTERM; raises where something cannot be started."""
    with _logging():
        asyncio.run(_serve(request, write, configure))


def follow_alone(path: Path, inventory: Path) -> None:
    """Follow another server's log until SIGINT or SIGTERM; another program keeps the tree."""

    def read() -> Written:
        return Written(reading.load(inventory, allow_test=True), "", False, None)

    async def run() -> None:
        stop = Stop()
        async with contextlib.AsyncExitStack() as stack:
            keeper = Keeper((inventory,), read, lambda written: uses.use(Known(written.inventory)))
            uses = Uses(inventory, Known((await keeper.begin()).inventory))
            stack.enter_context(hearing(inventory, Ear.FETCH))
            log = Log(path)
            stack.callback(log.close)
            _enter(stack, stop, follow(log, uses, lambda: None))
            _enter(stack, stop, keeper.keep())
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


def check(request: ServeRequest, write: Write) -> str:
    """What would be served; raises where it cannot be. Nothing is written or started."""
    return asyncio.run(_check(request, write))


async def _check(request: ServeRequest, write: Write) -> str:
    written = write()
    parts = request.parts(written.inventory)
    if parts.http is not None:
        http.listen(_bind(request), parts.http).close()
    if parts.child:
        child = dnsmasq.find(_leases(request))
        await dnsmasq.test(child, dnsmasq.configuration(written.dnsmasq, tftp=parts.tftp))
        if parts.tftp:
            dnsmasq.check_port(str(written.inventory.server.address))
        dnsmasq.check_readable(child, request.out)
    report = announcement(request.inventory, written.inventory, request.out, parts)
    absent = _absent(request, written, parts)
    if absent:
        things = "1 thing is" if len(absent) == 1 else f"{len(absent)} things are"
        end = f"{things} missing: `ognetboot serve` starts, and PCs will miss them."
        raise FoundFaultsError("\n".join([report, *map(_said_missing, absent), end]))
    return report


def _said_missing(what: str) -> str:
    return f"Missing: {what}."


def _absent(request: ServeRequest, written: Written, parts: Parts) -> list[str]:
    asks = request.behind is None
    found = list(missing(written.inventory, request.out, serves_files=parts.files, asks=asks))
    server = written.inventory.server
    if parts.files and not parts.everywhere and request.bind != str(server.address):
        found.append(
            f"HTTP listens on {request.bind} alone, and PCs are sent to {server.authority}"
        )
    return found


async def _serve(request: ServeRequest, write: Write, configure: Configure) -> None:
    stop = Stop()
    with contextlib.suppress(keeping.StoppedError):
        async with _running(request, write, configure, stop) as (first, parts):
            print(announcement(request.inventory, first.inventory, request.out, parts), flush=True)
            for line in await asyncio.to_thread(_absent, request, first, parts):
                LOG.warning("%s", _said_missing(line))
            print("Stop it with Ctrl-C.", flush=True)
            await stop.wait()


@contextlib.asynccontextmanager
async def _running(
    request: ServeRequest, write: Write, configure: Configure, stop: Stop
) -> AsyncIterator[tuple[Written, Parts]]:
    """All of it; whatever ends it, nothing is left running."""
    async with contextlib.AsyncExitStack() as stack:
        then: list[Callable[[Written], None]] = []
        parts, sock, log = await _begun(stack, request, configure)
        watched = (request.inventory, documents.beside(request.inventory, "assigned"))
        keeper = Keeper(watched, write, lambda written: [one(written) for one in then])
        first = await keeper.begin()
        known = Known(first.inventory)
        uses = Uses(request.inventory, known)
        then.append(lambda written: uses.use(Known(written.inventory)))
        if sock is not None:
            reports = Reports(request.inventory, lambda line: LOG.warning("%s.", line))
            stack.callback(reports.write)
            forms = Forms(request.inventory, known, reports, uses, keeper.wake)
            then.append(lambda written: _renew(forms, reports, written))
            tree = Tree(request.out) if parts.files else None
            app = http.application(tree, forms, behind_proxy=request.behind is not None)
            await stack.enter_async_context(http.opened(app, sock))
            _enter(stack, stop, _write_now_and_then(reports))
        if parts.child:
            then.append(await _start_child(stack, stop, request, first))
        if log is not None:
            _enter(stack, stop, follow(log, uses, keeper.wake))
        _enter(stack, stop, keeper.keep())
        yield first, parts


async def _begun(
    stack: contextlib.AsyncExitStack, request: ServeRequest, configure: Configure
) -> tuple[Parts, socket.socket | None, Log | None]:
    """What can be refused is refused before the tree is written."""
    inventory = reading.load(request.inventory, allow_test=True)
    parts = request.parts(inventory)
    sock = log = None
    stack.enter_context(keeping_time(request.inventory))
    if parts.http is not None:
        sock = http.listen(_bind(request), parts.http)
        stack.callback(sock.close)
        stack.enter_context(hearing(request.inventory, Ear.REPORT))
    if request.log is not None:
        log = Log(request.log)
        stack.callback(log.close)
        stack.enter_context(hearing(request.inventory, Ear.FETCH))
    if parts.child:
        child = dnsmasq.find(_leases(request))
        if parts.tftp:
            dnsmasq.check_port(str(inventory.server.address))
        dnsmasq.check_readable(child, request.out)
        await dnsmasq.test(child, dnsmasq.configuration(configure(inventory), tftp=parts.tftp))
        dnsmasq.make_leases(child)
    return parts, sock, log


async def _start_child(
    stack: contextlib.AsyncExitStack, stop: asyncio.Event, request: ServeRequest, first: Written
) -> Callable[[Written], None]:
    """Start dnsmasq; what tells it of another tree."""
    parts = request.parts(first.inventory)
    child = dnsmasq.find(_leases(request))
    names: dict[str, str] = {}
    config = dnsmasq.configuration(first.dnsmasq, tftp=parts.tftp)
    running = Dnsmasq(
        child, config, lambda line: dnsmasq_words.told(line, names.get, str(request.out))
    )

    def then(written: Written) -> None:
        names.clear()
        names.update((mac, one.name) for one in written.inventory.clients for mac in one.macs)
        running.use(dnsmasq.configuration(written.dnsmasq, tftp=parts.tftp))

    then(first)
    _enter(stack, stop, running.keep())
    try:
        async with asyncio.timeout(_START_S):
            await running.runs
    except TimeoutError:
        raise NetbootError(
            f"dnsmasq does not start within {_START_S:.0f} s", hint="run it by hand"
        ) from None
    return then


def _renew(forms: Forms, reports: Reports, written: Written) -> None:
    forms.use(Known(written.inventory))
    reports.keep_only(client.name for client in written.inventory.clients)


def _enter(
    stack: contextlib.AsyncExitStack, stop: asyncio.Event, work: Coroutine[None, None, None]
) -> None:
    """Begin a task that ends with the stack. One that fails ends all: half a server is none."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda _: stop.set())

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


def _bind(request: ServeRequest) -> str:
    return "127.0.0.1" if request.behind is not None else request.bind


def _leases(request: ServeRequest) -> Path:
    return request.leases or keeping.beside(request.inventory, "leases")
