"""The desk's own words: how it names kinds, bearings, groups, times and differences of time to a reader."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from processors.annotate.actors import ACTORS
from processors.records import utc
from sulh import counts, deliver, freshness
from sulh.periods import Step, label

LANGUAGES = {
    "ar": "Arabic",
    "en": "English",
    "fr": "French",
    "ru": "Russian",
    "tr": "Turkish",
    "und": "undetermined",
}

BEARINGS = {
    "supports": "states it as fact, or brings independent evidence",
    "reports": "relays that somebody says so, without adopting it",
    "contradicts": "denies it, or states what cannot be true beside it",
}

VOICES = {
    "author": "the article asserts it",
    "relayed": "the article passes it on without adopting it",
    "doubted": "the article passes it on and argues against it",
    "conceded": "the article passes it on and accepts it",
}

QUEUES = {
    "open": "waiting for a verdict",
    "held": "kept back, nobody was notified",
    "withdrawn": "no text reports it any more",
    "confirmed": "an analyst confirmed it",
    "dismissed": "an analyst dismissed it",
}

STATES = {
    "new": "one report so far",
    "corroborated": "an independent report says so too",
    "denied": "a party denied it",
    "collapsed": "it came to nothing",
    "withdrawn": "no text reports it any more",
}

WITHDRAWN, HELD = deliver.WITHDRAWN, deliver.HELD

SIGNALS = {
    "anonymous_source": ("Anonymous source", "Is nobody named, with a role and a place?"),
    "interested_source": ("Interested source", "Does the source's own side gain if the report is believed?"),
    "single_origin": ("Single origin", "Do all the outlets go back to one original report?"),
    "local_exception": ("Local exception", "Is it about fighters cut off from their leadership?"),
    "against_interest": ("Against interest", "Would the deal undo what the party had just fought for?"),
    "counter_report": ("Counter-report", "Did a party deny or refuse it within days?"),
    "expert_doubt": ("Expert doubt", "Do officials or experts in the same text doubt it?"),
    "incompatible_terms": ("Incompatible terms", "Does one side ask for what the other cannot give?"),
}

ROLES = {
    "first": "first",
    "reprint": "reprint",
    "corroboration": "corroborates",
    "fighting": "fighting since",
    "follow-up": "follow-up",
    "denial": "denies",
}

SIDES = {"contact": "contact", "clash": "clash", "denied": "contact denied", "other": "other"}

MODALITIES = {
    "stated": "stated as fact",
    "attributed": "attributed to a speaker",
    "speculated": "speculated about",
    "looking-back": "looking back on it",
}

DATE_ORIGINS = {
    "page": "date from the page",
    "listing": "date from the feed or listing",
    "url": "date from the address",
    "none": "no date on the page; taken from the day it was fetched",
}


def actor(id: str) -> str:
    """Name a group; one that the actors' files no longer know by its id."""
    known = ACTORS.get(id)
    return known.name if known else id


def groups(ids: Iterable[str]) -> str:
    """Name several groups: "A", "A and B", "A, B and C"."""
    names = [actor(id) for id in ids]
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def place(id: str) -> str:
    """Write a place's id as a name: khan-al-subul as Khan al-Subul."""
    return re.sub(r"\bal ", "al-", " ".join(word if word == "al" else word.capitalize() for word in id.split("-")))


def day(moment: datetime | date | None) -> str:
    """Write a day: 5 Nov 2014."""
    if moment is None:
        return ""
    return label(utc(moment).date() if isinstance(moment, datetime) else moment, "day", full=True)


def period(start: date, step: Step) -> str:
    """Write a period of a plot: 5 Nov 2014, Nov 2014, 2014."""
    return label(start, "day" if step == "week" else step, full=True)


def clock(moment: datetime | None) -> str:
    """Write a moment in UTC: 5 Nov 2014, 07:30. Midnight sharp is a date without a time and is written so."""
    if moment is None:
        return ""
    moment = utc(moment)
    time = "" if (moment.hour, moment.minute, moment.second) == (0, 0, 0) else f", {moment:%H:%M}"
    return f"{day(moment)}{time}"


def later(difference: timedelta) -> str:
    """Write how much later something came: +2 h 05 min, +3 d 4 h; "same time" under a minute."""
    minutes = int(difference.total_seconds() // 60)
    if minutes < 1:
        return "same time"
    if minutes < 60:
        return f"+{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"+{hours} h {minutes:02} min" if minutes else f"+{hours} h"
    days, hours = divmod(hours, 24)
    return f"+{days} d {hours} h" if hours else f"+{days} d"


def count(number: int, one: str, many: str = "") -> str:
    """Write a count with its noun: 1 story, 1,204 stories."""
    return counts.count(number, one, many)


def took(seconds: int | None) -> str:
    """Write how long something took, such as 2 h 05 min; a hyphen where nothing was measured."""
    return freshness.in_words(seconds)
