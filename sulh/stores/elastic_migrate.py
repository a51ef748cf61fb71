"""Moving a store on Elasticsearch to changed mappings: into new indices, while writes go on.

An index is filled from the one that serves, in the order of its sequence numbers, which say exactly what came later.
When little is left, the old one is closed to writes, the last rows follow, counts and checksums are compared, and all
aliases move in one call. Old indices stay, closed, until told. What is done stands in the ``_meta`` of the new index,
so that a second call finishes what a first began.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Final

from elasticsearch import BadRequestError, Elasticsearch, NotFoundError

from mappings import KINDS, SCHEMA, fingerprint
from processors.errors import StoreError
from sulh.progress import Advance, progress
from sulh.stores import Access, server
from sulh.stores.elastic_client import bulk, cause, connect, plainly
from sulh.stores.elastic_indices import (
    Index,
    alias_moves,
    check,
    create,
    indices,
    make_index,
    meta_of,
    next_number,
    put_templates,
)
from sulh.stores.elastic_rows import anew, essence

PAGE: Final = 500
"""Rows a request: a document with its text is some kB, and one bulk request holds as many."""

MARK_ROWS: Final = 20_000
"""How often it is noted how far a copy is: a minute's work at most is repeated after a crash."""

FEW_ROWS: Final = 1000
"""What is copied in a second or two: so many rows may be left when the old index is closed to writes."""

ROUNDS: Final = 5
"""How often to catch up before closing the old index all the same: writers who outrun the copy must wait then."""

_MODULUS: Final = 2**128


@dataclass(frozen=True, slots=True, kw_only=True)
class Moved:
    """What became of one kind."""

    kind: str
    old: str
    new: str
    rows: int
    checksum: str
    """The same for the same rows in any order: of ids, versions and the fields of their records."""


@dataclass(slots=True, kw_only=True)
class _Sum:
    """Count and checksum of a set of rows, which rows can join and leave."""

    rows: int = 0
    sum: int = 0

    def add(self, kind: str, hit: dict[str, Any], sign: int = 1) -> None:
        told = json.dumps([hit["_id"], hit["_version"], essence(kind, hit["_source"])], sort_keys=True)
        value = int.from_bytes(blake2b(told.encode("utf-8", "surrogatepass"), digest_size=16).digest(), "big")
        self.rows += sign
        self.sum = (self.sum + sign * value) % _MODULUS

    def __str__(self) -> str:
        return f"{self.sum:032x}"


def migrate(
    address: str, access: Access, *, echo: Callable[[str], None] = lambda line: None, quiet: bool = False
) -> list[Moved]:
    """Move what has another mapping than this sulh's, and say on the way what is done; gives what moved.

    Raises StoreError, in one sentence: then the old indices serve as before, and the next call goes on.
    """
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        return _Migration(client, address, access.prefix, echo, quiet).run()


def drop_old(address: str, access: Access) -> list[str]:
    """Remove the indices whose place others have taken; gives their names."""
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        serving = check(client, address, access.prefix)
        old = [
            index.name
            for index in indices(client, access.prefix)
            if not index.serves and not index.filling and index.number < serving[index.kind].number
        ]
        if any(index.filling for index in serving.values()):
            raise StoreError(f"{address}: a migration is not quite finished: run `sulh index migrate` first")
        if old:
            client.indices.delete(index=old)
        return old


class _Migration:
    def __init__(
        self, client: Elasticsearch, address: str, prefix: str, echo: Callable[[str], None], quiet: bool
    ) -> None:
        self._client, self._address, self._prefix, self._echo, self._quiet = client, address, prefix, echo, quiet

    def run(self) -> list[Moved]:
        self._add_new_kinds()
        serving = check(self._client, self._address, self._prefix)
        self._tidy_up(serving)
        pending = [serving[kind] for kind in KINDS if serving[kind].outdated]
        if not pending:
            return []
        put_templates(self._client, self._prefix)
        fills = [_Fill(self, old, *self._new_for(old)) for old in pending]
        for fill in fills:
            fill.copy()
        for fill in fills:
            self._echo(f"comparing {fill.new} with {fill.old.name}")
            fill.compare()
        for _ in range(ROUNDS):
            if sum([fill.follow() for fill in fills]) < FEW_ROWS:
                break
        try:
            self._close(fills)
            self._echo("the last rows follow")
            for fill in fills:
                fill.follow()
                fill.refuse_difference()
            self._echo("equal: counts and checksums")
            self._switch(fills)
        except BaseException:
            # Not after the switch: what serves no more stays closed.
            with suppress(Exception):
                serves = {index.name for index in indices(self._client, self._prefix) if index.serves}
                self._open([fill.old.name for fill in fills if fill.old.name in serves])
            raise
        self._echo("the aliases point to the new indices")
        for fill in fills:
            fill.finish()
        return [
            Moved(kind=fill.kind, old=fill.old.name, new=fill.new, rows=fill.of_new.rows, checksum=str(fill.of_new))
            for fill in fills
        ]

    def _add_new_kinds(self) -> None:
        """Make the indices of kinds that the older sulh did not have; one that is lost is not made by stealth."""
        there = indices(self._client, self._prefix)
        if {index.kind for index in there} != set(KINDS) and any(i.serves and i.schema < SCHEMA for i in there):
            for name in create(self._client, self._prefix):
                self._echo(f"made {name}")

    def _tidy_up(self, serving: dict[str, Index]) -> None:
        """Finish what an interrupted call left after its switch, and undo what it left before."""
        there = {index.name: index for index in indices(self._client, self._prefix)}
        for index in serving.values():
            if index.filling == "migrate" and index.source in there:
                _Fill(self, there[index.source], index.name, index.copied).finish()
            elif index.filling:
                self._client.indices.put_mapping(index=index.name, meta=meta_of(index.kind))
        closed = [
            index
            for index in there.values()
            if index.closing and not index.serves and serving[index.kind].name == index.source
        ]
        self._open([index.source for index in closed])
        for index in closed:
            _Fill(self, there[index.source], index.name, index.copied).mark()

    def _new_for(self, old: Index) -> tuple[str, int]:
        """Give the index to fill, and up to where it is: the one that an interrupted call began, else a new one."""
        there = indices(self._client, self._prefix)
        begun = [index for index in there if index.kind == old.kind and index.filling == "migrate" and not index.serves]
        fit = [
            index
            for index in begun
            if (index.source, index.schema, index.fingerprint) == (old.name, SCHEMA, fingerprint(old.kind))
        ][-1:]
        for index in begun:
            if index not in fit:
                self._client.indices.delete(index=index.name, ignore_unavailable=True)
        if fit:
            self._echo(f"going on to fill {fit[0].name} from {old.name}")
            return fit[0].name, fit[0].copied
        name = f"{self._prefix}-{old.kind}-{next_number(there, old.kind):06d}"
        try:
            make_index(self._client, self._prefix, old.kind, name, filling="migrate", source=old.name)
        except BadRequestError as error:
            if cause(error.body)[0] != "resource_already_exists_exception":
                raise
            raise StoreError(
                f"{self._address}: another `sulh index migrate` has just begun: let that one end, then run this again"
            ) from None
        self._echo(f"filling {name} from {old.name}")
        return name, -1

    def _close(self, fills: Sequence[_Fill]) -> None:
        """Close the old indices to writes; returns when no write is under way any more."""
        for fill in fills:
            # First, so that who finds it closed after a crash knows by whom.
            fill.closing = True
            fill.mark()
        names = [fill.old.name for fill in fills]
        self._echo(f"closing {', '.join(names)} to writes")
        self._client.indices.add_block(index=names, block="write")

    def _open(self, names: Sequence[str]) -> None:
        if names:
            self._client.indices.put_settings(index=list(names), settings={"index.blocks.write": None})

    def _switch(self, fills: Sequence[_Fill]) -> None:
        actions = [action for fill in fills for action in alias_moves(self._prefix, fill.old, fill.new)]
        try:
            self._client.indices.update_aliases(actions=actions)
        except NotFoundError:
            raise StoreError(
                f"{self._address}: the aliases point elsewhere by now, since `sulh replay` or another `sulh index"
                " migrate` moved them: run this again"
            ) from None


class _Fill:
    """One kind on its way from an old index to a new one."""

    def __init__(self, of: _Migration, old: Index, new: str, copied: int) -> None:
        self._of, self._client = of, of._client
        self.old, self.kind, self.new = old, old.kind, new
        self.copied = copied
        """Up to which sequence number of the old index all is in the new one."""
        self.of_old, self.of_new = _Sum(), _Sum()
        self.closing = False
        self._marked: tuple[int, bool] | None = None

    def copy(self) -> None:
        """Bring what the old index holds now."""
        total = self._client.count(index=self.old.name)["count"]
        with progress(f"filling {self.new}", total, quiet=self._of._quiet) as advance:
            if self.copied >= 0:
                advance(self._client.count(index=self.old.name, query=_up_to(self.copied))["count"])
            self._bring(self._rows_since(self.copied), advance=advance)

    def compare(self) -> None:
        """Catch up, and add up both sides as they stand then; raises StoreError where they differ."""
        upto = self._checkpoint()
        with self._standing(self.old.name) as snapshot:
            for page in snapshot.pages(_after(self.copied)):
                self._put(page)
            self.copied = upto
            self.mark()
            total = self._client.count(index=self.new)["count"]
            with progress(f"comparing {self.new}", 2 * total, quiet=self._of._quiet) as advance:
                for page in snapshot.pages({"match_all": {}}):
                    for hit in page:
                        self.of_old.add(self.kind, hit)
                    advance(len(page))
                with self._standing(self.new) as filled:
                    for page in filled.pages({"match_all": {}}):
                        for hit in page:
                            self.of_new.add(self.kind, hit)
                        advance(len(page))
        self.refuse_difference()

    def follow(self) -> int:
        """Bring what was written since, and keep both sums right; gives how many rows that were."""
        count = 0
        for page in self._rows_since(self.copied):
            count += len(page)
            for hit in self._now(page):
                self.of_old.add(self.kind, hit, -1)
                self.of_new.add(self.kind, hit, -1)
            self._put(page)
            for hit in page:
                self.of_old.add(self.kind, hit)
            for hit in self._now(page):
                self.of_new.add(self.kind, hit)
        self.mark()
        return count

    def refuse_difference(self) -> None:
        """Raise StoreError where old and new are not the same; the new one is given up, for the next call to begin."""
        self._client.indices.refresh(index=[self.old.name, self.new])
        old, new = (self._client.count(index=name)["count"] for name in (self.old.name, self.new))
        # While it is open to writes, the old one may be ahead.
        if self.of_old == self.of_new and new == self.of_new.rows and (old == new or (old > new and not self.closing)):
            return
        self._client.indices.delete(index=self.new)
        raise StoreError(
            f"{self._of._address}: {self.old.name} ({self.of_old.rows} rows, checksum {self.of_old}) and {self.new}"
            f" ({self.of_new.rows} rows, checksum {self.of_new}) differ: the old one serves as before; see that nobody"
            " removes rows by hand, then run this again"
        )

    def finish(self) -> None:
        """After the switch: bring what a hasty hand may have let into the old index, and take the mark away."""
        for page in self._rows_since(self.copied):
            self._put(page, over_equal=False)
        self._client.indices.add_block(index=self.old.name, block="write")
        self._client.indices.put_mapping(index=self.new, meta=meta_of(self.kind))

    def mark(self) -> None:
        """Note in the new index how far it is, for the call that may have to go on."""
        meta = meta_of(self.kind, filling="migrate", source=self.old.name, copied=self.copied, closing=self.closing)
        self._client.indices.put_mapping(index=self.new, meta=meta)

    def _bring(self, pages: Iterator[list[dict[str, Any]]], *, advance: Advance) -> None:
        rows = 0
        for page in pages:
            self._put(page)
            advance(len(page))
            rows += len(page)
            if rows >= MARK_ROWS:
                rows = 0
                self.mark()

    def _rows_since(self, since: int) -> Iterator[list[dict[str, Any]]]:
        """Give what was written after a sequence number, and note at the end of each page up to where that is."""
        # Before the rows are looked for: each write up to it is finished, and will be seen.
        upto = self._checkpoint()
        with self._standing(self.old.name) as snapshot:
            for page in snapshot.pages(_after(since)):
                yield page
                self.copied = max(self.copied, min(page[-1]["_seq_no"], upto))
        self.copied = max(self.copied, upto)

    def _checkpoint(self) -> int:
        shards = self._client.indices.stats(index=self.old.name, level="shards")["indices"][self.old.name]["shards"]
        done: list[int] = [
            copy["seq_no"]["local_checkpoint"]
            for copies in shards.values()
            for copy in copies
            if copy["routing"]["primary"]
        ]
        # Each shard counts for itself; more than one is not what the templates ask for, and costs time only.
        return min(done, default=-1)

    def _put(self, page: Sequence[dict[str, Any]], *, over_equal: bool = True) -> None:
        actions = [
            {
                "_op_type": "index",
                "_index": self.new,
                "_id": hit["_id"],
                "version": hit["_version"],
                "version_type": "external_gte" if over_equal else "external",
                "_source": anew(self.kind, hit["_source"]),
            }
            for hit in page
        ]
        for failed in bulk(self._client, self._of._address, actions, alias=False):
            if not failed.superseded:
                raise StoreError(
                    f"{self._of._address}: {self.new} refuses the row {failed.id}: {failed.detail}: the old index"
                    " serves as before"
                )

    def _now(self, page: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Give the rows of these ids as they stand in the new index."""
        answer = self._client.mget(index=self.new, ids=[hit["_id"] for hit in page])
        return [row for row in answer["docs"] if row["found"]]

    def _standing(self, name: str) -> _Snapshot:
        return _Snapshot(self._client, name)


class _Snapshot:
    """An index as it stands at one moment, whatever is written meanwhile."""

    def __init__(self, client: Elasticsearch, name: str) -> None:
        self._client = client
        client.indices.refresh(index=name)
        self._id = client.open_point_in_time(index=name, keep_alive="10m")["id"]

    def __enter__(self) -> _Snapshot:
        return self

    def __exit__(self, *error: object) -> None:
        with suppress(Exception):
            self._client.close_point_in_time(id=self._id)

    def pages(self, query: dict[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Give the rows that a query finds, in the order in which they were written."""
        after: list[Any] | None = None
        while True:
            answer = self._client.search(
                pit={"id": self._id, "keep_alive": "10m"},
                query=query,
                sort=[{"_seq_no": "asc"}, "_shard_doc"],
                size=PAGE,
                track_total_hits=False,
                version=True,
                seq_no_primary_term=True,
                search_after=after,
            )
            self._id = answer["pit_id"]
            hits: list[dict[str, Any]] = answer["hits"]["hits"]
            if hits:
                yield hits
            if len(hits) < PAGE:
                return
            after = hits[-1]["sort"]


def _after(number: int) -> dict[str, Any]:
    return {"range": {"_seq_no": {"gt": number}}}


def _up_to(number: int) -> dict[str, Any]:
    return {"range": {"_seq_no": {"lte": number}}}
