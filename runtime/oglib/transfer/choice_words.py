# SPDX-License-Identifier: GPL-3.0-or-later
"""The sentences of a decision on how an image comes, in the languages of those who read them."""

from __future__ import annotations

from enum import Enum, auto


class Sentence(Enum):
    """What one step of a decision says; ``{wanted}`` is the way that it is about."""

    FROM_CACHE = auto()
    FROM_NO_CACHE = auto()
    NOT_IN_CACHE = auto()
    IN_CACHE = auto()
    NO_CACHE = auto()
    TOO_SMALL = auto()
    FOREIGN = auto()
    EVICTS = auto()
    UPDATES = auto()
    TAKEN = auto()
    UNREACHABLE = auto()
    MISSING = auto()
    NO_FALLBACK = auto()
    TO_UNICAST = auto()
    AS_IT_IS = auto()
    NOTHING_LEFT = auto()
    POLICY_NONE = auto()
    POLICY_UNSAID = auto()
    POLICY_UNICAST = auto()
    POLICY_MULTICAST = auto()


ENGLISH = {
    Sentence.FROM_CACHE: "The image is restored from this PC's cache, as asked.",
    Sentence.FROM_NO_CACHE: "The image was asked for from the cache, and this PC has no cache.",
    Sentence.NOT_IN_CACHE: "The image was asked for from the cache, and is not in it.",
    Sentence.IN_CACHE: "{wanted}: the cache has these very bytes, so nothing is fetched.",
    Sentence.NO_CACHE: "{wanted}: this PC has no cache.",
    Sentence.TOO_SMALL: "{wanted}: the image does not fit into the cache.",
    Sentence.FOREIGN: "{wanted}: the cache takes only images of ogLive's own format.",
    Sentence.EVICTS: "{wanted}: other images leave the cache to make room (ACTIONCACHEFULL).",
    Sentence.UPDATES: "{wanted}: the image is brought into the cache and restored from there.",
    Sentence.TAKEN: "{wanted}: the image is restored as it comes, without the cache.",
    Sentence.UNREACHABLE: "{wanted}: its server does not answer.",
    Sentence.MISSING: "{wanted}: this ogLive has no engine for it.",
    Sentence.NO_FALLBACK: "No other way is tried, as asked.",
    Sentence.TO_UNICAST: "UNICAST is tried instead of {wanted}.",
    Sentence.AS_IT_IS: "What the cache has of the image is restored as it is; the repository "
    "could not say whether it is the newest.",
    Sentence.NOTHING_LEFT: "No other way is left.",
    Sentence.POLICY_NONE: "RESTOREPROTOCOLNOTCACHE=NONE allows no way without the cache.",
    Sentence.POLICY_UNSAID: "RESTOREPROTOCOLNOTCACHE says nothing, so UNICAST-DIRECT is taken.",
    Sentence.POLICY_UNICAST: "RESTOREPROTOCOLNOTCACHE sends it by UNICAST-DIRECT.",
    Sentence.POLICY_MULTICAST: "RESTOREPROTOCOLNOTCACHE sends it by MULTICAST-DIRECT.",
}
SPANISH = {
    Sentence.FROM_CACHE: "La imagen se restaura desde la caché de este equipo, como se pidió.",
    Sentence.FROM_NO_CACHE: "La imagen se pidió desde la caché y este equipo no tiene caché.",
    Sentence.NOT_IN_CACHE: "La imagen se pidió desde la caché y no está en ella.",
    Sentence.IN_CACHE: "{wanted}: la caché tiene exactamente estos datos; no se descarga nada.",
    Sentence.NO_CACHE: "{wanted}: este equipo no tiene caché.",
    Sentence.TOO_SMALL: "{wanted}: la imagen no cabe en la caché.",
    Sentence.FOREIGN: "{wanted}: la caché solo admite imágenes del formato propio de ogLive.",
    Sentence.EVICTS: "{wanted}: otras imágenes salen de la caché para hacer sitio "
    "(ACTIONCACHEFULL).",
    Sentence.UPDATES: "{wanted}: la imagen se lleva a la caché y se restaura desde allí.",
    Sentence.TAKEN: "{wanted}: la imagen se restaura según llega, sin la caché.",
    Sentence.UNREACHABLE: "{wanted}: su servidor no responde.",
    Sentence.MISSING: "{wanted}: este ogLive no tiene con qué hacerlo.",
    Sentence.NO_FALLBACK: "No se prueba otro método, como se pidió.",
    Sentence.TO_UNICAST: "Se prueba UNICAST en lugar de {wanted}.",
    Sentence.AS_IT_IS: "Se restaura lo que la caché tiene de la imagen, tal como está; el "
    "repositorio no pudo decir si es la última versión.",
    Sentence.NOTHING_LEFT: "No queda otro método.",
    Sentence.POLICY_NONE: "RESTOREPROTOCOLNOTCACHE=NONE no permite ningún método sin la caché.",
    Sentence.POLICY_UNSAID: "RESTOREPROTOCOLNOTCACHE no dice nada: se usa UNICAST-DIRECT.",
    Sentence.POLICY_UNICAST: "RESTOREPROTOCOLNOTCACHE la envía por UNICAST-DIRECT.",
    Sentence.POLICY_MULTICAST: "RESTOREPROTOCOLNOTCACHE la envía por MULTICAST-DIRECT.",
}
CATALAN = {
    Sentence.FROM_CACHE: "La imatge es restaura des de la memòria cau d'aquest equip, com s'ha "
    "demanat.",
    Sentence.FROM_NO_CACHE: "La imatge s'ha demanat des de la memòria cau i aquest equip no en té.",
    Sentence.NOT_IN_CACHE: "La imatge s'ha demanat des de la memòria cau i no hi és.",
    Sentence.IN_CACHE: "{wanted}: la memòria cau té exactament aquestes dades; no es baixa res.",
    Sentence.NO_CACHE: "{wanted}: aquest equip no té memòria cau.",
    Sentence.TOO_SMALL: "{wanted}: la imatge no cap a la memòria cau.",
    Sentence.FOREIGN: "{wanted}: la memòria cau només admet imatges del format propi d'ogLive.",
    Sentence.EVICTS: "{wanted}: altres imatges surten de la memòria cau per fer lloc "
    "(ACTIONCACHEFULL).",
    Sentence.UPDATES: "{wanted}: la imatge es porta a la memòria cau i es restaura des d'allà.",
    Sentence.TAKEN: "{wanted}: la imatge es restaura tal com arriba, sense la memòria cau.",
    Sentence.UNREACHABLE: "{wanted}: el seu servidor no respon.",
    Sentence.MISSING: "{wanted}: aquest ogLive no té amb què fer-ho.",
    Sentence.NO_FALLBACK: "No es prova cap altre mètode, com s'ha demanat.",
    Sentence.TO_UNICAST: "Es prova UNICAST en lloc de {wanted}.",
    Sentence.AS_IT_IS: "Es restaura el que la memòria cau té de la imatge, tal com és; el "
    "repositori no ha pogut dir si és l'última versió.",
    Sentence.NOTHING_LEFT: "No queda cap altre mètode.",
    Sentence.POLICY_NONE: "RESTOREPROTOCOLNOTCACHE=NONE no permet cap mètode sense la memòria cau.",
    Sentence.POLICY_UNSAID: "RESTOREPROTOCOLNOTCACHE no diu res: s'usa UNICAST-DIRECT.",
    Sentence.POLICY_UNICAST: "RESTOREPROTOCOLNOTCACHE l'envia per UNICAST-DIRECT.",
    Sentence.POLICY_MULTICAST: "RESTOREPROTOCOLNOTCACHE l'envia per MULTICAST-DIRECT.",
}
_LANGUAGES = {"en": ENGLISH, "es": SPANISH, "ca": CATALAN}


def language_of(locale: str) -> str:
    """``es`` for ``es_ES.UTF-8``; English for every language that is not known here."""
    told = locale[:2].lower()
    return told if told in _LANGUAGES else "en"


def sentence_in(sentence: Sentence, language: str) -> str:
    """The sentence, with ``{wanted}`` where it names a way."""
    return _LANGUAGES[language][sentence]
