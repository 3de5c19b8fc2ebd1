# SPDX-License-Identifier: GPL-3.0-or-later
"""``/metrics``: the repository in numbers, as Prometheus reads them, for those networks alone.

What is asked for is made from the listing, the records of what was proven, and what the server has
counted; nothing is measured before somebody asks.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_network

from aiohttp import hdrs, web
from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from oglib.errors import OgErr
from ogrepo.intake.receive import in_thread
from ogrepo.intake.uploads import Uploads
from ogrepo.library.folder import Folder
from ogrepo.refusal import Refusal
from ogrepo.serving.connection import Connection
from ogrepo.serving.counts import Counts
from ogrepo.serving.entry.places import Networks, among
from ogrepo.serving.listing import Listing, Listings
from ogrepo.serving.turns import Turns

LOOPBACK: Networks = (ip_network("127.0.0.0/8"), ip_network("::1"))
# What a proxy says of the one for whom it asks: it is not this machine that asks then.
_BY_PROXY = (hdrs.FORWARDED, hdrs.VIA, hdrs.X_FORWARDED_FOR, "X-Real-IP")
_KIND = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8", "Cache-Control": "no-store"}


@dataclass(frozen=True, slots=True)
class Moment:
    """What is read for one answer, so that all its numbers are of one moment."""

    listing: Listing
    answers: Counter[int]
    sent_bytes: int
    reading: int
    waiting: int
    uploads: Counter[str]
    ended: Counter[str]
    now: float


class Metrics:
    """Answers ``/metrics``. ``allowed``: who may ask; None: this machine, but for proxies on it."""

    def __init__(  # noqa: PLR0917 - one for each thing that is counted
        self,
        folder: Folder,
        uploads: Uploads,
        listings: Listings,
        counts: Counts,
        turns: Turns,
        allowed: Networks | None = None,
        proxies: Networks = (),
    ) -> None:
        self._folder = folder
        self._uploads = uploads
        self._listings = listings
        self._counts = counts
        self._turns = turns
        self._allowed = allowed
        self._proxies = tuple(proxies)

    async def answer(self, request: web.Request) -> web.Response:
        self._check(request)
        moment = Moment(
            await self._listings.images(),
            self._counts.answers.copy(),
            self._counts.sent_bytes,
            self._turns.reading,
            self._turns.waiting,
            Counter(str(upload.state) for upload in self._uploads.list()),
            self._uploads.ended.copy(),
            time.time(),
        )
        return web.Response(body=await in_thread(lambda: self._text(moment)), headers=_KIND)

    def _check(self, request: web.Request) -> None:
        connection = request.protocol
        assert isinstance(connection, Connection)  # noqa: S101 - the door makes no others
        if self._allowed is not None:
            may = among(connection.address, tuple(self._allowed))
        else:
            by_proxy = any(name in request.headers for name in _BY_PROXY)
            by_proxy = by_proxy or among(connection.address, self._proxies)
            may = among(connection.address, tuple(LOOPBACK)) and not by_proxy
        if not may:
            raise Refusal(
                403,
                "The numbers of this repository are not for this address.",
                hint="`ogrepo serve --metrics-to NET` says for which they are.",
                code=OgErr.NOTEXEC,
            )

    def _text(self, moment: Moment) -> bytes:
        registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        registry.register(_Numbers(self._folder, moment))
        return generate_latest(registry)


class _Numbers(Collector):
    """A moment in Prometheus' words."""

    def __init__(self, folder: Folder, moment: Moment) -> None:
        self._folder = folder
        self._moment = moment

    def collect(self) -> Iterator[Metric]:
        moment, disk = self._moment, shutil.disk_usage(self._folder.images)
        size = sum(int(one.about["size_bytes"]) for one in moment.listing.shown)
        yield _gauge("ogrepo_images", "Images that are offered.", moment.listing.count)
        unseen = "Images of which a file is missing or unreadable: they are not offered."
        yield _gauge("ogrepo_images_incomplete", unseen, moment.listing.incomplete)
        yield _gauge("ogrepo_images_bytes", "Size of the images that are offered.", size)
        yield _gauge("ogrepo_disk_free_bytes", "Free space of the repository's disk.", disk.free)
        yield _gauge("ogrepo_disk_size_bytes", "Size of the repository's disk.", disk.total)
        yield from _proven(moment)
        answers = CounterMetricFamily("ogrepo_answers", "Requests answered.", labels=["code"])
        for code, count in sorted(moment.answers.items()):
            answers.add_metric([str(code)], count)
        yield answers
        sent = "Bytes of files that were sent."
        yield CounterMetricFamily("ogrepo_sent_bytes", sent, moment.sent_bytes)
        under_way = GaugeMetricFamily("ogrepo_uploads", "Uploads by state.", labels=["state"])
        for state, count in sorted(moment.uploads.items()):
            under_way.add_metric([state], count)
        yield under_way
        told = "Uploads that ended, by how."
        ended = CounterMetricFamily("ogrepo_uploads_ended", told, labels=["state"])
        for state, count in sorted(moment.ended.items()):
            ended.add_metric([state], count)
        yield ended
        yield _gauge("ogrepo_readers", "PCs that have their turn to read images.", moment.reading)
        yield _gauge("ogrepo_queue_length", "PCs that wait for their turn.", moment.waiting)


def _gauge(name: str, told: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, told, value)


def _proven(moment: Moment) -> Iterator[Metric]:
    """Which images were proven how long ago; of an age that a wrong clock tells, nothing."""
    told = "Time since the image was proven."
    ages = GaugeMetricFamily("ogrepo_verify_age_seconds", told, labels=["image"])
    damaged = GaugeMetricFamily("ogrepo_damaged", "1: the image is damaged.", labels=["image"])
    never = bad = 0
    for one in moment.listing.shown:
        name, proof = str(one.about["name"]), one.proof
        age = None if proof is None else proof.age_s(moment.now)
        is_bad = proof is not None and bool(proof.why)
        damaged.add_metric([name], int(is_bad))
        bad += is_bad
        if age is None:
            never += 1
        else:
            ages.add_metric([name], age)
    yield ages
    yield _gauge("ogrepo_images_unproven", "Images of which nothing was proven yet.", never)
    yield damaged
    yield _gauge("ogrepo_images_damaged", "Images that are damaged.", bad)
