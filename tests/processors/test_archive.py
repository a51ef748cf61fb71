"""The archive: what went in comes out, whatever happened in between."""

from __future__ import annotations

import gzip
import io
import random
import resource
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from warcio.statusandheaders import StatusAndHeaders
from warcio.warcwriter import WARCWriter

from processors.archive import (
    Archive,
    BodyError,
    Discovered,
    Due,
    Exchange,
    Known,
    Listed,
    Past,
    Writer,
    declared_canonical,
    decode_body,
    import_warc,
    page_of_record,
)
from processors.errors import ArchiveError, LockedError

NOON = datetime(2014, 11, 15, 12, tzinfo=UTC)
SOURCE = "outlet_cc"


def listed(number: int, **more: object) -> Listed:
    address = f"https://example.org/news/{number}"
    return Listed(address=address, url=address, title=f"Item {number}", **more)  # type: ignore[arg-type]


def reply(url: str, body: bytes = b"<p>Some news.</p>", at: datetime = NOON, **headers: str) -> Exchange:
    pairs = (("Content-Type", "text/html"), *((key.replace("_", "-"), value) for key, value in headers.items()))
    return Exchange(requested=url, url=url, status=200, headers=pairs, body=body, fetched_at=at)


def discover(writer: Writer, *items: Listed, now: datetime = NOON) -> Discovered:
    return writer.discover(items, now).result()


def fill(home: Path, numbers: range, *, now: datetime = NOON) -> Archive:
    """Crawl so many pages into the archive."""
    archive = Archive(home)
    with archive.writer(SOURCE) as writer:
        writer.begin(now).result()
        for item in discover(writer, *map(listed, numbers), now=now).due:
            number = int(item.url.rpartition("/")[2])
            writer.store(item, reply(item.url, f"<p>Text {number}</p>".encode(), now + timedelta(seconds=number)))
        writer.end("ok", "", now).result()
    return archive


def dispositions(archive: Archive) -> Counter[tuple[str, str]]:
    counts: Counter[tuple[str, str]] = Counter()
    for row in archive.tallies(SOURCE):
        counts[row.disposition, row.reason] += row.count
    return counts


def warc_files(archive: Archive) -> list[Path]:
    return sorted((archive.folder / SOURCE).glob("*.warc.gz*"))


def test_a_page_comes_back_as_it_came(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    text = "<p>خبر</p>".encode()
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        due = discover(writer, listed(1, published=NOON)).due
        exchange = reply(due[0].url, gzip.compress(text), Content_Encoding="gzip", Content_Length="7")
        writer.store(due[0], exchange).result()
        writer.end("ok", "", NOON).result()
    (ref,) = archive.captures(SOURCE)
    capture = archive.read(ref)
    assert (capture.body, capture.status, capture.content_type) == (text, 200, "text/html")
    assert (capture.listed_title, capture.listed_published) == ("Item 1", NOON)
    assert (capture.url, capture.fetched_at, capture.id) == (ref.url, NOON, ref.id)
    (path,) = warc_files(archive)
    command = [sys.executable, "-m", "warcio.cli", "check", "-v", str(path)]
    answer = subprocess.run(command, capture_output=True, text=True)
    assert answer.returncode == 0
    assert answer.stdout.count("digest pass") == 4  # warcinfo, response, request, metadata


def test_captures_come_in_order_of_arrival_and_by_day(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(3))
    fill(tmp_path, range(3, 5), now=NOON + timedelta(days=1))
    refs = list(archive.captures(SOURCE))
    assert [ref.url[-1] for ref in refs] == ["0", "1", "2", "3", "4"]
    assert list(archive.captures(SOURCE, day=date(2014, 11, 16))) == refs[3:]
    assert archive.sources() == [SOURCE]


def test_a_url_counts_as_seen_when_it_is_archived(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(2))
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        assert [item.url[-1] for item in discover(writer, *map(listed, range(3))).due] == ["2"]
        # ended as by kill -9: nothing is settled
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        found = discover(writer, *map(listed, range(3)))
        assert [item.url[-1] for item in found.due] == ["2"]
        writer.store(found.due[0], reply(found.due[0].url)).result()
        counts = writer.end("ok", "", NOON).result()
    assert counts == {"discovered": 3, "fetched": 1, "known": 2, "refused": 0, "failed": 0, "unsettled": 0}
    assert dispositions(archive) == {
        ("discovered", ""): 8,
        ("fetched", ""): 3,
        ("known", "seen"): 4,
        ("failed", "interrupted"): 1,
    }


def test_an_item_without_disposition_shows_as_out_of_balance(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        discover(writer, listed(1))
        assert writer.end("ok", "", NOON).result()["unsettled"] == 1
    assert archive.health(SOURCE, now=NOON).unbalanced == 0  # it was settled as failed, by that name
    assert dispositions(archive)["failed", "unsettled"] == 1


def test_an_item_is_settled_once(tmp_path: Path) -> None:
    with Archive(tmp_path).writer(SOURCE) as writer:
        writer.begin(NOON).result()
        (item,) = discover(writer, listed(1)).due
        writer.refuse(item, "robots", NOON).result()
        with pytest.raises(RuntimeError, match="settled twice"):
            writer.fail(item, "timeout", NOON).result()


def test_a_crawl_past_midnight_balances_on_both_days(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    late = datetime(2014, 11, 15, 23, 59, tzinfo=UTC)
    with archive.writer(SOURCE) as writer:
        writer.begin(late).result()
        first, second = discover(writer, listed(1), listed(2), now=late).due
        writer.store(first, reply(first.url, b"one", late)).result()
        writer.store(second, reply(second.url, b"two", late + timedelta(minutes=5))).result()
        writer.end("ok", "", late + timedelta(minutes=6)).result()
    by_day = {(row.day.day, row.disposition): row.count for row in archive.tallies(SOURCE)}
    assert by_day == {(15, "discovered"): 1, (15, "fetched"): 1, (16, "discovered"): 1, (16, "fetched"): 1}


def test_visits_fade_with_the_age_of_a_page(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(1))
    visits = []
    for hours in (1, 2, 5, 6, 7, 23, 24, 25, 71, 72, 73, 167, 168, 169, 719, 720, 721, 5000):
        now = NOON + timedelta(hours=hours, minutes=1)
        with archive.writer(SOURCE) as writer:
            writer.begin(now).result()
            for item in writer.due(now).result():
                visits.append(hours)
                writer.unchanged(item, now).result()
            writer.end("ok", "", now).result()
    assert visits == [1, 6, 24, 72, 168, 720]


def test_a_later_date_in_the_list_has_a_page_fetched_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        (item,) = discover(writer, listed(1, modified=NOON - timedelta(days=90))).due
        writer.store(item, reply(item.url, ETag='"a"')).result()
        writer.end("ok", "", NOON).result()
    later = NOON + timedelta(minutes=10)
    for days, expected in ((90, []), (80, ['"a"']), (80, [])):
        with archive.writer(SOURCE) as writer:
            writer.begin(NOON).result()
            due = discover(writer, listed(1, modified=NOON - timedelta(days=days))).due
            assert [item.etag for item in due] == expected
            for item in due:
                assert (
                    writer.store(item, reply(item.url, b"edited", later, ETag='"b"')).result().disposition == "fetched"
                )
            writer.end("ok", "", NOON).result()


def test_the_same_bytes_are_not_archived_twice(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(1))
    later = NOON + timedelta(hours=2)
    with archive.writer(SOURCE) as writer:
        writer.begin(later).result()
        (item,) = writer.due(later).result()
        assert writer.store(item, reply(item.url, b"<p>Text 0</p>", later)).result().reason == "unchanged"
        writer.store_list(reply("https://example.org/feed", b"<rss/>", later)).result()
        writer.store_list(reply("https://example.org/feed", b"<rss/>", later)).result()
    assert len(list(archive.captures(SOURCE))) == 1
    with closing(sqlite3.connect(archive.folder / SOURCE / "index.sqlite")) as index:
        assert index.execute("SELECT count(*) FROM captures WHERE kind = 'list'").fetchone() == (1,)


def test_failing_addresses_are_kept_and_tried_later_and_later(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    now, waits = NOON, []
    for _ in range(12):
        with archive.writer(SOURCE) as writer:
            writer.begin(now).result()
            (item,) = discover(writer, listed(1), now=now).due
            writer.fail(item, "http-404", now).result()
            writer.end("ok", "", now).result()
        (failing,) = archive.failing(SOURCE)
        assert failing.next_attempt is not None
        waits.append(failing.next_attempt - now)
        now = failing.next_attempt
    assert waits[:3] == [timedelta(minutes=30), timedelta(hours=1), timedelta(hours=2)]
    assert waits[-1] == timedelta(days=7)
    assert (failing.reason, failing.attempts) == ("http-404", 12)
    assert archive.health(SOURCE, now=now).failing == 1


def test_a_refused_item_is_looked_at_again_when_it_is_listed_again(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    for _ in range(2):
        with archive.writer(SOURCE) as writer:
            writer.begin(NOON).result()
            items = (listed(1), listed(2, refused="excluded"), listed(3, old=True))
            (item,) = discover(writer, *items).due
            writer.refuse(item, "robots", NOON).result()
            writer.end("ok", "", NOON).result()
    assert dispositions(archive) == {
        ("discovered", ""): 6,
        ("refused", "robots"): 2,
        ("refused", "excluded"): 2,
        ("refused", "old"): 2,
    }


def test_a_listing_may_stop_only_at_what_a_complete_reading_knew(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(2))
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        assert not discover(writer, listed(1), listed(2)).met
        lists = [Known(address="https://example.org/feed", etag='"x"')]
        writer.settle_lists(lists, {"modified": "2014"}, NOON, complete=True).result()
        writer.end("ok", "", NOON).result()
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        assert not discover(writer, listed(3)).met
        assert discover(writer, listed(2)).met
        assert writer.lists().result()["https://example.org/feed"].etag == '"x"'
        assert writer.notes().result() == {"modified": "2014"}
        writer.end("failed", "the second page was dead", NOON).result()
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        assert not discover(writer, listed(3)).met  # seen by the crawl that did not get to the end


@pytest.mark.parametrize("torn", [b"", b"\x1f\x8b\x08half a record"])
def test_what_the_index_does_not_know_is_cut_off(tmp_path: Path, torn: bytes) -> None:
    archive = fill(tmp_path, range(3))
    (path,) = warc_files(archive)
    whole = path.read_bytes()
    opened = path.rename(path.with_name(path.name + ".open"))
    opened.write_bytes(whole + torn)
    (archive.folder / SOURCE / f"{SOURCE}-20141116T000000-0001.warc.gz.open").write_bytes(b"never indexed")
    assert len([archive.read(ref) for ref in archive.captures(SOURCE)]) == 3  # also before it is mended
    archive.writer(SOURCE).close()
    assert warc_files(archive) == [path]
    assert path.read_bytes() == whole


def test_a_damaged_file_is_named_with_its_capture(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(2))
    (path,) = warc_files(archive)
    *_, last = archive.captures(SOURCE)
    whole = path.read_bytes()
    offset = int(last.locator.rpartition(":")[2])
    path.write_bytes(whole[: offset + 10])
    with pytest.raises(ArchiveError, match=rf"{path.name}.*cut short.*{last.id}"):
        archive.read(last)
    path.write_bytes(whole[: offset + 60] + b"\0\0\0\0" + whole[offset + 64 :])
    with pytest.raises(ArchiveError, match=rf"{path.name}.*{last.id}.*damaged"):
        archive.read(last)
    path.unlink()
    with pytest.raises(ArchiveError, match=rf"{path.name}.*missing.*{last.id}"):
        archive.read(last)


def test_one_crawl_a_source_at_a_time(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.writer(SOURCE), pytest.raises(LockedError, match=SOURCE):
        archive.writer(SOURCE)
    archive.writer(SOURCE).close()


def test_an_index_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(1))
    path = archive.folder / SOURCE / "index.sqlite"
    with closing(sqlite3.connect(path)) as index:
        index.execute("PRAGMA user_version = 99")
    for use in (lambda: archive.writer(SOURCE), lambda: list(archive.captures(SOURCE))):
        with pytest.raises(ArchiveError, match="newer sulh"):
            use()
    path.write_bytes(b"no database at all, but long enough to look at" * 40)
    with pytest.raises(ArchiveError, match="damaged"):
        list(archive.captures(SOURCE))
    with pytest.raises(ArchiveError, match="no such index"):
        list(archive.captures("other_cc"))


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """Stand in for a full disk: the system refuses to let any file grow beyond the size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(2))
    writer = archive.writer(SOURCE)
    writer.begin(NOON).result()
    (item,) = discover(writer, listed(7)).due
    noise = random.Random(7).randbytes(300_000)
    with files_of_at_most(200_000):
        with pytest.raises(ArchiveError, match=r"outlet_cc: cannot be written"):
            writer.store(item, reply(item.url, noise)).result()
        with pytest.raises(ArchiveError):
            writer.fail(item, "timeout", NOON).result()
        writer.close()
    with archive.writer(SOURCE) as again:
        again.begin(NOON).result()
        assert [due.address for due in discover(again, listed(7)).due] == [item.address]
    assert len([archive.read(ref) for ref in archive.captures(SOURCE)]) == 2


def test_the_index_can_be_made_anew_from_the_files(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(3))
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        writer.store_list(reply("https://example.org/feed", b"<rss/>")).result()
        writer.end("ok", "", NOON).result()
    before = [archive.read(ref) for ref in archive.captures(SOURCE)]
    (archive.folder / SOURCE / "index.sqlite").unlink()
    assert archive.rebuild_index(SOURCE, now=NOON) == 3
    assert [archive.read(ref) for ref in archive.captures(SOURCE)] == before
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        found = discover(writer, *map(listed, range(4)))
        assert [item.url[-1] for item in found.due] == ["3"]
        assert not found.met  # how far the lists were read is not in the files: all of them are read again
    assert dispositions(archive)["fetched", ""] == 3


def test_pages_of_another_archive_come_in_once(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    writer = WARCWriter(buffer, gzip=True)
    chunked = b"5\r\nold !\r\n0\r\n\r\n"
    for url, kind, day in (
        ("https://www.example.org/old", "text/html", "2013-05-01"),
        ("https://example.org/late", "text/html", "2014-05-01"),
        ("https://example.org/photo.jpg", "image/jpeg", "2013-05-02"),
        ("https://elsewhere.org/old", "text/html", "2013-05-01"),
    ):
        heads = StatusAndHeaders("200 OK", [("Content-Type", kind), ("Transfer-Encoding", "chunked")], "HTTP/1.1")
        writer.write_record(
            writer.create_warc_record(
                url,
                "response",
                payload=io.BytesIO(chunked),
                length=len(chunked),
                http_headers=heads,
                warc_headers_dict={"WARC-Date": f"{day}T10:00:00Z"},
            )
        )
    path = tmp_path / "theirs.warc.gz"
    path.write_bytes(buffer.getvalue())
    archive = Archive(tmp_path)
    for expected in ({"fetched": 1, "known": 0}, {"fetched": 0, "known": 1}):
        counts = import_warc(archive, [path], SOURCE, site="https://example.org/", now=NOON, until=date(2013, 12, 31))
        assert counts == {"discovered": 1, "refused": 0, "failed": 0, "unsettled": 0, **expected}
    (ref,) = archive.captures(SOURCE)
    capture = archive.read(ref)
    assert (capture.body, capture.fetched_at.year, capture.url) == (b"old !", 2013, "https://www.example.org/old")
    path.write_text("nothing of the kind")
    with pytest.raises(ArchiveError, match=r"theirs\.warc\.gz.*no WARC file"):
        import_warc(archive, [path], SOURCE, site="https://example.org/", now=NOON)
    with pytest.raises(ArchiveError, match=r"none\.warc.*cannot be read"):
        import_warc(archive, [tmp_path / "none.warc"], SOURCE, site="https://example.org/", now=NOON)


def test_health_tells_a_dead_source_from_a_quiet_one(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    assert archive.health(SOURCE, now=NOON).outcome == "never"
    for hours, outcome in ((0, "ok"), (1, "failed"), (2, "failed")):
        now = NOON + timedelta(hours=hours)
        with archive.writer(SOURCE) as writer:
            writer.begin(now).result()
            writer.end(outcome, "http-503" if outcome == "failed" else "", now).result()  # type: ignore[arg-type]
    health = archive.health(SOURCE, now=NOON + timedelta(hours=2))
    assert (health.last_ok, health.outcome, health.reason, health.failures) == (NOON, "failed", "http-503", 2)
    assert not health.stale
    assert archive.health(SOURCE, now=NOON + timedelta(hours=4)).stale


@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        ({"Content-Encoding": "gzip"}, gzip.compress(bytes(3000)), "too-large"),
        ({"Content-Encoding": "gzip"}, gzip.compress(b"cut")[:-6], "encoding"),
        ({"Content-Encoding": "gzip"}, b"no gzip at all", "encoding"),
        ({"Content-Encoding": "br"}, b"unasked for", "encoding"),
        ({}, bytes(3000), "too-large"),
    ],
)
def test_a_body_that_cannot_be_taken_is_named(headers: dict[str, str], body: bytes, reason: str) -> None:
    with pytest.raises(BodyError, match=reason):
        decode_body(headers.items(), body, limit=2000)


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        ('<link rel="canonical" href="/real?utm_source=x">', "https://example.org/real"),
        ("<LINK href=https://www.example.org/real rel='shortlink canonical'>", "https://www.example.org/real"),
        ('<link rel="canonical" href="https://elsewhere.org/real">', "https://example.org/a?b=1"),
        ('<link rel="canonical" href="/">', "https://example.org/a?b=1"),
        ('<link rel="canonical" href="javascript:x">', "https://example.org/a?b=1"),
        ('<!-- <link rel="canonical" href="/real"> -->', "https://example.org/a?b=1"),
        ('<body><link rel="canonical" href="/real">', "https://example.org/a?b=1"),
        ('<link rel="canonical" href="http://[::1">', "https://example.org/a?b=1"),
    ],
)
def test_a_site_may_name_the_canonical_address_of_its_own_pages(head: str, expected: str) -> None:
    page = f"<html><head>{head}</head><body>text</body></html>".encode()
    assert declared_canonical(page, "https://example.org/a?b=1&fbclid=2") == expected


def test_due_items_carry_what_conditional_requests_need(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        (item,) = discover(writer, listed(1)).due
        final = reply("https://example.org/moved", ETag='"e"', Last_Modified="Sat, 15 Nov 2014 10:00:00 GMT")
        writer.store(item, final).result()
        writer.end("ok", "", NOON).result()
        later = NOON + timedelta(hours=1)
        writer.begin(later).result()
        assert writer.due(later).result() == (
            Due(
                address=item.address,
                url="https://example.org/moved",
                etag='"e"',
                last_modified="Sat, 15 Nov 2014 10:00:00 GMT",
            ),
        )


# What other archives hold


def past(number: int, digest: str = "", **more: str) -> Past:
    moment = datetime(2013, 5, number, tzinfo=UTC)
    return Past(url=f"https://example.org/news/{number}", captured_at=moment, digest=digest, **more)


def copy(writer: Writer, one: Past) -> None:
    writer.take(reply(one.url, b"<p>%d" % one.captured_at.day, at=one.captured_at), one).result()


def test_the_same_bytes_are_asked_for_once_unless_they_could_not_be_had(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    one, two, three, unknown = past(1, "A"), past(2, "A"), past(3, "A"), past(4)
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        weighed = writer.weigh([one, two, three, unknown, past(5, "B", refused="not-a-page")], NOON).result()
        assert (weighed.due, weighed.waiting) == ((one, unknown), (two, three))
        writer.pass_over(one, "failed", "gone-from-archive").result()
        weighed = writer.weigh(weighed.waiting, NOON).result()
        assert (weighed.due, weighed.waiting) == ((two,), (three,))
        copy(writer, two)
        copy(writer, unknown)
        assert writer.weigh([three], NOON).result().held == (three,)
        counts = writer.end("ok", "", NOON).result()
    assert counts == {"discovered": 5, "fetched": 2, "known": 1, "refused": 1, "failed": 1, "unsettled": 0}
    assert archive.days(SOURCE) == {date(2013, 5, 2), date(2013, 5, 4)}
    days = {row.day: row.count for row in archive.tallies(SOURCE) if row.disposition == "discovered"}
    assert days == {date(2013, 5, day): 1 for day in range(1, 6)}


def test_a_capture_is_the_same_whichever_archive_or_file_it_came_from(tmp_path: Path) -> None:
    archive = Archive(tmp_path)
    one = past(1, "A")
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        writer.take(reply(one.url, at=one.captured_at)).result()
        assert writer.weigh([one], NOON).result().held == (one,)


def test_what_an_archive_withholds_is_not_asked_for_again(tmp_path: Path) -> None:
    with Archive(tmp_path).writer(SOURCE) as writer:
        writer.begin(NOON).result()
        writer.pass_over(past(1, "A"), "refused", "robots").result()
        assert writer.weigh([past(1, "A")], NOON).result().due == ()
        assert writer.end("ok", "", NOON).result()["refused"] == 2


def test_an_index_from_before_web_archives_takes_them_too(tmp_path: Path) -> None:
    archive = fill(tmp_path, range(2))
    with closing(sqlite3.connect(archive.folder / SOURCE / "index.sqlite")) as index:
        index.executescript("DROP TABLE past; PRAGMA user_version = 1;")
    assert len(list(archive.captures(SOURCE))) == 2
    with archive.writer(SOURCE) as writer:
        writer.begin(NOON).result()
        copy(writer, past(1, "A"))
    assert len(list(archive.captures(SOURCE))) == 3


def test_a_record_cut_out_of_its_file_is_whole_or_says_what_it_is(tmp_path: Path) -> None:
    def made(kind: str = "text/html", record: str = "response", **more: str) -> bytes:
        buffer = io.BytesIO()
        writer = WARCWriter(buffer, gzip=True)
        http = StatusAndHeaders("200 OK", [("Content-Type", kind)], protocol="HTTP/1.1")
        payload = io.BytesIO(b"<p>x")
        facts = {name.replace("_", "-"): value for name, value in more.items()}
        writer.write_record(
            writer.create_warc_record(
                "https://example.org/a", record, payload=payload, length=4, http_headers=http, warc_headers_dict=facts
            )
        )
        return buffer.getvalue()

    page = page_of_record(made(WARC_Date="2014-01-02T03:04:05Z"))
    assert page is not None
    assert (page.body, page.fetched_at) == (b"<p>x", datetime(2014, 1, 2, 3, 4, 5, tzinfo=UTC))
    assert page_of_record(made("image/png")) is None
    wrong = {
        "cut-short": made()[:-9],
        "damaged": b"no gzip at all",
        "cut-in-archive": made(WARC_Truncated="length"),
    }
    for reason, raw in wrong.items():
        with pytest.raises(BodyError, match=reason):
            page_of_record(raw)
    with pytest.raises(BodyError, match="damaged"):
        page_of_record(gzip.compress(b"no record"))
