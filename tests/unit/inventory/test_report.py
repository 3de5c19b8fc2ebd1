# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive for support: whole, private, without secrets, and made even where parts fail."""

from __future__ import annotations

import os
import stat
import tarfile
from pathlib import Path

import pytest
import zstandard

from oglib.errors import OgErr, OgError
from oglib.inventory.redact import REMOVED
from oglib.inventory.report import ReportFile, make_report, write_archive
from oglib.settings import Settings


def content(path: Path) -> dict[str, str]:
    with (
        path.open("rb") as file,
        zstandard.ZstdDecompressor().stream_reader(file) as packed,
        tarfile.open(fileobj=packed, mode="r|") as archive,
    ):
        found = {}
        for entry in archive:
            data = archive.extractfile(entry)
            assert data is not None
            found[entry.name] = data.read().decode()
        return found


def broken() -> str:
    raise OgError("the disk is silent, password=Zq7secret")


def test_every_part_is_there_and_the_file_is_private(tmp_path: Path) -> None:
    parts = [ReportFile("a.txt", lambda: "one"), ReportFile("run/job.log", lambda: "two")]
    report = write_archive(tmp_path / "pc7.tar.zst", parts, [])
    assert content(report.path) == {"pc7/a.txt": "one", "pc7/run/job.log": "two"}
    assert stat.S_IMODE(report.path.stat().st_mode) == 0o600
    assert (report.parts, report.missing) == (("a.txt", "run/job.log"), ())


def test_secrets_are_removed_from_every_part_also_known_ones(tmp_path: Path) -> None:
    parts = [
        ReportFile("cmdline.txt", lambda: "ogrepo=10.0.0.1 rootpassword=Zq7one quiet"),
        ReportFile("job.log", lambda: "sent known-Zq7 to http://me:Zq7two@10.0.0.1/"),
    ]
    report = write_archive(tmp_path / "r.tar.zst", parts, ["known-Zq7"])
    texts = content(report.path)
    assert texts["r/cmdline.txt"] == f"ogrepo=10.0.0.1 rootpassword={REMOVED} quiet"
    assert "Zq7" not in str(texts)
    assert "http://" in texts["r/job.log"]


def test_a_part_that_fails_is_named_inside(tmp_path: Path) -> None:
    report = write_archive(
        tmp_path / "r.tar.zst", [ReportFile("disks.json", broken), ReportFile("a", lambda: "b")], []
    )
    texts = content(report.path)
    assert texts["r/a"] == "b"
    assert texts["r/missing.txt"].startswith("disks.json: the disk is silent")
    assert "Zq7secret" not in str(texts) + str(report.missing)


def test_a_long_log_keeps_its_end(tmp_path: Path) -> None:
    report = write_archive(
        tmp_path / "r.tar.zst", [ReportFile("log", lambda: "x\n" * (3 << 20) + "the end")], []
    )
    text = content(report.path)["r/log"]
    assert len(text) < 5 << 20
    assert text.endswith("the end")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "r.tar.zst"
    path.write_text("mine")
    with pytest.raises(OgError) as told:
        write_archive(path, [ReportFile("a", lambda: "b")], [])
    assert told.value.code is OgErr.FORMAT
    assert path.read_text() == "mine"


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OgError) as told:
        write_archive(tmp_path / "none/r.tar.zst", [ReportFile("a", lambda: "b")], [])
    assert told.value.code is OgErr.NOTWRITE


def test_the_password_of_the_share_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "credentials").write_text("username=opengnsys\npassword=Zq7 three=\n")
    (tmp_path / "job.log").write_text("opengnsys said Zq7 three= to the server\n")
    monkeypatch.setattr("oglib.inventory.report.RUN_FOLDER", tmp_path)
    monkeypatch.setattr("oglib.inventory.report._COMMANDS", {})
    report = make_report(str(tmp_path / "r.tar.zst"), Settings())
    log = content(report.path)["r/run/job.log"]
    assert log == f"opengnsys said {REMOVED} to the server\n"


def test_no_link_is_followed_and_nothing_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = tmp_path / "elsewhere/1.json"
    secret.parent.mkdir()
    secret.write_text("Zq7 of somebody else")
    run_folder = tmp_path / "run"
    run_folder.mkdir()
    (run_folder / "job.log").symlink_to(secret)
    (run_folder / "receipts").symlink_to(secret.parent)
    os.mkfifo(run_folder / "pipe.log")
    (run_folder / "own.log").write_text("mine\n")
    monkeypatch.setattr("oglib.inventory.report.RUN_FOLDER", run_folder)
    monkeypatch.setattr("oglib.inventory.report._COMMANDS", {})
    report = make_report(str(tmp_path / "r.tar.zst"), Settings())
    texts = content(report.path)
    assert texts["r/run/own.log"] == "mine\n"
    assert "Zq7" not in str(texts)
    assert {"run/job.log", "run/pipe.log", "run/receipts/1.json"} <= {
        one.partition(":")[0] for one in report.missing
    }
    assert "proc" in texts["r/mounts.txt"]


def test_a_log_that_fills_the_disk_is_read_from_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (tmp_path / "job.log").open("wb") as file:
        file.seek(64 << 30)  # a hole: whoever read all of it would not come back
        file.write(b"password: Zq7\nthe end\n")
    monkeypatch.setattr("oglib.inventory.report.RUN_FOLDER", tmp_path)
    monkeypatch.setattr("oglib.inventory.report._COMMANDS", {})
    report = make_report(str(tmp_path / "r.tar.zst"), Settings())
    assert content(report.path)["r/run/job.log"].endswith("the end\n")


def test_the_report_as_a_whole_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("oglib.inventory.report._ALL_LIMIT_BYTES", 100)
    parts = [ReportFile(f"{number}.log", lambda: "x" * 30) for number in range(5)]
    report = write_archive(tmp_path / "r.tar.zst", parts, [])
    assert report.parts == ("0.log", "1.log", "2.log", "missing.txt")
    assert "as large as it may be" in report.missing[0]
