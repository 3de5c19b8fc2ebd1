# SPDX-License-Identifier: GPL-3.0-or-later
"""How an image comes to a PC, and what is done where that does not work: one table over facts.

Pure: who looks (``deploy.method``) hands the facts in, and gets a decision or a refusal with a
number of its own, each with the sentences that say why. Nothing falls back without a sentence.

The ways are OpenGnsys': by UNICAST, MULTICAST or TORRENT, and each CACHE (into the cache, and from
there onto the partition) or DIRECT. A bare name goes through the cache.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from oglib.errors import OgErr, UsageError
from oglib.transfer.choice_words import Sentence, sentence_in


class Method(StrEnum):
    """What carries the bytes."""

    UNICAST = "UNICAST"
    MULTICAST = "MULTICAST"
    TORRENT = "TORRENT"


class Via(StrEnum):
    """Whether they stay in the cache."""

    CACHE = "CACHE"
    DIRECT = "DIRECT"


class Room(StrEnum):
    """Whether the cache can take the image, by what ACTIONCACHEFULL lets go.

    FOREIGN: it takes images of ogLive's own format from a repository, and this is none.
    """

    ENOUGH = "enough"
    AFTER_EVICTING = "after evicting"
    NEVER = "never"
    FOREIGN = "foreign"


class Held(StrEnum):
    """What the cache has of the image.

    SAME: the bytes that are asked for. OLDER: others under its name, or, where the repository does
    not answer, nobody can say which.
    """

    SAME = "same"
    OLDER = "older"
    NONE = "none"


class Engine(StrEnum):
    """Whether a method works here."""

    READY = "ready"
    UNREACHABLE = "unreachable"
    MISSING = "missing"


class Policy(StrEnum):
    """RESTOREPROTOCOLNOTCACHE of engine.cfg: what is done where the cache cannot be used."""

    UNICAST = "UNICAST"
    MULTICAST = "MULTICAST"
    NONE = "NONE"
    UNSAID = ""


@dataclass(frozen=True, slots=True)
class Wanted:
    """The way that was asked for."""

    method: Method
    via: Via

    def __str__(self) -> str:
        return f"{self.method}-{self.via}"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is so on this PC, and what the site says.

    ``from_cache``: the image was named as one of the cache (``CACHE:NAME``). ``repository``:
    whether it answers; it is the engine of UNICAST. ``room`` and ``held`` mean nothing without a
    ``cache``. ``fallback``: whether another way may be taken than the one that was asked for.
    """

    from_cache: bool
    cache: bool
    room: Room
    held: Held
    repository: bool
    multicast: Engine
    torrent: Engine
    policy: Policy
    fallback: bool

    def engine(self, method: Method) -> Engine:
        if method is Method.UNICAST:
            return Engine.READY if self.repository else Engine.UNREACHABLE
        return self.multicast if method is Method.MULTICAST else self.torrent


@dataclass(frozen=True, slots=True)
class Said:
    """One sentence of a decision."""

    sentence: Sentence
    wanted: str

    def text(self, language: str = "en") -> str:
        return sentence_in(self.sentence, language).format(wanted=self.wanted)


@dataclass(frozen=True, slots=True)
class Choice:
    """The way that is taken, or with ``code`` none.

    ``fetch``: whether anything is brought; where not, the cache has what is restored.
    """

    method: Method
    via: Via
    fetch: bool
    said: tuple[Said, ...]
    code: OgErr | None = None

    def lines(self, language: str = "en") -> tuple[str, ...]:
        return tuple(one.text(language) for one in self.said)

    @property
    def fell_back(self) -> bool:
        """Whether it is another way than the one that was asked for."""
        return any(one.sentence not in PLAIN for one in self.said)


# The sentences of a decision that is as it was asked for.
PLAIN = frozenset(
    {Sentence.TAKEN, Sentence.IN_CACHE, Sentence.FROM_CACHE, Sentence.UPDATES, Sentence.EVICTS}
)


def wanted(text: str) -> Wanted:
    """``unicast-cache``, ``MULTICAST-DIRECT`` or a bare method, in letters of any size."""
    method, dash, via = text.upper().partition("-")
    try:
        return Wanted(Method(method), Via(via) if dash else Via.CACHE)
    except ValueError:
        raise UsageError(
            f"{text[:80]!r} is no way to bring an image.",
            hint=f"There are {', '.join(WAYS)}; without -CACHE or -DIRECT it is through the cache.",
        ) from None


WAYS = tuple(str(Wanted(method, via)) for method in Method for via in Via)

# The number of a method that does not work, where nothing else may be tried.
_CODES = {
    (Method.UNICAST, Engine.UNREACHABLE, Via.CACHE): OgErr.REPO,
    (Method.UNICAST, Engine.UNREACHABLE, Via.DIRECT): OgErr.REPO,
    (Method.MULTICAST, Engine.UNREACHABLE, Via.CACHE): OgErr.PROTOCOLJOINMASTER,
    (Method.MULTICAST, Engine.UNREACHABLE, Via.DIRECT): OgErr.PROTOCOLJOINMASTER,
    (Method.MULTICAST, Engine.MISSING, Via.CACHE): OgErr.MCASTRECEIVERFILE,
    (Method.MULTICAST, Engine.MISSING, Via.DIRECT): OgErr.MCASTRECEIVERPARTITION,
    (Method.TORRENT, Engine.UNREACHABLE, Via.CACHE): OgErr.UPDATECACHE,
    (Method.TORRENT, Engine.UNREACHABLE, Via.DIRECT): OgErr.UPDATECACHE,
    (Method.TORRENT, Engine.MISSING, Via.CACHE): OgErr.NOTEXEC,
    (Method.TORRENT, Engine.MISSING, Via.DIRECT): OgErr.NOTEXEC,
}
_FAILS = {Engine.UNREACHABLE: Sentence.UNREACHABLE, Engine.MISSING: Sentence.MISSING}


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the table, where it applies: what it says, and where it leads.

    ``to``: the way that is judged next. ``end``: this is the decision; ``code``: it is no.
    None of the three: the rows below it go on.
    """

    says: Sentence
    to: Wanted | None = None
    end: Via | None = None
    fetch: bool = True
    code: OgErr | None = None


def choose(asked: Wanted, facts: Facts) -> Choice:
    """The decision for what was asked, with a sentence for each step to it."""
    way, said = asked, list[Said]()
    while True:
        for row in _rows(way, facts):
            said.append(Said(row.says, str(way)))
            if row.to is not None:
                way = row.to
                break
            if row.end is not None or row.code is not None:
                return Choice(way.method, row.end or way.via, row.fetch, tuple(said), row.code)


def _rows(way: Wanted, facts: Facts) -> Iterator[_Row]:
    """The table, from the first row that may apply; the last one always ends it."""
    if facts.from_cache:
        yield from _from_cache(facts)
    elif way.via is Via.CACHE and not facts.cache:
        yield _Row(Sentence.NO_CACHE)
        yield _without_cache(way, facts, OgErr.NOTCACHE)
    elif way.via is Via.CACHE and facts.held is Held.SAME:
        yield _Row(Sentence.IN_CACHE, end=Via.CACHE, fetch=False)
    elif facts.engine(way.method) is not Engine.READY:
        yield _Row(_FAILS[facts.engine(way.method)])
        yield _other_way(way, facts)
    elif way.via is Via.DIRECT:
        yield _Row(Sentence.TAKEN, end=Via.DIRECT)
    elif facts.room is Room.NEVER:
        yield _Row(Sentence.TOO_SMALL)
        yield _without_cache(way, facts, OgErr.CACHESIZE)
    elif facts.room is Room.FOREIGN:
        yield _Row(Sentence.FOREIGN)
        yield _without_cache(way, facts, OgErr.UPDATECACHE)
    else:
        if facts.room is Room.AFTER_EVICTING:
            yield _Row(Sentence.EVICTS)
        yield _Row(Sentence.UPDATES, end=Via.CACHE)


def _from_cache(facts: Facts) -> Iterator[_Row]:
    """Of an image that was named as one of the cache, which no other way can bring."""
    if not facts.cache:
        yield _Row(Sentence.FROM_NO_CACHE, code=OgErr.NOTCACHE)
    elif facts.held is Held.NONE:
        yield _Row(Sentence.NOT_IN_CACHE, code=OgErr.NOTFOUND)
    else:
        yield _Row(Sentence.FROM_CACHE, end=Via.CACHE, fetch=False)


def _without_cache(way: Wanted, facts: Facts, code: OgErr) -> _Row:
    """What RESTOREPROTOCOLNOTCACHE says where the cache cannot be used; ``code`` where it is no."""
    if not facts.fallback:
        return _Row(Sentence.NO_FALLBACK, code=code)
    if facts.policy is Policy.NONE:
        return _Row(Sentence.POLICY_NONE, code=code)
    if facts.policy is Policy.MULTICAST and way.method is Method.MULTICAST:
        return _Row(Sentence.POLICY_MULTICAST, to=Wanted(Method.MULTICAST, Via.DIRECT))
    says = Sentence.POLICY_UNICAST if facts.policy is not Policy.UNSAID else Sentence.POLICY_UNSAID
    return _Row(says, to=Wanted(Method.UNICAST, Via.DIRECT))


def _other_way(way: Wanted, facts: Facts) -> _Row:
    """What is done where the method itself does not work."""
    code = _CODES[way.method, facts.engine(way.method), way.via]
    if not facts.fallback:
        return _Row(Sentence.NO_FALLBACK, code=code)
    if way.method is not Method.UNICAST:
        return _Row(Sentence.TO_UNICAST, to=Wanted(Method.UNICAST, way.via))
    if facts.cache and facts.held is not Held.NONE:
        return _Row(Sentence.AS_IT_IS, end=Via.CACHE, fetch=False)
    return _Row(Sentence.NOTHING_LEFT, code=code)
