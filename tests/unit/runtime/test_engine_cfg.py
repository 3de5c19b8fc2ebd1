# SPDX-License-Identifier: GPL-3.0-or-later
"""engine.cfg and engine.json: read, never executed."""

from __future__ import annotations

from pathlib import Path

import pytest

from oglib import settings
from oglib.errors import UsageError
from oglib.settings import Settings


def load(path: Path, **files: str) -> Settings:
    for suffix, text in files.items():
        (path / f"engine.{suffix}").write_text(text)
    none = path / "none"
    return settings.load(cmdline=none, boot_env=none, policy=none, engine_cfg=path / "engine.cfg")


def test_lines_as_sites_write_them(tmp_path: Path) -> None:
    cfg = """
    # ACTIONCACHEFULL=NONE
    export ACTIONCACHEFULL="format"   # evict
    IMGPROG='partimage';
    IMGCOMP=lzop
    IMGEXT="my img"
    OGSLEEP=20
    """
    told = load(tmp_path, cfg=cfg)
    assert (told.action_cache_full, told.image_program) == ("FORMAT", "partimage")
    assert (told.image_compressor, told.image_extension) == ("lzop", "my img")


@pytest.mark.parametrize("value", ["$(touch OWNED)", "`touch OWNED`", '"$IMGEXT"', "a b", '"open'])
def test_what_only_a_shell_could_tell_is_left_out(tmp_path: Path, value: str) -> None:
    assert load(tmp_path, cfg=f"IMGCOMP={value}\n").image_compressor == "zstd"


@pytest.mark.parametrize(
    "text",
    [
        '{"variables": [{"name": "IMGCOMP", "value": "gzip", "description": "x"}], "errors": []}',
        '{"IMGCOMP": "gzip", "other": {"IMGCOMP": "no"}}',
    ],
)
def test_engine_json_in_both_shapes_and_below_engine_cfg(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, json=text).image_compressor == "gzip"
    assert load(tmp_path, json=text, cfg="IMGCOMP=lzop\n").image_compressor == "lzop"


def test_a_script_has_the_last_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ACTIONCACHEFULL", "DELETE")
    assert load(tmp_path, cfg="ACTIONCACHEFULL=FORMAT\n").action_cache_full == "DELETE"


@pytest.mark.parametrize(
    ("cfg", "json"), [("ACTIONCACHEFULL=WIPE", ""), ("", "{"), ("", "[1]x"), ("", "1")]
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, cfg: str, json: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, cfg=cfg, json=json)
