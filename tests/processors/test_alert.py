"""Alerting: one alert a reconciliation, whatever comes in and in whatever order, with its caution answered."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processors.alert import Settled, alert
from processors.records import SIGNALS, Alert, Attribution, Document, Event, Kind, Modality, Party, Polarity, Role

START = datetime(2014, 11, 13, 9, tzinfo=UTC)


@dataclass(frozen=True)
class Group:
    name: str
    camp: str
    jihadist: bool = True
    state: bool = False
    parent: str = ""
    predecessor: str = ""


GROUPS = {
    "islamic-state": Group("Islamic State", "is"),
    "isgs": Group("ISGS", "is", parent="islamic-state"),
    "al-qaeda": Group("al-Qaeda", "aq"),
    "nusra": Group("Nusra", "aq", parent="al-qaeda"),
    "jabhat-fath-al-sham": Group("Fath al-Sham", "aq", parent="al-qaeda", predecessor="nusra"),
    "jnim": Group("JNIM", "aq", parent="al-qaeda"),
    "ahrar-al-sham": Group("Ahrar al-Sham", "rebel", jihadist=False),
    "jund-al-aqsa": Group("Jund al-Aqsa", "independent"),
    "jma": Group("JMA", "independent"),
    "srf": Group("SRF", "rebel", jihadist=False),
    "syrian-regime": Group("Syrian regime", "regime", jihadist=False, state=True),
}


def rival(a: str, b: str) -> bool:
    one, other = GROUPS[a], GROUPS[b]
    if one.state or other.state or "srf" in (a, b):
        return False
    return (one.camp == "is") != (other.camp == "is")


@dataclass(frozen=True)
class Report:
    document: Document
    events: tuple[Event, ...]


@dataclass
class Telling:
    """What one sentence tells."""

    kind: Kind = "truce"
    parties: Sequence[str] = ("islamic-state", "nusra")
    polarity: Polarity = "affirmed"
    modality: Modality = "attributed"
    attribution: Attribution | None = None
    sentence: str = "The Islamic State and Nusra agreed a truce."
    day: date | None = None
    place: str = ""
    roles: Sequence[Role] = field(default_factory=tuple)


def report(
    id: str,
    *tellings: Telling,
    day: float = 0,
    source: str = "",
    story: str = "",
    credit: str = "",
    title: str = "News",
    more: str = "",
    language: str = "en",
    fetched: datetime | None = None,
) -> Report:
    tellings = tellings or (Telling(),)
    at = START + timedelta(days=day)
    text, events = "", []
    for number, telling in enumerate(tellings):
        start = len(text)
        text += telling.sentence + "\n"
        roles = tuple(telling.roles) or ("party",) * len(telling.parties)
        events.append(
            Event(
                id=f"{id}-{number}",
                document=id,
                kind=telling.kind,
                parties=tuple(Party(actor=a, role=r) for a, r in zip(telling.parties, roles, strict=True)),
                polarity=telling.polarity,
                modality=telling.modality,
                attribution=telling.attribution,
                date=telling.day,
                place=telling.place,
                start=start,
                end=start + len(telling.sentence),
                sentence=telling.sentence,
                rule="test",
            )
        )
    document = Document(
        id=id,
        source=source or f"{id}_xx",
        url=f"https://example.org/{id}",
        title=title,
        text=text + more,
        published_at=at,
        fetched_at=fetched or at,
        language=language,  # type: ignore[arg-type]
        capture=f"c-{id}",
        story=story or id,
        credit=credit,
    )
    return Report(document, tuple(events))


def decide(
    *reports: Report, settled: dict[str, Settled] | None = None, max_age_days: int | None = None
) -> tuple[Alert, ...]:
    now = max(one.document.fetched_at for one in reports)
    pages = {one.document.id: one.document for one in reports}
    return alert(
        reports,
        now=now,
        settled=settled or {},
        max_age_days=max_age_days,
        actors=GROUPS,
        rival=rival,
        document=pages.get,
    )


def roles(one: Alert) -> dict[str, str]:
    return {member.document: member.role for member in one.members}


# What opens an alert


@pytest.mark.parametrize(
    ("telling", "opens"),
    [
        (Telling(), True),
        (Telling(modality="stated"), True),
        (Telling(modality="speculated", sentence="The two may have agreed a truce."), False),
        (Telling(kind="negotiation", modality="speculated", roles=("agent", "target")), False),
        (Telling(kind="pledge", parties=("jund-al-aqsa", "islamic-state"), roles=("agent", "target")), True),
        (Telling(kind="swap"), True),
        (Telling(modality="speculated", sentence="If the two agreed a truce, the rebels would suffer."), False),
        (Telling(kind="negotiation", modality="speculated", sentence="Clerics called for a truce."), False),
        (Telling(modality="looking-back"), False),
        (Telling(polarity="denied"), False),
        (Telling(day=date(2014, 5, 1)), False),
        (Telling(kind="coalition", parties=("nusra", "ahrar-al-sham")), False),
        (Telling(kind="government-truce", parties=("islamic-state", "syrian-regime")), False),
        (Telling(kind="truce", parties=("islamic-state", "nusra", "syrian-regime")), False),
        (Telling(parties=("islamic-state", "srf")), False),
        (Telling(parties=("nusra", "al-qaeda")), False),
        (Telling(parties=("nusra", "jabhat-fath-al-sham")), False),
        (Telling(kind="clash"), False),
        (Telling(kind="refusal", roles=("agent", "target")), False),
    ],
)
def test_what_is_a_report_of_a_reconciliation(telling: Telling, opens: bool) -> None:
    assert len(decide(report("a", telling))) == opens


def test_two_jihadist_groups_that_fought_each_other_count_though_no_file_says_so() -> None:
    fight = Telling(kind="clash", parties=("jma", "jund-al-aqsa"), modality="looking-back")
    assert len(decide(report("a", Telling(parties=("jma", "jund-al-aqsa")), fight))) == 1
    assert decide(report("a", Telling(parties=("jma", "jund-al-aqsa")))) == ()


def test_a_report_of_many_parties_is_one_alert() -> None:
    pairs = [Telling(parties=("islamic-state", other)) for other in ("nusra", "ahrar-al-sham", "jund-al-aqsa")]
    (one,) = decide(report("a", *pairs))
    assert one.parties == ("ahrar-al-sham", "islamic-state", "jund-al-aqsa", "nusra")


def test_two_reports_in_one_document_are_two_alerts() -> None:
    assert len(decide(report("a", Telling(), Telling(parties=("isgs", "jnim"))))) == 2


def test_a_text_that_begins_with_the_denial_reports_nothing() -> None:
    assert decide(report("a", Telling(polarity="denied", sentence="Nusra denied it."), Telling())) == ()


# What joins one


def test_reprints_follow_ups_and_corroborations_join() -> None:
    (one,) = decide(
        report("a", source="ap_us", credit=""),
        report("b", day=0.1, story="a"),
        report("c", day=1, credit="ap"),
        report("d", day=2),
        report("e", day=3, source="d_xx"),
    )
    assert roles(one) == {"a": "first", "b": "reprint", "c": "follow-up", "d": "corroboration", "e": "follow-up"}
    assert one.origins == ("ap", "d")
    assert one.state == "corroborated"


def test_outlets_that_lean_on_other_reports_are_no_origin_of_their_own() -> None:
    echo = Telling(sentence="The Islamic State and Nusra have reportedly agreed a truce.")
    (one,) = decide(report("a"), report("b", echo, day=1))
    assert (one.state, roles(one)["b"]) == ("new", "follow-up")
    doubt = Telling(
        modality="stated", sentence="The truce of the Islamic State and Nusra is doubtful, an analyst said."
    )
    (one,) = decide(report("a"), report("b", doubt, day=1))
    assert (one.state, roles(one)["b"]) == ("new", "follow-up")


def test_later_names_and_the_whole_for_its_branch_are_the_same_pair() -> None:
    others = (Telling(parties=("islamic-state", "jabhat-fath-al-sham")), Telling(parties=("islamic-state", "al-qaeda")))
    assert len(decide(report("a"), report("b", others[0], day=1), report("c", others[1], day=2))) == 1
    assert len(decide(report("a"), report("b", Telling(parties=("isgs", "jnim")), day=1))) == 2


def test_another_kind_of_deal_is_another_alert() -> None:
    pledge = Telling(kind="pledge", parties=("nusra", "islamic-state"), roles=("agent", "target"))
    assert len(decide(report("a", Telling(kind="swap")), report("b", pledge, day=1))) == 2


def test_the_same_deal_told_late_opens_nothing_but_a_new_one_does() -> None:
    first = report("a", Telling(day=date(2014, 11, 2)))
    late = report("b", Telling(day=date(2014, 11, 2)), day=60)
    new = report("c", day=61)
    assert [roles(one) for one in decide(first, late)] == [{"a": "first", "b": "follow-up"}]
    assert len(decide(first, new)) == 2
    assert len(decide(first, late, new)) == 2


def test_denials_and_refusals_join_and_deny() -> None:
    refusal = Telling(kind="refusal", roles=("agent", "target"), sentence="The Islamic State refused.")
    denied = Telling(polarity="denied", sentence="Nusra denied any truce.")
    for counter in (refusal, denied):
        (one,) = decide(report("a"), report("b", counter, day=2))
        assert (one.state, roles(one)["b"]) == ("denied", "denial")
        shown = {signal.name: signal for signal in one.caution}["counter_report"]
        assert (shown.shown, shown.document, shown.sentence) == (True, "b", counter.sentence)


def test_fighting_soon_after_collapses_it_and_echoes_open_nothing() -> None:
    fight = Telling(kind="clash", modality="stated", sentence="The two fought in Raqqa.")
    (one,) = decide(report("a"), report("b", fight, day=5), report("c", day=7))
    assert (one.state, roles(one)) == ("collapsed", {"a": "first", "b": "fighting", "c": "corroboration"})
    assert len(decide(report("a"), report("b", fight, day=5), report("c", day=18))) == 2
    (still,) = decide(report("a"), report("b", fight, day=-5))
    assert still.state == "new"


# The same whatever the order


def _pool() -> list[Report]:
    fight = Telling(kind="clash", modality="stated", sentence="The two fought.")
    return [
        report("a", fetched=START + timedelta(hours=9)),
        report("b", day=0.1, story="a", fetched=START + timedelta(hours=3)),
        report("c", day=0.2, credit="ap", fetched=START + timedelta(hours=8)),
        report("d", Telling(parties=("isgs", "jnim")), day=0.3, fetched=START + timedelta(hours=8)),
        report("e", Telling(polarity="denied"), day=1),
        report("f", fight, day=9),
        report("g", day=40),
        report("h", Telling(kind="swap", parties=("islamic-state", "ahrar-al-sham")), day=2),
    ]


@settings(max_examples=40, deadline=None)
@given(st.permutations(_pool()))
def test_the_order_in_which_reports_are_given_changes_nothing(shuffled: list[Report]) -> None:
    assert decide(*shuffled) == decide(*_pool())


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_order_of_crawling_within_a_day_changes_nothing(data: st.DataObject) -> None:
    pool = []
    for one in _pool():
        day = one.document.fetched_at.replace(hour=12)
        hours = data.draw(st.integers(0, 11))
        fetched = max(day + timedelta(hours=hours), one.document.published_at or day)
        document = Document.from_json({**one.document.to_json(), "fetched_at": fetched.isoformat()})
        pool.append(Report(document, one.events))
    assert [(a.id, roles(a), a.state) for a in decide(*pool)] == [(a.id, roles(a), a.state) for a in decide(*_pool())]


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 7), st.floats(0, 300))
def test_a_reprint_never_opens_an_alert(number: int, later: float) -> None:
    pool = _pool()
    first = pool[number]
    published = first.document.published_at
    assert published
    at = (max(one.document.fetched_at for one in pool) + timedelta(days=later)).isoformat()
    reprint = Document.from_json(
        {**first.document.to_json(), "id": "reprint", "source": "other_xx", "published_at": at, "fetched_at": at}
    )
    assert {a.id for a in decide(*pool, Report(reprint, first.events))} == {a.id for a in decide(*pool)}


def test_deciding_again_gives_the_same_and_keeps_delivered_ids() -> None:
    evening = decide(report("b", day=0.5))
    settled = {one.id: Settled.of(one) for one in evening}
    # The page that told it first is crawled later on the same day, and the first page is corrected after that.
    both = decide(report("a", day=0.1, fetched=START + timedelta(hours=14)), report("b", day=0.5), settled=settled)
    assert [one.id for one in both] == [one.id for one in evening]
    assert both[0].members[0].document == "b"
    assert decide(report("a", day=0.1), report("b", day=0.5), settled=settled) == decide(
        report("b", day=0.5), report("a", day=0.1), settled={one.id: Settled.of(one) for one in both}
    )
    corrected = decide(report("a", day=0.1), report("b", Telling(polarity="denied"), day=0.5), settled=settled)
    assert [(one.id, one.state) for one in corrected] == [(evening[0].id, "denied")]


def test_old_news_is_held_until_somebody_tells_it_as_news() -> None:
    late = START + timedelta(days=20)
    assert [one.held for one in decide(report("a", fetched=late), max_age_days=14)] == ["old"]
    assert [one.held for one in decide(report("a", fetched=late), max_age_days=None)] == [""]
    assert [one.held for one in decide(report("a", fetched=late), report("b", day=19), max_age_days=14)] == [""]


# Caution


def caution(*reports: Report) -> dict[str, tuple[bool, str]]:
    (one,) = decide(*reports)
    assert tuple(signal.name for signal in one.caution) == SIGNALS
    for signal in one.caution:
        assert signal.note
        assert signal.shown <= bool(signal.sentence and signal.document)
    return {signal.name: (signal.shown, signal.sentence) for signal in one.caution}


def test_a_bare_report_shows_that_nobody_is_named_and_nothing_else() -> None:
    answers = caution(report("a", Telling(modality="stated")))
    assert {name for name, (shown, _) in answers.items() if shown} == {"anonymous_source", "single_origin"}


def test_a_named_speaker_with_a_role_answers_the_first_signal() -> None:
    said = Attribution(speaker="Abu Firas", named=True, actor="nusra")
    assert not caution(report("a", Telling(attribution=said)))["anonymous_source"][0]
    bare = Attribution(speaker="Abu Musafer", named=True)
    assert caution(report("a", Telling(attribution=bare)))["anonymous_source"][0]


def test_a_speaker_of_an_enemy_of_both_has_an_interest() -> None:
    said = Attribution(speaker="a commander", named=False, actor="srf", camp="rebel")
    assert caution(report("a", Telling(attribution=said)))["interested_source"][0]


def test_a_fight_shortly_before_is_what_the_deal_would_undo() -> None:
    fight = Telling(kind="clash", modality="stated", sentence="Nusra drove the Islamic State out.")
    answers = caution(report("f", fight, day=-10), report("a"))
    assert answers["against_interest"] == (True, "Nusra drove the Islamic State out.")


MORE = {
    "en": {
        "interested_source": "An opposition official said so.",
        "local_exception": "It holds for the besieged camp of Yarmouk alone.",
        "expert_doubt": "An analyst doubted that it would last.",
        "incompatible_terms": "The group demanded that its rival swear allegiance.",
    },
    "ar": {
        "interested_source": "وقال مصدر معارض إن الاتفاق تم.",
        "local_exception": "ويقتصر الاتفاق على مخيم اليرموك المحاصر.",
        "expert_doubt": "وشكك خبراء في صمود الاتفاق.",
        "incompatible_terms": "واشترط التنظيم أن تبايع الجبهة زعيمه.",
    },
    "ru": {
        "interested_source": "Об этом сообщил источник в оппозиции.",
        "local_exception": "Речь идёт лишь об осаждённом лагере Ярмук.",
        "expert_doubt": "Эксперты сомневаются, что договорённость продержится.",
        "incompatible_terms": "Группировка потребовала принести присягу.",
    },
    "fr": {
        "interested_source": "Un responsable de l'opposition l'a affirmé.",
        "local_exception": "L'accord ne vaut que pour les combattants encerclés de Yarmouk.",
        "expert_doubt": "Des experts doutent que cela dure.",
        "incompatible_terms": "Le groupe exige que l'autre lui prête allégeance.",
    },
    "tr": {
        "interested_source": "Bunu muhalif bir kaynak değil, muhalif komutanlar söyledi.",
        "local_exception": "Anlaşma yalnızca kuşatılmış Yermuk kampı için geçerli.",
        "expert_doubt": "Uzmanlar bunun süreceğinden şüpheli.",
        "incompatible_terms": "Örgüt, karşı tarafın biat etmesini şart koştu.",
    },
}


@pytest.mark.parametrize("language", MORE)
@pytest.mark.parametrize("signal", MORE["en"])
def test_caution_is_answered_in_five_languages(language: str, signal: str) -> None:
    more = MORE[language][signal]
    telling = Telling(modality="stated")
    answers = caution(report("a", telling, more=more, language=language))
    assert answers[signal] == (True, more)
    others = {name for name in MORE["en"] if answers[name][0]} - {signal}
    assert not others


def test_talks_that_become_a_deal_later_are_news_of_their_own() -> None:
    talks = report("a", Telling(kind="negotiation", sentence="The Islamic State and Nusra met."))
    soon, late = report("b", day=2), report("b", day=10)
    assert len(decide(talks, soon)) == 1
    assert [one.kind for one in decide(talks, late)] == ["negotiation", "truce"]


def test_a_comment_on_a_report_is_no_origin_of_its_own() -> None:
    said = Attribution(speaker="the analyst Lina Sabbagh", named=True)
    comment = Telling(
        attribution=said, sentence="The Islamic State and Nusra agreed a truce for show, the analyst said."
    )
    mention = Telling(modality="stated", sentence="News of a truce between the Islamic State and Nusra reached Ankara.")
    (one,) = decide(report("a"), report("b", comment, day=1), report("c", mention, day=2))
    assert roles(one) == {"a": "first", "b": "follow-up", "c": "follow-up"}
    assert one.state == "new"
    asked = Telling(
        sentence="The Islamic State and Nusra agreed a truce.", attribution=Attribution(speaker="a driver", named=False)
    )
    (one,) = decide(report("a"), report("b", asked, day=1))
    assert one.state == "corroborated"


def test_a_translation_that_credits_the_outlet_is_a_reprint() -> None:
    (one,) = decide(
        report("a", source="levantwire_lb"),
        report("b", day=1, credit="levant-wire", language="fr"),
        report("c", day=1, credit="levant-wire", source="levantwire_lb"),
    )
    assert roles(one) == {"a": "first", "b": "reprint", "c": "follow-up"}
    assert next(signal.note for signal in one.caution if signal.name == "single_origin").endswith("levant-wire")


def test_the_place_is_the_smallest_that_the_report_tells_of() -> None:
    (one,) = decide(
        report("a", Telling(place="Syria"), more="They met in a farmhouse in Atareb, west of Aleppo."),
    )
    assert one.place == "Atareb"


def test_what_was_refused_in_former_years_denies_nothing() -> None:
    old = Telling(kind="refusal", modality="looking-back", sentence="Nusra rejected the Islamic State's offer in 2013.")
    (one,) = decide(report("a"), report("b", old, day=2))
    assert roles(one) == {"a": "first"}


def test_a_report_that_is_withdrawn_leaves_its_alert_withdrawn_for_good() -> None:
    (before,) = decide(report("a"), report("b", day=1, story="a"))
    corrected = report("a", Telling(kind="clash", sentence="The two fought."))
    (after,) = decide(corrected, settled={before.id: Settled.of(before)})
    # Nobody denied it: an analyst must not be told that a party did.
    assert after == replace(before, state="withdrawn", withdrawn="text")
    assert decide(corrected, settled={after.id: Settled.of(after)}) == (after,)
    # Told again, it is news again; and what nobody was told of leaves nothing behind.
    assert decide(report("a"), settled={after.id: Settled.of(after)})[0].state == "new"
    assert decide(corrected) == ()


def test_an_alert_that_changed_rules_no_longer_raise_says_so() -> None:
    (before,) = decide(report("a"))
    # The same text, of which the rules of now make another event.
    read_otherwise = report("a", Telling(kind="clash"))
    (after,) = decide(read_otherwise, settled={before.id: Settled.of(before)})
    assert (after.id, after.state, after.withdrawn) == (before.id, "withdrawn", "reading")
    # What was held back was seen by nobody, unless somebody judged it.
    held = replace(before, held="old")
    assert decide(read_otherwise, settled={held.id: Settled.of(held)}) == ()
    (kept,) = decide(read_otherwise, settled={held.id: Settled.of(held, judged=True)})
    assert kept.state == "withdrawn"


AHRAR = ("ahrar-al-sham", "islamic-state")


def test_the_same_texts_read_as_another_deal_are_not_told_twice() -> None:
    (before,) = decide(report("a"))
    told = {before.id: Settled.of(before, sent=True)}
    other = report("a", Telling(parties=AHRAR))
    old, new = sorted(decide(other, settled=told), key=lambda one: one.id != before.id)
    assert (old.id, old.withdrawn, new.parties, new.held) == (before.id, "reading", AHRAR, "told")
    # It stays so, whatever joins it later, and however often it is decided.
    settled = {one.id: Settled.of(one, sent=one is old) for one in (old, new)}
    more = report("b", Telling(parties=AHRAR), day=1)
    assert {one.id: one.held for one in decide(other, more, settled=settled)} == {old.id: "", new.id: "told"}
    # A message that never went out told nobody; and a page that says something else now is news.
    assert {one.held for one in decide(other, settled={before.id: Settled.of(before)})} == {""}
    corrected = report("a", Telling(parties=AHRAR, sentence="It was Ahrar."))
    assert {(one.withdrawn, one.held) for one in decide(corrected, settled=told)} == {("text", ""), ("", "")}


def test_an_alert_that_falls_apart_is_not_told_twice() -> None:
    both = report("a"), report("b", day=2)
    (before,) = decide(*both)
    assert len(before.members) == 2
    # The rules of now tell two deals apart by their days.
    apart = report("a", Telling(day=date(2014, 10, 18))), report("b", Telling(day=date(2014, 11, 14)), day=2)
    found = decide(*apart, settled={before.id: Settled.of(before, sent=True)})
    assert {one.id == before.id: one.held for one in found} == {True: "", False: "told"}
    # A second deal that a page reports beside the one that is known is news.
    also = report("b", Telling(), Telling(parties=("isgs", "jnim"), sentence="So did two others."), day=2)
    found = decide(report("a"), also, settled={before.id: Settled.of(before, sent=True)})
    assert {one.parties: one.held for one in found} == {before.parties: "", ("isgs", "jnim"): ""}


def test_an_alert_that_joins_another_one_leaves_nothing_behind() -> None:
    (late,) = decide(report("b", day=2))
    both = decide(report("a"), report("b", day=2), settled={late.id: Settled.of(late)})
    assert len(both) == 1
    (first,) = decide(report("a"))
    old = {one.id: Settled.of(one) for one in (late, first)}
    assert len(decide(report("a"), report("b", day=2), settled=old)) == 1


def test_an_alert_that_joins_another_one_stays_in_sight_where_it_was_judged() -> None:
    (late,) = decide(report("b", day=2))
    (first,) = decide(report("a"))
    settled = {late.id: Settled.of(late, judged=True), first.id: Settled.of(first)}
    found = {one.id: one.withdrawn for one in decide(report("a"), report("b", day=2), settled=settled)}
    assert found == {first.id: "", late.id: "joined"}


# What is retold is no report


def titled(title: str, *tellings: Telling, kind: Kind = "clash", language: str = "en") -> Report:
    """Give a report whose headline tells of the kind, and whose text tells the rest."""
    one = report("a", *tellings, title=title, language=language)
    first = one.events[0]
    head = Event.from_json(
        {**first.to_json(), "id": "head", "kind": kind, "field": "title", "start": 0, "end": len(title)}
        | {"sentence": title, "modality": "stated", "polarity": "affirmed"}
    )
    return Report(one.document, (head, *one.events))


def test_a_headline_that_tells_of_fighting_makes_the_deal_something_retold() -> None:
    said = Telling(sentence="Days before, rebels said that the two had agreed a truce.")
    assert decide(titled("Islamic State and Nusra clash", said)) == ()
    swap = Telling(kind="swap", sentence="They exchanged prisoners all the same.")
    assert len(decide(titled("Islamic State and Nusra clash", swap))) == 1
    assert len(decide(titled("Islamic State and Nusra agree a truce", said, kind="truce"))) == 1


@pytest.mark.parametrize(
    ("language", "title"),
    [
        ("en", "Nusra dismisses talk of a deal as a fairy tale"),
        ("ar", "النصرة تنفي ما قيل عن اجتماع"),
        ("ru", "«Нусра» назвала сообщения о встрече выдумкой"),
        ("fr", "Al-Nosra dément toute rencontre"),
        ("tr", "Nusra toplantı haberini yalanladı"),
        ("en", "Fact check: the announcement is from 2013"),
        ("ru", "Это старая новость: снимок сделан пять лет назад"),
    ],
)
def test_a_headline_that_denies_it_or_finds_it_old_makes_no_report(language: str, title: str) -> None:
    assert decide(report("a", title=title, language=language)) == ()


def test_a_headline_that_denies_a_denial_reports() -> None:
    assert len(decide(report("a", title="“False that we denied the truce”: spokesman dismisses reports"))) == 1


def test_a_fight_ends_the_deal_told_last() -> None:
    fight = Telling(kind="clash", modality="stated", sentence="The two fought in Raqqa.")
    talks = Telling(kind="negotiation", sentence="The Islamic State and Nusra met.")
    first, second = decide(report("a", talks), report("b", day=12), report("c", fight, day=14))
    assert (first.state, second.state) == ("new", "collapsed")
