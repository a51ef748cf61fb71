"""Which sources are to be crawled now: each on its own cadence, one host in one hand, a failing one less often."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from crawlers.sources import Source, load_source
from processors.archive import Archive, Outcome, Recent
from sulh.cli import main
from sulh.due import LATE, due, groups, is_due

MORNING = datetime(2026, 1, 5, 8, 0, 7, tzinfo=UTC)
TICK = timedelta(minutes=15)


def source(tmp_path: Path, name: str = "mine_gb", *, url: str = "https://mine.test/feed", every: str = "15m") -> Source:
    path = tmp_path / f"{name}.yml"
    text = f'name: "Mine"\ncountry: "GB"\nlanguage: en\nkind: feed\nurl: "{url}"\nevery: {every}\n'
    path.write_text(text, encoding="utf-8")
    return load_source(path)


def crawled(home: Path, name: str, at: datetime, outcome: Outcome = "ok", *, past: bool = False) -> Recent:
    with Archive(home).writer(name) as writer:
        writer.begin(at, past=past).result()
        writer.end(outcome, "no-answer" if outcome == "failed" else "", at).result()
    return Archive(home).recent(name)


def test_a_source_that_was_never_crawled_is_due(tmp_path: Path) -> None:
    assert is_due(source(tmp_path), Archive(tmp_path).recent("mine_gb"), now=MORNING)


@pytest.mark.parametrize("late", [0, 1, 4, 7])
@pytest.mark.parametrize("early", [0, 5])
def test_a_source_is_crawled_at_every_tick_of_its_interval_however_late_its_last_crawl_began(
    tmp_path: Path, late: int, early: int
) -> None:
    mine = source(tmp_path)
    # The tick at which it is due first after a long pause is the beginning of a slot, give or take a tick's lateness.
    begun = MORNING
    while not is_due(mine, Recent(started_at=begun - TICK / 2 - timedelta(seconds=1), outcome="ok"), now=begun):
        begun += timedelta(seconds=10)
    for tick in range(1, 20):
        now = begun + tick * TICK - timedelta(seconds=early if tick > 1 else 0) + timedelta(seconds=10)
        before = now - TICK + timedelta(minutes=late)
        assert is_due(mine, Recent(started_at=before, outcome="ok"), now=now)


@pytest.mark.parametrize("late", [0, 5, 60, 170])
def test_it_is_crawled_at_every_tick_wherever_in_a_slot_the_ticks_fall(tmp_path: Path, late: int) -> None:
    mine = source(tmp_path)
    for minute in range(15):
        for tick in range(1, 5):
            now = MORNING + timedelta(minutes=minute) + tick * TICK
            before = now - TICK + timedelta(seconds=late)
            assert is_due(mine, Recent(started_at=before, outcome="ok"), now=now)


@given(st.lists(st.integers(1, 40), min_size=20, max_size=60), st.sampled_from(["15m", "1h", "6h", "1d"]))
def test_it_is_crawled_once_an_interval_on_average_and_never_twice_within_half_of_one(
    tmp_path_factory: pytest.TempPathFactory, minutes: list[int], every: str
) -> None:
    mine = source(tmp_path_factory.mktemp("sources"), every=every)
    now, last, crawls = MORNING, MORNING, 0
    for pause in minutes:
        now += timedelta(minutes=pause)
        if is_due(mine, Recent(started_at=last, outcome="ok"), now=now):
            assert now - last >= mine.interval / 2
            last, crawls = now, crawls + 1
    assert crawls <= (now - MORNING) / (mine.interval - LATE) + 1


def test_hosts_do_not_all_come_due_at_the_same_moment(tmp_path: Path) -> None:
    many = [source(tmp_path, f"s{number}_gb", url=f"https://s{number}.test/feed", every="1h") for number in range(60)]
    last = Recent(started_at=MORNING - timedelta(minutes=50), outcome="ok")
    at_once = sum(is_due(one, last, now=MORNING) for one in many)
    an_hour_later = sum(is_due(one, last, now=MORNING + timedelta(minutes=59)) for one in many)
    assert 30 < at_once < 60 == an_hour_later


def test_a_failing_source_rests_longer_each_time_and_never_longer_than_a_day(tmp_path: Path) -> None:
    mine = source(tmp_path)
    rests = []
    for failures in range(1, 14):
        recent = Recent(started_at=MORNING, outcome="failed", failures=failures)
        minutes = next(n for n in range(60 * 24 + 1) if is_due(mine, recent, now=MORNING + timedelta(minutes=n)))
        rests.append(minutes)
    assert rests[:5] == [30, 60, 120, 240, 480]
    assert set(rests[6:]) == {60 * 24}


def test_failures_in_a_row_are_counted_from_the_archive(tmp_path: Path) -> None:
    for hour in range(3):
        recent = crawled(tmp_path, "mine_gb", MORNING + timedelta(hours=hour), "failed")
    assert (recent.outcome, recent.failures) == ("failed", 3)
    assert crawled(tmp_path, "mine_gb", MORNING + timedelta(hours=4)).failures == 0


def test_a_backfill_does_not_put_off_the_news(tmp_path: Path) -> None:
    mine, later = source(tmp_path), MORNING + timedelta(hours=1)
    crawled(tmp_path, "mine_gb", MORNING)
    recent = crawled(tmp_path, "mine_gb", later, past=True)
    assert is_due(mine, recent, now=later + timedelta(minutes=1))


def test_a_failing_backfill_gives_the_news_no_rest_and_is_no_first_crawl(tmp_path: Path) -> None:
    mine = source(tmp_path)
    for minute in range(5):
        recent = crawled(tmp_path, "mine_gb", MORNING + timedelta(minutes=minute), "failed", past=True)
    assert recent.outcome == "never" and is_due(mine, recent, now=MORNING + timedelta(minutes=6))
    recent = crawled(tmp_path, "mine_gb", MORNING + timedelta(minutes=7), "failed")
    crawled(tmp_path, "mine_gb", MORNING + timedelta(minutes=8), "failed", past=True)
    assert Archive(tmp_path).recent("mine_gb").failures == recent.failures == 1
    assert is_due(mine, recent, now=MORNING + timedelta(minutes=37))


def test_a_crawl_that_was_stopped_goes_on_at_once_and_one_that_is_at_work_is_left_to_it(tmp_path: Path) -> None:
    mine, archive = source(tmp_path), Archive(tmp_path)
    with archive.writer("mine_gb") as writer:
        writer.begin(MORNING).result()
        assert not is_due(mine, archive.recent("mine_gb"), now=MORNING + timedelta(days=1))
    # Left without an end, as by kill -9: its lock is free, its row is not finished.
    assert is_due(mine, archive.recent("mine_gb"), now=MORNING + timedelta(seconds=1))
    recent = crawled(tmp_path, "mine_gb", MORNING, "interrupted")
    assert is_due(mine, recent, now=MORNING + timedelta(seconds=1))


def test_a_source_whose_host_is_being_asked_for_another_is_left_out_until_that_is_done(tmp_path: Path) -> None:
    hosts = {"one_gb": "mine.test", "two_gb": "mine.test", "else_gb": "else.test"}
    sources = {name: source(tmp_path, name, url=f"https://{host}/{name}") for name, host in hosts.items()}
    archive = Archive(tmp_path / "home")
    assert due(archive, sources, now=MORNING) == (["one_gb", "two_gb", "else_gb"], [])
    turn = archive.turn("mine.test")
    assert turn is not None
    assert due(archive, sources, now=MORNING) == (["else_gb"], [])
    turn.release()
    assert due(archive, sources, now=MORNING) == (["one_gb", "two_gb", "else_gb"], [])


def test_sources_of_one_host_stay_together_and_many_hosts_fit_into_few_groups(tmp_path: Path) -> None:
    many = [source(tmp_path, f"a{n}_gb", url=f"https://host{n % 5}.test/{n}") for n in range(12)]
    found = groups(many)
    assert [group.hosts for group in found] == [(f"host{n}.test",) for n in range(5)]
    assert found[1].sources == ("a11_gb", "a1_gb", "a6_gb")
    few = groups(many, most=2)
    assert [group.about for group in few] == ["host0.test and 2 more", "host1.test and 1 more"]
    assert sorted(name for group in few for name in group.sources) == sorted(one.id for one in many)
    assert groups([]) == groups([], most=3) == []


def test_the_command_lists_them_and_a_crawl_of_those_that_are_due_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        if name.startswith("SULH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SULH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SULH_SOURCES", str(tmp_path / "sources"))
    (tmp_path / "sources").mkdir()
    source(tmp_path / "sources", every="10d")
    runner = CliRunner()
    listed = runner.invoke(main, ["sources", "due", "--json"])
    assert '"sources": ["mine_gb"]' in listed.stdout
    recent = crawled(tmp_path / "home", "mine_gb", datetime.now(UTC))
    assert not is_due(load_source(tmp_path / "sources" / "mine_gb.yml"), recent, now=datetime.now(UTC))
    assert "mine.test" not in runner.invoke(main, ["sources", "due"]).stdout
    done = runner.invoke(main, ["crawl", "--due", "mine_gb"])
    assert (done.exit_code, done.stdout.splitlines()[0]) == (
        0,
        "crawled 0 sources: 0 discovered, 0 fetched, 0 known, 0 refused, 0 failed",
    )
    assert runner.invoke(main, ["crawl", "--due", "nobody"]).exit_code == 1
