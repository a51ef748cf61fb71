"""Each channel gets each alert once, whoever crashes, and nothing secret is shown on the way."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from xml.etree import ElementTree

import feedparser
import pytest

from processors.errors import SettingsError, StoreError
from processors.records import SIGNALS, Alert, Document, Member, Signal, digest
from sulh.deliver import (
    LEASE,
    Channel,
    Message,
    channels,
    deliver,
    documents,
    printer,
    render,
    resend_unsure,
    write_atom,
)
from sulh.stores import Outcome, Processed, Store, open_store

NOW = datetime(2014, 11, 16, 8, tzinfo=UTC)
ROOT = Path(__file__).parents[2]


@dataclass
class Hook:
    """A webhook on loopback that counts what it gets and answers as told."""

    server: ThreadingHTTPServer
    got: list[tuple[str, str]] = field(default_factory=list)
    """Path, and the alert id that the message names."""
    refuse: set[str] = field(default_factory=set)
    hold: threading.Event | None = None
    arrived: threading.Event = field(default_factory=threading.Event)

    def address(self, path: str) -> str:
        return f"json://user:s3cret-word@127.0.0.1:{self.server.server_port}/{path}"

    def counts(self) -> Counter[tuple[str, str]]:
        return Counter(self.got)


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path in hook.refuse:
                self.send_response(503)
            else:
                hook.got.append((self.path, sent["message"].rpartition("Alert ")[2]))
                hook.arrived.set()
                if hook.hold:
                    hook.hold.wait(20)
                self.send_response(200)
            self.send_header("Content-Length", "0")
            # A sender that was killed does not listen any more.
            try:
                self.end_headers()
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Hook(server)
        thread = threading.Thread(target=server.serve_forever, args=[0.05])
        thread.start()
        yield hook
        if hook.hold:
            hook.hold.set()
        server.shutdown()
        thread.join()


def arabic() -> Document:
    url = "https://outlet.example/هدنة?a=1&b=2"
    return Document(
        id=digest(url),
        source="outlet_sy",
        url=url,
        title="هدنة <في> حلب",
        text="أعلنت جبهة النصرة هدنة مع الدولة الإسلامية.",
        fetched_at=NOW - timedelta(hours=2),
        language="ar",
        capture="c",
        story="s",
    )


def alert(number: int = 0, **fields: object) -> Alert:
    doc = arabic()
    caution = [Signal(name=name, shown=False, note="looked for names") for name in SIGNALS]
    caution[0] = Signal(
        name=SIGNALS[0], shown=True, sentence="قال مصدر @everyone طلب", document=doc.id, note="an unnamed source"
    )
    given: dict[str, object] = {
        "id": digest("alert", str(number)),
        "parties": ("islamic-state", "nusra"),
        "kind": "truce",
        "place": "atareb",
        "opened_at": NOW - timedelta(hours=3),
        "title": doc.title,
        "sentence": doc.text,
        "members": (Member(document=doc.id, role="first", sentence=doc.text),),
        "origins": ("s",),
        "caution": tuple(caution),
        **fields,
    }
    return Alert(**given)  # type: ignore[arg-type]


def posting(hook: Hook, *paths: str) -> list[Channel]:
    """Channels that post to the hook by themselves, without Apprise."""

    def channel(path: str) -> Channel:
        def send(message: Message) -> str:
            url = f"http://127.0.0.1:{hook.server.server_port}/{path}"
            with urllib.request.urlopen(url, data=json.dumps({"message": message.body}).encode(), timeout=30):
                return ""

        return Channel(id=path, label=path, send=send)

    return [channel(path) for path in paths]


def fill(path: Path, alerts: list[Alert], to: Sequence[Channel] = ()) -> None:
    doc = arabic()
    outcome = Outcome(
        capture="c", source=doc.source, url=doc.url, fetched_at=doc.fetched_at, disposition="indexed", document=doc.id
    )
    with closing(open_store(path)) as store:
        store.write([Processed(outcome=outcome, document=doc)])
        store.write_alerts(alerts)
        for one in alerts:
            store.enqueue(one.id, [channel.id for channel in to], at=NOW)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with closing(open_store(tmp_path / "sulh.sqlite")) as store:
        yield store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "sulh.sqlite"


def test_each_channel_gets_each_alert_once(hook: Hook, store: Store, path: Path) -> None:
    to = channels([hook.address("mail"), hook.address("chat")])
    alerts = [alert(n) for n in range(3)]
    fill(path, alerts, to)
    first = deliver(store, to, now=NOW)
    again = deliver(store, to, now=NOW + timedelta(days=1))
    assert (first.sent, first.failed, first.waiting, first.unsure) == (6, 0, 0, 0)
    assert (again.sent, again.failed) == (0, 0)
    assert hook.counts() == {(f"/{place}", one.id): 1 for place in ("mail", "chat") for one in alerts}


def test_a_channel_that_is_down_gets_it_later_and_the_other_not_again(hook: Hook, store: Store, path: Path) -> None:
    to = channels([hook.address("mail"), hook.address("chat")])
    fill(path, [alert()], to)
    hook.refuse = {"/chat"}
    report = deliver(store, to, now=NOW)
    assert (report.sent, report.failed, report.waiting) == (1, 1, 1)
    assert len(report.errors) == 1
    assert report.errors[0].startswith("json://127.0.0.1: ")
    pauses = []
    for _ in range(12):
        (waiting,) = [d for d in store.deliveries() if d.state == "waiting"]
        assert "s3cret" not in waiting.error and "503" in waiting.error
        early = deliver(store, to, now=waiting.next_attempt - timedelta(seconds=5))
        assert (early.sent, early.failed, early.waiting) == (0, 0, 1)
        deliver(store, to, now=waiting.next_attempt)
        (later,) = [d for d in store.deliveries() if d.state == "waiting"]
        pauses.append(round((later.next_attempt - waiting.next_attempt).total_seconds() / 60))
    assert pauses == [2, 4, 8, 16, 32, 64, 128, 256, 360, 360, 360, 360]
    hook.refuse = set()
    report = deliver(store, to, now=later.next_attempt)
    assert (report.sent, report.waiting) == (1, 0)
    assert hook.counts() == {("/mail", alert().id): 1, ("/chat", alert().id): 1}


def test_a_dead_channel_does_not_hold_up_the_others(hook: Hook, store: Store, path: Path) -> None:
    to = channels(["json://127.0.0.1:1/nobody", hook.address("mail")])
    fill(path, [alert(n) for n in range(20)], to)
    report = deliver(store, to, now=NOW)
    assert (report.sent, report.failed, report.waiting) == (20, 3, 20)


KILLED = """
import json, os, signal, sys, urllib.request
from datetime import datetime
from sulh.deliver import Channel, deliver
from sulh.stores import open_store

def post(path):
    # Not Apprise: it takes a second to load, and what counts here is the outbox.
    def send(message):
        data = json.dumps({"message": message.body}).encode()
        with urllib.request.urlopen(sys.argv[3] + path, data=data, timeout=30):
            return ""
    return send

left = int(os.environ.get("KILL_AT", "-1"))
def send(channel, message):
    global left
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return channel.send(message)

store = open_store(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
targets = [Channel(id=path, label=path, send=post(path)) for path in sys.argv[4:]]
report = deliver(store, targets, now=datetime.fromisoformat(sys.argv[2]), send=send)
print(report.sent, report.unsure)
"""


def start(path: Path, hook: Hook, to: list[str], **environment: str) -> subprocess.Popen[str]:
    """Start a delivery process, and wait until it is about to begin."""
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, path, NOW.isoformat(), f"http://127.0.0.1:{hook.server.server_port}/", *to],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_killed_while_the_receiver_has_the_message_it_is_not_sent_again(hook: Hook, store: Store, path: Path) -> None:
    to = posting(hook, "mail")
    alerts = [alert(n) for n in range(3)]
    fill(path, alerts, to)
    hook.hold = threading.Event()
    process = start(path, hook, [channel.id for channel in to])
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()
    assert hook.arrived.wait(20)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    hook.hold.set()
    report = deliver(store, to, now=NOW)
    assert (report.sent, report.waiting, report.unsure) == (2, 0, 1)
    assert hook.counts() == {("/mail", one.id): 1 for one in alerts}
    # It stays in sight, and goes out again only when a person says so and no worker can still be at it.
    assert deliver(store, to, now=NOW + timedelta(days=1)).sent == 0
    (unsure,) = [d for d in store.deliveries() if d.state == "unsure"]
    assert unsure.claimed_at is not None
    assert resend_unsure(store, now=unsure.claimed_at + LEASE) == 0
    later = unsure.claimed_at + LEASE + timedelta(seconds=1)
    assert resend_unsure(store, now=later) == 1
    assert deliver(store, to, now=later).sent == 1
    assert hook.counts()["/mail", unsure.alert] == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_asked_to_end_while_the_receiver_has_the_message_nothing_is_in_doubt(
    hook: Hook, store: Store, path: Path, number: signal.Signals
) -> None:
    alerts = [alert(n) for n in range(3)]
    fill(path, alerts, channels([hook.address("mail")]))
    hook.hold = threading.Event()
    process = subprocess.Popen(
        [sys.executable, "-m", "sulh", "--home", str(path.parent), "deliver"],
        env={name: value for name, value in os.environ.items() if not name.startswith("SULH_")}
        | {"PYTHONPATH": str(ROOT), "SULH_NOTIFY": hook.address("mail")},
        cwd=path.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert hook.arrived.wait(20)
    process.send_signal(number)
    hook.hold.set()
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (128 + number, "")
    assert err == f"sulh: stopped by {number.name}: nothing is lost, call it again for the rest\n"
    assert sorted(delivery.state for delivery in store.deliveries()) == ["sent", "waiting", "waiting"]
    assert deliver(store, channels([hook.address("mail")]), now=NOW).sent == 2
    assert hook.counts() == {("/mail", one.id): 1 for one in alerts}


def test_killed_again_and_again_no_alert_comes_twice(hook: Hook, store: Store, path: Path) -> None:
    to = posting(hook, "mail", "chat")
    alerts = [alert(n) for n in range(8)]
    fill(path, alerts, to)
    for kill_at in ("0", "3"):
        process = start(path, hook, [channel.id for channel in to], KILL_AT=kill_at)
        process.communicate("\n")
        assert process.returncode == -signal.SIGKILL
    report = deliver(store, to, now=NOW)
    assert (report.waiting, report.unsure) == (0, 2)
    assert set(hook.counts().values()) == {1}
    assert len(hook.got) == 16 - 2


def test_two_workers_share_the_work(hook: Hook, store: Store, path: Path) -> None:
    to = posting(hook, "mail", "chat")
    alerts = [alert(n) for n in range(25)]
    fill(path, alerts, to)
    workers = [start(path, hook, [channel.id for channel in to]) for _ in range(2)]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("\n")
        worker.stdin.flush()
    said = [worker.communicate()[0].split() for worker in workers]
    assert sum(int(sent) for sent, _ in said) == 50
    assert hook.counts() == {(f"/{place}", one.id): 1 for place in ("mail", "chat") for one in alerts}
    assert {d.state for d in store.deliveries()} == {"sent"}


def test_without_an_address_alerts_are_printed_once(store: Store, path: Path) -> None:
    printed: list[str] = []
    terminal = printer(printed.append)
    fill(path, [alert()])
    store.enqueue(alert().id, [terminal.id], at=NOW)
    assert deliver(store, [terminal], now=NOW).sent == 1
    assert deliver(store, [terminal], now=NOW).sent == 0
    assert len(printed) == 1
    assert printed[0].startswith("Truce reported: ")


# ---------------------------------------------------------------------------------------------- addresses, messages


@pytest.mark.parametrize(
    "address", ["nosuch://user:s3cret@host/s3cret", "slack://s3cret", "s3cret", "mailto://", "://"]
)
def test_a_wrong_address_is_told_without_its_secrets(address: str, capfd: pytest.CaptureFixture[str]) -> None:
    logged = logging.StreamHandler(sys.__stderr__)
    logging.getLogger().addHandler(logged)
    with pytest.raises(SettingsError, match="SULH_NOTIFY: address 2 ") as caught:
        channels(["json://127.0.0.1/", address])
    logging.getLogger().removeHandler(logged)
    out, err = capfd.readouterr()
    assert "s3cret" not in f"{caught.value}{out}{err}"


def test_a_label_shows_no_token() -> None:
    given = [
        "tgram://123456789:abcdefg_hijklmnop/12315544/",
        "discord://4174216298/JHMHI8qBe7bk2ZwO5U711o3dV_js",
        "slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#general",
        "mailtos://user:s3cret@mail.example:465?to=a@b.example",
        "jsons://hook.example/s3cret",
    ]
    made = channels([*given, given[0], " "])
    assert [channel.label for channel in made] == [
        "tgram://1...p",
        "discord://4...8",
        "slack://T...2",
        "mailtos://mail.example",
        "jsons://hook.example",
    ]
    assert made[1].limit <= 2_000
    assert "s3cret" not in repr(made)


def test_a_message_says_who_what_where_when_and_what_speaks_against_it(store: Store, path: Path) -> None:
    fill(path, [alert()])
    message = render(alert(), documents(store, alert()), desk="http://127.0.0.1:8020/")
    assert message.title == "Truce reported: Islamic State, Jabhat al-Nusra (Atareb)"
    for part in (
        "When: reported 2014-11-16 05:00 UTC",
        "How it stands: new; 1 independent origin, 1 document",
        arabic().text,
        "outlet_sy: هدنة <في> حلب",
        arabic().url,
        "- Source not named: YES (an unnamed source)",
        "- Doubted by officials or experts: not shown",
        f"Desk: http://127.0.0.1:8020/alerts/{alert().id}",
    ):
        assert part in message.body
    assert sum(line.startswith("- ") for line in message.body.splitlines()) == len(SIGNALS)
    # Nobody is called to the chat by a page from the web.
    assert "@everyone" not in message.body


def test_a_long_message_is_cut_by_rule_and_says_so() -> None:
    long = alert(
        sentence="word " * 1_000,
        caution=tuple(Signal(name=name, shown=True, sentence="doubt " * 500, note="why") for name in SIGNALS),
    )
    whole = render(long, {}, limit=100_000)
    assert len(whole.body) > 3_500
    shorter = render(long, {}, limit=3_000)
    assert len(shorter.body) <= 3_000
    assert shorter.body.endswith(f"Alert {long.id}")
    cut = render(long, {}, limit=600)
    assert len(cut.body) <= 600
    assert cut.body.endswith(f"the rest was cut; whole: sulh alerts {long.id})")
    wordy = replace(long, caution=tuple(replace(line, note="why " * 500) for line in long.caution))
    assert len(render(wordy, {}).body) <= 3_900


# -------------------------------------------------------------------------------------------------------- the feed


def test_the_feed_is_read_by_a_feed_reader(store: Store, path: Path, tmp_path: Path) -> None:
    other = alert(1, opened_at=NOW, title="x", sentence="A \x00 & <b>truce</b>", members=(), place="", caution=())
    held = alert(2, held="old")
    fill(path, [alert(), other, held])
    target = tmp_path / "deep" / "alerts.atom"
    assert write_atom(store, target, NOW, desk="http://127.0.0.1:8020")
    feed = feedparser.parse(target.read_bytes())
    assert not feed.bozo
    assert feed.version == "atom10"
    assert feed.feed.updated == NOW.isoformat()
    assert [entry.title for entry in feed.entries] == [
        "Truce reported: Islamic State, Jabhat al-Nusra",
        "Truce reported: Islamic State, Jabhat al-Nusra (Atareb)",
    ]
    entry = feed.entries[1]
    assert entry.link == f"http://127.0.0.1:8020/alerts/{alert().id}"
    assert entry.summary_detail.language == "ar"
    assert entry.summary == arabic().text
    assert "an unnamed source" in entry.content[0].value
    assert entry.id.startswith("urn:uuid:")
    assert len({one.id for one in feed.entries}) == 2
    assert entry.updated == arabic().fetched_at.isoformat()
    root = ElementTree.fromstring(target.read_bytes())
    assert root.get("{http://www.w3.org/XML/1998/namespace}lang") == "en"


def test_the_feed_changes_only_with_the_alerts(store: Store, path: Path, tmp_path: Path) -> None:
    target = tmp_path / "alerts.atom"
    assert write_atom(store, target, NOW)
    assert not write_atom(store, target, NOW + timedelta(days=1))
    fill(path, [alert()])
    assert write_atom(store, target, NOW)
    before = target.read_bytes()
    assert not write_atom(store, target, NOW + timedelta(days=1))
    assert target.read_bytes() == before
    store.write_alerts([])
    assert write_atom(store, target, NOW)
    assert feedparser.parse(target.read_bytes()).entries == []
    assert [entry.name for entry in tmp_path.iterdir() if "atom" in entry.name] == ["alerts.atom"]


def test_a_feed_that_cannot_be_written_is_said_in_one_sentence(store: Store, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StoreError, match="the alerts feed cannot be written"):
        write_atom(store, blocked / "alerts.atom", NOW)


def test_an_own_way_to_send_needs_no_network(store: Store, path: Path) -> None:
    sent: list[Message] = []
    own = Channel(id="own", label="own", send=lambda message: sent.append(message) or "")  # type: ignore[func-returns-value]
    fill(path, [alert()])
    store.enqueue(alert().id, ["own"], at=NOW)
    assert deliver(store, [own], now=NOW).sent == 1
    assert alert().id in sent[0].body
