"""A channel that asks for one message a day gets each change of an alert in exactly one of them, whoever crashes."""

from __future__ import annotations

import os
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from processors.archive import CaptureRef
from processors.errors import SettingsError
from processors.records import Alert, Document, digest
from sulh.cli import main
from sulh.deliver import LEASE, Channel, Message, channels, deliver, for_operators, resend_unsure
from sulh.digests import DIGEST, day_of, deliver_digests, render_digest
from sulh.pipeline import decide, judge_document, process, registers_of
from sulh.stores import Access, Store, open_store
from tests.sulh.test_deliver import alert, fill
from tests.sulh.test_grounds import DENIAL, TRUCE, Page

NOON = datetime(2014, 11, 16, 12, tzinfo=UTC)
MORNING = datetime(2014, 11, 17, 6, tzinfo=UTC)
DAY = timedelta(days=1)


class Killed(BaseException):
    """The process dies here."""


@dataclass
class Inbox:
    """A receiver, and what it got."""

    got: list[Message] = field(default_factory=list)
    die: str = ""
    """``before`` or ``after`` the receiver has it; ``refuse``: it says no."""

    def channel(self, id: str, *, digest: bool = True) -> Channel:
        def send(message: Message) -> str:
            if self.die == "refuse":
                return "503"
            if self.die == "before":
                raise Killed
            self.got.append(message)
            if self.die == "after":
                raise Killed
            return ""

        return Channel(id=id, label=id, digest=digest, send=send)

    def told(self) -> Counter[str]:
        """Count the ids of alerts by the number of messages that name them."""
        ids = [digest("alert", str(number)) for number in range(30)]
        return Counter(id for message in self.got for id in ids if id in message.body)


class Dying:
    """A store under which the process dies at the nth call of a method."""

    def __init__(self, store: Store, method: str, calls: int) -> None:
        self._store, self._method, self._left = store, method, calls

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name != self._method:
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            if self._left == 0:
                raise Killed
            self._left -= 1
            return found(*arguments, **named)

        return call


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sulh.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(open_store(path)) as store:
        yield store


@pytest.fixture
def inbox() -> Inbox:
    return Inbox()


def send(store: Store, to: Channel, now: datetime) -> tuple[int, int, int]:
    report = deliver_digests(store, [to], now=now, hour=6)
    return report.sent, report.failed, report.unsure


def queue(store: Store, to: Channel, *keys: str, at: datetime = NOON) -> None:
    for key in keys:
        store.enqueue(key, [to.id], at=at)


def test_it_gets_one_message_a_day_and_others_one_an_alert(store: Store, path: Path, inbox: Inbox) -> None:
    at_once = Inbox()
    daily, other = inbox.channel("daily"), at_once.channel("other", digest=False)
    alerts = [alert(number) for number in range(3)]
    fill(path, alerts, [daily, other])
    first = datetime(2014, 11, 16, 8, tzinfo=UTC)
    assert deliver(store, [daily, other], now=first).sent == 3
    for hours in (0, 5, 21):
        assert send(store, daily, first + timedelta(hours=hours)) == (0, 0, 0)
    assert send(store, daily, MORNING) == (1, 0, 0)
    for later in (timedelta(minutes=1), DAY, 3 * DAY):
        assert send(store, daily, MORNING + later) == (0, 0, 0)
    (message,) = inbox.got
    assert inbox.told() == at_once.told() == {one.id: 1 for one in alerts}
    assert message.title == "sulh, 2014-11-17: 3 new"
    assert message.body.count("New: Truce reported: Islamic State, Jabhat al-Nusra") == 3
    assert alerts[0].sentence in message.body and "https://outlet.example/" in message.body
    assert {row.state for row in store.deliveries()} == {"sent"}


def test_what_changes_later_stands_in_a_later_message(store: Store, path: Path, inbox: Inbox) -> None:
    daily = inbox.channel("daily")
    fill(path, [alert(0), alert(1)], [daily])
    send(store, daily, MORNING)
    store.write_alerts([alert(0, state="denied"), alert(1)])
    queue(store, daily, f"{alert(0).id}.denied", at=MORNING + timedelta(hours=2))
    assert send(store, daily, MORNING + DAY) == (1, 0, 0)
    assert inbox.got[1].title == "sulh, 2014-11-18: 1 changed"
    assert "Now denied: " in inbox.got[1].body
    assert inbox.told() == {alert(0).id: 2, alert(1).id: 1}
    assert send(store, daily, MORNING + 2 * DAY) == (0, 0, 0)


@pytest.mark.parametrize(("calls", "method"), [(n, m) for m in ("claim", "settle", "enqueue") for n in range(4)])
def test_killed_anywhere_each_change_is_told_once(
    store: Store, path: Path, inbox: Inbox, calls: int, method: str
) -> None:
    daily = inbox.channel("daily")
    fill(path, [alert(0), alert(1)], [daily])
    with suppress(Killed):
        deliver_digests(Dying(store, method, calls), [daily], now=MORNING, hour=6)  # type: ignore[arg-type]
    for later in range(3):
        send(store, daily, MORNING + later * DAY)
    told = inbox.told()
    assert set(told.values()) == {1} and len(told) == 2
    if (method, calls) == ("settle", 0):
        # Nobody wrote down that it went out: it stays in sight.
        assert [row.alert for row in store.deliveries() if row.state == "unsure"] == [f"{DIGEST}2014-11-17"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_killed_while_it_is_sent_it_stays_in_doubt_until_a_person_says_so(
    store: Store, path: Path, inbox: Inbox, when: str
) -> None:
    daily = inbox.channel("daily")
    fill(path, [alert(0)], [daily])
    inbox.die = when
    with pytest.raises(Killed):
        send(store, daily, MORNING)
    inbox.die = ""
    queue(store, daily, alert(1).id, at=MORNING + timedelta(hours=1))
    store.write_alerts([alert(0), alert(1)])
    assert send(store, daily, MORNING + DAY) == (1, 0, 1)
    assert inbox.told() == {alert(1).id: 1} | ({alert(0).id: 1} if when == "after" else {})
    resend_unsure(store, now=MORNING + DAY + LEASE)
    assert send(store, daily, MORNING + DAY + LEASE) == (1, 0, 0)
    assert inbox.told() == {alert(1).id: 1, alert(0).id: 2 if when == "after" else 1}


def test_a_receiver_that_is_down_gets_the_days_in_order(store: Store, path: Path, inbox: Inbox) -> None:
    daily = inbox.channel("daily")
    fill(path, [alert(0), alert(1)], [])
    queue(store, daily, alert(0).id)
    queue(store, daily, alert(1).id, at=NOON + DAY)
    inbox.die = "refuse"
    assert send(store, daily, MORNING) == (0, 1, 0)
    assert send(store, daily, MORNING + DAY) == (0, 1, 0)
    inbox.die = ""
    assert send(store, daily, MORNING + 2 * DAY) == (2, 0, 0)
    assert [message.title for message in inbox.got] == ["sulh, 2014-11-17: 1 new", "sulh, 2014-11-18: 1 new"]
    assert inbox.told() == {alert(0).id: 1, alert(1).id: 1}


def test_what_is_dismissed_or_withdrawn_before_it_is_told_is_told_when_it_stands_again(
    store: Store, path: Path, inbox: Inbox
) -> None:
    daily = inbox.channel("daily")
    fill(path, [alert(0), alert(1, state="withdrawn"), alert(2)], [daily])
    store.judge(alert(0).id, "dismissed", "a rumour", at=NOON)
    assert send(store, daily, MORNING) == (1, 0, 0)
    assert inbox.told() == {alert(2).id: 1}
    assert send(store, daily, MORNING + DAY) == (0, 0, 0)
    store.judge(alert(0).id, "confirmed", "", at=NOON)
    store.write_alerts([alert(0), alert(1), alert(2)])
    for later in range(1, 4):
        send(store, daily, MORNING + later * DAY)
    assert inbox.told() == {alert(number).id: 1 for number in range(3)}


def test_it_is_the_same_over_a_server(elastic: tuple[str, Access], inbox: Inbox) -> None:
    daily = inbox.channel("daily")
    address, access = elastic
    with closing(open_store(address, access=access)) as store:
        store.write_alerts([alert(0), alert(1, state="denied")])
        queue(store, daily, alert(0).id, alert(1).id)
        inbox.die = "after"
        with pytest.raises(Killed):
            send(store, daily, MORNING)
        inbox.die = ""
        queue(store, daily, f"{alert(0).id}.denied", at=NOON + DAY)
        for later in range(1, 4):
            send(store, daily, MORNING + later * DAY)
    assert [message.title for message in inbox.got] == ["sulh, 2014-11-17: 2 new", "sulh, 2014-11-18: 1 changed"]
    assert inbox.told() == {alert(0).id: 2, alert(1).id: 1}


def test_two_workers_send_it_once(path: Path, inbox: Inbox) -> None:
    daily = inbox.channel("daily")
    fill(path, [alert(number) for number in range(5)], [daily])
    ready = threading.Barrier(4)

    def work() -> None:
        with closing(open_store(path)) as store:
            ready.wait()
            send(store, daily, MORNING)

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert len(inbox.got) == 1 and set(inbox.told().values()) == {1}


def test_it_is_cut_by_rule_and_names_every_alert_first(store: Store, path: Path, inbox: Inbox) -> None:
    daily = inbox.channel("daily")
    long = "The Islamic State and the Nusra Front agreed a truce. " * 20
    fill(path, [alert(number, sentence=long) for number in range(20)], [daily])
    send(store, daily, MORNING)
    (message,) = inbox.got
    assert len(message.body) <= daily.limit
    assert len(inbox.told()) == 20
    (row, *_) = store.deliveries()
    assert row.state == "sent"
    short = render_digest(MORNING.date(), [], {}, limit=10)
    assert len(short.body) <= 50


def test_a_change_belongs_to_the_next_message_that_is_an_hour_away() -> None:
    assert day_of(MORNING - timedelta(minutes=61), 6) == MORNING.date()
    assert day_of(MORNING - timedelta(minutes=60), 6) == MORNING.date() + DAY
    assert day_of(MORNING + timedelta(hours=17), 6) == MORNING.date() + DAY


def judged(store: Store, *pages: Page) -> None:
    """Process the pages as the pipeline does."""

    def items() -> Iterator[Any]:
        for source, day, title, text in pages:
            at = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(hours=12)
            document = Document(
                id=digest(source), source=source, url=f"https://{source}.test/", title=title, text=text,
                published_at=at, fetched_at=at, declared="en", capture=digest(source, "c"),
            )  # fmt: skip
            ref = CaptureRef(id=document.capture, source=source, url=document.url, fetched_at=at, locator="")
            yield ref, judge_document(document, registers_of(None))

    assert not process(store, items()).faults


def test_a_change_of_state_is_noted_once_also_where_the_decision_broke_off(store: Store) -> None:
    def decided(where: Any, now: datetime) -> tuple[Alert, ...]:
        both = ["daily", "other"]
        return decide(where, now=now, max_age_days=None, channels=both, digests=["daily"]).alerts

    judged(store, TRUCE)
    (one,) = decided(store, NOON)
    judged(store, DENIAL)
    with pytest.raises(Killed):
        decided(Dying(store, "write_alerts", 0), NOON + timedelta(hours=1))
    for later in range(2, 5):
        (now,) = decided(store, NOON + timedelta(hours=later))
    assert (one.state, now.state) == ("new", "denied")
    rows = {(row.alert, row.channel): row.next_attempt for row in store.deliveries()}
    assert rows == {
        (one.id, "daily"): NOON,
        (one.id, "other"): NOON,
        (f"{one.id}.denied", "daily"): NOON + timedelta(hours=1),
    }


def test_an_address_asks_for_it_and_stays_the_same_channel() -> None:
    (plain,) = channels(["json://127.0.0.1/a?overflow=split"])
    (daily,) = channels(["json://127.0.0.1/a?digest=daily&overflow=split"])
    (bare,) = channels(["json://127.0.0.1/a?digest=Daily"])
    assert (plain.digest, daily.digest, bare.digest) == (False, True, True)
    assert daily.id == plain.id
    assert bare.id == channels(["json://127.0.0.1/a"])[0].id
    with pytest.raises(SettingsError, match="expected digest=daily"):
        channels(["json://user:s3cret@127.0.0.1/a?digest=weekly"])
    with pytest.raises(SettingsError, match="leave digest=daily out"):
        for_operators(["json://127.0.0.1/a?digest=daily"], print)


def test_the_commands_take_it_from_the_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SULH_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SULH_NOTIFY", "json://127.0.0.1:9/a?digest=daily")
    monkeypatch.setenv("SULH_ALERT_MAX_AGE_DAYS", "0")
    home = tmp_path / "home"
    home.mkdir()
    with closing(open_store(home / "sulh.sqlite")) as store:
        judged(store, TRUCE)
    result = CliRunner().invoke(main, ["--home", str(home), "alert"])
    assert "1 message queued" in result.output, result.output
    # Nothing is sent before the hour, so that nothing can fail.
    result = CliRunner().invoke(main, ["--home", str(home), "deliver"])
    assert (result.exit_code, result.output) == (0, "delivered: sent 0, failed 0, waiting 1, unsure 0\n")
    assert "(once a day)" in CliRunner().invoke(main, ["--home", str(home), "doctor"]).output
