"""What keeps a store on Elasticsearch from its work is said in one sentence, and nothing is lost by it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from pydantic import SecretStr

from processors.errors import SettingsError, StoreError
from sulh.stores import Access, open_store
from sulh.stores.elastic_indices import create_indices
from tests.elastic.node import Node, Running
from tests.sulh.test_store import document, event, everything, processed


@contextmanager
def answering(status: int, body: object, headers: dict[str, str]) -> Iterator[str]:
    """Any other HTTP server, which answers everything alike."""

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            content = json.dumps(body).encode()
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = do_HEAD = answer

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving = threading.Thread(target=server.serve_forever)
    serving.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        serving.join()


JSON = {"Content-Type": "application/json"}
# As an 8.19 answers a client of Elasticsearch 9: status, type and reason.
EIGHT = (
    400,
    {
        "error": {
            "root_cause": [
                {
                    "type": "media_type_header_exception",
                    "reason": "Invalid media-type value on headers [Accept]",
                }
            ],
            "type": "media_type_header_exception",
            "reason": "Invalid media-type value on headers [Accept]",
        },
        "status": 400,
    },
    JSON | {"X-Elastic-Product": "Elasticsearch"},
)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ((200, {"hello": "world"}, JSON), "this is not an Elasticsearch"),
        ((404, {"error": "not here"}, JSON), "this is not an Elasticsearch"),
        ((200, "<html>", {"Content-Type": "text/html"}), "this is not an Elasticsearch"),
        ((302, "", {"Location": "/login", "Content-Type": "text/html"}), "this is not an Elasticsearch"),
        (EIGHT, "upgrade it to 9.x"),
        ((503, {"error": {"type": "master_not_discovered_exception"}}, EIGHT[2]), "the cluster cannot answer"),
    ],
)
def test_another_server_is_refused(answer: tuple[int, object, dict[str, str]], said: str) -> None:
    with answering(*answer) as address, pytest.raises(StoreError, match=said) as caught:
        open_store(address)
    assert "\n" not in str(caught.value)


def test_no_server_is_said() -> None:
    with pytest.raises(StoreError, match="cannot be reached: nothing is lost"):
        open_store("http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("index.blocks.read_only", "read-only: nothing is lost; lift the block"),
        ("index.blocks.read_only_allow_delete", "disk is full and it takes no writes: nothing is lost"),
    ],
)
@pytest.mark.parametrize("kind", ["documents", "ledger", "state"])
def test_an_index_that_takes_no_writes_is_said_and_the_next_run_writes_all(
    node: Running, elastic: tuple[str, Access], block: str, said: str, kind: str
) -> None:
    address, access = elastic
    doc = document("https://a.example/1")
    with closing(open_store(address, access=access)) as store:
        node.request("PUT", f"/{access.prefix}-{kind}-0*/_settings", {block: True})
        try:
            with pytest.raises(StoreError, match=said):
                store.write([processed(doc, event(doc))])
            assert store.unprocessed([doc.capture]) == {doc.capture}
        finally:
            node.request("PUT", f"/{access.prefix}-{kind}-0*/_settings", {block: None})
        store.write([processed(doc, event(doc))])
        assert store.unprocessed([doc.capture]) == set()
        assert [len(everything(store)[name]) for name in ("documents", "events", "stories")] == [1, 1, 1]


@pytest.mark.parametrize("alias", ["documents", "documents-write", "state-write", "deliveries-write"])
def test_a_lost_alias_makes_no_index_of_its_name(node: Running, elastic: tuple[str, Access], alias: str) -> None:
    address, access = elastic
    doc = document("https://a.example/1")
    name = f"{access.prefix}-{alias}"
    kind = alias.partition("-")[0]
    with closing(open_store(address, access=access)) as store:
        node.request("DELETE", f"/{access.prefix}-{kind}-0*/_alias/{name}")
        try:
            with pytest.raises(StoreError, match="run `sulh index create`"):
                store.write([processed(doc, event(doc))])
                store.enqueue("an alert", ["a"], at=doc.fetched_at)
            assert node.request("GET", f"/{name}").status == 404
            with pytest.raises(StoreError, match=f"the alias {name} is missing: run `sulh index create`"):
                open_store(address, access=access)
        finally:
            create_indices(address, access)
        store.write([processed(doc, event(doc))])
        store.enqueue("an alert", ["a"], at=doc.fetched_at)
        assert store.document(doc.id) == doc


def test_a_cluster_that_takes_no_writes_and_a_node_that_dies_are_said(own_node: Callable[..., Node]) -> None:
    node = own_node().start()
    access = Access()
    create_indices(node.url, access)
    first, second = document("https://a.example/1"), document("https://a.example/2")
    with closing(open_store(node.url, access=access)) as store:
        settings = "/_cluster/settings"
        node.request("PUT", settings, {"persistent": {"cluster.blocks.read_only": True}})
        with pytest.raises(StoreError, match="read-only: nothing is lost"):
            store.write([processed(first)])
        with pytest.raises(StoreError, match="read-only: nothing is lost"):
            create_indices(node.url, access)
        node.request("PUT", settings, {"persistent": {"cluster.blocks.read_only": None}})
        store.write([processed(first)])
        node.kill()
        with pytest.raises(StoreError, match="cannot be reached: nothing is lost"):
            store.write([processed(second)])
        node.start()
        store.write([processed(second)])
        assert {row["id"] for row in store.export("documents")} == {first.id, second.id}


def test_what_is_no_key_is_refused_without_being_shown() -> None:
    for wrong in ("c2VjcmV0\nb2YgbWluZQ==", "c2VjcmV0 b2Y=", "ключ"):
        with pytest.raises(SettingsError, match="holds more than a key") as refused:
            open_store("http://127.0.0.1:1", access=Access(api_key=SecretStr(wrong)))
        assert not any(part in str(refused.value) for part in wrong.split())


def test_names_and_passwords_may_be_of_any_script(secure_node: Running) -> None:
    access = Access(user="محرر", password=SecretStr("пароль"), ca=secure_node.ca)
    # No such user: what counts is that the server was asked.
    with pytest.raises(StoreError, match="refuses these credentials"):
        open_store(secure_node.url, access=access)


def test_http_and_https_mixed_up_are_told_apart(node: Running, secure_node: Running) -> None:
    with pytest.raises(StoreError, match="speaks no TLS: write http://"):
        open_store(node.url.replace("http://", "https://"))
    with pytest.raises(StoreError, match="whether it wants https://"):
        open_store(secure_node.url.replace("https://", "http://"))
