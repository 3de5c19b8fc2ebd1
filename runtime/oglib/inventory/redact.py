# SPDX-License-Identifier: GPL-3.0-or-later
"""Takes secrets out of text that leaves the house; pure, and rather too much than too little.

A second line of defence: the report reads an allow-list of files none of which should hold a
secret. Whatever still looks like one (a value behind a telling name, a header, a private key, a
login in a URL, a password hash) is replaced, and the known secrets of this PC wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import quote

REMOVED = "[removed]"

_SHORTEST_KNOWN = 4  # replacing shorter texts would eat the report
# The telling part of a name and its rest; what stands before it needs no look (and a rule that
# begins with "any letters" takes hours over a long line).
_NAME = (
    r"(?:pass|pwd|secret|token|credential|authoriz|authentic|psk|cookie|licen[cs]e)[\w.-]{0,64}"
    r"|key|pw|auth"
)
# The value goes on to its closing quote; one that never closes, to the end of the line.
_QUOTED = r"\"(?:\\.|[^\"\\\n])*\"|'[^'\n]*'|[\"'][^\n]*"
_RULES = (
    # PEM and OpenSSH keys; one that is cut off, to the end of the text
    (
        re.compile(r"(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY.*?(?:-----END [A-Z0-9 ]*-----|\Z)"),
        REMOVED,
    ),
    # the middle of such a key, whose beginning an older part of the log has (no digest: those are
    # hexadecimal in lower case)
    (
        re.compile(
            r"(?<![\w+/])(?=[\w+/]*[A-Z])(?=[\w+/]*[a-z])(?=[\w+/]*[0-9])[\w+/]{60,}={0,2}",
            re.ASCII,
        ),
        REMOVED,
    ),
    # scheme://user:password@host, and a token alone before the @
    (re.compile(r"(//)[^\s/]*@"), rf"\1{REMOVED}@"),
    # the same without a scheme (netroot=iscsi:user:password@host)
    (re.compile(r"([\w.-]:)(?!//)[^\s@]{1,256}@(?=[\w\[])"), rf"\1{REMOVED}@"),
    # curl's option: --user name:password
    (re.compile(r"((?:-u|--(?:proxy-)?user)[ =]+[^\s:]{1,64}:)\S+"), rf"\1{REMOVED}"),
    # headers and YAML: name: value to the end of the line, except a value in quotes
    (
        re.compile(rf"(?i)((?:{_NAME})[\"']?\s*:[ \t]*)({_QUOTED}|[^\s\"'][^\n]*)"),
        rf"\1{REMOVED}",
    ),
    # questions: "Password for root: …"
    (re.compile(r"(?i)(pass(?:word|phrase)[^\n:=]{1,40}:[ \t]*)[^\s][^\n]*"), rf"\1{REMOVED}"),
    # assignments and parameters: name=value up to a blank
    (
        re.compile(rf"(?i)((?:{_NAME})[\"']?[ \t]*=[ \t]*)({_QUOTED}|[^\s\"']\S*)"),
        rf"\1{REMOVED}",
    ),
    # options: --name value
    (
        re.compile(rf"(?i)((?<![\w.-])--?[\w.-]{{0,32}}(?:{_NAME})[ \t]+)({_QUOTED}|[^\s\"'-]\S*)"),
        rf"\1{REMOVED}",
    ),
    # Authorization values that lost their header
    (re.compile(r"(?i)\b(basic|bearer|digest)[ \t]+[A-Za-z0-9+/=._~-]{8,}"), rf"\1 {REMOVED}"),
    (re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), REMOVED),
    # password hashes of crypt(3), and Windows product keys
    (re.compile(r"\$(?:[0-9][a-z]?|y|gy|sha1|md5)\$[^\s:]+"), REMOVED),
    (re.compile(r"\b[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}\b"), REMOVED),
)


def redact(text: str, known: Iterable[str] = ()) -> str:
    """``text`` without what is or looks like a secret; ``known`` ones go wherever they stand."""
    spellings = {form for secret in known for form in (secret, quote(secret, safe=""))}
    for secret in sorted(spellings, key=len, reverse=True):
        if len(secret) >= _SHORTEST_KNOWN:
            text = text.replace(secret, REMOVED)
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return text
