# SPDX-License-Identifier: GPL-3.0-or-later
"""A frame source over several places of the same bytes, nearest first.

A range that one place leaves unfinished is finished by the next. What is wrong about a place costs
a few seconds while another is there, and is told once; the last one gets all the patience that a
single server gets. The bytes are judged elsewhere: ``wrong`` says what was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from oglib.connection import USUAL, Connection
from oglib.errors import OgErr, OgError, TransferError
from oglib.transfer.client import NoTurnError
from oglib.transfer.http import Got
from oglib.transfer.places.place import File, Lent, Place, Wanted
from oglib.transfer.places.readers import reader_of
from oglib.transfer.places.standing import Standing, Standings, Tell

_NEAR_RANGE_BYTES = 1 << 20
_FAR_RANGE_BYTES = 4 << 20


class PlacesSource:
    """``wanted``, from ``places`` in their order; nothing is asked before the first read.

    ``where``: for messages and receipts, where a person thinks that it is.
    """

    def __init__(
        self,
        wanted: Wanted,
        places: Sequence[Place],
        *,
        where: str,
        connection: Connection = USUAL,
    ) -> None:
        if not places:
            raise ValueError(f"{wanted.called} is nowhere")
        self._wanted = wanted
        self._where = where
        self._closed = False
        self.files = tuple(one.path for one in places if isinstance(one, File))
        near = all(isinstance(one, File) and not one.far for one in places)
        # a near file's range is still in the processor's cache when it is unpacked
        self.range_bytes = _NEAR_RANGE_BYTES if near else _FAR_RANGE_BYTES
        self._standings = Standings([_standing(one, wanted, connection) for one in places])

    @property
    def size_bytes(self) -> int:
        return self._wanted.size_bytes

    def describe(self) -> str:
        return self._where

    def listen(self, tell: Tell) -> None:
        """``tell`` gets one line for each place that is left, those of before at once."""
        self._standings.listen(tell)

    @property
    def said(self) -> tuple[str, ...]:
        """What was told so far."""
        return self._standings.lines

    @property
    def came_from(self) -> tuple[tuple[str, int], ...]:
        """Each place that gave something, and how many bytes."""
        return tuple(
            (one.name, one.given_bytes) for one in self._standings.places if one.given_bytes
        )

    def read(self, offset: int, length: int) -> bytes:
        """Exactly ``length`` bytes from ``offset``, or ``TransferError`` that names each place."""
        if length < 0 or offset < 0 or offset + length > self.size_bytes:
            raise TransferError(
                f"{self._wanted.called} ends at byte {self.size_bytes}, but bytes {offset} to "
                f"{offset + length} were asked for.",
                hint="The frame table does not belong to this image; fetch both again.",
                code=OgErr.IMAGE,
            )
        got, tried = Got(), list[Standing]()
        while got.have < length:
            self._refuse_when_closed()
            chosen = self._standings.next(tried)
            if chosen is None:
                raise self._all_gone()
            place, last, failures = chosen
            before = got.have
            try:
                place.reader.read_into(got, offset, length, patient=last)
            except NoTurnError as error:
                self._refuse_when_closed()
                self._standings.full(place, error, failures, error.again_s)
                tried.append(place)
            except TransferError as error:
                self._refuse_when_closed()
                self._standings.failed(place, error, failures)
                tried.append(place)
            finally:
                self._standings.served(place, offset + before, offset + got.have)
        return got.joined()

    def wrong(self, offset: int, length: int) -> bool:
        """These bytes, read before, are not what they have to be: whether to read them again.

        The place that gave them is asked no more where there are others; ``TransferError`` where
        all of them gave wrong ones.
        """
        again = self._standings.wrong(offset, offset + length)
        if not again and all(one.lied for one in self._standings.places):
            raise self._all_gone()
        return again

    def _refuse_when_closed(self) -> None:
        if self._closed:
            raise TransferError(
                f"{self._where} was closed while it was in use.",
                hint="This follows from an earlier error or an abort.",
            )

    def _all_gone(self) -> OgError:
        places = self._standings.places
        if len(places) == 1 and places[0].error is not None:
            return places[0].error
        causes = " ".join(f"{one.name}: {one.cause}" for one in places)
        errors = [one.error for one in places if one.error is not None]
        return TransferError(
            f"None of the {len(places)} places of {self._wanted.called} gives it. {causes}",
            hint=errors[-1].hint if errors else "Verify it on the repository.",
            code=errors[-1].code if errors else OgErr.IMAGE,
        )

    def close(self) -> None:
        """Close all connections; reads in other threads fail at once."""
        self._closed = True
        for one in self._standings.places:
            with suppress(OSError):
                one.reader.close()


def _standing(place: Place, wanted: Wanted, connection: Connection) -> Standing:
    standing = Standing(place.name, reader_of(place, wanted, connection))
    if isinstance(place, Lent):
        standing.blamed = place.lender.blamed
    return standing
