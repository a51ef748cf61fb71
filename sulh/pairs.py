"""Between which groups an event stands, and on which side of the question: contact or clash."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from processors.records import HOSTILE, RECONCILING

Side = Literal["contact", "clash", "denied", "other"]
SIDES: tuple[Side, ...] = ("contact", "clash", "denied", "other")


def side(kind: str, polarity: str) -> Side:
    """Tell contacts from clashes; a contact that is denied is neither, and a denied clash says nothing of contact."""
    if kind in RECONCILING:
        return "denied" if polarity == "denied" else "contact"
    if kind in HOSTILE and polarity == "affirmed":
        return "clash"
    return "other"


def between_pair(kind: str, roles: Sequence[tuple[str, str]]) -> set[tuple[str, str]]:
    """Give the pairs that an event stands between, from its parties' roles.

    Two attackers of a third do not clash with each other, and allies against a third are in no contact with it: with
    two on one side and one on the other, a hostile event pairs across the sides, a reconciling one within a side.
    """
    agents = [actor for actor, role in roles if role in ("agent", "party")]
    targets = [actor for actor, role in roles if role == "target"]
    everyone = [actor for actor, role in roles if role != "mediator"]
    pairs = [(a, b) for index, a in enumerate(everyone) for b in everyone[index + 1 :]]
    if targets and len(everyone) > 2:
        if kind in HOSTILE:
            pairs = [(a, b) for a in agents for b in targets]
        elif len(agents) > 1:
            pairs = [(a, b) for index, a in enumerate(agents) for b in agents[index + 1 :]]
    return {(min(a, b), max(a, b)) for a, b in pairs if a != b}
