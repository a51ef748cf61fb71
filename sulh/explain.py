"""Says why an item was judged as it was: the clause, the cue, the names and the line of YAML behind each judgement."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from processors.annotate import actors
from processors.annotate.events import Explained, explain
from processors.knowledge import line_of, row_of
from processors.records import learned
from processors.register import Registers
from sulh.pipeline import Judged

ROOT = Path(actors.__file__).parent.parent.parent


def explained(judged: Judged, registers: Registers) -> dict[str, Any]:
    """Give as JSON values how each event of an item was found, and which claim's lines bear on it."""
    return {
        "events": [_event(one) for one in explain(judged.document)],
        "comparisons": [
            {
                "claim": row.claim,
                "bearing": row.bearing,
                "sentence": row.sentence,
                "why": row.why,
                "rule": _place(path := registers.files[row.register], row_of(path, "claims", row.claim)),
            }
            for row in judged.comparisons
        ],
    }


def _event(one: Explained) -> dict[str, Any]:
    event = one.event
    row = one.frame if learned(event.rule) else line_of(one.file, "frames", one.frame)
    return {
        "kind": event.kind,
        "parties": [party.actor for party in event.parties],
        "polarity": event.polarity,
        "modality": event.modality,
        "sentence": event.sentence,
        "clause": one.clause,
        "cue": one.cue,
        "words": one.words,
        "layout": one.layout,
        "rule": f"{event.rule} ({_place(one.file, row)})",
        "names": [{"actor": actor, "words": words, "rule": _actor(actor)} for actor, words in one.names],
        "marks": [{"list": kind, "words": words} for kind, words in one.marks],
    }


def _actor(id: str) -> str:
    for path in sorted(actors.FOLDER.glob("*.yml")):
        line = row_of(path, "actors", id)
        if line > 1:
            return _place(path, line)
    return id


def _place(path: Path, line: int) -> str:
    shown = path.relative_to(ROOT) if path.is_relative_to(ROOT) else path
    return f"{shown}:{line}"


def lines(row: Mapping[str, Any]) -> Iterator[str]:
    """Give what `judge --explain` prints of one item, for a person."""
    yield f"{row['id']}  language {row['language']}, story {row['story']}"
    if "rejected" in row:
        yield f"  refused: {row['rejected']['reason']}: {row['rejected']['detail']}"
        return
    why = row["explain"]
    if not why["events"]:
        yield "  no event: no clause has a cue with the parties that its frame asks for"
    for event in why["events"]:
        yield f"  {event['kind']} {'+'.join(sorted(event['parties']))} {event['polarity']} {event['modality']}"
        yield f"      “{event['sentence']}”"
        yield f"      clause   {event['clause']}"
        yield f"      cue      {event['words']}  ←  {event['cue'] or 'context'}   in {event['rule']}"
        yield f"      layout   {event['layout'] or 'by the sentences before'}"
        for name in event["names"]:
            said = f"“{name['words']}”" if name["words"] else "(a pronoun, or named further up)"
            yield f"      party    {said}  ←  {name['actor']}   in {name['rule']}"
        for mark in event["marks"]:
            yield f"      {mark['list']:8} {mark['words']}"
    for claim in why["comparisons"]:
        yield f"  {claim['claim']} {claim['bearing']}   in {claim['rule']}"
        yield f"      “{claim['sentence']}”"
        yield f"      because  {claim['why']}"
    one = row["alert"]
    if one is None:
        yield "  no alert"
        return
    yield f"  alert {one['id']}: {one['state']}, {one['kind']} {'+'.join(one['parties'])}, origins {one['origins']}"
    for name, signal in one["caution"].items():
        yield f"      {name}: {'“' + signal['sentence'] + '”' if signal['shown'] else 'not shown'}"
