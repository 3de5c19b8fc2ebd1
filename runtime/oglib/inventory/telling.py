# SPDX-License-Identifier: GPL-3.0-or-later
"""Words that tell of a secret, in the languages of our users; patterns, for ``redact``.

Each pattern takes a fixed number of steps from where it begins, so that a text takes time by its
length: what may be long begins with a telling word, and repeats are counted.
"""

from __future__ import annotations

# Parts of a name that tell, whatever stands around them: root_password, ContraseñaDelAlumno.
_ANYWHERE = (
    r"(?<!com)(?<!by)(?<!\bch)(?<!\bchg)pass"
    r"(?!ed\b|es\b|ing\b|ive\b|through|enger|age|port)|pwd|secret(?!ary)|token|credential"
    r"|authoriz|authentic|psk|cookie|licen[cs]e|contrase(?:ñ|n\u0303|n|Ã±|\\u00f1)|contrasenye?"
    r"|palabra[ _-]?clave|(?:palabra|paraula|mot)[ _-]?de[ _-]?pas|wep[_-]?key|kennwort|senha"
)
# A rest that a name may have behind them; and names that tell only as a whole.
NAME = (
    rf"(?=[PpSsTtCcAaLlMmWwKk])(?:(?:{_ANYWHERE})[\w.-]{{0,32}}|(?:(?<!mon)(?<!don)(?<!tur)key|pw|auth|community)(?![A-Za-z])"
    r"|(?<![A-Za-z])(?:pin|puk|claves?|claus?|pass?code)(?![A-Za-z])[\w.-]{0,32})"
)
# Said in a sentence or to a program, a value behind them needs no sign: password VALUE.
SPOKEN = (
    r"(?=[PpCcRrMmSsTt])(?:pass(?:word|phrase|wd|code|wort)s?|contrase(?:ñ|n\u0303|n|Ã±)as?"
    r"|contrasenya|contrasenyes|rootpw|clave|clau|(?:palabra|paraula|mot)[ _-]de[ _-]pass?o?"
    r"|palabra[ _-]clave|secret|token|psk|(?:ro|rw)?community6?|SecureString"
    r"|(?<![A-Za-z])(?:pin|puk)(?=[ \t]+[\"']?\d{4}))(?:[_-](?:hash|crypted|raw|plain))?"
)
# Of whom or what it is the secret, and verbs before it.
OF_WHOM = (
    r"(?:[ \t]+(?:(?:for|of|de|del|d'|per|para|user|usuari|usuario)[ \t]+[\w.@-]{1,64}|root|admin|"
    r"administrator|administrador))?"
)
VERBS = (
    r"(?:[ \t]+(?:is|was|es|és|era|changed|set|string|to|a|now|ahora|ara|=>|->|-?-[a-z-]{1,24}|"
    r"REG_[A-Z_]{1,16})){0,3}"
)
# The value goes on to its closing quote; one that never closes, to the end of the line.
QUOTED = r"\\{0,3}\"(?:\\.|[^\"\\\n])*\"?|\\{0,3}'[^'\n]*'?"
# Programs that take a secret behind a short option, and the options.
PROGRAMS = (
    r"sshpass|useradd|usermod|rdesktop|xfreerdp|ldap[a-z]{1,8}|ipmitool|snmp[a-z]{1,12}|smbclient|"
    r"plink|pscp|putty|htpasswd|openssl|mysql[a-z]{0,8}|mariadb[a-z-]{0,8}|7z[ar]?|zip|unzip|rar|"
    r"unrar|iscsiadm|gpg|psexec|winexe|xvncviewer|wpa_passphrase|nmcli"
)
PROGRAM_OPTIONS = r"(?:p|P|pw|w|c|A|X|a|x|hp)"
# Programs that read secrets from a pipe, or from what follows them.
READERS = r"chpasswd|newusers|passwd|cryptsetup|sudo[ \t]+-S|-stdin\b|chgpasswd|mount\.cifs"


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


# A line without any of these, in lower case, holds nothing that the patterns of places look for.
SIGNS = (
    *_words("""
    pass pwd pw secret token credential authoriz authentic auth psk cookie licen contrase palabra
    paraula mot wep wort senha key communit pin puk clau clave // @ <value % -p -u /p /rp user
    identified com2sec wifi: securestring cryptsetup stdin mount.cifs basic bearer digest newusers
    """),
    *("net user", "net use", "sudo -s"),
)
# What stands behind such a word in ordinary lines; a secret is hardly one of them.
ORDINARY = frozenset(
    _words("""
    a about accepted access account added after again age agent already an and are as asked at
    authentication available be been before being but by cache cannot changed check checked
    checking command could database db denied did directory does ended entered entry error
    expired expires expiry failed failure field file files for format from generated given
    granted had has hash hashes have helper hint if in incorrect input into invalid is it length
    list loaded locked login lookup malformed management manager may mismatch missing module must
    name needed needs no none not of off ok on only optional or option over page path policy
    possible printed prompt prompts provider queries query quality read received refused removed
    request requested requests required reset ring rules same saved service set setting
    settings should since socket still store stored strength string support than that the then
    there this to too unchanged unit unknown unset until updated usage used user using valid
    value values verified verification was were when where which will with without written wrong
    y e o u de del la el en es está no para por que se sin un una caducada cambiada correcta
    incorrecta errónea
    i per amb sense el els les està no és canviada caducada errònia
    """)
)
