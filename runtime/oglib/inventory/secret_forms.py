# SPDX-License-Identifier: GPL-3.0-or-later
"""Patterns for ``redact``: what is a secret by its own form, and places where one stands.

Each takes time by the length of the text. It looks a fixed number of characters ahead, or it goes
on behind what it has seen; none begins with "any letters".
"""

from __future__ import annotations

import re
from collections.abc import Callable

from oglib.inventory.telling import NAME, OF_WHOM, ORDINARY, QUOTED, SPOKEN, VERBS

REMOVED = "[removed]"
HIDE = rf"\g<1>{REMOVED}"
Change = str | Callable[[re.Match[str]], str]

_WORD = r"[^\s\"'][^\s]*"


def _spoken(match: re.Match[str]) -> str:
    """``password VALUE``: the value goes, an ordinary word of a sentence stays."""
    first = match["value"].partition(" ")[0]
    if first.strip(".,;:!?()\"'").lower() in ORDINARY:
        return match[0]
    return f"{match['before']}{REMOVED}"


def _two_words(match: re.Match[str]) -> str:
    """GRUB's ``password USER SECRET``, alone on its line."""
    if {match["user"].lower(), match["value"].lower()} & ORDINARY:
        return match[0]
    return f"{match['before']}{REMOVED}"


# What is a secret by its own form: a sign without which there is none of it ("": there is no such
# sign), the form, what comes in its place.
FORMS: tuple[tuple[str, re.Pattern[str], str], ...] = (
    # PEM, OpenSSH and PGP keys; one that is cut off, to the end of the text
    (
        "PRIVATE KEY",
        re.compile(r"(?s)-----BEGIN [A-Z0-9 ]{0,64}PRIVATE KEY.*?(?:-----END [A-Z0-9 ]*-----|\Z)"),
        REMOVED,
    ),
    # the middle of such a key, whose beginning an older part of the log has (no digest: those are
    # hexadecimal in lower case)
    (
        "",
        re.compile(
            r"(?<![\w+/])(?=[\w+/]*[A-Z])(?=[\w+/]*[a-z])(?=[\w+/]*[0-9])[\w+/]{60,}={0,2}",
            re.ASCII,
        ),
        REMOVED,
    ),
    # upload tokens of the repository, also the end of one, and those of well-known services
    ("og", re.compile(r"og\d(?:~|%7[eE])[^\s\"'<>]+"), REMOVED),
    ("~", re.compile(r"[0-9a-f]{32}~[0-9a-f]{16,64}"), REMOVED),
    ("%7", re.compile(r"[0-9a-f]{32}%7[eE][0-9a-f]{16,64}"), REMOVED),
    (
        "",
        re.compile(
            r"\b(?:gh[a-z]_\w{16,255}|github_pat_\w{16,255}|glpat-[\w-]{16,255}|AKIA[0-9A-Z]{16}"
            r"|xox[a-z]-[\w-]{10,255}|hv[sb]\.[\w-]{16,255})"
        ),
        REMOVED,
    ),
    ("eyJ", re.compile(r"\beyJ[\w-]{8,}\.[\w-]+\.[\w-]*"), REMOVED),
    # password hashes: crypt(3) and its like, GRUB's, LDAP's, those of Windows, shadow's old ones
    (
        "$",
        re.compile(
            r"\$(?:[0-9][a-z]?|y|gy|sha1|md5|argon2\w{0,2}|scrypt|pbkdf2[\w-]{0,16})\$[^\s:]+"
        ),
        REMOVED,
    ),
    ("grub.pbkdf2", re.compile(r"grub\.pbkdf2[\w.]*"), REMOVED),
    (
        "}",
        re.compile(r"\{(?:S?SHA\d{0,3}|S?MD5|CRYPT|PBKDF2[\w-]{0,16}|ARGON2\w{0,2})\}[\w+/=$.,-]+"),
        REMOVED,
    ),
    (":", re.compile(r"\b[0-9A-Fa-f]{32}:[0-9A-Fa-f]{32}\b"), REMOVED),
    ("::", re.compile(r"(?m)^([\w.$-]{1,64}:)[^:\n]{2,512}(?=(?::\d{0,6}){4}:)"), HIDE),
    # product keys of Windows, recovery keys of BitLocker
    ("-", re.compile(r"\b[A-Z0-9]{5}(?:-[A-Z0-9]{5}){4}\b"), REMOVED),
    ("", re.compile(r"(?<!\d)\d{6}(?:[-\u2010-\u2015 ]{1,3}\d{6}){7}(?!\d)"), REMOVED),
)
# What stands behind something that tells.
PLACES: tuple[tuple[re.Pattern[str], Change], ...] = (
    # scheme://user:password@host, and a token alone before the @
    (re.compile(r"(//)[^\s/]*@"), rf"\g<1>{REMOVED}@"),
    # the same without a scheme (netroot=iscsi:user:password@host)
    (re.compile(r"([\w.-]:)(?!//)[^\s@]{1,128}@(?=[\w\[])"), rf"\g<1>{REMOVED}@"),
    # property lists: <key>password</key><string>…
    (
        re.compile(rf"(?i)({NAME}[\w .-]{{0,32}}</[\w:]{{1,32}}>\s{{0,256}}<[^<>]{{1,64}}>)[^<]+"),
        HIDE,
    ),
    # XML: <Password>…, <Password><Value>…, <Value>…
    (
        re.compile(
            rf"(?i)(<(?:[\w.-]{{1,32}}:)?(?:[\w.-]{{0,32}}{NAME}|value)"
            r"(?:[ \t][^<>]{0,256})?>\s{0,256}"
            r"(?:<[\w:.-]{1,64}>\s{0,256})?(?:<!\[CDATA\[)?)[^<]+"
        ),
        HIDE,
    ),
    # lists of arguments, and pairs of a name and a value: "--password", "x" and "name": "pin",
    # "value": "x"; name="pin" value="x"
    (
        re.compile(
            rf"(?i)((?:{NAME}|(?<![\w-])-p)\\{{0,3}}[\"']"
            r"(?:\s{0,256},\s{0,256}|\s{1,64}(?=val))"
            rf"(?:[\"']?val(?:ue|or)?[\"']?\s{{0,16}}[:=]\s{{0,16}})?)(?:{QUOTED}|[\w.+-]+)"
        ),
        HIDE,
    ),
    # curl's option: --user name:password; and NAME%PASSWORD, as those of Samba take it
    (re.compile(r"((?:-u|--(?:proxy-)?user)[ =]+[\"']?[^\s:]{1,64}:)\S+"), HIDE),
    (
        re.compile(r"(?i)((?:-U|--?user(?:name)?|\buser(?:name)?)[ =]+[\"']?[^\s%]{1,64}%)\S+"),
        HIDE,
    ),
    (
        re.compile(
            r"((?<![\w/%.=?&@:+-])[A-Za-z]\w{0,31}%)(?!\d?[sdiuxXcfgpn]\b|\})[^\s%]{3,}"
        ),
        HIDE,
    ),
    # headers and YAML: name: value to the end of the line, except a value in quotes
    (
        re.compile(
            rf"(?i)({NAME}\\{{0,3}}[\"']?[ \t]*(?::|%3a)[ \t]*)"
            rf"(?!password (?:un)?(?:changed|updated|expiry)\b)({QUOTED}|[^\s\"'][^\n]*)"
        ),
        HIDE,
    ),
    # questions: "Password for root: …"
    (
        re.compile(
            r"(?i)(\b(?:pass(?:word|phrase)|contrase\w{1,2}as?|contrasenya|clave|clau|pin)"
            r"[ \t]+(?:for|of|on|again|to|de|del|d'|per|para|en|[(\[])[^\n:=]{0,64}:[ \t]*)"
            r"[^\s][^\n]*"
        ),
        HIDE,
    ),
    # assignments and parameters: name=value up to a blank
    (
        re.compile(
            rf"(?i)({NAME}\\{{0,3}}[\"'\])]{{0,2}}[ \t]*(?:=>?|:=|->|==|%3d)[ \t]*)"
            rf"({QUOTED}|{_WORD})"
        ),
        HIDE,
    ),
    # options: --name value
    (
        re.compile(
            rf"(?i)((?<![\w.-])(?:--?|/)[\w.-]{{0,32}}{NAME}[ \t]+)({QUOTED}|[^\s\"'-]\S*)"
        ),
        HIDE,
    ),
    # -pSECRET and /p:SECRET, but not the options of find, mkdir and their like
    (
        re.compile(
            r"((?<![\w/-])-p)(?!(?:ath|rint\w*|erm|rune|arents?|reserve\w*|rogress|ort|id|roto\w*|"
            r"riority|refix|oweroff|y|lugin|ipe|ool|ublish|assin|assout)\b|[\"'\])]?(?:\s|$))"
            r"[^\s,]{3,}"
        ),
        HIDE,
    ),
    (re.compile(r"(?i)((?<!\S)/(?:p|rp|pw|pass)[:=])\S+"), HIDE),
    # users of Windows and keys of wireless networks on a command line
    (
        re.compile(r"(?i)(\bnet[ \t]+user[ \t]+(?:\"[^\"\n]{1,64}\"|\S{1,64})[ \t]+)[^\s/]\S*"),
        HIDE,
    ),
    (re.compile(r"(?i)(\bnet[ \t]+use[ \t][^\n]{0,32}\\\\\S{1,255}[ \t]+)[^\s/]\S*"), HIDE),
    (re.compile(r"(\bkey[ \t]+(?:[ds]:)?(?:\d:|s:))\S+"), HIDE),
    (
        re.compile(
            r"(?m)^(?P<before>[ \t]*password[ \t]+)(?P<user>\S+)[ \t]+(?P<value>\S+)[ \t]*$"
        ),
        _two_words,
    ),
    # password VALUE, "la contraseña es VALUE", "rwcommunity VALUE"
    (
        re.compile(
            rf"(?i)(?P<before>{SPOKEN}(?:[\"']|\b){OF_WHOM}{VERBS}[ \t]+)"
            rf"(?!{SPOKEN}(?!\S)|\[removed\])(?P<value>\"[^\"\n]*\"?|'[^'\n]*'?|"
            r"[^\s\"'=:-][^\s]*[:=][ \t]+\S+|[^\s\"'=:-][^\s\"']*)"
        ),
        _spoken,
    ),
    (re.compile(r"(?i)(\bidentified[ \t]+by[ \t]+)(?:'[^'\n]*'?|\S+)"), HIDE),
    (re.compile(r"(\bwpa_passphrase[ \t]+\S{1,64}[ \t]+)\S+"), HIDE),
    (re.compile(r"(\bcom2sec6?[ \t]+\S{1,64}[ \t]+\S{1,64}[ \t]+)\S+"), HIDE),
    (re.compile(r"(WIFI:[^\s]{0,128}?\bP:)[^;\s]+"), HIDE),
    # Authorization values that lost their header
    (re.compile(r"(?i)\b(basic|bearer|digest)[ \t]+[A-Za-z0-9+/=._~-]{8,}"), rf"\g<1> {REMOVED}"),
)  # fmt: skip
