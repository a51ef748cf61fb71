"""Cuts a text into sentences and says where each stands, in five languages, by one pass of one pattern.

Written here because no kept library gives offsets fast enough: pysbd's last release is of 2021, it builds its
patterns anew for each call, and it reads neither Turkish nor an Arabic that ends its sentences with a full stop.
"""

from __future__ import annotations

import re
from functools import lru_cache

# What a full stop after it does not end: titles, ranks and abbreviations that news in the five languages put before
# a name or number. Compared in lower case, without their own last stop.
_ENGLISH = (
    "mr mrs ms dr prof gen lt col maj capt cpl sgt brig adm cmdr sen rep gov pres rev hon st vs approx dept fig vol"
)
_FRENCH = "m mm mme mlle mgr vve p pp chap av c.-à-d janv févr juill déc"
_RUSSIAN = (
    "в им ул пл пр д стр тов гр гос св см ср т е н э напр проф акад ген подполк лейт адм обл р-н г-н т.е т.к т.н и.о"
)
_TURKISH = "m.ö m.s alb bkz bşk çev doç hz müh org orgn öğr sn tğm tug tuğg tümg korg yrd yzb yb mah"
_MONTHS = "jan feb mar apr jun jul aug sep sept oct nov dec янв фев апр авг сент окт нояб дек"
_ABBREVIATIONS = frozenset(f"i.e e.g {_ENGLISH} {_FRENCH} {_RUSSIAN} {_TURKISH} {_MONTHS}".split())
# Abbreviations that stand last as often as not: they end a sentence when the next word is one that begins sentences.
_INITIALISMS = frozenset(
    {"u.s", "u.k", "u.n", "e.u", "u.s.a", "a.m", "p.m", "d.c", "inc", "ltd", "co", "corp", "jr", "sr"}
)
_STARTERS = re.compile(
    r"(?:The|A|An|In|On|At|It|Its|He|She|They|We|I|But|And|This|That|These|Those|There|However|Meanwhile|After|Before|"
    r"While|When|As|If|For|From|Some|Many|Both|Neither|No|Not|One|Two|His|Her|Their|What|Why|How|Who|According|Earlier|Last)\b"
)

_INITIALS = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_CLOSERS = "\"'”’»“)\\]"
_BOUNDARY = re.compile(
    rf"(?P<stop>[.!?؟؛۔…]+)(?P<closers>[\s\u00a0\u202f]?»|[{_CLOSERS}]*)(?=\s|$)|\n+",
)
_WORD_BEFORE = re.compile(r"[\w.’'-]*$")
_OPENERS = "\"'“‘«„([—–-¿¡ \t\u00a0\u202f\u200f\u200e"


# Annotating and comparing cut the same text and headline one after the other.
@lru_cache(maxsize=4)
def sentences(text: str, language: str = "und") -> tuple[tuple[int, int], ...]:
    """Give start and end of each sentence, in order, without the blanks around it; a line break always ends one."""
    spans: list[tuple[int, int]] = []
    start = 0
    for match in _BOUNDARY.finditer(text):
        if match["stop"] is not None and not _ends(text, match, start, language):
            continue
        _append(spans, text, start, match.end())
        start = match.end()
    _append(spans, text, start, len(text))
    return tuple(spans)


def _append(spans: list[tuple[int, int]], text: str, start: int, end: int) -> None:
    piece = text[start:end]
    left = len(piece) - len(piece.lstrip())
    right = len(piece.rstrip())
    if right > left:
        spans.append((start + left, start + right))


def _ends(text: str, match: re.Match[str], start: int, language: str) -> bool:
    """Tell whether the stop ends a sentence: by what follows it, and by the word that carries it."""
    after = text[match.end() : match.end() + 8]
    if after.lstrip(" \t\u00a0\u202f").startswith("\n") or not after.strip():
        return True
    following = after.lstrip(_OPENERS)[:1]
    stop = match["stop"]
    if stop in ("؛", "؟", "۔"):
        return True
    if following.islower():
        # «…? спросил он», "Why?" he said, "etc. and": the sentence goes on.
        return False
    if stop != ".":
        return True
    if match["closers"].strip():
        return True
    word = _WORD_BEFORE.search(text, max(start, match.start() - 24), match.start())
    token = word[0].strip("'’-").lower() if word else ""
    if not token:
        return True
    if token in _ABBREVIATIONS:
        return False
    if token in _INITIALISMS:
        return _STARTERS.match(after.lstrip(_OPENERS)) is not None
    if token in ("г", "гг"):
        # "в 2014 г. Отряды…" ends, "г. Идлиб" is a town.
        before = match.start() - len(token)
        return text[max(0, before - 4) : before].rstrip()[-1:].isdigit()
    if len(token) == 1 and token.isalpha():
        # An initial: J. Smith, А. Иванов. Arabic letters have no case, and are no initials.
        return not text[match.start() - 1].isupper()
    if _INITIALS.fullmatch(token) and text[match.start() - 1].isupper():
        return False
    if token in ("no", "nos", "art", "n") and following.isdigit():
        return False
    if token.isdigit() and len(token) <= 2:
        # A Turkish ordinal ("5. Kolordu", "15. yüzyıl"; a year has four digits), or the number of a list's item.
        return language != "tr" and text[start : match.start()].strip() != token
    return True
