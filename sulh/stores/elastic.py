"""The store for a team: an Elasticsearch 9, whose indices `sulh index create` makes.

There are no transactions. Each row carries a store-wide rising number, which is its external version too: a write that
comes late replaces nothing newer. A batch's outcomes are written last: a capture has an outcome only where all its rows
are there, and a run that breaks off writes the same rows again. Nothing is deleted: rows that hold no longer are
`retired`, so that the key of the pipeline needs no right to delete.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import date, datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from elasticsearch import AuthorizationException, ConflictError, NotFoundError

from processors import fold
from processors.errors import StoreError
from processors.records import (
    HOSTILE,
    RECONCILING,
    Alert,
    Comparison,
    Document,
    Event,
    LedgerRow,
    Record,
    Rejection,
    Verdict,
    digest,
)
from sulh.stores import (
    Access,
    Arrival,
    Delivery,
    Disposal,
    ExportKind,
    Finding,
    Hit,
    Judgement,
    Outcome,
    Placement,
    Processed,
    Query,
    Refusal,
    Report,
    Sketched,
    Table,
    needles_of,
)
from sulh.stores.elastic_client import Failed, bulk, connect, patiently, plainly
from sulh.stores.elastic_indices import Index, check, fresh_indices, refuse_older, swap
from sulh.stores.elastic_reading import PAGE, hits, rows_of
from sulh.stores.elastic_rows import (
    Members,
    Placed,
    alert_row,
    clean,
    comparison_row,
    document_row,
    event_row,
    fields_of,
    in_reading_order,
    member,
    names,
    origin_of,
    outcome_row,
    plain,
    record_of,
    refusal_row,
    revision_row,
    story_row,
    tally_id,
    tally_row,
    told,
)

REBUILT: Final = ("documents", "revisions", "events", "comparisons", "stories", "alerts", "ledger")
"""What a replay makes anew; deliveries, findings, verdicts and the counter of writes stay."""

_PORTION: Final = 750
"""Rows that are sent while the next ones are made: about half of what a batch brings."""

_TITLE_WEIGHT: Final = 4.0
"""As in the embedded store: a word in the title counts as much as four in the text."""

_HOLDS: Final = {"term": {"retired": False}}
_COUNTER: Final = "writes"

_LEDGER_KEYS: Final = ("source", "day", "step", "disposition", "reason")


class ElasticStore:
    """A `Store` in the indices of one Elasticsearch cluster."""

    batch: Final = 500
    """One request a kind of row: Elastic's advice is 5 to 15 MB, and a document with its rows is some 20 kB."""

    def __init__(self, address: str, access: Access, *, checked: bool = True) -> None:
        """Open the indices behind the address; raises StoreError, in one sentence, where that cannot be."""
        self._address = address
        self._access = access
        self._client = connect(address, access)
        self._indices: dict[str, str] = {}
        """By kind: the index that takes the place of the aliases, in a store that is being filled anew."""
        # Rows are on their way while the next ones are made: the node works beside this process.
        self._sender = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sulh-store")
        self._stale: set[str] | None = None
        """Kinds written to since their last refresh; None: unknown, since other processes write too."""
        self._former: ElasticStore | None = None
        """The store whose place this one is to take: what it noted of when a capture was processed stays."""
        self._serving: dict[str, Index] = {}
        """The indices behind the aliases, by name, when they were last looked at."""
        if checked:
            try:
                with self._plainly():
                    self._look()
            except BaseException:
                self._client.close()
                raise

    def _plainly(self) -> Any:
        return plainly(self._address)

    # ---------------------------------------------------------------------------------------------- the wire

    def _look(self) -> None:
        """Look behind the aliases; raises StoreError where this sulh cannot read what is there."""
        there = check(self._client, self._address, self._access.prefix)
        self._serving = {index.name: index for index in there.values()}

    def _may_write(self) -> None:
        """Raise StoreError where the indices are of an older schema, of which this sulh only reads."""
        if any(index.outdated for index in self._serving.values()):
            self._look()
            refuse_older(self._serving.values(), self._address)

    def _answered(self, names: Iterable[str]) -> None:
        """Look again where other indices answered than before: a newer sulh may have moved the store."""
        if self._serving and not self._serving.keys() >= set(names):
            self._look()

    def _read(self, kind: str) -> str:
        return self._indices.get(kind, f"{self._access.prefix}-{kind}")

    def _write(self, kind: str) -> str:
        return self._indices.get(kind, f"{self._access.prefix}-{kind}-write")

    def _fresh(self, *kinds: str) -> None:
        """Let searches see what was written; a reader's key may not ask for that, and sees it within a second."""
        stale = kinds if self._stale is None else [kind for kind in kinds if kind in self._stale]
        if not stale:
            return
        with suppress(AuthorizationException):
            self._client.indices.refresh(index=[self._read(kind) for kind in stale])
        if self._stale is None:
            self._stale = set(REBUILT) | {"verdicts", "deliveries", "findings"}
        self._stale -= set(stale)

    def _wrote(self, *kinds: str) -> None:
        if self._stale is not None:
            self._stale |= set(kinds)

    def _number(self) -> int:
        """Give the next number of a write: each higher than all before, whichever process asks."""
        self._may_write()
        answer = patiently(
            self._address,
            lambda: self._client.index(
                index=self._write("state"),
                id=_COUNTER,
                document={"name": _COUNTER, "retired": False},
                require_alias=True,
            ),
        )
        self._answered([answer["_index"]])
        number: int = answer["_version"]
        return number

    def _action(self, kind: str, id: str, row: Mapping[str, Any], written: int) -> dict[str, Any]:
        return {
            "_op_type": "index",
            "_index": self._write(kind),
            "_id": id,
            "version": written,
            "version_type": "external_gte",
            "_source": {**row, "written": written, "retired": row.get("retired", False)},
        }

    def _retire(self, kind: str, id: str, written: int) -> dict[str, Any]:
        return self._action(kind, id, {"retired": True}, written)

    def _bulk(self, actions: list[dict[str, Any]]) -> dict[tuple[str, str], Failed]:
        """Write rows; gives those refused, by kind and id."""
        if not actions:
            return {}
        self._may_write()
        seen: set[str] = set()
        failed = bulk(self._client, self._address, actions, alias=not self._indices, seen=seen)
        self._answered(seen)
        self._wrote(*{self._kind(action["_index"]) for action in actions})
        return {(self._kind(one.index), one.id): one for one in failed}

    def _kind(self, index: str) -> str:
        return index.removeprefix(f"{self._access.prefix}-").split("-", 1)[0]

    def _written(self, actions: list[dict[str, Any]]) -> None:
        """Write rows that only a mistake of ours, or a newer write, can have refused."""
        for (kind, id), failed in self._bulk(actions).items():
            if not failed.superseded:
                raise StoreError(f"{self._address}: refuses the row {id} of {kind}: {failed.detail}")

    def _rows(self, kind: str, ids: Iterable[str], only: Sequence[str] = ()) -> dict[str, dict[str, Any]]:
        """Give the rows of these ids that hold, as they are at this moment, whatever searches see yet."""
        return rows_of(self._client, self._read(kind), ids, only)

    def _scan(
        self,
        kind: str,
        query: Mapping[str, Any] | None = None,
        *,
        order: Sequence[Any] = ("id",),
        only: Sequence[str] = (),
    ) -> Iterator[dict[str, Any]]:
        """Give all rows that a query finds, in order, as they stood when the first was asked for."""
        self._fresh(kind)
        for hit in self._hits(kind, query, order=order, only=only):
            yield hit["_source"]

    def _hits(
        self,
        kind: str,
        query: Mapping[str, Any] | None = None,
        *,
        order: Sequence[Any],
        only: Sequence[str] = (),
    ) -> Iterator[dict[str, Any]]:
        return hits(self._client, self._read(kind), [query] if query else [], order=order, only=only)

    # ------------------------------------------------------------------------------------------ what was found

    def unprocessed(self, captures: Sequence[str]) -> set[str]:
        """Give those of the capture ids that have no outcome yet."""
        with self._plainly():
            rows = self._rows("ledger", captures, ["row"])
        return {capture for capture in captures if rows.get(capture, {}).get("row") != "outcome"}

    def document(self, id: str) -> Document | None:
        """Give the newest revision of a document."""
        with self._plainly():
            row = self._rows("documents", [id], names(Document)).get(id)
        return record_of(Document, row) if row else None

    def sketched(self, terms: Sequence[int], *, limit: int = 200) -> list[Sketched]:
        """Give the documents that share most of the sketch terms, by an index look-up."""
        if not terms:
            return []
        with self._plainly():
            self._fresh("documents")
            found = self._client.search(
                index=self._read("documents"),
                query={
                    "bool": {
                        "filter": [_HOLDS],
                        # Each term counts one: the score is how many are shared.
                        "should": [
                            {"constant_score": {"filter": {"term": {"sketch": str(term)}}}}
                            for term in dict.fromkeys(terms)
                        ],
                        "minimum_should_match": 1,
                    }
                },
                sort=[{"_score": "desc"}, "id"],
                size=limit,
                track_total_hits=False,
                source_includes=["story", "sketch", "published_at", "fetched_at"],
            )
        return [Sketched.from_json({"document": hit["_id"], **hit["_source"]}) for hit in found["hits"]["hits"]]

    def write(self, batch: Iterable[Processed], *, stories: Mapping[str, str] | None = None) -> tuple[Refusal, ...]:
        """Write what captures bring, then move stories, then the outcomes; gives the captures whose rows are refused.

        A capture of which a row is refused, or is older than one that is there, gets no outcome: it stays waiting, and
        the refusal is noted in the ledger.
        """
        items = list(batch)
        for item in items:
            _of_one_document(item)
        refusals: list[Refusal] = []
        with self._plainly():
            written = self._number()
            moved = dict(stories or {})
            for round_of in _rounds(items):
                refused = self._place([item for item in round_of if item.document], written)
                outcomes = []
                noted = self._noted([item.outcome.capture for item in round_of])
                for item in round_of:
                    outcome = item.outcome
                    if outcome.capture in noted:
                        outcome = replace(outcome, processed_at=noted[outcome.capture])
                    if outcome.capture in refused:
                        refusal = Refusal(
                            capture=outcome.capture,
                            source=outcome.source,
                            url=outcome.url,
                            fetched_at=outcome.fetched_at,
                            detail=refused[outcome.capture],
                        )
                        refusals.append(refusal)
                        outcomes.append((outcome.capture, refusal_row(refusal)))
                    else:
                        outcomes.append((outcome.capture, outcome_row(outcome, item.rejection)))
                if round_of is items:
                    self._move(moved, written)
                    moved = {}
                self._written([self._action("ledger", id, row, written) for id, row in outcomes])
            self._move(moved, written)
        return tuple(refusals)

    def _noted(self, captures: Sequence[str]) -> dict[str, datetime | None]:
        """Give when the store whose place this one takes says that captures were processed."""
        if self._former is None:
            return {}
        rows = self._former._rows("ledger", captures, ["row", "processed_at"])
        return {
            capture: datetime.fromisoformat(row["processed_at"]) if row.get("processed_at") else None
            for capture, row in rows.items()
            if row["row"] == "outcome"
        }

    def refusals(self) -> list[Refusal]:
        """Give the captures that the store refused and that have no outcome since."""
        with self._plainly():
            rows = self._scan("ledger", {"term": {"row": "refusal"}}, order=["capture"])
            return [record_of(Refusal, row) for row in rows]

    def relabel(self, stories: dict[str, str]) -> None:
        """Move whole stories: every document of a story named as key joins the story that is its value."""
        with self._plainly():
            self._move(stories, self._number())

    def _place(self, items: Sequence[Processed], written: int) -> dict[str, str]:
        """Write documents with all that hangs on them; gives why a capture's rows were refused, by capture.

        Each id occurs once.
        """
        captures = {item.document.id: item.outcome.capture for item in items if item.document is not None}
        formers = self._rows("documents", captures, ["revision", "capture", "story", "event_ids", "comparison_ids"])
        replaced = [
            item.document.id
            for item in items
            if item.document is not None
            and item.document.id in formers
            and formers[item.document.id]["revision"] < item.document.revision
        ]
        actions: list[dict[str, Any]] = []
        revisions: list[tuple[str, int]] = []
        for row in self._rows("documents", replaced, names(Document)).values():
            former = record_of(Document, row)
            revisions.append((former.id, former.revision))
            actions.append(self._revision(former, written))
        placed: dict[str, Placed] = {}
        for item in items:
            document = item.document
            assert document is not None
            there = formers.get(document.id)
            if there is not None and there["revision"] > document.revision:
                # Written late: the newer text stays the current one.
                revisions.append((document.id, document.revision))
                actions.append(self._revision(document, written))
                continue
            if there is not None and there["capture"] == document.capture:
                # The same again: the story it has been moved to since is the truth.
                document = replace(document, story=there["story"])
            placed[document.id] = Placed.of(document, item.events, item.comparisons, item.indexed())
        told_by = self._stories_with(placed, formers)
        origins = {story: origin_of(story, members) for story, members in told_by.items()}
        # Of documents that are new, the rows that hang on them go along: the node works on several indices at once.
        # Of others they follow: where the new text is refused, they would replace what belongs to the one that stays.
        owner = {("revisions", f"{id}:{revision}"): id for id, revision in revisions}
        known: list[dict[str, Any]] = []
        fresh: dict[str, list[tuple[str, str]]] = {}
        sent: list[Future[dict[tuple[str, str], Failed]]] = []
        for id, one in placed.items():
            origin = origins[one.document.story]
            owner["documents", id] = owner["stories", one.document.story] = id
            actions.append(self._action("documents", id, document_row(one, origin=origin), written))
            hanging = self._hanging(one, origin)
            owner |= {(kind, row_id): id for kind, rows in hanging.items() for row_id in rows}
            if id not in formers:
                fresh[id] = [(kind, row_id) for kind, rows in hanging.items() for row_id in rows]
            into = known if id in formers else actions
            for kind, rows in hanging.items():
                into += [self._action(kind, row_id, row, written) for row_id, row in rows.items()]
            if len(actions) >= _PORTION:
                sent.append(self._sender.submit(self._bulk, actions))
                actions = []
        sent.append(self._sender.submit(self._bulk, actions))
        wait(sent)
        refused: dict[str, str] = {}
        for portion in sent:
            refused = self._refused(portion.result(), owner) | refused
        follow = [action for action in known if owner[self._kind(action["_index"]), action["_id"]] not in refused]
        for id in placed:
            if id in refused:
                follow += [self._retire(kind, row_id, written) for kind, row_id in fresh.get(id, ())]
            elif id in formers:
                for kind, key in (("events", "event_ids"), ("comparisons", "comparison_ids")):
                    follow += [
                        self._retire(kind, row_id, written)
                        for row_id in formers[id][key]
                        if (kind, row_id) not in owner
                    ]
        if refused:
            # A story must not count a document that is not there; and its other rows may have taken over its credit.
            placed = {id: one for id, one in placed.items() if id not in refused}
            follow += self._story_rows(self._stories_with(placed, formers), {}, written)
        else:
            follow += self._story_rows(told_by, placed, written)
        refused = self._refused(self._bulk(follow), owner) | refused
        return {captures[id]: why for id, why in refused.items()}

    def _refused(
        self, failures: Mapping[tuple[str, str], Failed], owner: Mapping[tuple[str, str], str]
    ) -> dict[str, str]:
        """Give why rows were refused by the document that they belong to; those of no document must not be refused."""
        refused: dict[str, str] = {}
        for key, failed in failures.items():
            if key in owner:
                superseded = "a newer text of this address was written meanwhile"
                refused.setdefault(owner[key], superseded if failed.superseded else failed.detail)
            elif not failed.superseded:
                raise StoreError(f"{self._address}: refuses the row {key[1]} of {key[0]}: {failed.detail}")
        return refused

    def _revision(self, document: Document, written: int) -> dict[str, Any]:
        return self._action("revisions", f"{document.id}:{document.revision}", revision_row(document), written)

    def _hanging(self, placed: Placed, origin: str) -> dict[str, dict[str, dict[str, Any]]]:
        carried = told(placed.document, origin)
        return {
            "events": {event.id: event_row(event, carried) for event in placed.events},
            "comparisons": {row.id: comparison_row(row, carried) for row in placed.comparisons},
        }

    # ------------------------------------------------------------------------------------------------ stories

    def _stories_with(
        self, placed: Mapping[str, Placed], formers: Mapping[str, Mapping[str, Any]]
    ) -> dict[str, Members]:
        """Give the stories that the documents join or leave, by id, with their members after that."""
        joined = {id: one.document.story for id, one in placed.items()}
        left = {id: formers[id]["story"] for id in placed if id in formers and formers[id]["story"] != joined[id]}
        told_by = self._members([*joined.values(), *left.values()])
        for id, story in left.items():
            told_by[story].pop(id, None)
        for id, story in joined.items():
            told_by[story][id] = member(placed[id].document)
        return told_by

    def _members(self, stories: Iterable[str]) -> dict[str, Members]:
        wanted = list(dict.fromkeys(stories))
        rows = self._rows("stories", wanted, ["members"])
        return {story: dict(rows[story]["members"]) if story in rows else {} for story in wanted}

    def _story_rows(
        self, told_by: Mapping[str, Members], placed: Mapping[str, Placed], written: int
    ) -> list[dict[str, Any]]:
        """Give what writes the stories, and the rows of members outside the batch whose story or origin is another."""
        actions = [
            self._action("stories", story, story_row(story, members), written)
            if members
            else self._retire("stories", story, written)
            for story, members in told_by.items()
        ]
        others = {id: story for story, members in told_by.items() for id in members if id not in placed}
        return actions + self._carried(others, {s: origin_of(s, m) for s, m in told_by.items() if m}, written)

    def _carried(self, stories: Mapping[str, str], origins: Mapping[str, str], written: int) -> list[dict[str, Any]]:
        """Give what brings the rows of documents, given with their story, to that story and its origin."""
        rows = self._rows("documents", stories, ["story", "origin", "event_ids", "comparison_ids"])
        changed = {
            id: {"story": stories[id], "origin": clean(origins[stories[id]])}
            for id, row in rows.items()
            if (row["story"], row["origin"]) != (stories[id], clean(origins[stories[id]]))
        }
        actions = []
        for id, row in self._rows("documents", changed).items():
            actions.append(self._action("documents", id, row | changed[id], written))
        for kind, key in (("events", "event_ids"), ("comparisons", "comparison_ids")):
            owners = {row_id: id for id in changed for row_id in rows[id][key]}
            for row_id, row in self._rows(kind, owners).items():
                actions.append(self._action(kind, row_id, row | changed[owners[row_id]], written))
        return actions

    def _move(self, stories: Mapping[str, str], written: int) -> None:
        targets = {story: _onward(story, stories) for story in stories}
        targets = {story: target for story, target in targets.items() if story != target}
        if not targets:
            return
        told_by = self._members([*targets, *targets.values()])
        for story, target in targets.items():
            told_by[target] |= told_by[story]
        for story in targets.keys() - set(targets.values()):
            told_by[story] = {}
        self._written(self._story_rows(told_by, {}, written))

    # ------------------------------------------------------------------------------------------------- reports

    def reports(self, *, actors: Collection[str] = ()) -> Iterator[Report]:
        """Give each document with an event of a reconciling or hostile kind, with its events, in order of arrival."""
        with self._plainly():
            asked: list[dict[str, Any]] = [{"terms": {"kinds": sorted(RECONCILING | HOSTILE)}}]
            if actors:
                asked.append({"terms": {"actors": sorted(actors)}})
            wanted = {"bool": {"filter": asked}}
            found = sorted(
                (row["fetched_at"][:10], row["published_at"] or row["fetched_at"], row["id"])
                for row in self._scan("documents", wanted, only=["id", "fetched_at", "published_at"])
            )
            ids = iter(id for _, _, id in found)
            while chunk := list(islice(ids, 200)):
                documents = self._rows("documents", chunk, [*names(Document), "event_ids"])
                events = self._rows("events", [e for row in documents.values() for e in row["event_ids"]], names(Event))
                for id in chunk:
                    if id not in documents:
                        continue
                    row = documents[id]
                    told = [record_of(Event, events[event]) for event in row["event_ids"] if event in events]
                    yield Report(document=record_of(Document, row), events=in_reading_order(told))

    # ------------------------------------------------------------------------------------------------- ledger

    def tally(self, rows: Iterable[LedgerRow]) -> None:
        """Set the crawl's rows of the ledger; the count of a row that is there is replaced."""
        with self._plainly():
            rows = list(rows)
            if not rows:
                return
            written = self._number()
            self._written([self._action("ledger", tally_id(row), tally_row(row), written) for row in rows])

    def ledger(self, *, source: str = "", day: date | None = None) -> list[LedgerRow]:
        """Give the ledger: the tallied crawl rows, and the process rows counted from the outcomes."""
        with self._plainly():
            self._fresh("ledger")
            filters = [_HOLDS, {"terms": {"row": ["tally", "outcome"]}}]
            filters += [{"term": {"source": source}}] if source else []
            filters += [{"term": {"day": day.isoformat()}}] if day else []
            sources = [{key: {"terms": {"field": key}} if key != "day" else _BY_DAY} for key in _LEDGER_KEYS]
            rows: list[LedgerRow] = []
            after: dict[str, Any] | None = None
            while True:
                composite = {"size": PAGE, "sources": sources, **({"after": after} if after else {})}
                answer = self._client.search(
                    index=self._read("ledger"),
                    size=0,
                    query={"bool": {"filter": filters}},
                    aggregations={
                        "rows": {"composite": composite, "aggregations": {"count": {"sum": {"field": "count"}}}}
                    },
                )["aggregations"]["rows"]
                rows += [
                    LedgerRow.from_json({**bucket["key"], "count": int(bucket["count"]["value"])})
                    for bucket in answer["buckets"]
                ]
                after = answer.get("after_key")
                if not after or len(answer["buckets"]) < PAGE:
                    break
        return sorted(rows, key=lambda row: (row.source, row.day, row.step, row.disposition, row.reason))

    def rejections(self, *, source: str = "", day: date | None = None) -> Iterator[Rejection]:
        """Give what was declined, newest first."""
        filters: list[dict[str, Any]] = [{"exists": {"field": "rejection.step"}}]
        if source:
            filters.append({"term": {"rejection.source": source}})
        if day:
            after = (day + timedelta(days=1)).isoformat()
            filters.append({"range": {"rejection.at": {"gte": day.isoformat(), "lt": after}}})
        with self._plainly():
            order = [{"rejection.at": "desc"}, *_REJECTION_ORDER]
            for row in self._scan("ledger", {"bool": {"filter": filters}}, order=order, only=["rejection"]):
                yield record_of(Rejection, row["rejection"])

    # ------------------------------------------------------------------------------------------------- alerts

    def alerts(self) -> list[Alert]:
        """Give all alerts, newest first."""
        with self._plainly():
            rows = list(self._scan("alerts", only=names(Alert)))
        found = sorted((record_of(Alert, row) for row in rows), key=lambda alert: alert.id)
        return sorted(found, key=lambda alert: alert.opened_at, reverse=True)

    def write_alerts(self, alerts: Sequence[Alert]) -> None:
        """Replace the alerts as decided; deliveries and verdicts stay, and what has not changed is not written."""
        with self._plainly():
            rows = self._alert_rows(alerts)
            there = {row["id"]: row for row in self._scan("alerts")}
            changed = [id for id, row in rows.items() if _content(there.get(id, {})) != row]
            gone = [id for id in there if id not in rows]
            if changed or gone:
                written = self._number()
                self._written(
                    [self._action("alerts", id, rows[id], written) for id in changed]
                    + [self._retire("alerts", id, written) for id in gone]
                )

    def _alert_rows(self, alerts: Iterable[Alert]) -> dict[str, dict[str, Any]]:
        alerts = list(alerts)
        verdicts = {row["alert"]: (row["verdict"], row["why"], row["at"]) for row in self._verdicts()}
        firsts = [alert.members[0].document for alert in alerts if alert.members]
        languages = {id: row["language"] for id, row in self._rows("documents", firsts, ["language"]).items()}
        return {
            alert.id: alert_row(
                alert,
                language=languages.get(alert.members[0].document, "und") if alert.members else "und",
                verdict=verdicts.get(alert.id, ("open", "", None)),
            )
            for alert in alerts
        }

    def _verdicts(self) -> Iterator[dict[str, Any]]:
        return self._scan("verdicts", order=["alert"])

    def verdicts(self) -> dict[str, tuple[Verdict, str]]:
        """Give what analysts decided: alert id to verdict and reason."""
        with self._plainly():
            return {row["alert"]: (row["verdict"], row["why"]) for row in self._verdicts()}

    def judge(self, alert: str, verdict: Verdict, why: str, *, at: datetime) -> None:
        """Keep an analyst's verdict on an alert. Raises StoreError where there is no such alert."""
        with self._plainly():
            row = self._rows("alerts", [alert], names(Alert)).get(alert)
            if row is None:
                raise StoreError(f"{alert}: there is no such alert: `sulh alerts` lists them")
            written = self._number()
            decided = {"alert": alert, "verdict": verdict, "why": clean(why), "at": plain(at)}
            self._written([self._action("verdicts", alert, decided, written)])
            rows = self._alert_rows([record_of(Alert, row)])
            self._written([self._action("alerts", alert, rows[alert], written)])

    # ------------------------------------------------------------------------------------------------- outbox

    def enqueue(self, alert: str, channels: Sequence[str], *, at: datetime) -> int:
        """Put one delivery a channel into the outbox unless it is there already; gives how many are new."""
        rows = [
            Delivery(
                id=digest(alert, channel),
                alert=alert,
                channel=channel,
                state="waiting",
                attempts=0,
                next_attempt=at,
            )
            for channel in dict.fromkeys(channels)
        ]
        with self._plainly():
            there = self._rows("deliveries", [row.id for row in rows], ["id"])
            actions = [
                {
                    # Create-only: of two workers at once, one makes it.
                    "_op_type": "create",
                    "_index": self._write("deliveries"),
                    "_id": row.id,
                    "_source": {**fields_of(row), "retired": False},
                }
                for row in rows
                if row.id not in there
            ]
            failed = self._bulk(actions)
            for (kind, id), one in failed.items():
                if not one.superseded:
                    raise StoreError(f"{self._address}: refuses the row {id} of {kind}: {one.detail}")
        return len(actions) - len(failed)

    def due(self, *, channels: Sequence[str], now: datetime) -> Delivery | None:
        """Give the next delivery that waits for one of the channels, is due, and whose alert or finding stands."""
        if not channels:
            return None
        query = {
            "bool": {
                "filter": [
                    {"term": {"state": "waiting"}},
                    {"terms": {"channel": list(channels)}},
                    {"range": {"next_attempt": {"lte": plain(now)}}},
                ]
            }
        }
        with self._plainly():
            # Other workers write here too.
            self._wrote("deliveries")
            self._fresh("deliveries")
            hits = self._hits("deliveries", query, order=["next_attempt", "alert", "channel"])
            while page := [hit["_source"] for hit in islice(hits, 50)]:
                wanted = [row["alert"] for row in page]
                alerts = self._rows("alerts", wanted, ["id", "state", "verdict"])
                stand = {
                    id
                    for id, one in alerts.items()
                    if one["state"] != "withdrawn" and one.get("verdict") != "dismissed"
                }
                stand |= self._rows("findings", wanted, ["id"]).keys()
                for row in page:
                    if row["alert"] in stand:
                        return record_of(Delivery, row)
        return None

    def claim(self, delivery: str, *, now: datetime) -> bool:
        """Mark a waiting delivery as unsure, to be called just before sending; False if another worker was first."""

        def attempt() -> bool:
            found = self._delivery(delivery)
            if found is None or found["_source"]["state"] != "waiting":
                return False
            row = found["_source"]
            claimed = {"state": "unsure", "attempts": row["attempts"] + 1, "claimed_at": plain(now)}
            return self._exchange(found, row | claimed)

        with self._plainly():
            return patiently(self._address, attempt)

    def settle(
        self, delivery: str, *, sent: bool, now: datetime, error: str = "", retry_at: datetime | None = None
    ) -> None:
        """Say how a claimed delivery went: sent, or waiting again until ``retry_at``."""
        change: dict[str, Any] = (
            {"state": "sent", "sent_at": plain(now), "error": ""}
            if sent
            else {"state": "waiting", "next_attempt": plain(retry_at or now), "error": clean(error)}
        )

        def attempt() -> None:
            while (found := self._delivery(delivery)) is not None and found["_source"]["state"] == "unsure":
                if self._exchange(found, found["_source"] | change):
                    return

        with self._plainly():
            patiently(self._address, attempt)

    def release(self, *, claimed_before: datetime, now: datetime) -> int:
        """Let deliveries that are unsure since before a time be sent again; gives how many."""

        def attempt(id: str) -> bool:
            found = self._delivery(id)
            if found is None or found["_source"]["state"] != "unsure":
                return False
            delivery = record_of(Delivery, found["_source"])
            if delivery.claimed_at is None or delivery.claimed_at >= claimed_before:
                return False
            return self._exchange(found, found["_source"] | {"state": "waiting", "next_attempt": plain(now)})

        with self._plainly():
            self._wrote("deliveries")
            unsure = [row["id"] for row in self._scan("deliveries", {"term": {"state": "unsure"}})]
            return sum(patiently(self._address, partial(attempt, id)) for id in unsure)

    def deliveries(self, *, alert: str = "") -> list[Delivery]:
        """Give the outbox, in order of alert and channel."""
        with self._plainly():
            self._wrote("deliveries")
            query = {"term": {"alert": alert}} if alert else None
            return [record_of(Delivery, row) for row in self._scan("deliveries", query, order=["alert", "channel"])]

    def _delivery(self, id: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._client.get(index=self._read("deliveries"), id=id).body
        except NotFoundError as error:
            if error.body.get("found") is False:
                return None
            raise
        return found

    def _exchange(self, found: Mapping[str, Any], row: Mapping[str, Any]) -> bool:
        """Write a row in place of the one that was read, unless another worker changed it meanwhile."""
        self._may_write()
        try:
            self._client.index(
                # Not by the alias: sequence numbers mean nothing in the index that may have taken its place.
                index=found["_index"],
                id=found["_id"],
                document=row,
                if_seq_no=found["_seq_no"],
                if_primary_term=found["_primary_term"],
            )
        except ConflictError:
            return False
        self._wrote("deliveries")
        return True

    # ---------------------------------------------------------------------------------------------- watching

    def findings(self, *, standing: bool = False) -> list[Finding]:
        """Give the findings, or those that stand, in order of when they were first seen."""
        query = {"bool": {"must_not": [{"exists": {"field": "gone_at"}}]}} if standing else None
        with self._plainly():
            # Other workers write here too.
            self._wrote("findings")
            rows = self._scan("findings", query, order=["first_at", "kind", "about"])
            return [record_of(Finding, row) for row in rows]

    def write_findings(self, findings: Sequence[Finding]) -> None:
        """Write findings; one of the same id is replaced."""
        if not findings:
            return
        with self._plainly():
            written = self._number()
            self._written([self._action("findings", one.id, fields_of(one), written) for one in findings])

    def arrivals(self, *, since: datetime) -> Iterator[Arrival]:
        """Give when the first texts of pages that came out since a time were published and processed."""
        first = {"bool": {"filter": [{"range": {"published_at": {"gte": plain(since)}}}, {"term": {"revision": 1}}]}}
        with self._plainly():
            rows = self._scan("documents", first, only=["source", "published_at", "capture"])
            while page := list(islice(rows, PAGE)):
                noted = self._rows("ledger", [row["capture"] for row in page], ["processed_at"])
                for row in page:
                    at = noted.get(row["capture"], {}).get("processed_at")
                    if at:
                        yield Arrival.from_json(
                            {"source": row["source"], "published_at": row["published_at"], "processed_at": at}
                        )

    def processed(self, documents: Sequence[str]) -> dict[str, datetime]:
        """Give when each of the documents was first processed, as far as that was noted."""
        found: dict[str, datetime] = {}
        wanted = iter(dict.fromkeys(documents))
        with self._plainly():
            while chunk := list(islice(wanted, PAGE)):
                query = {"bool": {"filter": [{"terms": {"document": chunk}}, {"exists": {"field": "processed_at"}}]}}
                for row in self._scan("ledger", query, order=["processed_at"], only=["document", "processed_at"]):
                    found.setdefault(row["document"], datetime.fromisoformat(row["processed_at"]))
        return found

    # ------------------------------------------------------------------------------------------------ reading

    def search(self, query: Query) -> list[Hit]:
        """Find documents: the best first, or the newest first where no words are asked for."""
        wanted = needles_of(query)
        if query.words.strip() and not wanted:
            # Only punctuation: nothing can match, which is not the same as asking for everything.
            return []
        filters: list[dict[str, Any]] = [_HOLDS]
        for field, value in (
            ("language", query.language),
            ("source", query.source),
            ("claims", query.claim),
            ("kinds", query.kind),
        ):
            if value:
                filters.append({"term": {field: value}})
        days: dict[str, str] = {}
        if query.since:
            days["gte"] = query.since.isoformat()
        if query.until:
            days["lt"] = (query.until + timedelta(days=1)).isoformat()
        if days:
            filters.append({"range": {"dated_at": days}})
        newest: list[Any] = [{"dated_at": "desc"}, "id"]
        with self._plainly():
            self._fresh("documents")
            found = self._client.search(
                index=self._read("documents"),
                query={"bool": {"filter": filters, "must": [_needle(needle) for needle in wanted]}},
                sort=[{"_score": "desc"}, *newest] if wanted else newest,
                size=query.limit,
                track_total_hits=False,
                source_includes=[*(name for name in names(Hit) if name not in ("document", "snippet")), "text"],
            )
        hits = []
        for hit in found["hits"]["hits"]:
            row = dict(hit["_source"])
            text = fold.snippet(row.pop("text"), wanted, row["language"])
            hits.append(Hit.from_json({**row, "document": hit["_id"], "snippet": text}))
        return hits

    def export(self, kind: ExportKind) -> Iterator[dict[str, Any]]:
        """Give all records of a kind as JSON values: by id; stories by id; rejections and ledger by their fields."""
        with self._plainly():
            # Other processes write too.
            self._wrote("ledger" if kind == "rejections" else kind)
            if kind == "ledger":
                yield from (fields_of(row) for row in self.ledger())
            elif kind == "rejections":
                rows = self._scan(
                    "ledger", {"exists": {"field": "rejection.step"}}, order=_REJECTION_ORDER, only=["rejection"]
                )
                yield from ({name: row["rejection"][name] for name in names(Rejection)} for row in rows)
            elif kind == "stories":
                yield from (
                    {name: row[name] for name in _STORY_SHOWN} for row in self._scan("stories", only=_STORY_SHOWN)
                )
            else:
                shown = names(_EXPORTED[kind])
                yield from ({name: row[name] for name in shown} for row in self._scan(kind, only=shown))

    # ------------------------------------------------------------------------------------------------- moving

    def count(self, table: Table) -> int:
        """Give how many rows a table has."""
        kind, filters, _ = _TABLES[table]
        with self._plainly():
            self._wrote(kind)
            self._fresh(kind)
            answer = self._client.count(index=self._read(kind), query={"bool": {"filter": [_HOLDS, *filters]}})
            number: int = answer["count"]
            return number

    def rows(self, table: Table) -> Iterator[Record]:
        """Give the rows of a table, in the order of their ids, as they are to be put into another store."""
        kind, filters, order = _TABLES[table]
        with self._plainly():
            self._wrote(kind)
            found = self._scan(kind, {"bool": {"filter": filters}} if filters else None, order=order)
            if table == "documents":
                while chunk := list(islice(found, 200)):
                    yield from self._placements(chunk)
                return
            for row in found:
                if table == "outcomes":
                    yield Disposal(
                        outcome=record_of(Outcome, row),
                        rejection=record_of(Rejection, row["rejection"]) if "rejection" in row else None,
                    )
                else:
                    yield record_of(_MOVED[table], row)

    def _placements(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[Placement]:
        """Give documents with what they say, from their rows."""
        events = self._rows("events", [id for row in rows for id in row["event_ids"]])
        comparisons = self._rows("comparisons", [id for row in rows for id in row["comparison_ids"]])
        for row in rows:
            yield Placement(
                document=record_of(Document, row),
                events=in_reading_order(record_of(Event, events[id]) for id in row["event_ids"]),
                comparisons=tuple(record_of(Comparison, comparisons[id]) for id in row["comparison_ids"]),
            )

    def put(self, table: Table, rows: Sequence[Record]) -> None:
        """Write rows of a table as they are, in place of those of the same ids."""
        with self._plainly():
            written = self._number()
            placements = [row for row in rows if isinstance(row, Placement)]
            for why in self._place([_as_processed(row) for row in placements], written).values():
                raise StoreError(f"{self._address}: refuses a row that the other store holds: {why}")
            actions = []
            alerts = [row for row in rows if isinstance(row, Alert)]
            for id, alert in self._alert_rows(alerts).items():
                actions.append(self._action("alerts", id, alert, written))
            for row in rows:
                if isinstance(row, Document):
                    actions.append(self._revision(row, written))
                elif isinstance(row, Disposal):
                    held = outcome_row(row.outcome, row.rejection)
                    actions.append(self._action("ledger", row.outcome.capture, held, written))
                elif isinstance(row, LedgerRow):
                    actions.append(self._action("ledger", tally_id(row), tally_row(row), written))
                elif isinstance(row, Judgement):
                    actions.append(self._action("verdicts", row.alert, fields_of(row), written))
                elif isinstance(row, Finding):
                    actions.append(self._action("findings", row.id, fields_of(row), written))
                elif isinstance(row, Delivery):
                    source = {**fields_of(row), "retired": False}
                    index = self._write("deliveries")
                    actions.append({"_op_type": "index", "_index": index, "_id": row.id, "_source": source})
            self._written(actions)

    # ------------------------------------------------------------------------------------------------ rebuilding

    @contextmanager
    def rebuilding(self, *, without: Sequence[str] = ()) -> Iterator[ElasticStore]:
        """Give a store to fill anew, which takes this one's place when the block ends well, and vanishes if not.

        It is a set of new indices. In the end all aliases move to them in one call, so that no reader sees half.
        """
        with self._plainly():
            made = fresh_indices(self._client, self._access.prefix, REBUILT)
        fresh = ElasticStore(self._address, self._access, checked=False)
        fresh._indices = made
        fresh._former = self
        done = False
        try:
            if without:
                self._copy_to(fresh, without)
            yield fresh
            with self._plainly():
                fresh._client.indices.refresh(index=list(made.values()))
                swap(self._client, self._access.prefix, made)
                done = True
                self._stale = None
        finally:
            fresh.close()
            if not done:
                with suppress(StoreError), self._plainly():
                    self._client.indices.delete(index=list(made.values()), ignore_unavailable=True)

    def _copy_to(self, fresh: ElasticStore, without: Sequence[str]) -> None:
        """Bring all into another store but what came from these sources."""
        others = {"bool": {"must_not": [{"terms": {"source": list(without)}}]}}
        with self._plainly():
            written = self._number()
            rows = self._scan("documents", others)
            while chunk := list(islice(rows, 200)):
                for why in fresh._place([_as_processed(row) for row in self._placements(chunk)], written).values():
                    raise StoreError(f"{self._address}: refuses a row that it holds: {why}")
            for kind, query, order in (
                ("revisions", others, "id"),
                ("ledger", {"bool": {"should": [others, {"term": {"row": "tally"}}]}}, "source"),
                ("alerts", None, "id"),
            ):
                hits = self._hits(kind, query, order=[order])
                while page := list(islice(hits, PAGE)):
                    fresh._written([fresh._action(kind, hit["_id"], hit["_source"], written) for hit in page])

    def close(self) -> None:
        """Close the store; what it wrote can be found from now on."""
        try:
            if self._stale:
                with suppress(Exception):
                    self._fresh(*self._stale)
        finally:
            self._sender.shutdown()
            self._client.close()


_EXPORTED: Final[dict[str, type[Record]]] = {
    "documents": Document,
    "events": Event,
    "comparisons": Comparison,
    "alerts": Alert,
}
_TABLES: Final[dict[Table, tuple[str, list[dict[str, Any]], list[str]]]] = {
    "documents": ("documents", [], ["id"]),
    "revisions": ("revisions", [], ["id", "revision"]),
    "outcomes": ("ledger", [{"term": {"row": "outcome"}}], ["capture"]),
    "tallies": ("ledger", [{"term": {"row": "tally"}}], ["source", "day", "step", "disposition", "reason"]),
    "alerts": ("alerts", [], ["id"]),
    "verdicts": ("verdicts", [], ["alert"]),
    "deliveries": ("deliveries", [], ["id"]),
    "findings": ("findings", [], ["id"]),
}
"""What a table is here: the kind of its rows, what tells them from others, and their order."""

_MOVED: Final[dict[Table, type[Record]]] = {
    "revisions": Document,
    "tallies": LedgerRow,
    "alerts": Alert,
    "verdicts": Judgement,
    "deliveries": Delivery,
    "findings": Finding,
}
_STORY_SHOWN: Final = ("id", "first", "size", "documents")
_REJECTION_ORDER: Final = ["rejection.source", "rejection.url", "rejection.capture", "rejection.step"]
_BY_DAY: Final = {"date_histogram": {"field": "day", "calendar_interval": "day", "format": "yyyy-MM-dd"}}


def _rounds(items: list[Processed]) -> Iterator[list[Processed]]:
    """Part a batch such that each document occurs once a part; one part, the list itself, as a rule."""
    ids = [item.document.id for item in items if item.document is not None]
    if len(ids) == len(set(ids)):
        yield items
        return
    part: list[Processed] = []
    seen: set[str] = set()
    for item in items:
        if item.document is not None and item.document.id in seen:
            yield part
            part, seen = [], set()
        if item.document is not None:
            seen.add(item.document.id)
        part.append(item)
    yield part


def _of_one_document(item: Processed) -> None:
    """Raise ValueError for an event or a comparison of a document that does not come with it."""
    id = item.document.id if item.document is not None else ""
    rows: tuple[Event | Comparison, ...] = (*item.events, *item.comparisons)
    for row in rows:
        if row.document != id:
            raise ValueError(f"{row.id}: belongs to the document {row.document}, not to {id or 'none'}")


def _onward(story: str, stories: Mapping[str, str]) -> str:
    """Follow the moves of a story: a joins b and b joins c, so a joins c."""
    seen = {story}
    while (target := stories.get(story)) is not None and target not in seen:
        seen.add(target)
        story = target
    return story


def _content(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in ("written", "retired")}


def _as_processed(row: Placement) -> Processed:
    """Give a document as if it came in now; the outcome only names it where it is refused."""
    document = row.document
    return Processed(
        outcome=Outcome(
            capture=document.capture,
            source=document.source,
            url=document.url,
            fetched_at=document.fetched_at,
            disposition="indexed",
            document=document.id,
        ),
        document=document,
        events=row.events,
        comparisons=row.comparisons,
    )


def _needle(needle: fold.Needle) -> dict[str, Any]:
    """Find one word of a query: all words of one of its readings, each by any of its terms, in title or text."""
    return _any(
        {"bool": {"must": [_any(clause for term in word for clause in _term(term)) for word in reading]}}
        for reading in needle.readings
    )


def _term(term: str) -> tuple[dict[str, Any], ...]:
    # Title and text as one field of weighted words, as in the embedded store: the ranks are then nearly the same.
    return ({"combined_fields": {"query": term, "fields": [f"words.title^{_TITLE_WEIGHT}", "words.text"]}},)


def _any(clauses: Iterable[dict[str, Any]]) -> dict[str, Any]:
    return {"bool": {"should": list(clauses), "minimum_should_match": 1}}
