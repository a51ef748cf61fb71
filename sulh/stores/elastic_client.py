"""Speaking to Elasticsearch: opens a client, names what goes wrong in one sentence, and writes in bulk."""

from __future__ import annotations

import base64
import ssl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from elastic_transport import ConnectionError as NoConnection
from elastic_transport import ConnectionTimeout, TlsError, TransportError
from elasticsearch import ApiError, Elasticsearch, UnsupportedProductError
from elasticsearch.helpers import streaming_bulk

from processors.errors import SettingsError, StoreError
from sulh.stores import Access

T = TypeVar("T")

REQUEST_SECONDS: Final = 60
"""How long one request may take: a bulk of 8 MB on a busy node takes a few seconds."""

CHUNK_ROWS: Final = 2000
CHUNK_BYTES: Final = 8 * 1024 * 1024
"""Elastic's advice is 5 to 15 MB a request; a row is a few kB."""

RETRIES: Final = 4
"""How often rows that a busy node put off (429) are sent again, after 0.5, 1, 2 and 4 s."""

BLOCKED_SECONDS: Final = 30
"""How long to wait out a write block: `sulh index migrate` holds one while it compares the last rows."""


def connect(address: str, access: Access) -> Elasticsearch:
    """Give a client for the server; nothing is sent yet. Raises SettingsError for an authority that cannot be read."""
    given: dict[str, Any] = {}
    key = access.api_key.get_secret_value().strip()
    if key and not (key.isascii() and key.isprintable() and " " not in key):
        raise SettingsError(
            "SULH_STORE_API_KEY (or the file that SULH_STORE_API_KEY_FILE names) holds more than a key: give just the"
            " one line that `sulh index key` printed"
        )
    if key:
        given["api_key"] = key
    elif access.user:
        # As UTF-8 and by ourselves: the client takes Latin letters only.
        pair = f"{access.user}:{access.password.get_secret_value()}"
        given["basic_auth"] = base64.b64encode(pair.encode()).decode()
    if access.ca is not None:
        if not access.ca.is_file():
            raise SettingsError(f"{access.ca}: there is no such file; SULH_STORE_CA names it")
        try:
            # Now: the client looks into the file at its first request only, and calls it a bad certificate then.
            ssl.create_default_context(cafile=str(access.ca))
        except OSError:
            raise SettingsError(
                f"{access.ca}: this file holds no certificate in PEM form; SULH_STORE_CA names it"
            ) from None
        if address.startswith("https://"):
            given["ca_certs"] = str(access.ca)
    try:
        return Elasticsearch(address, request_timeout=REQUEST_SECONDS, max_retries=3, **given)
    except (OSError, ValueError) as error:
        # A key that is not in base64, or a file that holds no certificate. The value is not shown.
        what = "SULH_STORE_CA" if isinstance(error, OSError) else "SULH_STORE_API_KEY or SULH_STORE_CA"
        raise SettingsError(f"{what}: cannot be used to open {address}: {type(error).__name__}") from None


_STRANGER: Final = "this is not an Elasticsearch: check SULH_STORE"
_CLOSED: Final = (
    "an index is closed to writes while `sulh index migrate` moves it: nothing is lost; run that command to its end,"
    " then this one again"
)


def patiently(address: str, call: Callable[[], T]) -> T:
    """Call, and call again as long as `sulh index migrate` keeps an index closed; raises StoreError after a while."""
    until = time.monotonic() + BLOCKED_SECONDS
    pause = 0.25
    while True:
        try:
            return call()
        except ApiError as error:
            if not _closed(cause(error.body)[1]):
                raise
            if time.monotonic() > until:
                raise StoreError(f"{address}: {_CLOSED}") from None
        time.sleep(pause)
        pause = min(2 * pause, 4)


def _closed(reason: str) -> bool:
    return "index write" in reason and "blocked by" in reason


@contextmanager
def plainly(address: str) -> Iterator[None]:
    """Turn what server and connection say into a StoreError that says what to do; mistakes of ours pass through."""
    try:
        yield
    except UnsupportedProductError:
        raise StoreError(f"{address}: {_STRANGER}") from None
    except TlsError as error:
        if "wrong version number" in str(error).lower().replace("_", " "):
            raise StoreError(f"{address}: the server speaks no TLS: write http:// in SULH_STORE") from None
        raise StoreError(
            f"{address}: its certificate is not trusted: set SULH_STORE_CA to the PEM file of the authority that signed"
            " it (and check that the address is the one that the certificate names)"
        ) from None
    except ConnectionTimeout:
        raise StoreError(
            f"{address}: no answer within {REQUEST_SECONDS} s: nothing is lost; run the same command again when the"
            " node is less busy"
        ) from None
    except NoConnection as error:
        if address.startswith("http://") and "aborted" in str(error).lower():
            raise StoreError(
                f"{address}: the connection broke off: nothing is lost; check that the node runs, and whether it wants"
                " https:// in SULH_STORE, then run the same command again"
            ) from None
        raise StoreError(
            f"{address}: the node cannot be reached: nothing is lost; check that it runs, then run the same command"
            " again"
        ) from None
    except TransportError as error:
        raise StoreError(f"{address}: the connection failed ({type(error).__name__}): check SULH_STORE") from None
    except ApiError as error:
        said = explain(error.meta.status, error.body)
        if said is None and error.meta.headers.get("x-elastic-product") != "Elasticsearch":
            said = _STRANGER
        if said is None:
            raise
        raise StoreError(f"{address}: {said}") from None


def explain(status: int, body: Any) -> str | None:
    """Say in words what an answer means that is no mistake of ours, and what to do; None for any other."""
    kind, reason = cause(body)
    if kind == "cluster_block_exception" or "blocked by" in reason:
        if "flood-stage" in reason or "read-only-allow-delete" in reason or "read-only / allow delete" in reason:
            return (
                "the node's disk is full and it takes no writes: nothing is lost; make room (docs/operations.md), then"
                " run the same command again"
            )
        if "read-only" in reason:
            return (
                "the index or the cluster is read-only: nothing is lost; lift the block"
                " (docs/operations.md), then run the same command again"
            )
        if "index write" in reason:
            return _CLOSED
        return f"the cluster is blocked ({reason}): nothing is lost; see docs/operations.md"
    if status == 401:
        return (
            "the server refuses these credentials: check SULH_STORE_API_KEY, or SULH_STORE_USER and SULH_STORE_PASSWORD"
        )
    if status == 403:
        action = reason.split("action [", 1)[1].split("]", 1)[0] if "action [" in reason else "this"
        return (
            f"these credentials may not do this ({action}): use a key of the role that may: reader to read, writer to"
            " run the pipeline, admin for `sulh index` and `sulh replay` (`sulh index key ROLE` makes one)"
        )
    if kind in ("media_type_header_exception", "content_type_header_exception") or status == 406:
        return "the server speaks an older protocol than that of Elasticsearch 9: upgrade it to 9.x"
    if kind == "index_not_found_exception" or "requires_alias" in reason or "requires alias" in reason:
        return "an index or alias of sulh is missing: run `sulh index create`"
    if kind in ("circuit_breaking_exception", "es_rejected_execution_exception") or status == 429:
        return "the node is overloaded: nothing is lost; run the same command again later (docs/operations.md)"
    if status in (502, 503, 504):
        return (
            "the cluster cannot answer (red, or still starting): nothing is lost; see docs/operations.md, then run the"
            " same command again"
        )
    if status == 413:
        return "a request is larger than the server takes: raise http.max_content_length"
    return None


def cause(body: Any) -> tuple[str, str]:
    """Give type and reason of an error as Elasticsearch words it; empty texts where it gives none."""
    error = body.get("error", body) if isinstance(body, Mapping) else body
    if not isinstance(error, Mapping):
        return "", str(error or "")
    roots = error.get("root_cause") or [error]
    root = roots[0] if isinstance(roots[0], Mapping) else error
    inner = root.get("caused_by") or error.get("caused_by")
    reason = str(root.get("reason") or error.get("reason") or "")
    if isinstance(inner, Mapping) and inner.get("reason") and str(inner["reason"]) not in reason:
        reason = f"{reason}: {inner['reason']}"
    return str(root.get("type") or error.get("type") or ""), reason


def _short(reason: str) -> str:
    """Give the head of a reason: some quote the whole value that was refused."""
    return reason if len(reason) <= 300 else reason[:300] + "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """One row that was not written, and why."""

    index: str
    id: str
    status: int
    detail: str

    @property
    def superseded(self) -> bool:
        """Whether a newer row, or one that must not be replaced, is there already."""
        return self.status == 409


def bulk(
    client: Elasticsearch,
    address: str,
    actions: Iterable[dict[str, Any]],
    *,
    alias: bool,
    seen: set[str] | None = None,
) -> list[Failed]:
    """Write rows, sending those again that a busy node puts off; gives the rows that it refuses for what they hold.

    Raises StoreError where the node takes none: then nothing says that a row is written, and all are to be sent again.
    With ``alias`` a name that is no alias is refused, where Elasticsearch would make an index of guessed fields. The
    names of the indices that answered are added to ``seen``.
    """
    waiting = list(actions)
    if not waiting:
        return []
    failed: list[Failed] = []
    until = time.monotonic() + BLOCKED_SECONDS
    pause = 0.5
    while waiting:
        blocked: set[str] = set()
        for ok, answer in streaming_bulk(
            client,
            waiting,
            chunk_size=CHUNK_ROWS,
            max_chunk_bytes=CHUNK_BYTES,
            max_retries=RETRIES,
            initial_backoff=0.5,
            max_backoff=8,
            raise_on_error=False,
            require_alias=alias,
        ):
            (item,) = answer.values()
            if seen is not None and item.get("status") in (200, 201, 400, 409):
                seen.add(item["_index"])
            if ok:
                continue
            status, (kind, reason) = item.get("status", 0), cause(item.get("error") or {})
            if _closed(reason):
                blocked.add(f"{item.get('_index', '')}/{item['_id']}")
                continue
            if status not in (400, 409):
                said = explain(status, {"error": item.get("error") or {}}) or f"{kind}: {reason}"
                raise StoreError(f"{address}: {said}")
            failed.append(
                Failed(index=item.get("_index", ""), id=item["_id"], status=status, detail=f"{kind}: {reason}")
            )
        if not blocked:
            break
        if time.monotonic() > until:
            raise StoreError(f"{address}: {_CLOSED}")
        time.sleep(pause)
        pause = min(2 * pause, 4)
        ids = {key.rsplit("/", 1)[1] for key in blocked}
        waiting = [action for action in waiting if str(action["_id"]) in ids]
    return failed
