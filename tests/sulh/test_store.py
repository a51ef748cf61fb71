"""One behaviour for every store: what is written is found again, once, in order, and never half."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from mappings import sqlite_schema
from processors.errors import SettingsError, StoreError
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
from sulh.stores import EXPORTS, Arrival, Delivery, Finding, Outcome, Processed, Query, Store, open_store
from sulh.stores.sqlite import VERSION, migrate

NOON = datetime(2014, 11, 15, 12, tzinfo=UTC)
Opener = Callable[[], Store]


@pytest.fixture(params=["sqlite", "elasticsearch"])
def opener(request: pytest.FixtureRequest, tmp_path: Path) -> Opener:
    """Opens the same store again and again: a file, then indices on a real node."""
    if request.param == "sqlite":
        return lambda: open_store(tmp_path / "home" / "sulh.db")
    address, access = request.getfixturevalue("elastic")
    return lambda: open_store(address, access=access)


@pytest.fixture
def on_file(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "home" / "sulh.db")) as store:
        yield store


@pytest.fixture
def store(opener: Opener) -> Iterator[Store]:
    with closing(opener()) as store:
        yield store


def document(url: str, text: str = "A truce was agreed.", **fields: object) -> Document:
    given = {"source": "outlet_uk", "title": "", "language": "en", "fetched_at": NOON, "revision": 1, **fields}
    given.setdefault("capture", digest(url, str(given["revision"])))
    given.setdefault("story", digest(url))
    return Document(id=digest(url), url=url, text=text, **given)  # type: ignore[arg-type]


def event(doc: Document, kind: str = "truce", start: int = 0, **fields: object) -> Event:
    return Event(
        id=digest(doc.id, "text", str(start), kind),
        document=doc.id,
        kind=kind,  # type: ignore[arg-type]
        parties=(Party(actor="islamic-state", role="agent"), Party(actor="nusra", role="target")),
        start=start,
        end=len(doc.text),
        sentence=doc.text[start:],
        rule="en:agreed",
        **fields,  # type: ignore[arg-type]
    )


def comparison(doc: Document, claim: str = "C01") -> Comparison:
    return Comparison(
        id=digest(doc.id, "orton", claim),
        document=doc.id,
        register="orton",
        claim=claim,
        bearing="reports",
        score=0.75,
        start=0,
        end=len(doc.text),
        sentence=doc.text,
        why="same kind and parties",
    )


def processed(doc: Document, *events: Event, comparisons: tuple[Comparison, ...] = ()) -> Processed:
    outcome = Outcome(
        capture=doc.capture,
        source=doc.source,
        url=doc.url,
        fetched_at=doc.fetched_at,
        disposition="indexed",
        document=doc.id,
    )
    return Processed(outcome=outcome, document=doc, events=events, comparisons=comparisons)


def rejected(url: str, reason: str = "no-text", *, at: datetime = NOON) -> Processed:
    capture = digest(url, "rejected")
    return Processed(
        outcome=Outcome(
            capture=capture, source="outlet_uk", url=url, fetched_at=at, disposition="rejected", reason=reason
        ),
        rejection=Rejection(step="extract", reason=reason, source="outlet_uk", url=url, capture=capture, at=at),
    )


def alert(doc: Document, **fields: object) -> Alert:
    given: dict[str, object] = {
        "id": digest(doc.id, "islamic-state", "nusra"),
        "parties": ("islamic-state", "nusra"),
        "kind": "truce",
        "opened_at": NOON,
        "title": "Truce",
        "sentence": doc.text,
        "members": (Member(document=doc.id, role="first", sentence=doc.text),),
        "origins": (doc.story,),
        "caution": tuple(Signal(name=name, shown=False) for name in SIGNALS),
        **fields,
    }
    return Alert(**given)  # type: ignore[arg-type]


def everything(store: Store) -> dict[str, list[dict[str, object]]]:
    return {kind: list(store.export(kind)) for kind in EXPORTS}


# ------------------------------------------------------------------------------------------------- what was found


def test_a_document_comes_back_as_it_was_written(store: Store) -> None:
    full = document(
        "https://outlet.example/truce",
        title="هدنة بين النصرة والدولة",
        text="Une trêve.\x00\n\n«Да», сказал он.",
        authors=("A. Writer", "ب"),
        published_at=datetime(2014, 11, 14, 9, 30, 0, 250_000, tzinfo=UTC),
        published_from="page",
        comments="first!",
        links=("https://other.example/",),
        sketch=(1, 2**63, 2**64 - 1),
        credit="ap",
    )
    attributed = event(
        full,
        polarity="denied",
        modality="attributed",
        attribution=Attribution(speaker="a source", named=False, camp="rebel"),
        place="atareb",
        date=date(2014, 11, 2),
    )
    store.write([processed(full, attributed, comparisons=(comparison(full),))])
    assert store.document(full.id) == full
    assert [(r.document, r.events) for r in store.reports()] == [(full, (attributed,))]
    assert [Comparison.from_json(row) for row in store.export("comparisons")] == [comparison(full)]
    assert store.document("unknown") is None


def test_writing_the_same_again_changes_nothing(store: Store) -> None:
    first, second = document("https://a.example/1", sketch=(1, 2)), document("https://a.example/2", sketch=(2, 3))
    batch = [
        processed(first, event(first), comparisons=(comparison(first),)),
        processed(second, event(second)),
        rejected("https://a.example/3"),
    ]
    store.write(batch)
    store.relabel({second.story: first.story})
    store.write_alerts([alert(first)])
    before = everything(store)
    assert before["stories"] == [
        {"id": first.story, "first": min(first.id, second.id), "size": 2, "documents": sorted((first.id, second.id))}
    ]
    store.write(batch)
    store.write_alerts([alert(first)])
    assert everything(store) == before
    assert [hit.document for hit in store.search(Query(words="truce"))] == sorted((first.id, second.id))


def test_a_batch_is_written_whole_or_not_at_all(store: Store) -> None:
    good = document("https://a.example/1")
    bad = document("https://a.example/2")

    def batch() -> Iterator[Processed]:
        yield processed(good, event(good))
        yield processed(bad, comparisons=(replace(comparison(bad), document="elsewhere"),))

    with pytest.raises(Exception, match=r"FOREIGN KEY|document"):
        store.write(batch())
    assert not any(everything(store).values())
    assert store.search(Query(words="truce")) == []


def test_an_edited_page_becomes_a_revision_with_its_own_events(store: Store) -> None:
    url = "https://a.example/1"
    old = document(url, "A truce was agreed.", sketch=(1, 2))
    new = document(url, "Correction: no ceasefire was agreed.", revision=2, sketch=(2, 3))
    store.write([processed(old, event(old), comparisons=(comparison(old, "C01"),))])
    store.write([processed(new, event(new, "refusal"), comparisons=(comparison(new, "C03"),))])
    assert store.document(old.id) == new
    assert [e["kind"] for e in store.export("events")] == ["refusal"]
    assert [c["claim"] for c in store.export("comparisons")] == ["C03"]
    assert store.search(Query(words="truce")) == []
    assert [hit.document for hit in store.search(Query(words="ceasefire"))] == [old.id]
    assert store.sketched([1]) == []
    assert [s.document for s in store.sketched([3])] == [old.id]
    # The former text, written again by a run that was interrupted, does not come back as the current one.
    store.write([processed(old, event(old))])
    assert store.document(old.id) == new


def test_the_former_text_of_a_page_stays_readable(on_file: Store, tmp_path: Path) -> None:
    old = document("https://a.example/1", "A truce was agreed.")
    on_file.write([processed(old)])
    on_file.write([processed(document("https://a.example/1", "No truce was agreed.", revision=2))])
    on_file.write([processed(old)])
    with closing(sqlite3.connect(tmp_path / "home" / "sulh.db")) as db:
        assert db.execute("SELECT id, revision, text FROM revisions").fetchall() == [(old.id, 1, old.text)]


def test_documents_that_share_most_of_a_sketch_come_first(store: Store) -> None:
    docs = [document(f"https://a.example/{n}", sketch=tuple(range(n, n + 10))) for n in range(5)]
    store.write([processed(doc) for doc in docs])
    found = store.sketched(list(range(2, 12)))
    assert found[0].document == docs[2].id
    assert (found[0].story, found[0].sketch) == (docs[2].story, docs[2].sketch)
    assert {s.document for s in found} == {doc.id for doc in docs}
    assert len(store.sketched(list(range(2, 12)), limit=2)) == 2
    assert store.sketched([99]) == store.sketched([]) == []


def test_a_sketch_that_was_asked_for_before_is_given_as_it_stands_now(on_file: Store, tmp_path: Path) -> None:
    one, other = document("https://a.example/1", sketch=(1, 2)), document("https://a.example/2", sketch=(2, 3))
    on_file.write([processed(one), processed(other)])

    def stories() -> dict[str, str]:
        return {found.document: found.story for found in on_file.sketched([1, 2])}

    assert stories() == {one.id: one.story, other.id: other.story}
    on_file.relabel({one.story: "moved"})
    assert stories() == {one.id: "moved", other.id: other.story}
    with closing(open_store(tmp_path / "home" / "sulh.db")) as beside:
        beside.relabel({other.story: "moved by another"})
    assert stories() == {one.id: "moved", other.id: "moved by another"}
    on_file.write([processed(document("https://a.example/1", "Edited.", sketch=(2,), revision=2, story="moved"))])
    assert {found.sketch for found in on_file.sketched([2])} == {(2,), (2, 3)}


def test_stories_move_whole_and_in_the_transaction_of_the_batch(store: Store) -> None:
    docs = [document(f"https://a.example/{n}", published_at=NOON - timedelta(days=n)) for n in range(4)]
    a, b, c, d = (doc.story for doc in docs)
    store.write([processed(doc) for doc in docs[:3]], stories={a: b, b: c})
    store.write([processed(docs[3])], stories={c: d})
    (story,) = store.export("stories")
    assert story == {"id": d, "first": docs[3].id, "size": 4, "documents": sorted(doc.id for doc in docs)}
    store.relabel({d: d, "unknown": d})
    assert list(store.export("stories")) == [story]


def test_reports_come_in_order_of_arrival_and_only_with_events_that_matter(store: Store) -> None:
    late = document("https://a.example/late", fetched_at=NOON + timedelta(days=1), published_at=NOON)
    early = document("https://a.example/early", published_at=NOON - timedelta(days=3))
    dateless = document("https://a.example/dateless", fetched_at=NOON - timedelta(hours=1))
    other = document("https://a.example/other")
    late_events = (event(late, "clash", 8), event(late, "truce", 2))
    store.write(
        [
            processed(late, *late_events),
            processed(dateless, event(dateless, "refusal")),
            processed(other, event(other, "government-truce")),
            processed(early, event(early)),
        ]
    )
    reports = list(store.reports())
    assert [r.document.id for r in reports] == [early.id, dateless.id, late.id]
    assert [e.start for e in reports[-1].events] == [2, 8]
    assert list(store.reports(actors={"nusra", "nobody"})) == reports
    assert list(store.reports(actors={"nobody"})) == []


def test_a_reader_sees_one_state_while_another_run_writes(store: Store) -> None:
    docs = [document(f"https://a.example/{n}") for n in range(20)]
    store.write([processed(doc) for doc in docs[:10]])
    rows = store.export("documents")
    seen = [next(rows)["id"]]
    store.write([processed(doc) for doc in docs[10:]])
    seen += [row["id"] for row in rows]
    assert seen == sorted(doc.id for doc in docs[:10])


# ------------------------------------------------------------------------------------------------------- ledger


def test_the_ledger_counts_outcomes_and_replaces_tallies(store: Store) -> None:
    docs = [document(f"https://a.example/{n}") for n in range(3)]
    later = NOON + timedelta(days=1)
    store.write([processed(doc) for doc in docs] + [rejected("https://a.example/x"), rejected("https://a.example/y")])
    store.write([rejected("https://a.example/z", "bot-wall", at=later)])
    row = LedgerRow(source="outlet_uk", day=NOON.date(), step="crawl", disposition="fetched", count=4)
    store.tally([row])
    store.tally([replace(row, count=5)])
    lines = [(r.day.day, r.step, r.disposition, r.reason, r.count) for r in store.ledger()]
    assert lines == [
        (15, "crawl", "fetched", "", 5),
        (15, "process", "indexed", "", 3),
        (15, "process", "rejected", "no-text", 2),
        (16, "process", "rejected", "bot-wall", 1),
    ]
    assert [r.reason for r in store.ledger(day=later.date())] == ["bot-wall"]
    assert store.ledger(source="elsewhere") == []
    # A duplicate of what is there counts once.
    store.write([rejected("https://a.example/x")])
    assert [(r.day.day, r.step, r.disposition, r.reason, r.count) for r in store.ledger()] == lines
    assert list(store.export("ledger")) == [r.to_json() for r in store.ledger()]


def test_rejections_come_newest_first(store: Store) -> None:
    store.write([rejected(f"https://a.example/{n}", at=NOON + timedelta(days=n % 2, minutes=n)) for n in range(4)])
    assert [r.url[-1] for r in store.rejections()] == ["3", "1", "2", "0"]
    assert [r.url[-1] for r in store.rejections(day=NOON.date())] == ["2", "0"]
    assert list(store.rejections(source="elsewhere")) == []


def test_captures_without_an_outcome_are_told(store: Store) -> None:
    doc = document("https://a.example/1")
    store.write([processed(doc), rejected("https://a.example/2")])
    assert store.unprocessed([doc.capture, "new", digest("https://a.example/2", "rejected")]) == {"new"}
    many = [str(n) for n in range(40_000)]
    assert store.unprocessed(many) == set(many)


# ------------------------------------------------------------------------------------------------------- alerts


def test_alerts_are_replaced_and_verdicts_and_deliveries_stay(store: Store) -> None:
    doc = document("https://a.example/1")
    first, second = alert(doc), alert(doc, id="second", opened_at=NOON + timedelta(days=1), place="raqqa")
    store.write([processed(doc)])
    store.write_alerts([first, second])
    assert store.alerts() == [second, first]
    store.judge(first.id, "confirmed", "seen the statement", at=NOON)
    assert store.enqueue(first.id, ["mail", "chat"], at=NOON) == 2
    assert store.enqueue(first.id, ["mail", "chat", "hook"], at=NOON) == 1
    changed = replace(first, state="denied", members=(*first.members, Member(document=doc.id, role="denial")))
    store.write_alerts([changed])
    assert store.alerts() == [changed]
    assert store.verdicts() == {first.id: ("confirmed", "seen the statement")}
    assert [d.channel for d in store.deliveries(alert=first.id)] == ["chat", "hook", "mail"]
    store.judge(first.id, "dismissed", "retracted", at=NOON)
    assert store.verdicts() == {first.id: ("dismissed", "retracted")}
    with pytest.raises(StoreError, match="no such alert"):
        store.judge("unknown", "confirmed", "", at=NOON)


def test_a_delivery_is_claimed_by_one_worker_and_settled_once(store: Store, opener: Opener) -> None:
    doc = document("https://a.example/1")
    store.write([processed(doc)])
    store.write_alerts([alert(doc)])
    store.enqueue(alert(doc).id, ["mail"], at=NOON)
    assert store.due(channels=["mail"], now=NOON - timedelta(seconds=1)) is None
    assert store.due(channels=["chat"], now=NOON) is None
    waiting = store.due(channels=["chat", "mail"], now=NOON)
    assert waiting is not None
    assert (waiting.state, waiting.attempts, waiting.alert) == ("waiting", 0, alert(doc).id)
    with closing(opener()) as other:
        assert store.claim(waiting.id, now=NOON)
        assert not other.claim(waiting.id, now=NOON)
        assert other.due(channels=["mail"], now=NOON) is None
    later = NOON + timedelta(minutes=5)
    store.settle(waiting.id, sent=False, now=NOON, error="refused", retry_at=later)
    (failed,) = store.deliveries()
    assert (failed.state, failed.attempts, failed.next_attempt, failed.error) == ("waiting", 1, later, "refused")
    assert store.claim(waiting.id, now=later)
    (unsure,) = store.deliveries()
    assert (unsure.state, unsure.claimed_at) == ("unsure", later)
    # Not before its time, and only what is unsure.
    assert store.release(claimed_before=later, now=later) == 0
    assert store.release(claimed_before=later + timedelta(seconds=1), now=later) == 1
    assert store.claim(waiting.id, now=later)
    store.settle(waiting.id, sent=True, now=later)
    (sent,) = store.deliveries()
    assert (sent.state, sent.attempts, sent.sent_at, sent.error) == ("sent", 3, later, "")
    assert not store.claim(waiting.id, now=later)
    assert store.release(claimed_before=later + timedelta(days=1), now=later) == 0
    assert store.enqueue(alert(doc).id, ["mail"], at=later) == 0


def test_what_was_withdrawn_or_dismissed_before_it_went_out_is_not_sent(store: Store) -> None:
    doc = document("https://a.example/1")
    first, second, third = (alert(doc, id=id) for id in ("first", "second", "third"))
    store.write([processed(doc)])
    store.write_alerts([first, second, third])
    for one in (first, second, third):
        store.enqueue(one.id, ["mail"], at=NOON)
    store.judge(second.id, "dismissed", "a rumour", at=NOON)
    withdrawn = replace(first, state="withdrawn", withdrawn="reading")
    store.write_alerts([withdrawn, second, third])
    assert {one.id: one.withdrawn for one in store.alerts()} == {"first": "reading", "second": "", "third": ""}
    due = store.due(channels=["mail"], now=NOON)
    assert due is not None and due.alert == third.id
    assert store.claim(due.id, now=NOON)
    assert store.due(channels=["mail"], now=NOON) is None
    # What comes back is sent after all.
    store.write_alerts([first, second, third])
    due = store.due(channels=["mail"], now=NOON)
    assert due is not None and due.alert == first.id


def test_a_source_that_is_replayed_leaves_nothing_of_its_former_texts_behind(store: Store) -> None:
    kept = document("https://a.example/1", source="outlet_uk", sketch=(1, 2))
    last = document("https://b.example/1", source="outlet_fr", sketch=(2, 3))
    store.write([processed(kept), processed(last)])
    now = replace(last, sketch=(2, 4))
    with store.rebuilding(without=["outlet_fr"]) as fresh:
        fresh.write([processed(now)])
    assert [row.document for row in store.sketched([3])] == []
    assert {row.document for row in store.sketched([2])} == {kept.id, last.id}


def finding(about: str = "outlet_uk", **fields: object) -> Finding:
    given = {"kind": "silent", "said": "no news", "todo": "look", "first_at": NOON, "last_at": NOON, **fields}
    return Finding(id=digest("silent", about, str(given["first_at"])), about=about, **given)  # type: ignore[arg-type]


def test_findings_stand_until_they_are_gone_and_each_is_told_once(store: Store) -> None:
    one, two = finding(), finding("outlet_fr", first_at=NOON + timedelta(hours=1))
    store.write_findings([two, one])
    assert store.findings() == store.findings(standing=True) == [one, two]
    later = replace(one, said="still none", last_at=NOON + timedelta(days=1))
    gone = replace(two, gone_at=NOON + timedelta(days=1))
    store.write_findings([later, gone])
    assert store.findings() == [later, gone]
    assert store.findings(standing=True) == [later]
    assert (store.enqueue(one.id, ["phone"], at=NOON), store.enqueue(one.id, ["phone"], at=NOON)) == (1, 0)
    assert store.enqueue("of-nothing", ["phone"], at=NOON - timedelta(days=1)) == 1
    due = store.due(channels=["phone"], now=NOON)
    assert due is not None and due.alert == one.id
    assert store.claim(due.id, now=NOON)
    store.settle(due.id, sent=True, now=NOON)
    assert store.due(channels=["phone"], now=NOON + timedelta(days=9)) is None


def test_a_replay_keeps_findings_and_when_captures_were_first_processed(store: Store) -> None:
    news, old = document("https://a.example/1", published_at=NOON), document("https://a.example/2", published_at=NOON)
    undated = document("https://a.example/3")
    hour = timedelta(hours=1)

    def at(doc: Document, moment: datetime | None) -> Processed:
        item = processed(doc)
        return replace(item, outcome=replace(item.outcome, processed_at=moment))

    store.write([at(news, NOON + hour), at(old, None), at(undated, NOON)])
    store.write_findings([finding()])
    expected = [Arrival(source="outlet_uk", published_at=NOON, processed_at=NOON + hour)]
    assert list(store.arrivals(since=NOON)) == expected
    assert list(store.arrivals(since=NOON + hour)) == []
    assert store.processed([news.id, old.id, "none"]) == {news.id: NOON + hour}
    with store.rebuilding() as fresh:
        fresh.write([at(news, NOON + 5 * hour), at(old, NOON + 5 * hour), at(undated, NOON)])
    assert list(store.arrivals(since=NOON)) == expected
    assert store.processed([news.id, old.id]) == {news.id: NOON + hour}
    assert store.findings() == [finding()]
    # A new text is news of the day it came, not of the day on which the page came out.
    store.write([at(replace(news, revision=2, capture="x2", text="Another text."), NOON + 9 * hour)])
    assert list(store.arrivals(since=NOON)) == []
    assert store.processed([news.id]) == {news.id: NOON + hour}


def test_what_waits_for_an_alert_that_is_gone_is_not_due(store: Store) -> None:
    doc = document("https://a.example/1")
    store.write_alerts([alert(doc)])
    store.enqueue(alert(doc).id, ["mail"], at=NOON)
    store.write_alerts([])
    assert store.due(channels=["mail"], now=NOON) is None
    assert len(store.deliveries()) == 1


# ------------------------------------------------------------------------------------------------------- search

TEXTS = {
    "ar": "أعلنت الفصائل أن المفاوضين توصلوا إلى هدنةٍ واتفاق بين جبهة النصرة والدولة الإسلامية في حلب.",
    "en": "The negotiators announced ceasefires between Jabhat al-Nusra and Da'ish near Aleppo.",
    "ru": "Боевики объявили о перемирии между «Джебхат ан-Нусрой» и «Исламским государством», сообщил Фёдоров.",
    "fr": "Les combattants ont négocié des trêves entre le Front al-Nosra et l’État islamique.",
    "tr": "IŞİD'in Nusra Cephesi'yle yaptığı ateşkesin ayrıntıları anlaşmasında yazıyor.",
}
FORMS = [
    ("ar", "هدنة"),
    ("ar", "الهدنة"),
    ("ar", "وبالاتفاق"),
    ("ar", "النصره"),
    ("ar", "الدولة الاسلامية"),
    ("ar", "والفصائل"),
    ("ar", "مفاوضون"),
    ("en", "ceasefire"),
    ("en", "cease-fire"),
    ("en", "negotiator announces"),
    ("en", "Daish"),
    ("en", "al-Nusra"),
    ("en", "NUSRA'S"),
    ("ru", "перемирие"),
    ("ru", "боевик"),
    ("ru", "Нусра"),
    ("ru", "Федоров"),
    ("fr", "trêve"),
    ("fr", "treve"),
    ("fr", "négocier"),
    ("fr", "combattant"),
    ("fr", "Etat islamique"),
    ("tr", "ateşkes"),
    ("tr", "ateskes"),
    ("tr", "ışid"),
    ("tr", "ISID"),
    ("tr", "anlaşma"),
    ("tr", "cephe"),
]


@pytest.fixture
def library(store: Store) -> Store:
    docs = [
        document(
            f"https://{language}.example/1",
            text,
            language=language,
            source=f"outlet_{language}",
            published_at=NOON - timedelta(days=number),
        )
        for number, (language, text) in enumerate(TEXTS.items())
    ]
    store.write([processed(doc, event(doc), comparisons=(comparison(doc),)) for doc in docs[:2]])
    store.write([processed(doc, event(doc, "clash")) for doc in docs[2:]])
    return store


@pytest.mark.parametrize(("language", "words"), FORMS)
def test_any_form_of_a_word_finds_it(library: Store, language: str, words: str) -> None:
    assert language in [hit.language for hit in library.search(Query(words=words))]
    assert [hit.language for hit in library.search(Query(words=words, language=language))] == [language]


def test_all_words_must_be_there(library: Store) -> None:
    assert [hit.language for hit in library.search(Query(words="ceasefire Aleppo"))] == ["en"]
    assert library.search(Query(words="ceasefire Qalamoun")) == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("(x", 0),
        ("AND", 1),
        ("ceasefires OR clashes", 0),
        ('"', 0),
        ('"ceasefire', 1),
        ("IS:x", 0),
        ("*", 0),
        ("NEAR(", 1),
        ("-Nusra", 1),
        ("Da'ish'", 1),
        ("a" * 5_000, 0),
        ("!!", 0),
    ],
)
def test_a_search_reads_no_syntax_into_what_people_type(library: Store, words: str, found: int) -> None:
    assert len(library.search(Query(words=words, language="en"))) == found


def test_filters_all_hold_and_stand_alone(library: Store) -> None:
    def found(**given: object) -> list[str]:
        return [hit.language for hit in library.search(Query(**given))]  # type: ignore[arg-type]

    assert found() == list(TEXTS)
    assert found(limit=2) == ["ar", "en"]
    assert found(source="outlet_ru") == ["ru"]
    assert found(since=date(2014, 11, 13)) == ["ar", "en", "ru"]
    assert found(until=date(2014, 11, 13)) == ["ru", "fr", "tr"]
    assert found(claim="C01") == ["ar", "en"]
    assert found(kind="clash") == ["ru", "fr", "tr"]
    assert found(kind="clash", language="en") == []
    assert found(words="ceasefire", claim="C01", kind="truce") == ["en"]


def test_a_hit_shows_the_words_it_was_found_by(library: Store) -> None:
    (hit,) = library.search(Query(words="cease-fire nusra", language="en"))
    assert hit.snippet == "The negotiators announced [ceasefires] between Jabhat al-[Nusra] and Da'ish near Aleppo."
    (hit,) = library.search(Query(words="هدنة"))
    assert "[هدنةٍ]" in hit.snippet


def test_a_long_question_is_answered_or_refused_alike(store: Store) -> None:
    store.write([processed(document("https://a.example/1"))])
    assert len(store.search(Query(words="truce " * 3000))) == 1
    with pytest.raises(StoreError, match="ask for 100 at most"):
        store.search(Query(words=" ".join(f"word{n}" for n in range(3000))))


def test_a_word_in_the_title_ranks_above_one_in_the_text(store: Store) -> None:
    filler = "Something else happened in another place on that day."
    texts = [document(f"https://a.example/{n}", f"A merger. {filler}", title="News of the day") for n in range(3)]
    titled = document("https://b.example/", filler, title="A merger of the two")
    store.write([processed(doc) for doc in (*texts, titled)])
    assert store.search(Query(words="mergers"))[0].document == titled.id


def test_text_that_no_encoding_holds_does_not_cost_the_batch(store: Store) -> None:
    broken = document("https://a.example/1", "A truce \ud800 was agreed.", title="\udfff", capture="c")
    store.write([processed(broken), processed(document("https://a.example/2"))])
    stored = store.document(broken.id)
    assert stored is not None
    assert stored.text == "A truce ? was agreed."
    assert len(store.search(Query(words="truces"))) == 2


# ---------------------------------------------------------------------------------------------- the file itself


def test_each_table_has_the_fields_of_its_record(tmp_path: Path) -> None:
    open_store(tmp_path / "sulh.db").close()
    records = {"documents": Document, "revisions": Document, "events": Event, "comparisons": Comparison}
    records |= {"alerts": Alert, "rejections": Rejection, "outcomes": Outcome, "ledger": LedgerRow}
    records |= {"findings": Finding, "deliveries": Delivery}
    with closing(sqlite3.connect(tmp_path / "sulh.db")) as db:
        assert db.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        for table, record in records.items():
            columns = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
            assert columns - {"number"} == set(record.__dataclass_fields__), table


def test_the_views_count_origins_and_queue_alerts(on_file: Store, tmp_path: Path) -> None:
    store = on_file
    wire = document("https://wire.example/1", story="s1")
    reprint = document("https://paper.example/1", story="s1", credit="ap")
    rewrite = document("https://blog.example/1", story="s2", credit="ap")
    own = document("https://own.example/1", story="s3")
    docs = (wire, reprint, rewrite, own)
    store.write([processed(doc, event(doc), comparisons=(comparison(doc),)) for doc in docs])
    store.write_alerts([alert(wire)])
    store.judge(alert(wire).id, "dismissed", "a rumour", at=NOON)
    with closing(sqlite3.connect(tmp_path / "home" / "sulh.db")) as db:
        counts = db.execute("SELECT claim, bearing, documents, origins FROM claim_counts").fetchall()
        assert counts == [("C01", "reports", 4, 2)]
        assert db.execute("SELECT id, first, size FROM stories ORDER BY size DESC").fetchone() == (
            "s1",
            min(wire.id, reprint.id),
            2,
        )
        assert db.execute("SELECT verdict, why, documents FROM alert_queue").fetchall() == [
            ("dismissed", "a rumour", 1)
        ]
        assert db.execute("SELECT count(DISTINCT event) FROM event_parties WHERE actor = 'nusra'").fetchone() == (4,)
        assert db.execute("SELECT count(*) FROM alert_signals").fetchone() == (len(SIGNALS),)


def test_a_store_of_a_newer_version_is_refused_untouched(tmp_path: Path) -> None:
    path = tmp_path / "sulh.db"
    open_store(path).close()
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(StoreError, match=rf"newer sulh \(schema 99, this sulh knows {VERSION}\): upgrade sulh"):
        open_store(path)
    assert path.read_bytes() == before


def test_an_older_store_is_brought_up_step_by_step() -> None:
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as db:
        db.executescript(sqlite_schema())
        steps = ["CREATE TABLE two (a);\nCREATE INDEX two_a ON two (a);", "ALTER TABLE two\n  ADD COLUMN b;"]
        db.execute("BEGIN")
        migrate(db, steps, version=1)
        db.execute("COMMIT")
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        assert db.execute("SELECT a, b FROM two").fetchall() == []
        migrate(db, steps, version=3)
        assert db.execute("PRAGMA user_version").fetchone() == (3,)


def test_a_store_of_version_1_is_brought_up_with_all_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "sulh.db"

    def columns() -> dict[str, set[str]]:
        with closing(sqlite3.connect(path)) as db:
            tables = [
                name
                for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type IN ('table', 'index', 'view')")
            ]
            return {name: {row[1] for row in db.execute(f"PRAGMA table_xinfo('{name}')")} for name in tables}

    doc = document("https://a.example/1")
    with closing(open_store(path)) as store:
        store.write([processed(doc)])
    new = columns()
    with closing(sqlite3.connect(path)) as db:
        db.executescript(
            "DROP TABLE findings; DROP INDEX outcomes_by_document; ALTER TABLE outcomes DROP COLUMN processed_at;"
            " DROP VIEW alert_queue; ALTER TABLE alerts DROP COLUMN withdrawn;"
            " CREATE VIEW alert_queue AS SELECT id FROM alerts; PRAGMA user_version = 1;"
        )
    with closing(open_store(path)) as store:
        assert store.document(doc.id) == doc
        assert store.unprocessed([doc.capture]) == set()
        assert store.findings() == []
        assert store.processed([doc.id]) == {}
        with store.rebuilding() as fresh:
            fresh.write([processed(doc)])
        assert store.document(doc.id) == doc
    assert columns() == new


def test_what_is_not_a_store_is_refused_in_one_sentence(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("these are my notes, not a database\n" * 100)
    with pytest.raises(StoreError, match=r"notes\.txt: this file is not an SQLite database"):
        open_store(text)
    assert text.read_text().startswith("these are my notes")
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as db:
        db.execute("CREATE TABLE recipes (name)")
    before = other.read_bytes()
    with pytest.raises(StoreError, match=r"other\.db: this SQLite file is not a store of sulh"):
        open_store(other)
    assert other.read_bytes() == before
    with pytest.raises(StoreError, match="there is no store yet"):
        open_store(tmp_path / "none" / "sulh.db", create=False)
    assert not (tmp_path / "none").exists()
    with pytest.raises(StoreError, match="cannot be opened"):
        open_store(tmp_path)
    with pytest.raises(StoreError, match="folder cannot be made"):
        open_store(text / "sulh.db")
    with pytest.raises(SettingsError, match="no store for ftp:// addresses"):
        open_store("ftp://files.example/sulh.db")
    with pytest.raises(SettingsError, match="leave user and password out") as refused:
        open_store("https://user:secret@search.example:9200")
    assert "secret" not in str(refused.value)


def test_a_full_disk_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "sulh.db"
    # A process of its own: its limit on file size stands in for the disk.
    script = """
import resource, signal, sys
from pathlib import Path
sys.path[:0] = [sys.argv[2], sys.argv[3]]
import test_store as t
from processors.errors import StoreError
store = t.open_store(Path(sys.argv[1]))
store.write([t.processed(t.document("https://a.example/kept"))])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (600_000, 600_000))
try:
    store.write([t.processed(t.document(f"https://a.example/{n}", "truce " * 2_000)) for n in range(100)])
except StoreError as error:
    print(error)
"""
    here = Path(__file__)
    ran = subprocess.run(
        [sys.executable, "-c", script, path, here.parent, here.parents[2]], capture_output=True, text=True, check=True
    )
    assert "nothing was written" in ran.stdout
    with closing(open_store(path)) as store:
        assert [row["url"] for row in store.export("documents")] == ["https://a.example/kept"]
        assert len(store.search(Query(words="truce"))) == 1


def test_many_processes_open_a_new_store_at_once(tmp_path: Path) -> None:
    script = "import sys; from sulh.stores import open_store; open_store(sys.argv[1]).close()"
    path = tmp_path / "sulh.db"
    root = Path(__file__).parents[2]
    running = [subprocess.Popen([sys.executable, "-c", script, path], cwd=root) for _ in range(4)]
    assert [process.wait() for process in running] == [0] * 4
    with closing(open_store(path, create=False)) as store:
        assert store.ledger() == []
