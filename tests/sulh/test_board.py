"""The board gives one answer, whichever store it asks: the commands print the same over a file and over a server."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from processors.records import Member, digest
from sulh.board import AlertRow, Board, ClaimRow, Evidence, open_board
from sulh.cli import main
from sulh.stores import EXPORTS, Access, Query, Store, open_store
from sulh.stores.elastic_client import connect
from tests import sample_store as sample
from tests.elastic.node import Running

Settings = dict[str, str]
"""SULH_* variables that name a store."""


@pytest.fixture(autouse=True)
def _no_settings_of_the_person(node: Running, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SULH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def server(elastic: tuple[str, Access]) -> Settings:
    address, access = elastic
    return {"SULH_STORE": address, "SULH_STORE_PREFIX": access.prefix}


@pytest.fixture
def file(tmp_path: Path) -> Settings:
    return {"SULH_STORE": str(tmp_path / "sulh.sqlite")}


@pytest.fixture(params=["file", "server"])
def settings(request: pytest.FixtureRequest) -> Settings:
    named: Settings = request.getfixturevalue(request.param)
    return named


def opened(settings: Settings) -> Store:
    return open_store(settings["SULH_STORE"], access=Access(prefix=settings.get("SULH_STORE_PREFIX", "sulh")))


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with closing(opened(settings)) as store:
        yield store


def asked(settings: Settings, question: Callable[[Board], object]) -> object:
    access = Access(prefix=settings.get("SULH_STORE_PREFIX", "sulh"))
    with open_board(settings["SULH_STORE"], access=access) as board:
        return question(board)


def claims(settings: Settings, claim: str = "") -> dict[str, ClaimRow]:
    rows = asked(settings, lambda board: board.claim_board(sample.registers(), claim=claim))
    assert isinstance(rows, list)
    return {row.claim: row for row in rows}


def evidence(settings: Settings, claim: str, limit: int | None = None) -> list[Evidence]:
    found = asked(settings, lambda board: list(board.evidence(sample.REGISTER, claim, limit=limit)))
    assert isinstance(found, list)
    return found


def queue(settings: Settings, beginning: str = "") -> list[AlertRow]:
    found = asked(settings, lambda board: board.alert_queue(beginning=beginning))
    assert isinstance(found, list)
    return found


# Claims


def test_each_origin_is_one_voice_and_claims_without_a_finding_are_there_too(settings: Settings, store: Store) -> None:
    sample.fill(store)
    rows = claims(settings)
    assert list(rows) == list(sample.CLAIMS)
    counts = {id: (row.supports, row.reports, row.contradicts, row.documents) for id, row in rows.items()}
    # C01: the wire, its reprint and a retelling that credits it are one origin; two others contradict.
    assert counts["C01"] == (0, 1, 2, 5)
    assert counts["C02"] == (0, 0, 0, 0)
    assert (rows["C01"].latest_document, rows["C01"].latest_language) == (sample.DENIED.id, "ar")
    assert (rows["C02"].latest_at, rows["C02"].latest_sentence) == (None, "")
    periods = {period.start.isoformat(): period for period in rows["C01"].periods}
    assert list(periods) == ["2014-11-11", "2014-11-12", "2014-11-13", "2014-11-14", "2014-11-15"]
    assert (periods["2014-11-13"].reports, periods["2014-11-14"].reports, periods["2014-11-14"].contradicts) == (
        1,
        1,
        1,
    )
    assert claims(settings, "C01") == {"C01": rows["C01"]}


def test_evidence_comes_newest_first_and_no_more_than_asked_for(settings: Settings, store: Store) -> None:
    sample.fill(store)
    found = evidence(settings, "C01")
    assert [piece.document for piece in found] == [
        sample.DENIED.id,
        sample.RETELLING.id,
        sample.REPRINT.id,
        sample.WIRE.id,
        sample.FOUGHT.id,
    ]
    assert [piece.origin for piece in found[1:4]] == ["ap", "ap", "ap"]
    assert evidence(settings, "C01", limit=2) == found[:2]
    assert evidence(settings, "C02") == []


def test_evidence_of_one_moment_is_in_order_of_time_then_id_however_much_there_is(
    settings: Settings, store: Store
) -> None:
    # More than one answer of the server holds, and times that differ by less than it sorts by.
    number = 1130
    pages = [
        sample.document(f"wire_us/{n}", sample.TRUCE, published_at=sample.DAWN + timedelta(microseconds=n % 3))
        for n in range(number)
    ]
    for first in range(0, number, 500):
        store.write(
            sample.processed(page, sample.comparison(page, "C09", "reports", sample.TRUCE, "why"))
            for page in pages[first : first + 500]
        )
    store.close()
    wanted = sorted(pages, key=lambda page: page.id)
    wanted.sort(key=lambda page: page.published_at or sample.DAWN, reverse=True)
    assert [piece.document for piece in evidence(settings, "C09")] == [page.id for page in wanted]
    (row,) = claims(settings, "C09").values()
    assert (row.documents, row.reports) == (number, number)
    assert row.latest_document == max(page.id for page in pages if page.published_at == wanted[0].published_at)


@pytest.mark.parametrize(
    ("year", "days", "step"), [(1965, 10, "day"), (2014, 200, "week"), (1968, 1000, "month"), (2014, 4000, "year")]
)
def test_periods_are_as_long_as_the_span_asks(
    settings: Settings, store: Store, year: int, days: int, step: str
) -> None:
    begin = sample.DAWN.replace(year=year)
    pages = [
        sample.document(f"wire_us/{n}", sample.TRUCE, published_at=begin + timedelta(days=n * days / 7))
        for n in range(8)
    ]
    store.write(sample.processed(page, sample.comparison(page, "C09", "reports", sample.TRUCE, "")) for page in pages)
    store.close()
    (row,) = claims(settings, "C09").values()
    assert row.step == step
    assert sum(period.reports for period in row.periods) == 8
    assert row.periods[0].reports and row.periods[-1].reports


# Alerts


def test_the_queue_tells_verdict_language_and_who_was_told(settings: Settings, store: Store) -> None:
    sample.fill(store)
    store.judge(sample.ALERT, "dismissed", "a government truce", at=sample.DAWN)
    store.close()
    rows = {row.alert.id: row for row in queue(settings)}
    assert [row.alert.opened_at for row in rows.values()] == sorted(
        (row.alert.opened_at for row in rows.values()), reverse=True
    )
    one = rows[sample.ALERT]
    assert (one.queue, one.why, one.judged_at, one.language) == (
        "dismissed",
        "a government truce",
        sample.DAWN,
        "en",
    )
    assert [delivery.state for delivery in one.deliveries] == ["sent", "unsure"]
    # Its only document is not in the store.
    assert (rows[sample.HELD].queue, rows[sample.HELD].language) == ("held", "und")
    assert [row.alert.id for row in queue(settings, sample.HELD[:6])] == [sample.HELD]
    assert queue(settings, "zz") == []


def test_an_alert_speaks_the_language_of_its_first_document_that_is_there(settings: Settings, store: Store) -> None:
    sample.fill(store)
    (one,) = [row.alert for row in queue(settings, sample.ALERT)]
    store.write_alerts([replace(one, members=(Member(document=digest("gone"), role="first"), *one.members[3:]))])
    store.close()
    (row,) = queue(settings)
    assert row.language == "ar"


# The commands


@pytest.fixture
def both(file: Settings, server: Settings) -> list[Settings]:
    """The sample in a file and on a server."""
    for settings in (file, server):
        with closing(opened(settings)) as store:
            sample.fill(store)
    return [file, server]


def sulh(settings: Settings, home: Path, *arguments: str) -> Result:
    result = CliRunner(env={"SULH_HOME": str(home), **settings}).invoke(main, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


COMMANDS: Sequence[Sequence[str]] = (
    ["claims"],
    ["claims", "--json"],
    ["claims", "C01"],
    ["claims", "c09", "--json"],
    ["claims", "C01", "--limit", "2"],
    ["claims", "C99"],
    ["alerts"],
    ["alerts", "--json"],
    ["alerts", sample.ALERT[:8]],
    ["alerts", sample.ALERT, "--json"],
    ["alerts", "zz"],
    ["ledger"],
    ["ledger", "--json", "--source", "vestnik_ru"],
    ["ledger", "--day", "2014-11-15"],
    ["search", "--claim", "C01", "--json"],
    ["search", "--lang", "ru"],
    ["search", "Atareb", "--source", "wire_us"],
    *(["export", kind] for kind in EXPORTS),
)


def test_the_commands_print_the_same_over_a_file_and_over_a_server(both: list[Settings], tmp_path: Path) -> None:
    for command in COMMANDS:
        over_file, over_server = (sulh(settings, tmp_path / "home", *command) for settings in both)
        assert over_file.output, command
        assert over_server.stdout == over_file.stdout, command
        assert (over_server.exit_code, over_server.stderr) == (over_file.exit_code, over_file.stderr), command


def test_a_search_finds_the_same_documents_whose_rank_is_the_engine_s_own(both: list[Settings], tmp_path: Path) -> None:
    for words in ("truce", "Islamic State", "бои", "هدنة", "trêve", "zeppelin"):
        found = [set(sulh(settings, tmp_path, "search", words, "--json").stdout.splitlines()) for settings in both]
        assert found[1] == found[0], words
        assert found[0] or words == "zeppelin"


def test_a_verdict_is_kept_and_shown_at_once(both: list[Settings], tmp_path: Path) -> None:
    for settings in both:
        assert sulh(settings, tmp_path, "alerts", sample.ALERT[:8], "--dismiss", "a swap").exit_code == 0
    shown = [sulh(settings, tmp_path, "alerts", sample.ALERT).stdout for settings in both]
    assert "queue: dismissed: a swap" in shown[0]
    assert shown[1] == shown[0]


# Words

INFLECTED = {
    "en": (("truces", "truce"), ("clashed", "clashes"), ("fighters", "fighter")),
    "ru": (("перемирием", "перемирие"), ("боевиков", "боевики"), ("переговорах", "переговоры")),
    "ar": (("الهدنة", "هدنة"), ("والمقاتلون", "مقاتلين"), ("بالاتفاق", "اتفاق")),
    "fr": (("trêves", "trêve"), ("combattants", "combattant"), ("négociations", "négociation")),
    "tr": (
        ("ateşkesin", "ateşkes"),
        ("ateşkesi", "ateşkes"),
        ("savaşçıları", "savaşçılar"),
        ("görüşmelerde", "görüşmeler"),
    ),
}
"""By language: a form that stands in a text, and another that a person asks for."""

ONLY_SULH = {"ateşkesin"}
"""Forms that the language's own analyzer misses, and sulh finds (see processors/fold.py)."""


def test_another_form_of_a_word_finds_the_same_in_every_language(file: Settings, server: Settings) -> None:
    pages = {
        (there, asked): sample.document(f"wire_us/{there}/{asked}", f"xxx {there} yyy.", language=language)
        for language, words in INFLECTED.items()
        for there, asked in words
    }
    for settings in (file, server):
        with closing(opened(settings)) as store:
            store.write([sample.processed(page) for page in pages.values()])
    with closing(connect(server["SULH_STORE"], Access())) as client:
        for (there, asked), page in pages.items():
            found = []
            for settings in (file, server):
                with closing(opened(settings)) as store:
                    found.append({hit.document for hit in store.search(Query(words=asked, language=page.language))})
            assert page.id in found[0] and found[1] == found[0], there
            # As an analyst asks in Kibana: the field of the language, with the analyzer of its own.
            hits = client.search(
                index=f"{server['SULH_STORE_PREFIX']}-documents", query={"match": {f"text_l.{page.language}": asked}}
            )["hits"]["hits"]
            assert {hit["_id"] for hit in hits} == found[0] - {
                other.id for (form, _), other in pages.items() if form in ONLY_SULH
            }, there
