"""What `sulh kibana import` sends, and what it says of each answer.

No Kibana runs where these tests run. `StandIn` is a stand-in for that server, on loopback: it takes nothing that
Kibana's documentation does not describe, and answers as that and Kibana's own tests of these two requests
say. It shows that the request is one that Kibana takes, not that Kibana shows the dashboards.
"""

from __future__ import annotations

import base64
import email.parser
import email.policy
import json
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from sulh.cli import main
from tests.elastic.certificate import certify

KEY = base64.b64encode(b"id:a secret of the key").decode()
BASIC = "Basic " + base64.b64encode(b"ann:a secret of ann's").decode()


class StandIn:
    """Stands in for Kibana: what it holds, how it answers, and what it was asked."""

    def __init__(self) -> None:
        self.held: dict[tuple[str, str], dict[str, Any]] = {}
        self.credentials = f"ApiKey {KEY}"
        self.version = "9.4.3"
        self.imports: list[list[dict[str, Any]]] = []
        self.wrong: list[str] = []
        """What a real Kibana would not have taken."""
        self.other: Callable[[str], tuple[int, Any] | None] = lambda path: None
        """An answer in place of its own."""
        self.migrates = False
        """Whether it holds saved searches with tabs, as 9.1 and later do."""

    def answer(self, method: str, target: str, headers: Any, body: bytes) -> tuple[int, Any]:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
        if (given := self.other(path)) is not None:
            return given
        known = headers.get("Authorization") == self.credentials
        if (method, path) == ("GET", "/api/status"):
            # Whoever has not signed in is told no more than this.
            whole = {"version": {"number": self.version}} if known else {}
            return 200, {"status": {"overall": {"level": "available"}}, **whole}
        if not known:
            return 401, {"statusCode": 401, "error": "Unauthorized", "message": "unable to authenticate user"}
        if "kbn-xsrf" not in headers:
            return 400, {"statusCode": 400, "message": "Request must contain a kbn-xsrf header."}
        if (method, path) == ("POST", "/api/saved_objects/_export"):
            return self._export(headers, body)
        if (method, path) == ("POST", "/api/saved_objects/_import"):
            return self._import(query, headers, body)
        return 404, {"statusCode": 404, "error": "Not Found", "message": "Not Found"}

    def _export(self, headers: Any, body: bytes) -> tuple[int, Any]:
        if headers.get_content_type() != "application/json":
            return 415, {"statusCode": 415, "message": "Unsupported Media Type"}
        asked = json.loads(body)
        known = {"objects", "type", "search", "hasReference", "excludeExportDetails", "includeReferencesDeep"}
        if not set(asked) <= known or not asked["objects"]:
            return 400, {"statusCode": 400, "message": "[request body]: definition for this key is missing"}
        keys = [(one["type"], one["id"]) for one in asked["objects"]]
        missing = [
            {"type": kind, "id": id, "error": {"statusCode": 404, "error": "Not Found", "message": "not found"}}
            for kind, id in keys
            if (kind, id) not in self.held
        ]
        if missing:
            message = "Error fetching objects to export"
            return 400, {
                "statusCode": 400, "error": "Bad Request", "message": message, "attributes": {"objects": missing},
            }  # fmt: skip
        lines = [json.dumps(self.held[key]) for key in keys]
        if not asked.get("excludeExportDetails"):
            lines.append(json.dumps({"exportedCount": len(lines), "missingRefCount": 0, "missingReferences": []}))
        return 200, "\n".join(lines).encode()

    def _import(self, query: dict[str, list[str]], headers: Any, body: bytes) -> tuple[int, Any]:
        if not set(query) <= {"overwrite", "createNewCopies", "compatibilityMode"}:
            return 400, {"statusCode": 400, "message": "[request query]: definition for this key is missing"}
        if headers.get_content_type() != "multipart/form-data":
            return 415, {"statusCode": 415, "message": "Unsupported Media Type"}
        head = f"Content-Type: {headers['Content-Type']}\r\n\r\n".encode()
        form = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body)
        (part,) = form.iter_parts()
        name, file = part.get_param("name", header="content-disposition"), part.get_filename()
        if name != "file" or not file or not file.endswith(".ndjson"):
            return 400, {"statusCode": 400, "error": "Bad Request", "message": f"Invalid file extension {file}"}
        objects = [json.loads(line) for line in part.get_payload(decode=True).decode().splitlines()]
        if [len(set(ids)) for ids in [[(one["type"], one["id"]) for one in objects]]] != [len(objects)]:
            return 400, {"statusCode": 400, "message": "Non-unique import objects detected"}
        there = {*self.held, *((one["type"], one["id"]) for one in objects)}
        errors, results = [], []
        for one in objects:
            lacking = [
                {"type": each["type"], "id": each["id"]}
                for each in one["references"]
                # Kibana looks only for these two.
                if each["type"] in ("index-pattern", "search") and (each["type"], each["id"]) not in there
            ]
            about = {"type": one["type"], "id": one["id"], "meta": {"title": one["attributes"]["title"]}}
            if lacking:
                errors.append(about | {"error": {"type": "missing_references", "references": lacking}})
                continue
            over = {"overwrite": True} if (one["type"], one["id"]) in self.held else {}
            if over and query.get("overwrite") != ["true"]:
                errors.append(about | {"error": {"type": "conflict"}})
                continue
            results.append(about | {"managed": one.get("managed", False)} | over)
        if not errors:
            self.imports.append(objects)
            for one in objects:
                self.held[one["type"], one["id"]] = self._kept(one)
        said: dict[str, Any] = {"successCount": 0 if errors else len(results), "success": not errors, "warnings": []}
        return 200, said | ({"errors": errors} if errors else {"successResults": results})

    def _kept(self, one: dict[str, Any]) -> dict[str, Any]:
        kept = {
            **one,
            "created_at": "2026-01-01T00:00:00.000Z",
            "updated_at": "2026-01-01T00:00:00.000Z",
            "version": "WzFd",
        }
        if self.migrates and one["type"] == "search":
            title, description = one["attributes"]["title"], one["attributes"]["description"]
            inner = {name: value for name, value in one["attributes"].items() if name not in ("title", "description")}
            tab = {"id": "0", "label": "Untitled", "attributes": inner}
            kept |= {
                "attributes": {"title": title, "description": description, "tabs": [tab]},
                "typeMigrationVersion": "10.13.0",
            }
        if one["type"] == "index-pattern":
            # Somebody opened it in Discover: Kibana counts which fields are looked at.
            attributes = json.loads(one["attributes"]["fieldAttrs"])
            attributes.setdefault("retired", {})["count"] = 3
            kept["attributes"] = {**one["attributes"], "fieldAttrs": json.dumps(attributes)}
        return kept


@contextmanager
def serving(stand_in: StandIn, *, tls: Path | None = None, named: bool = True) -> Iterator[str]:
    """Serve it on loopback; gives the address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _do(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, said = stand_in.answer(self.command, self.path, self.headers, body)
            sent = said if isinstance(said, bytes) else json.dumps(said).encode()
            self.send_response(status)
            if named:
                self.send_header("kbn-name", "stand-in")
            if status == 302:
                self.send_header("Location", "/login")
            self.send_header("Content-Length", str(len(sent)))
            self.end_headers()
            self.wfile.write(sent)

        do_GET = do_POST = _do

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(tls / "kibana.crt", tls / "kibana.key")
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def sulh(home: Path, address: str, *arguments: str, **settings: str) -> Result:
    environment: dict[str, str | None] = {
        # Nothing of the settings of whoever runs the tests.
        **dict.fromkeys(name for name in os.environ if name.startswith("SULH_")),
        "SULH_HOME": str(home),
        "SULH_STORE": "https://127.0.0.1:1",
        "SULH_STORE_API_KEY": KEY,
        "SULH_KIBANA": address,
        **settings,
    }
    return CliRunner().invoke(main, ["kibana", *arguments], env=environment)


@pytest.fixture
def stand_in() -> StandIn:
    return StandIn()


def test_all_that_is_built_is_imported(tmp_path: Path, stand_in: StandIn) -> None:
    built = sulh(tmp_path, "", "build")
    assert built.exit_code == 0, built.output
    objects = [json.loads(line) for line in built.output.splitlines()]
    with serving(stand_in) as address:
        done = sulh(tmp_path, address, "import")
    assert done.exit_code == 0, done.output
    assert stand_in.imports == [objects]
    assert f"Kibana 9.4.3: {len(objects)} new, 0 replaced, 0 unchanged" in done.output
    assert "new       dashboard “Claim board”" in done.output


@pytest.mark.parametrize("migrates", [False, True])
def test_a_second_import_changes_nothing(tmp_path: Path, stand_in: StandIn, migrates: bool) -> None:
    stand_in.migrates = migrates
    with serving(stand_in) as address:
        assert sulh(tmp_path, address, "import").exit_code == 0
        again = sulh(tmp_path, address, "import", "--json")
    said = json.loads(again.output)
    assert (said["new"], said["replaced"]) == ([], [])
    assert said["unchanged"] == len(stand_in.held)
    assert len(stand_in.imports) == 1


def test_only_what_lacks_or_differs_is_imported(tmp_path: Path, stand_in: StandIn) -> None:
    with serving(stand_in) as address:
        assert sulh(tmp_path, address, "import").exit_code == 0
        del stand_in.held["dashboard", "sulh-alert-queue"]
        stand_in.held["dashboard", "sulh-claim-board"]["attributes"]["title"] = "Changed by hand"
        done = sulh(tmp_path, address, "import")
    assert done.exit_code == 0, done.output
    assert {one["id"] for one in stand_in.imports[1]} == {"sulh-alert-queue", "sulh-claim-board"}
    assert "new       dashboard “Alert queue”\nreplaced  dashboard “Claim board”\n" in done.output


def test_dashboards_open_on_the_days_that_are_asked_for(tmp_path: Path, stand_in: StandIn) -> None:
    with serving(stand_in) as address:
        assert sulh(tmp_path, address, "import").exit_code == 0
        done = sulh(tmp_path, address, "import", "--from", "2014-11-01", "--to", "2014-11-30")
    assert done.exit_code == 0, done.output
    assert {one["type"] for one in stand_in.imports[1]} == {"dashboard"}
    for one in stand_in.imports[1]:
        attributes = one["attributes"]
        assert (attributes["timeFrom"], attributes["timeTo"]) == (
            "2014-11-01T00:00:00.000Z",
            "2014-11-30T23:59:59.999Z",
        )


def test_two_installations_share_a_kibana(tmp_path: Path, stand_in: StandIn) -> None:
    with serving(stand_in) as address:
        assert sulh(tmp_path, address, "import").exit_code == 0
        done = sulh(tmp_path, address, "import", SULH_STORE_PREFIX="press")
    assert done.exit_code == 0, done.output
    assert "replaced" not in done.output.removesuffix("\n").rsplit("\n", 1)[0]
    assert len(stand_in.held) == 2 * len(stand_in.imports[0])


def test_user_and_password_go_the_same_way(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in.credentials = BASIC
    with serving(stand_in) as address:
        done = sulh(
            tmp_path,
            address,
            "import",
            SULH_STORE_API_KEY="",
            SULH_STORE_USER="ann",
            SULH_STORE_PASSWORD="a secret of ann's",
        )
    assert done.exit_code == 0, done.output


def test_the_authority_is_that_of_the_store_or_its_own(tmp_path: Path, stand_in: StandIn) -> None:
    authority = tmp_path / "ca.crt"
    certify(authority=authority, certificate=tmp_path / "kibana.crt", key=tmp_path / "kibana.key")
    other = tmp_path / "other.crt"
    certify(authority=other, certificate=tmp_path / "x.crt", key=tmp_path / "x.key")
    with serving(stand_in, tls=tmp_path) as address:
        for settings in (
            {"SULH_STORE_CA": str(authority)},
            {"SULH_STORE_CA": str(other), "SULH_KIBANA_CA": str(authority)},
        ):
            done = sulh(tmp_path, address, "import", **settings)
            assert done.exit_code == 0, done.output
        for settings in ({}, {"SULH_STORE_CA": str(other)}):
            done = sulh(tmp_path, address, "import", **settings)
            assert done.exit_code == 1
            assert "its certificate is not trusted: set SULH_KIBANA_CA" in done.output


def refused(done: Result, said: str) -> None:
    """Hold a refusal to be one sentence that shows no credentials."""
    assert done.exit_code == 1, done.output
    assert said in done.output, done.output
    assert done.output.count("\n") == 1, done.output
    assert "secret" not in done.output
    assert KEY not in done.output


def test_an_unset_address_is_named(tmp_path: Path) -> None:
    refused(sulh(tmp_path, "", "import"), "set SULH_KIBANA to its address")
    refused(sulh(tmp_path, "kibana:5601", "import"), "SULH_KIBANA: this is no address of a server")
    refused(sulh(tmp_path, "https://ann:secret@kibana:5601", "import"), "leave user and password out of the address")


def test_nobody_there_is_one_sentence(tmp_path: Path) -> None:
    refused(sulh(tmp_path, "http://127.0.0.1:1", "import"), "Kibana cannot be reached")


def test_wrong_credentials_are_one_sentence(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in.credentials = "ApiKey another"
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), "Kibana refuses these credentials: check SULH_STORE_API_KEY")
        stand_in.other = lambda path: (401, {"statusCode": 401, "message": "secret"})
        refused(sulh(tmp_path, address, "import"), "Kibana refuses these credentials")
    assert stand_in.imports == []


def test_a_key_of_a_reader_may_not_import(tmp_path: Path, stand_in: StandIn) -> None:
    message = "Unable to bulk_create dashboard,index-pattern"
    stand_in.other = lambda path: (403, {"statusCode": 403, "message": message}) if "_import" in path else None
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), "may not write saved objects: use those of the role admin")
    # Kibana says so of each object where a key may not even read.
    forbidden = [{"type": "dashboard", "id": "sulh-claim-board", "error": {"statusCode": 403, "message": message}}]
    stand_in.other = lambda path: (
        (400, {"statusCode": 400, "message": "Error fetching objects to export", "attributes": {"objects": forbidden}})
        if "_export" in path
        else None
    )
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), "may not read saved objects")


@pytest.mark.parametrize("version", ["8.19.3", "10.0.0"])
def test_another_version_is_named(tmp_path: Path, stand_in: StandIn, version: str) -> None:
    stand_in.version = version
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), f"this is Kibana {version}; the dashboards are made for 9.x")
    assert stand_in.imports == []


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (200, {"name": "node", "tagline": "You Know, for Search"}, "this is not a Kibana: check SULH_KIBANA"),
        (404, b"<html>not here", "this is not a Kibana"),
        (200, b"", "this is not a Kibana"),
        (200, [1], "this is not a Kibana"),
    ],
)
def test_what_is_no_kibana_is_named(tmp_path: Path, stand_in: StandIn, status: int, body: Any, said: str) -> None:
    stand_in.other = lambda path: (status, body)
    with serving(stand_in, named=False) as address:
        refused(sulh(tmp_path, address, "import"), said)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (302, b"", "sends us elsewhere: check SULH_KIBANA"),
        (503, b"Kibana server is not ready yet", "is not ready: wait until it has started"),
        (
            500,
            {"statusCode": 500, "message": "An internal server error occurred."},
            "refuses the request (500: An internal",
        ),
    ],
)
def test_a_kibana_that_cannot_answer_is_named(
    tmp_path: Path, stand_in: StandIn, status: int, body: Any, said: str
) -> None:
    stand_in.other = lambda path: (status, body)
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), said)


def test_a_server_that_speaks_no_http_or_no_tls_is_named(tmp_path: Path, stand_in: StandIn) -> None:
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address.replace("http://", "https://"), "import"), "does not speak TLS")
    authority = tmp_path / "ca.crt"
    certify(authority=authority, certificate=tmp_path / "kibana.crt", key=tmp_path / "kibana.key")
    with serving(stand_in, tls=tmp_path) as address:
        refused(sulh(tmp_path, address.replace("https://", "http://"), "import"), "whether it begins with https://")


def test_what_kibana_does_not_take_is_listed(tmp_path: Path, stand_in: StandIn) -> None:
    errors = [
        {"type": "dashboard", "id": f"sulh-{number}", "meta": {"title": f"Board {number}"}, "error": error}
        for number, error in enumerate(
            [
                {"type": "unknown", "message": "definition for this key is missing", "statusCode": 400},
                {"type": "missing_references", "references": [{"type": "index-pattern", "id": "sulh-view-x"}]},
                *[{"type": "conflict"}] * 6,
            ]
        )
    ]
    answer = {"success": False, "successCount": 2, "warnings": [], "errors": errors}
    stand_in.other = lambda path: (200, answer) if "_import" in path else None
    with serving(stand_in) as address:
        done = sulh(tmp_path, address, "import")
    refused(done, "Kibana took 2 of")
    assert "dashboard “Board 0”: definition for this key is missing" in done.output
    assert "dashboard “Board 1”: missing_references index-pattern sulh-view-x" in done.output
    assert "… and 3 more" in done.output


def test_less_than_all_is_said(tmp_path: Path, stand_in: StandIn) -> None:
    stand_in.other = lambda path: (200, {"success": True, "successCount": 1}) if "_import" in path else None
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), "took 1 of")
    stand_in.other = lambda path: (200, b"<html>signed out") if "_import" in path else None
    with serving(stand_in) as address:
        refused(sulh(tmp_path, address, "import"), "answers the import in a way that Kibana does not")
