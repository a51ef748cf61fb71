"""What the commands show, asked of a store on Elasticsearch: counted on the server, and exact however much there is."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from itertools import groupby, islice
from typing import Any, Final

from elasticsearch import AuthorizationException

from processors.errors import StoreError
from processors.records import Alert, Document
from processors.register import Registers
from sulh.board import AlertRow, ClaimRow, Evidence, Found, claim_rows, queue_of
from sulh.periods import Step, fitting
from sulh.stores import Access, Delivery
from sulh.stores.elastic_client import connect, explain, plainly
from sulh.stores.elastic_indices import HOLDS, check
from sulh.stores.elastic_reading import PAGE, hits, rows_of
from sulh.stores.elastic_rows import names, record_of

BUCKETS: Final = 10_000
"""Of one answer: the server gives 65,536 at most (search.max_buckets)."""

SEARCHES: Final = 50
"""Claims that one request asks for; the server works on a few at a time."""

FIRST: Final = 100
"""Rows of the first answer, which a reader waits for; the later ones are larger."""

_READ: Final = ("documents", "comparisons", "alerts", "verdicts", "deliveries")


class ElasticBoard:
    """A `Board` over the indices of one Elasticsearch cluster."""

    def __init__(self, address: str, access: Access) -> None:
        """Open the indices behind the address; raises StoreError, in one sentence, where that cannot be."""
        self._address = address
        self._prefix = access.prefix
        self._client = connect(address, access)
        try:
            with plainly(address):
                check(self._client, address, access.prefix)
                # A reader's key may not ask for that; it sees what was written a second ago.
                with suppress(AuthorizationException):
                    self._client.indices.refresh(index=[self._name(kind) for kind in _READ])
        except BaseException:
            self._client.close()
            raise

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def _name(self, kind: str) -> str:
        return f"{self._prefix}-{kind}"

    # Claims

    def claim_board(self, registers: Registers, *, claim: str = "") -> list[ClaimRow]:
        """Give every claim of the registers, or those of one id, with what bears on it; one without a finding too."""
        wanted = [(register.article.id, one.id) for register, one in registers.claims() if claim in ("", one.id)]
        with plainly(self._address):
            span = self._span()
            found = self._found(wanted, fitting(span)) if span else {}
        return claim_rows(registers, claim, found, span)

    def _span(self) -> tuple[date, date] | None:
        ends = {name: {name: {"field": "dated_at"}} for name in ("min", "max")}
        answer = self._client.search(
            index=self._name("comparisons"), size=0, track_total_hits=False, query=HOLDS, aggregations=ends
        )["aggregations"]
        if answer["min"]["value"] is None:
            return None
        return _day(answer["min"]["value"]), _day(answer["max"]["value"])

    def _found(self, wanted: Sequence[tuple[str, str]], step: Step) -> dict[tuple[str, str], Found]:
        """Give what there is on each claim: each origin in each period once, the count of documents, and the newest.

        A search a claim: the pages of one over all claims would each walk through all rows again.
        """
        days: dict[tuple[str, str], list[tuple[date, str, str]]] = defaultdict(list)
        documents: dict[tuple[str, str], int] = defaultdict(int)
        latest: dict[tuple[str, str], Evidence] = {}
        waiting: list[tuple[tuple[str, str], Mapping[str, Any] | None]] = [(key, None) for key in wanted]
        while waiting:
            asked, waiting = waiting[:SEARCHES], waiting[SEARCHES:]
            searches: list[dict[str, Any]] = []
            for key, after in asked:
                searches += [{"index": self._name("comparisons")}, _about(key, step, after)]
            answers = self._client.msearch(searches=searches)["responses"]
            for (key, after), answer in zip(asked, answers, strict=True):
                if "error" in answer:
                    said = explain(answer["status"], answer) or f"cannot count what bears on {key[1]}: {answer}"
                    raise StoreError(f"{self._address}: {said}")
                if after is None and answer["hits"]["hits"]:
                    latest[key] = _newest(answer["hits"]["hits"])
                voices = answer["aggregations"]["voices"]
                for bucket in voices["buckets"]:
                    one = bucket["key"]
                    days[key].append((date.fromisoformat(one["period"]), one["bearing"], one["origin"]))
                    documents[key] += bucket["doc_count"]
                if len(voices["buckets"]) == BUCKETS:
                    waiting.append((key, voices["after_key"]))
        return {
            key: Found(documents=documents[key], days=tuple(days[key]), latest=newest)
            for key, newest in latest.items()
            if days[key]
        }

    def evidence(self, register: str, claim: str, *, limit: int | None = None) -> Iterator[Evidence]:
        """Give all that bears on one claim, or as much as is asked for, newest first, as it is read."""
        filters = [{"term": {"register": register}}, {"term": {"claim": claim}}]
        order: list[Any] = [{"dated_at": "desc"}, "document"]
        with plainly(self._address):
            if limit is not None and limit <= PAGE:
                # One request sees one state by itself.
                answer = self._client.search(
                    index=self._name("comparisons"),
                    query={"bool": {"filter": [HOLDS, *filters]}},
                    sort=order,
                    size=limit,
                    track_total_hits=False,
                    source_includes=names(Evidence),
                )
                yield from _exactly(answer["hits"]["hits"])
            else:
                found = hits(
                    self._client, self._name("comparisons"), filters, order=order, only=names(Evidence), first=FIRST
                )
                yield from islice(_exactly(found), limit)

    # Alerts

    def alert_queue(self, *, beginning: str = "") -> list[AlertRow]:
        """Give all alerts, newest first, or those whose id has this beginning."""

        def begins(field: str) -> list[dict[str, Any]]:
            return [{"prefix": {field: beginning}}] if beginning else []

        with plainly(self._address):
            alerts = [
                record_of(Alert, hit["_source"])
                for hit in hits(self._client, self._name("alerts"), begins("id"), order=["id"], only=names(Alert))
            ]
            verdicts = {
                hit["_source"]["alert"]: hit["_source"]
                for hit in hits(self._client, self._name("verdicts"), begins("alert"), order=["alert"])
            }
            sent: dict[str, list[Delivery]] = defaultdict(list)
            for hit in hits(self._client, self._name("deliveries"), begins("alert"), order=["alert", "channel"]):
                sent[hit["_source"]["alert"]].append(record_of(Delivery, hit["_source"]))
            languages = self._languages(alerts)
        rows = []
        for alert in sorted(alerts, key=lambda alert: alert.opened_at, reverse=True):
            decided = verdicts.get(alert.id, {"verdict": "open", "why": "", "at": None})
            rows.append(
                AlertRow(
                    alert=alert,
                    verdict=decided["verdict"],
                    why=decided["why"],
                    judged_at=datetime.fromisoformat(decided["at"]) if decided["at"] else None,
                    queue=queue_of(alert, decided["verdict"]),
                    language=languages.get(alert.id, "und"),
                    deliveries=tuple(sent[alert.id]),
                )
            )
        return rows

    def _languages(self, alerts: Sequence[Alert]) -> dict[str, Any]:
        """Give each alert's language: that of its first document that the store has."""
        found: dict[str, Any] = {}
        for members in (slice(0, 1), slice(1, None)):
            lacking = [alert for alert in alerts if alert.id not in found]
            ids = [member.document for alert in lacking for member in alert.members[members]]
            rows = rows_of(self._client, self._name("documents"), ids, ["language"])
            for alert in lacking:
                known = [rows[member.document] for member in alert.members[members] if member.document in rows]
                if known:
                    found[alert.id] = known[0]["language"]
        return found

    # Documents

    def document(self, id: str) -> Document | None:
        """Give a document in its current text."""
        with plainly(self._address):
            row = rows_of(self._client, self._name("documents"), [id], names(Document)).get(id)
        return record_of(Document, row) if row else None


def _about(key: tuple[str, str], step: Step, after: Mapping[str, Any] | None) -> dict[str, Any]:
    """Ask for one claim: its newest rows with the first page, and a bucket for each bearing, period and origin."""
    register, claim = key
    period = {"field": "dated_at", "calendar_interval": step, "format": "yyyy-MM-dd"}
    voices: dict[str, Any] = {
        "size": BUCKETS,
        "sources": [
            {"bearing": {"terms": {"field": "bearing"}}},
            {"period": {"date_histogram": period}},
            {"origin": {"terms": {"field": "origin"}}},
        ],
    }
    if after is not None:
        voices["after"] = after
    return {
        # More than one: a date counts milliseconds here, and the record microseconds.
        "size": 10 if after is None else 0,
        "track_total_hits": False,
        "query": {"bool": {"filter": [HOLDS, {"term": {"register": register}}, {"term": {"claim": claim}}]}},
        "sort": [{"dated_at": "desc"}, {"document": "desc"}],
        "_source": list(names(Evidence)),
        "aggs": {"voices": {"composite": voices}},
    }


def _newest(found: Sequence[Mapping[str, Any]]) -> Evidence:
    return max((record_of(Evidence, hit["_source"]) for hit in found), key=lambda one: (one.dated_at, one.document))


def _exactly(found: Iterable[Mapping[str, Any]]) -> Iterator[Evidence]:
    """Order rows that share a millisecond by the microsecond, as the other store does; the rest is in order."""
    for _, together in groupby(found, key=lambda hit: hit["sort"][0]):
        same = [record_of(Evidence, hit["_source"]) for hit in together]
        yield from sorted(sorted(same, key=lambda one: one.document), key=lambda one: one.dated_at, reverse=True)


def _day(milliseconds: float) -> date:
    # Not `fromtimestamp`, which some systems refuse for days before 1970.
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)).date()
