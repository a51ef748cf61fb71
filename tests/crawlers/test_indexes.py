"""The indexes of web archives are read as they are, and what is none is named."""

import json
from datetime import UTC, date, datetime

import pytest

from crawlers.indexes import read_collections, read_json_lines, read_page_count, read_rows, says_nothing_found
from crawlers.lists import ListError

URL = "https://index.test/list"
HEADS = ["urlkey", "timestamp", "original", "mimetype", "statuscode", "digest", "length"]


def portion(*rows: list[str]) -> bytes:
    return json.dumps([HEADS, *rows]).encode()


def test_collections_know_their_span_by_what_they_say_or_by_their_name() -> None:
    listed = [
        {"id": "CC-MAIN-2024-10", "cdx-api": "/a", "from": "2024-02-20T23:00:00", "to": "2024-03-05T11:00:00"},
        {"id": "CC-MAIN-2014-49", "cdx-api": "https://elsewhere.test/b"},
        {"id": "CC-MAIN-2009-2010", "cdx-api": "/c"},
        {"id": "CC-MAIN-2012", "cdx-api": "/d"},
        {"id": "of-a-new-kind", "cdx-api": "/e"},
    ]
    found = read_collections(json.dumps(listed).encode(), URL)
    assert [item.index for item in found[:2]] == ["https://index.test/a", "https://elsewhere.test/b"]
    assert [(item.first, item.last) for item in found] == [
        (date(2024, 2, 20), date(2024, 3, 5)),
        (date(2014, 11, 3), date(2014, 12, 29)),
        (date(2009, 1, 1), date(2010, 12, 31)),
        (date(2012, 1, 1), date(2012, 12, 31)),
        (date.min, date.max),
    ]


def test_a_portion_ends_with_the_key_to_the_next() -> None:
    row = ["org,x)/a", "20141102080000", "http://x.org:80/a", "text/html", "200", "ABC", "99"]
    again = ["org,x)/a", "20141103080000", "http://x.org/a", "warc/revisit", "-", "ABC", "9"]
    rows, key = read_rows(portion(row, again, [], ["org%2Cx%29%2Fa+2014%21"]), URL)
    assert key == "org%2Cx%29%2Fa+2014%21"
    assert [(row.mime, row.status, row.digest) for row in rows] == [("text/html", "200", "ABC"), ("", "", "ABC")]
    assert rows[0].captured_at == datetime(2014, 11, 2, 8, tzinfo=UTC)
    assert read_rows(portion(row), URL)[1] == ""
    assert read_rows(b"[]", URL) == read_rows(b"\n", URL) == ((), "")


def test_a_day_that_there_is_not_costs_its_row_only() -> None:
    row = ["org,x)/a", "20140230080000", "http://x.org/a", "text/html", "200", "ABC", "99"]
    (read,), _ = read_rows(portion(row), URL)
    assert (read.broken, read.captured_at.year) == (True, 2014)


@pytest.mark.parametrize(
    "body", [b"<html>busy", b'[["timestamp"], ["1"', b'[["original"], ["http://x.org/"]]', b"{}", b"1"]
)
def test_what_is_no_index_is_named(body: bytes) -> None:
    with pytest.raises(ListError, match="not-an-index"):
        read_rows(body, URL)
    if body != b"1":
        with pytest.raises(ListError, match="not-an-index"):
            read_page_count(body, URL)
    with pytest.raises(ListError, match="not-an-index"):
        read_json_lines(body, URL)


def test_no_collections_is_trouble_and_nothing_found_is_none() -> None:
    with pytest.raises(ListError, match="no-collections"):
        read_collections(b"[]", URL)
    with pytest.raises(ListError, match="not-a-list-of-collections"):
        read_collections(b"<html>", URL)
    assert says_nothing_found(b'{"message": "No Captures found for: x"}')
    assert not says_nothing_found(b"<h1>Not Found</h1>")
