# SPDX-License-Identifier: GPL-3.0-or-later
"""engine.cfg and engine.json, OpenGnsys' knobs: read as text, never executed.

Owns which knobs count here and what they may say; ``settings`` hands them down.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from oglib.errors import UsageError
from oglib.texts import read_whole

ENGINE_CFG = Path("/opt/opengnsys/etc/engine.cfg")
_ASSIGNMENT = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)")
_QUOTED = re.compile(r"""(?:"([^"]*)"|'([^']*)'|([^\s"'#;]*))\s*(?:[#;].*)?""")
# A knob of engine.cfg, the field it fills, and the words it knows (none: a name or a path).
_KNOBS = {
    "ACTIONCACHEFULL": ("action_cache_full", ("NONE", "FORMAT", "DELETE")),
    "RESTOREPROTOCOLNOTCACHE": ("restore_not_cached", ("UNICAST", "MULTICAST", "NONE")),
    "IMGPROG": ("image_program", ()),
    "IMGCOMP": ("image_compressor", ()),
    "IMGEXT": ("image_extension", ()),
}


def parse_cfg(text: str) -> dict[str, str]:
    """``NAME=value`` lines of engine.cfg, which bash would execute and this never does.

    Values with an expansion in them (``$``, backquote) are left out: what they would become is
    not known here.
    """
    found = {}
    for line in text.splitlines():
        if (assigned := _ASSIGNMENT.fullmatch(line)) and (
            said := _QUOTED.fullmatch(assigned[2].lstrip())
        ):
            value = next((group for group in said.groups() if group is not None), "")
            if "$" not in value and "`" not in value:
                found[assigned[1]] = value
    return found


def parse_json(text: str) -> dict[str, str]:
    """The same knobs in engine.json: ``{"variables": [{"name": …, "value": …}]}`` or an object."""
    if not text:
        return {}
    import json  # noqa: PLC0415  few PCs have this file, all commands start

    try:
        values = json.loads(text)
    except RecursionError:
        raise ValueError("lists in lists without end") from None
    listed = values.get("variables", values) if isinstance(values, dict) else values
    if isinstance(listed, list):
        listed = {
            str(one["name"]): one.get("value", "")
            for one in listed
            if isinstance(one, dict) and "name" in one
        }
    if not isinstance(listed, dict):
        raise ValueError("no list of variables")
    return {
        name: str(value) for name, value in listed.items() if not isinstance(value, list | dict)
    }


def knobs(engine_cfg: Path = ENGINE_CFG, environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Every knob that is set: in the environment, else in engine.cfg, else in engine.json."""
    beside = engine_cfg.with_suffix(".json")
    try:
        from_json = parse_json(_text(beside))
    except ValueError as error:
        raise UsageError(f"{beside} cannot be read: {error}.", hint="Mend the file.") from error
    values = {**from_json, **parse_cfg(_text(engine_cfg))}
    return {**values, **{name: environ[name] for name in _KNOBS if name in environ}}


def fields_of(values: Mapping[str, str]) -> dict[str, Any]:
    """The fields of ``Settings`` that these knobs fill, each checked."""
    fields: dict[str, Any] = {}
    for knob, (name, words) in _KNOBS.items():
        value = values.get(knob, "")
        if not value:
            continue
        if words and value.upper() not in words:
            raise UsageError(
                f"{knob}={value} is not one of {', '.join(words)}.", hint="Mend engine.cfg."
            )
        fields[name] = value.upper() if words else value
    return fields


def _text(path: Path) -> str:
    try:
        return read_whole(path).decode(errors="replace")
    except FileNotFoundError:
        return ""
