"""`sulh judge` judges a batch by itself: texts, pages and WARC files, in the order given."""

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from processors.errors import SulhError
from processors.records import SIGNALS
from sulh import explain
from sulh.config import Settings
from sulh.daily import judge_files
from sulh.explain import ROOT

NOW = datetime(2014, 12, 1, tzinfo=UTC)
TRUCE = (
    "The Islamic State and the Nusra Front have agreed a truce in northern Syria, two opposition commanders said on"
    " Thursday. The two groups have fought each other for more than a year. Under the agreement they stop attacks on"
    " each other around Aleppo and open the roads between their towns, the commanders said."
)
CLASH = (
    "Fighters of the Islamic State attacked a checkpoint of the Nusra Front near Albukamal on Sunday. Heavy clashes"
    " went on until the evening, residents said, and eleven men were killed."
)


def judged(tmp_path: Path, *names: str) -> list[dict[str, Any]]:
    """Judge files of the folder, with two processes."""
    settings = Settings(home=tmp_path / "home", workers=1)
    rows: list[Any] = list(judge_files(settings, [str(tmp_path / name) for name in names], now=NOW))
    return rows


def lines(tmp_path: Path, *rows: object, name: str = "batch.jsonl") -> str:
    """Write JSON lines; text goes in as it is."""
    text = "\n".join(row if isinstance(row, str) else json.dumps(row) for row in rows)
    (tmp_path / name).write_text(text, encoding="utf-8")
    return name


def warc_record(url: str, body: bytes) -> bytes:
    """Give one response record, as any WARC tool writes it."""
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + body
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Target-URI: {url}\r\nWARC-Date: 2014-11-14T08:00:00Z\r\n"
        "WARC-Record-ID: <urn:uuid:00000000-0000-0000-0000-000000000001>\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return gzip.compress(head.encode() + http + b"\r\n\r\n")


def test_a_report_alerts_and_its_reprint_joins(tmp_path: Path) -> None:
    reprint = f"BEIRUT (Agency) - {TRUCE}"
    rows = judged(
        tmp_path,
        lines(
            tmp_path,
            {"id": "first", "title": "IS and Nusra agree truce", "text": TRUCE, "published": "2014-11-13"},
            {"id": "clash", "title": "Clashes at Albukamal", "text": CLASH, "published": "2014-11-02"},
            {"id": "reprint", "title": "Agency: truce agreed", "text": reprint, "published": "2014-11-14"},
        ),
    )
    first, clash, again = rows
    assert [row["id"] for row in rows] == ["first", "clash", "reprint"]
    assert first["language"] == "en"
    assert first["story"] == again["story"] != clash["story"]
    assert (first["alert"]["new"], again["alert"]["new"]) == (True, False)
    assert first["alert"]["id"] == again["alert"]["id"]
    assert first["alert"]["parties"] == ["islamic-state", "nusra"]
    assert first["alert"]["origins"] == 1
    assert list(first["alert"]["caution"]) == list(SIGNALS)
    assert clash["alert"] is None
    (event,) = [event for event in first["events"] if event["kind"] == "truce"][:1]
    assert event["sentence"] in TRUCE or event["sentence"] == "IS and Nusra agree truce"
    assert set(event) == {"kind", "parties", "polarity", "modality", "place", "date", "sentence"}
    for row in first["comparisons"]:
        assert set(row) == {"register", "claim", "bearing", "score", "sentence", "why"}
    assert any(row["claim"] == "C01" for row in first["comparisons"])


def test_an_item_given_twice_is_new_once(tmp_path: Path) -> None:
    row = {"id": "a", "title": "Truce", "text": TRUCE, "published": "2014-11-13"}
    first, second = judged(tmp_path, lines(tmp_path, row, row))
    assert (first["alert"]["new"], second["alert"]["new"]) == (True, False)


def test_a_bad_line_costs_itself_alone(tmp_path: Path) -> None:
    rows = judged(
        tmp_path,
        lines(
            tmp_path,
            "{not json",
            '["a list"]',
            {"id": "empty"},
            {"id": "when", "text": CLASH, "published": "some day"},
            {"id": "good", "text": CLASH, "published": "2014-11-02T10:00:00Z"},
        ),
    )
    assert [row.get("rejected", {}).get("reason") for row in rows] == ["bad-line"] * 4 + [None]
    assert rows[-1]["id"] == "good"
    assert "expected a JSON object, got list" in rows[1]["rejected"]["detail"]


def test_reads_a_page_and_a_warc_file(tmp_path: Path) -> None:
    paragraphs = "".join(f"<p>{part}.</p>" for part in TRUCE.split(". "))
    article = f"<article><h1>Truce</h1>{paragraphs}</article>"
    page = f"<html lang=en><head><title>Truce</title></head><body>{article}</body></html>"
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    (tmp_path / "crawl.warc.gz").write_bytes(warc_record("https://example.org/truce?utm_source=x", page.encode()))
    one, other = judged(tmp_path, "page.html", "crawl.warc.gz")
    assert one["id"] == str(tmp_path / "page.html")
    assert other["id"] == "https://example.org/truce"
    assert one["events"] and one["events"] == other["events"]


def test_a_broken_off_warc_file_is_said_and_the_pages_before_it_are_judged(tmp_path: Path) -> None:
    page = f"<html lang=en><body><article><h1>Truce</h1><p>{TRUCE}</p><p>{CLASH}</p></article></body></html>".encode()
    whole = warc_record("https://example.org/1", page)
    (tmp_path / "crawl.warc.gz").write_bytes(whole + warc_record("https://example.org/2", page)[:-30])
    first, cut = judged(tmp_path, "crawl.warc.gz")
    assert first["id"] == "https://example.org/1"
    assert cut["id"] == f"{tmp_path / 'crawl.warc.gz'}:{len(whole)}"
    assert cut["rejected"]["reason"] == "cut-short"
    assert (cut["language"], cut["events"], cut["alert"]) == ("und", [], None)


def test_names_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(SulhError, match=r"none\.jsonl: cannot be read"):
        judged(tmp_path, "none.jsonl")


def test_explains_by_clause_cue_names_and_line(tmp_path: Path) -> None:
    name = lines(tmp_path, {"id": "a", "title": "", "text": TRUCE, "published": "2014-11-13"})
    settings = Settings(home=tmp_path / "home", workers=1)
    (row,) = judge_files(settings, [str(tmp_path / name)], now=NOW, explain=True)
    event = row["explain"]["events"][0]
    assert (event["words"], event["layout"]) == ("truce", "P CUE")
    assert event["clause"].startswith("The Islamic State and the Nusra Front have agreed a truce")
    assert {(name["actor"], name["words"]) for name in event["names"]} == {
        ("islamic-state", "Islamic State"),
        ("nusra", "Nusra Front"),
    }
    # Each place is a line of a file that a person can open, and holds what it is said to hold.
    rule = event["rule"].partition(" (")[2].rstrip(")")
    for place, held in (
        (rule, "id: truce"),
        *((name["rule"], f"id: {name['actor']}") for name in event["names"]),
        *((claim["rule"], f"id: {claim['claim']}") for claim in row["explain"]["comparisons"]),
    ):
        path, _, number = place.rpartition(":")
        assert held in (ROOT / path).read_text(encoding="utf-8").splitlines()[int(number) - 1]
    text = "\n".join(explain.lines(row))
    assert "cue      truce" in text and "C01" in text and "alert " in text
