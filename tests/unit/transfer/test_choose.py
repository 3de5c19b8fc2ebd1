# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of a method and every fallback: the whole product of facts, and what it must say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

import pytest

from oglib.errors import OgErr, UsageError
from oglib.transfer.choice_words import CATALAN, ENGLISH, SPANISH, Sentence, language_of
from oglib.transfer.choose import (
    WAYS,
    Choice,
    Engine,
    Facts,
    Held,
    Method,
    Policy,
    Room,
    Via,
    Wanted,
    choose,
    wanted,
)

COUNT = 6 * 2 * 2 * 4 * 3 * 2 * 3 * 3 * 4 * 2
USUAL = Facts(
    from_cache=False, cache=True, room=Room.ENOUGH, held=Held.NONE, repository=True,
    multicast=Engine.READY, torrent=Engine.READY, policy=Policy.UNICAST, fallback=True,
)  # fmt: skip


def every_case() -> Iterator[tuple[Wanted, Facts]]:
    """Each way that can be wanted, on each PC that can be."""
    both = (False, True)
    for method, via, *facts in product(
        Method, Via, both, both, Room, Held, both, Engine, Engine, Policy, both
    ):
        yield Wanted(method, via), Facts(*facts)  # type: ignore[arg-type]


def test_choose_over_the_whole_product_of_facts(capsys: pytest.CaptureFixture[str]) -> None:
    """None without a decision and its sentences; none that its facts forbid."""
    ends: Counter[str] = Counter()
    for asked, facts in every_case():
        made = choose(asked, facts)
        ends[made.code.name if made.code else f"{made.method}-{made.via}"] += 1
        assert made.said, (asked, facts)
        for language in ("en", "es", "ca"):
            lines = made.lines(language)
            assert len(lines) == len(made.said)
            assert all(line.endswith(".") and "{" not in line for line in lines)
        if made.code is None:
            _possible(made, facts)
            _asked_for(asked, made, facts)
    assert sum(ends.values()) == COUNT
    with capsys.disabled():
        print(f"\nchoose: {COUNT} cases, {len(ends)} ends: {dict(sorted(ends.items()))}")


def _possible(made: Choice, facts: Facts) -> None:
    """What is decided can be done there."""
    if made.via is Via.CACHE:
        assert facts.cache
    if made.fetch:
        assert facts.engine(made.method) is Engine.READY
        assert made.via is Via.DIRECT or facts.room in (Room.ENOUGH, Room.AFTER_EVICTING)
        assert not facts.from_cache
    else:
        assert made.via is Via.CACHE
        assert facts.held is not Held.NONE


def _asked_for(asked: Wanted, made: Choice, facts: Facts) -> None:
    """Another way than the asked one is taken only where that is allowed, and told."""
    other = made.fetch and Wanted(made.method, made.via) != asked
    old = Sentence.AS_IT_IS in (one.sentence for one in made.said)
    assert made.fell_back == (other or old)
    assert facts.fallback or not made.fell_back


def test_choose_refuses_with_a_number_for_each_cause() -> None:
    """Every refusal that there is, by its cause: OpenGnsys made a 5 of them all."""
    codes: dict[OgErr, set[Sentence]] = {}
    for asked, facts in every_case():
        made = choose(asked, facts)
        if made.code is not None:
            cause = made.said[-2 if len(made.said) > 1 else -1].sentence
            codes.setdefault(made.code, set()).add(cause)
    assert codes == {
        OgErr.NOTFOUND: {Sentence.NOT_IN_CACHE},
        OgErr.NOTCACHE: {Sentence.FROM_NO_CACHE, Sentence.NO_CACHE},
        OgErr.CACHESIZE: {Sentence.TOO_SMALL},
        OgErr.REPO: {Sentence.UNREACHABLE},
        OgErr.PROTOCOLJOINMASTER: {Sentence.UNREACHABLE},
        OgErr.MCASTRECEIVERFILE: {Sentence.MISSING},
        OgErr.MCASTRECEIVERPARTITION: {Sentence.MISSING},
        OgErr.UPDATECACHE: {Sentence.UNREACHABLE, Sentence.FOREIGN},
        OgErr.NOTEXEC: {Sentence.MISSING},
    }


def _with(**changed: object) -> Facts:
    return replace(USUAL, **changed)  # type: ignore[arg-type]


# What OpenGnsys' own table says of RESTOREPROTOCOLNOTCACHE, row by row, and what was added to it.
OLD = [
    ("MULTICAST-CACHE", _with(cache=False, policy=Policy.MULTICAST), "MULTICAST-DIRECT"),
    ("TORRENT-CACHE", _with(cache=False, policy=Policy.MULTICAST), "UNICAST-DIRECT"),
    ("UNICAST-CACHE", _with(cache=False, policy=Policy.MULTICAST), "UNICAST-DIRECT"),
    ("MULTICAST-CACHE", _with(cache=False, policy=Policy.UNICAST), "UNICAST-DIRECT"),
    ("UNICAST-CACHE", _with(cache=False, policy=Policy.NONE), OgErr.NOTCACHE),
    ("UNICAST-CACHE", _with(room=Room.NEVER, policy=Policy.NONE), OgErr.CACHESIZE),
    ("UNICAST-CACHE", _with(room=Room.NEVER, policy=Policy.UNSAID), "UNICAST-DIRECT"),
    ("UNICAST-CACHE", _with(room=Room.NEVER, fallback=False), OgErr.CACHESIZE),
    ("UNICAST-CACHE", _with(room=Room.FOREIGN), "UNICAST-DIRECT"),
    ("UNICAST-CACHE", USUAL, "UNICAST-CACHE"),
    ("UNICAST-CACHE", _with(room=Room.AFTER_EVICTING), "UNICAST-CACHE"),
    ("UNICAST-DIRECT", USUAL, "UNICAST-DIRECT"),
    ("MULTICAST-DIRECT", USUAL, "MULTICAST-DIRECT"),
    ("MULTICAST-DIRECT", _with(multicast=Engine.MISSING), "UNICAST-DIRECT"),
    ("MULTICAST-CACHE", _with(multicast=Engine.MISSING), "UNICAST-CACHE"),
    ("TORRENT-CACHE", _with(torrent=Engine.MISSING, fallback=False), OgErr.NOTEXEC),
    ("MULTICAST-CACHE", _with(from_cache=True, held=Held.OLDER, repository=False),
     "MULTICAST-CACHE"),
    ("UNICAST-CACHE", _with(held=Held.OLDER, repository=False), "UNICAST-CACHE"),
    ("UNICAST-CACHE", _with(held=Held.OLDER, repository=False, fallback=False), OgErr.REPO),
    ("UNICAST-CACHE", _with(repository=False), OgErr.REPO),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "facts", "end"), OLD)
def test_choose_as_the_documented_table(asked: str, facts: Facts, end: str | OgErr) -> None:
    made = choose(wanted(asked), facts)
    assert (made.code or f"{made.method}-{made.via}") == end


def test_choose_reads_ways_as_people_write_them() -> None:
    assert wanted("unicast") == Wanted(Method.UNICAST, Via.CACHE)
    assert wanted("Multicast-Direct") == Wanted(Method.MULTICAST, Via.DIRECT)
    assert [str(wanted(one)) for one in WAYS] == list(WAYS)
    for wrong in ("", "-", "UNICAST-", "UNICAST-DISK", "carrier pigeon", "CACHE"):
        with pytest.raises(UsageError):
            wanted(wrong)


def test_choose_has_each_sentence_in_three_languages() -> None:
    for table in (SPANISH, CATALAN):
        assert set(table) == set(ENGLISH) == set(Sentence)
        for sentence, text in table.items():
            assert text != ENGLISH[sentence]
            assert ("{wanted}" in text) == ("{wanted}" in ENGLISH[sentence])
    used = {one.sentence for asked, facts in every_case() for one in choose(asked, facts).said}
    assert used == set(Sentence), "a sentence that nobody says"
    told = {"es_ES.UTF-8": "es", "ca_ES": "ca", "en_GB": "en", "C.UTF-8": "en", "": "en"}
    assert {locale: language_of(locale) for locale in told} == told
