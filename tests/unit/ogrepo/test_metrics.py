# SPDX-License-Identifier: GPL-3.0-or-later
"""The numbers of a repository: they are right, they parse, and not everybody gets them."""

from __future__ import annotations

import http.client
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from ogrepo.__main__ import main
from ogrepo.library.proving.proofs import record_of
from unit.ogrepo.conftest import Repository
from unit.ogrepo.sample import make_sample

Serve = Callable[..., AbstractContextManager[Repository]]
Numbers = dict[tuple[str, str], float]


def numbers(repository: Repository) -> Numbers:
    """Value by name and the label's value, as Prometheus' own parser reads it."""
    answer = repository.ask("GET", "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = text_string_to_metric_families(answer.body.decode())
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_happens_is_counted(serve: Serve, tmp_path: Path) -> None:
    with serve(at_once=1) as repository:
        first = numbers(repository)
        assert first["ogrepo_images", ""] == 0
        assert first["ogrepo_disk_size_bytes", ""] > first["ogrepo_disk_free_bytes", ""] > 0
        assert first["process_open_fds", ""] > 3
        sample = make_sample("debian")
        repository.upload(sample, tmp_path)
        before = numbers(repository)
        link = http.client.HTTPConnection("127.0.0.1", repository.port, timeout=30)
        for _ in range(3):  # the long way, then the short one
            link.request("GET", "/images/debian.img", headers={"range": "bytes=0-999"})
            assert len(link.getresponse().read()) == 1000
        link.close()
        assert repository.ask("GET", "/images/debian.img", source="127.0.0.2").status == 503
        assert repository.ask("GET", "/nothing").status == 404
        after = numbers(repository)
        assert after["ogrepo_images", ""] == 1
        assert after["ogrepo_images_bytes", ""] == len(sample.image)
        assert after["ogrepo_sent_bytes_total", ""] - before["ogrepo_sent_bytes_total", ""] == 3000
        assert after["ogrepo_answers_total", "206"] == 3
        assert after["ogrepo_answers_total", "503"] == 1
        assert after["ogrepo_answers_total", "404"] == 1
        assert after["ogrepo_uploads_ended_total", "published"] == 1
        assert after["ogrepo_uploads", "published"] == 1
        assert (after["ogrepo_readers", ""], after["ogrepo_queue_length", ""]) == (1, 1)


def test_what_was_proven_is_told_with_its_age(repository: Repository, tmp_path: Path) -> None:
    folder = repository.folder
    for name in ("debian", "fedora"):
        repository.upload(make_sample(name), tmp_path)
    told = numbers(repository)
    assert told["ogrepo_images_unproven", ""] == 2
    assert main(["verify", str(folder.root), "fedora"]) == 0
    image = folder.images / "debian.img"
    image.write_bytes(bytes(image.stat().st_size))
    assert main(["verify", str(folder.root), "debian"]) == 5
    told = numbers(repository)
    assert told["ogrepo_images_unproven", ""] == 0
    assert 0 <= told["ogrepo_verify_age_seconds", "fedora"] < 600
    assert (told["ogrepo_damaged", "debian"], told["ogrepo_damaged", "fedora"]) == (1, 0)
    assert told["ogrepo_images_damaged", ""] == 1
    image.unlink()
    record = record_of(folder, "fedora")
    record.write_bytes(record.read_bytes().replace(b'"at": 1', b'"at": 9'))  # of a wrong clock
    told = numbers(repository)
    assert told["ogrepo_images_incomplete", ""] == 1
    assert told["ogrepo_images_unproven", ""] == 1
    assert ("ogrepo_verify_age_seconds", "fedora") not in told


def test_only_those_who_may_are_told(serve: Serve) -> None:
    with serve() as repository:
        assert repository.ask("GET", "/metrics", source="127.0.0.9").status == 200
        for headers in ({"X-Forwarded-For": "10.0.0.1"}, {"Forwarded": "for=x"}, {"Via": "1.1 x"}):
            answer = repository.ask("GET", "/metrics", headers=headers)
            assert answer.status == 403
            assert "--metrics-to" in str(answer.error["hint"])
    with serve(trusted=("127.0.0.9",)) as repository:
        assert repository.ask("GET", "/metrics", source="127.0.0.9").status == 403
        assert repository.ask("GET", "/metrics", source="127.0.0.1").status == 200
    with serve(metrics_to=("127.0.0.8/30",), trusted=("127.0.0.9",)) as repository:
        assert repository.ask("GET", "/metrics", source="127.0.0.9").status == 200
        assert repository.ask("GET", "/metrics", source="127.0.0.1").status == 403
