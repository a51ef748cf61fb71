"""What the parties of an event make of it: states, allies and rivals turn one kind into another."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

from processors.annotate.actors import ACTORS, rival
from processors.records import Kind, Role

REBELS = "rebels"
"""Stands for rebels without a name while a sentence is read; events do not name it as a party."""


def is_state(actor: str) -> bool:
    """Tell whether the actor is a state or a militia that fights beside one, whose truces reconcile no jihadists."""
    return actor != REBELS and (ACTORS[actor].state or ACTORS[actor].camp == "shia-militia")


def camp_of(actor: str) -> str:
    return "rebel" if actor == REBELS else ACTORS[actor].camp


def parent_of(actor: str) -> str:
    return "" if actor == REBELS else ACTORS[actor].parent


def line_of(actor: str) -> str:
    """Give the first name of a group that has had several."""
    seen = {actor}
    while actor != REBELS and (before := ACTORS[actor].predecessor) and before not in seen:
        actor = before
        seen.add(actor)
    return actor


def settle(
    kind: Kind, agents: Iterable[str], targets: Iterable[str], joined: Iterable[str]
) -> tuple[Kind, tuple[tuple[str, Role], ...]] | None:
    """Decide what the parties make of the kind: with a state a truce is its own, among allies a pact is none."""
    agents, both = list(dict.fromkeys(agents)), list(dict.fromkeys(joined))
    targets = [a for a in dict.fromkeys(targets) if a not in agents]
    joint = bool(both)
    # One group under two of its names is one party.
    lines = {line_of(a) for a in agents}
    targets = [a for a in targets if line_of(a) not in lines]
    both = [a for n, a in enumerate(both) if line_of(a) not in {line_of(b) for b in both[:n]}]
    everyone = agents + targets + both
    states = [a for a in everyone if is_state(a)]
    if joint:
        if len(both) < 2:
            return None
    elif not agents or not targets:
        return None
    if states:
        return _with_state(kind, agents, targets, both)
    if kind in ("cooperation", "pact", "coalition"):
        apart = across(everyone)
        if not apart and not allied(everyone):
            return None
        if apart and kind == "coalition":
            return None
        # An agreement of two who have fought each other settles that fight, whatever camp they are of.
        kind = kind if apart or (kind == "pact" and _foes(everyone)) else "coalition"
    if kind == "clash" and joint and len({camp_of(a) for a in both}) < 2 and len(both) > 2:
        return None
    return kind, _roles(agents, targets, both)


def _with_state(
    kind: Kind, agents: list[str], targets: list[str], both: list[str]
) -> tuple[Kind, tuple[tuple[str, Role], ...]] | None:
    everyone = [*agents, *targets, *both]
    groups = [a for a in everyone if not is_state(a)]
    if kind in ("truce", "pact", "negotiation"):
        return ("government-truce", _roles([], [], everyone)) if groups or kind == "truce" else None
    if kind in ("cooperation", "coalition"):
        # Kurdish forces with the coalition: allies. Whom else a state helps is no relation among armed groups.
        kurdish = groups and all(camp_of(a) == "kurdish" for a in groups)
        friends = all(camp_of(a) == "coalition" or a == "usa" for a in everyone if is_state(a))
        return ("coalition", _roles([], [], everyone)) if kurdish and friends else None
    if kind == "clash" and agents and targets:
        agents, targets = [a for a in agents if not is_state(a)], [a for a in targets if not is_state(a)]
        if agents and targets:
            return kind, _roles(agents, targets, [])
        if len(agents) > 1 and not targets and allied(agents):
            return "coalition", _roles([], [], agents)
    return None


def allied(actors: Sequence[str]) -> bool:
    """Tell whether the groups can be standing allies: none on the other side of the split, none a part of another."""
    if across(actors):
        return False
    if all(camp_of(a) in ("kurdish", "rebel") for a in actors) and REBELS in actors:
        return False
    return not any(parent_of(a) == b for a in actors for b in actors) and any(camp_of(a) != "kurdish" for a in actors)


def _foes(actors: Sequence[str]) -> bool:
    """Tell whether any two have fought each other for most of their time."""
    return REBELS not in actors and any(
        rival(one, other) and other not in ACTORS[one].allied and one not in ACTORS[other].allied
        for one, other in combinations(actors, 2)
    )


def across(actors: Sequence[str]) -> bool:
    """Tell whether the groups stand on both sides of the split: the Islamic State's, and everybody else's."""
    camps = {camp_of(a) == "is" for a in actors}
    return len(camps) == 2


def _roles(agents: Iterable[str], targets: Iterable[str], both: Iterable[str]) -> tuple[tuple[str, Role], ...]:
    return (
        *((a, "agent") for a in agents),
        *((a, "target") for a in targets),
        *((a, "party") for a in both),
    )
