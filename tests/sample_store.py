"""A small store with one of everything that the desk must show, hostile text included; written by hand."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from processors.records import (
    SIGNALS,
    Alert,
    Attribution,
    Comparison,
    Document,
    Event,
    LedgerRow,
    Member,
    Party,
    Rejection,
    Signal,
    digest,
)
from processors.register import Article, Claim, Claimant, Register, Registers
from sulh.stores import Finding, Outcome, Processed, Store
from sulh.stores.sqlite import SqliteStore

DAY = date(2014, 11, 15)
DAWN = datetime(2014, 11, 13, 6, 10, tzinfo=UTC)
REGISTER = "orton-2014-11-15"
CLAIMS = ("C01", "C02", "C09", "C17", "C19", "C34")


def registers() -> Registers:
    """Give a register with some of the claims, the hostile sort included."""
    article = Article(
        id=REGISTER, title="A word of caution", author="K. O.", date=DAY, outlet="blog.test", url="https://blog.test/a"
    )
    claims = tuple(
        Claim(
            id=id,
            statement=f"Claim {id} says that the two made a truce & <b>more</b>.",
            voice=("doubted", "author")[number % 2],  # type: ignore[arg-type]
            kind="truce",
            parties=(Claimant(actor="islamic-state"), Claimant(actor="nusra")),
            place="syria",
            since=date(2014, 11, 2),
            locator=f"P{number + 1}",
        )
        for number, id in enumerate(CLAIMS)
    )
    return Registers([Register(article=article, claims=claims)])


SCRIPT = "<script>alert('desk')</script>"
FORMULA = "=cmd|' /C calc'!A0"

TRUCE = "Two commanders said the Islamic State and the Nusra Front agreed to stop fighting each other in Atareb."
DOUBT = "An American official said there was no sign of a wider shift."
DENIAL = "ونفى متحدث باسم جبهة النصرة التوصل إلى أي هدنة مع تنظيم الدولة الإسلامية في ريف حلب."
CLASH = "Боевики «Исламского государства» и «Джебхат ан-Нусры» вели бои под Ракой весь день."


def document(name: str, text: str, **given: object) -> Document:
    """Make a document whose id, address and capture follow from its name."""
    url = f"https://{name.split('/')[0]}.test/{name}"
    fields: dict[str, object] = {
        "source": name.split("/")[0],
        "title": name,
        "language": "en",
        "published_at": DAWN,
        "published_from": "page",
        "fetched_at": datetime(2014, 11, 15, 4, 0, tzinfo=UTC),
        "story": digest(url),
        "capture": digest(url, str(given.get("revision", 1))),
        **given,
    }
    return Document(id=digest(url), url=url, text=text, **fields)  # type: ignore[arg-type]


def event(of: Document, sentence: str, kind: str, *parties: str, **given: object) -> Event:
    """Make an event of a sentence that stands in the document's text."""
    start = of.text.index(sentence)
    return Event(
        id=digest(of.id, "text", str(start), kind, *parties),
        document=of.id,
        kind=kind,  # type: ignore[arg-type]
        parties=tuple(Party(actor=actor) for actor in parties),
        start=start,
        end=start + len(sentence),
        sentence=sentence,
        rule=f"{of.language}:sample",
        **given,  # type: ignore[arg-type]
    )


def comparison(of: Document, claim: str, bearing: str, found: Event | str, why: str, score: float = 0.8) -> Comparison:
    """Make a comparison on an event, or on a sentence by itself."""
    sentence = found if isinstance(found, str) else found.sentence
    start = of.text.index(sentence)
    return Comparison(
        id=digest(of.id, REGISTER, claim),
        document=of.id,
        register=REGISTER,
        claim=claim,
        bearing=bearing,  # type: ignore[arg-type]
        score=score,
        start=start,
        end=start + len(sentence),
        sentence=sentence,
        why=why,
        event="" if isinstance(found, str) else found.id,
    )


def processed(of: Document, *found: Event | Comparison) -> Processed:
    """Give all that one capture brought."""
    return Processed(
        outcome=Outcome(
            capture=of.capture,
            source=of.source,
            url=of.url,
            fetched_at=of.fetched_at,
            disposition="indexed",
            document=of.id,
        ),
        document=of,
        events=tuple(one for one in found if isinstance(one, Event)),
        comparisons=tuple(one for one in found if isinstance(one, Comparison)),
    )


def rejected(source: str, page: str, reason: str, detail: str = "") -> Processed:
    """Give a page that was declined."""
    url = f"https://{source}.test/{page}"
    at = datetime(2014, 11, 15, 4, 30, tzinfo=UTC)
    capture = digest(url, "rejected")
    return Processed(
        outcome=Outcome(capture=capture, source=source, url=url, fetched_at=at, disposition="rejected", reason=reason),
        rejection=Rejection(
            step="extract", reason=reason, source=source, url=url, capture=capture, detail=detail, at=at
        ),
    )


WIRE_TEXT = (
    f"{TRUCE}\n\nThe meeting took place in a farmhouse, they said.\n\n{DOUBT}\n\nIn Idlib the rebels lost two towns."
)
WIRE = document("wire_us/truce", WIRE_TEXT, title="Rival jihadists said to agree on truce", credit="ap")
REPRINT = document(
    "daily_uk/truce",
    WIRE_TEXT[: len(TRUCE) + 60],
    title="Islamic State and Nusra in truce, say commanders",
    story=WIRE.story,
    credit="ap",
    published_at=DAWN + timedelta(hours=2, minutes=10),
)
# Another text of its own, which credits the same agency: no second origin.
RETELLING = document(
    "gazette_fr/treve",
    "Selon l'agence AP, l'État islamique et le Front al-Nosra ont conclu une trêve près d'Alep.",
    title="Une trêve entre l'EI et al-Nosra",
    language="fr",
    credit="ap",
    published_at=DAWN + timedelta(days=1),
)
DENIED = document(
    "sahifa_sy/nafy",
    DENIAL + "\n\nوأضاف أن القتال مستمر.",
    title="النصرة تنفي التوصل إلى هدنة",
    language="ar",
    published_at=DAWN + timedelta(days=1, hours=5),
)
FOUGHT_OLD = document(
    "vestnik_ru/boi",
    "Боевики вели бои под Ракой.",
    title="Бои под Ракой",
    language="ru",
    published_at=DAWN - timedelta(days=2),
    fetched_at=datetime(2014, 11, 14, 4, 0, tzinfo=UTC),
)
FOUGHT = document(
    "vestnik_ru/boi",
    CLASH + "\n\nПотери сторон неизвестны.",
    title="Бои под Ракой: исправлено",
    language="ru",
    published_at=DAWN - timedelta(days=2),
    revision=2,
)
HOSTILE_TEXT = f"{FORMULA} {SCRIPT} the Islamic State and Nusra met, they said."
HOSTILE = document(
    "blog_xx/evil",
    HOSTILE_TEXT,
    title=FORMULA + SCRIPT,
    authors=("+1", SCRIPT),
    comments=f"{SCRIPT}\nFirst!",
    published_at=None,
    published_from="none",
    language="und",
)

CAUTION = {
    "anonymous_source": ("Two commanders said", "nobody is named"),
    "single_origin": ("", "two stories go back to ap"),
    "expert_doubt": (DOUBT, "an official doubts it in the same text"),
    "counter_report": (DENIAL, "a spokesman of the Nusra Front denies it"),
}


def write(path: Path) -> Path:
    """Write the store into a file, and give its path."""
    with closing(SqliteStore(path)) as store:
        fill(store)
    return path


def fill(store: Store) -> None:
    """Write the sample into a store of any kind."""
    truce = event(
        WIRE, TRUCE, "truce", "islamic-state", "nusra", modality="attributed", place="atareb", date=date(2014, 11, 2),
        attribution=Attribution(speaker="Two commanders", named=False, camp="rebel"),
    )  # fmt: skip
    again = event(REPRINT, TRUCE, "truce", "islamic-state", "nusra", modality="attributed")
    retold = event(RETELLING, RETELLING.text, "truce", "islamic-state", "nusra", modality="attributed")
    denied = event(DENIED, DENIAL, "truce", "islamic-state", "nusra", polarity="denied")
    fought = event(FOUGHT, CLASH, "clash", "islamic-state", "nusra", place="raqqa")
    met = event(HOSTILE, HOSTILE_TEXT, "negotiation", "islamic-state", "nusra")
    alert = Alert(
        id=digest(WIRE.id, "islamic-state", "nusra"),
        parties=("islamic-state", "nusra"),
        kind="truce",
        place="atareb",
        opened_at=DAWN,
        title=WIRE.title,
        sentence=TRUCE,
        state="denied",
        members=(
            Member(document=WIRE.id, role="first", event=truce.id, sentence=TRUCE),
            Member(document=REPRINT.id, role="reprint", event=again.id, sentence=TRUCE),
            Member(document=RETELLING.id, role="corroboration", event=retold.id, sentence=RETELLING.text),
            Member(document=DENIED.id, role="denial", event=denied.id, sentence=DENIAL),
        ),
        origins=("ap",),
        caution=tuple(
            Signal(
                name=name,
                shown=name in CAUTION,
                sentence=CAUTION.get(name, ("", ""))[0],
                document=(DENIED.id if name == "counter_report" else WIRE.id) if name in CAUTION else "",
                note=CAUTION.get(name, ("", "looked for; not in the texts"))[1],
            )
            for name in SIGNALS
        ),
    )
    quiet = tuple(Signal(name=name, shown=False, note="looked for; not in the text") for name in SIGNALS)
    hostile = Alert(
        id=digest(HOSTILE.id, "islamic-state", "nusra"),
        parties=("islamic-state", "nusra"),
        kind="negotiation",
        opened_at=HOSTILE.fetched_at,
        title=HOSTILE.title,
        sentence=HOSTILE_TEXT,
        members=(Member(document=HOSTILE.id, role="first", event=met.id, sentence=HOSTILE_TEXT),),
        origins=(HOSTILE.story,),
        caution=quiet,
    )
    old = Alert(
        id=digest("old", "al-qaeda", "islamic-state"),
        parties=("al-qaeda", "islamic-state"),
        kind="pledge",
        opened_at=datetime(2013, 4, 9, tzinfo=UTC),
        title="A pledge long ago",
        sentence="They pledged allegiance in April 2013.",
        members=(Member(document=digest("gone"), role="first"),),
        origins=(digest("gone"),),
        caution=quiet,
        held="old: published 585 days before it was fetched",
    )
    store.write([processed(FOUGHT_OLD)])
    store.write(
        [
            processed(WIRE, truce, comparison(WIRE, "C01", "reports", truce, "truce of both, attributed"),
                      comparison(WIRE, "C09", "reports", truce, "same place and parties", 0.95),
                      comparison(WIRE, "C17", "supports", DOUBT, "an official sees no shift of strategy")),
            processed(REPRINT, again, comparison(REPRINT, "C01", "reports", again, "truce of both, attributed")),
            processed(RETELLING, retold, comparison(RETELLING, "C01", "reports", retold, "truce, by way of AP")),
            processed(DENIED, denied, comparison(DENIED, "C01", "contradicts", denied, "Nusra denies a truce")),
            processed(FOUGHT, fought, comparison(FOUGHT, "C01", "contradicts", fought, "they fought on that day"),
                      comparison(FOUGHT, "C34", "supports", fought, "they fight")),
            processed(HOSTILE, met, comparison(HOSTILE, "C19", "supports", met, SCRIPT)),
            rejected("daily_uk", "login", "paywall", "a stub of 40 words"),
            rejected("blog_xx", "empty", "no-text", FORMULA),
        ]
    )  # fmt: skip
    crawl = {
        "wire_us": {"discovered": 1, "fetched": 1},
        "daily_uk": {"discovered": 5, "fetched": 2, "known": 3},
        "gazette_fr": {"discovered": 1, "fetched": 1},
        "sahifa_sy": {"discovered": 1, "fetched": 1},
        "vestnik_ru": {"discovered": 3, "fetched": 1, "known": 2},
        # One item fetched and never seen again: out of balance.
        "blog_xx": {"discovered": 4, "fetched": 3, "refused": 1},
        "down_tr": {"discovered": 2, "failed": 2},
    }
    store.tally(
        LedgerRow(
            source=source, day=DAY, step="crawl", disposition=name, count=count,
            reason={"refused": "robots", "failed": "http-503"}.get(name, ""),
        )
        for source, counts in crawl.items()
        for name, count in counts.items()
    )  # fmt: skip
    store.tally(
        LedgerRow(source="vestnik_ru", day=date(2014, 11, 14), step="crawl", disposition=name, count=1)
        for name in ("discovered", "fetched")
    )
    store.write_alerts([alert, hostile, old])
    store.write_findings(
        Finding(
            id=digest(kind, about),
            kind=kind,
            about=about,
            said=said,
            todo="`sulh sources check`",
            first_at=DAWN,
            last_at=DAWN + timedelta(hours=2),
            gone_at=gone,
        )
        for kind, about, said, gone in (
            ("silent", "gazette_fr", "brings nothing new since 2014-11-01", None),
            ("task-failed", "daily.crawl", f"{FORMULA}\n{SCRIPT}", None),
            ("no-list", "vestnik_ru", "not-a-feed", DAWN + timedelta(hours=1)),
        )
    )
    store.enqueue(alert.id, [digest("mail"), digest("chat")], at=DAWN)
    sure = store.deliveries(alert=alert.id)[0]
    store.claim(sure.id, now=DAWN + timedelta(minutes=5))
    store.settle(sure.id, sent=True, now=DAWN + timedelta(minutes=5))
    unsure = store.deliveries(alert=alert.id)[1]
    store.claim(unsure.id, now=DAWN + timedelta(minutes=6))


ALERT = digest(WIRE.id, "islamic-state", "nusra")
"""The open alert that four documents belong to."""

HELD = digest("old", "al-qaeda", "islamic-state")
