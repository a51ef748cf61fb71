"""The step compare: how one document bears on the claims of the registers, each with the sentence that shows it."""

from __future__ import annotations

from collections.abc import Iterable

from processors.records import Comparison, Document, Event, digest
from processors.register import Claim, EventPattern, Register, Registers


def compare(document: Document, events: Iterable[Event], registers: Registers) -> tuple[Comparison, ...]:
    """Give at most one comparison per claim, the strongest, in order of register and claim."""
    best: dict[tuple[str, str], Comparison] = {}
    for register, claim in registers.claims():
        for pattern in claim.events:
            for event in events:
                found = _bears(document, event, register, claim, pattern)
                if found is None:
                    continue
                key = (register.article.id, claim.id)
                if key not in best or found.score > best[key].score:
                    best[key] = found
    return tuple(best[key] for key in sorted(best))


def _bears(
    document: Document, event: Event, register: Register, claim: Claim, pattern: EventPattern
) -> Comparison | None:
    actors = {party.actor for party in event.parties}
    if event.kind not in pattern.kinds or not all(actors & set(side.actors) for side in pattern.sides):
        return None
    against = (pattern.stance == "against") != (event.polarity == "denied")
    return Comparison(
        id=digest(document.id, register.article.id, claim.id),
        document=document.id,
        register=register.article.id,
        claim=claim.id,
        bearing="contradicts" if against else "supports" if event.modality == "stated" else "reports",
        score=0.7,
        field=event.field,
        start=event.start,
        end=event.end,
        sentence=event.sentence,
        why=f"{event.kind} of {' and '.join(sorted(actors))}",
        event=event.id,
    )
