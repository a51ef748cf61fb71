"""Speaks to Kibana: asks what it is and what it holds, and imports saved objects; each trouble is one sentence."""

from __future__ import annotations

import base64
import http.client
import json
import socket
import ssl
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from processors.errors import SettingsError, SulhError
from sulh.kibana.saved import Saved, ndjson
from sulh.stores import Access, server

MAJOR: Final = 9
"""The Kibana that the saved objects are checked against."""

SECONDS: Final = 120
"""How long one answer may take: Kibana waits for a refresh of its index after an import."""

_LISTED: Final = 5
"""How many objects a message names."""


class KibanaError(SulhError):
    """Kibana cannot be reached, is none, or took not all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What an import did."""

    new: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()
    unchanged: int = 0


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        """Give what the body holds; None where that is no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


class Kibana:
    """One Kibana, spoken to with the credentials of the store."""

    def __init__(self, address: str, access: Access, *, ca: Path | None = None) -> None:
        """Take address and credentials; nothing is sent yet. Raises SettingsError for what cannot be used."""
        self.address = server(address, "SULH_KIBANA")
        parts = urlsplit(self.address)
        if parts.scheme not in ("http", "https"):
            raise SettingsError("SULH_KIBANA: this is no address of a server: expected https://host:port")
        self._secure = parts.scheme == "https"
        self._host, self._port, self._path = parts.hostname or "", parts.port, parts.path
        self._headers = _credentials(access)
        self._trust = _trust(ca or access.ca) if self._secure else None

    def version(self) -> str:
        """Give the version. Raises KibanaError where this is no Kibana, or not one that answers."""
        answer = self._ask("GET", "/api/status")
        if answer.status == 503 and ("kbn-name" in answer.headers or b"Kibana" in answer.body):
            raise KibanaError(f"{self.address}: Kibana is not ready: wait until it has started, then run this again")
        said = answer.json()
        if "kbn-name" not in answer.headers and not (isinstance(said, dict) and "status" in said):
            raise KibanaError(
                f"{self.address}: this is not a Kibana: check SULH_KIBANA (its address as a browser shows it, with the"
                " base path, without /app)"
            )
        self._refused(answer)
        number = said.get("version", {}).get("number", "") if isinstance(said, dict) else ""
        if not number:
            # Kibana tells those who have not signed in no more than that it runs.
            raise KibanaError(f"{self.address}: {_CREDENTIALS}")
        if number.split(".")[0] != str(MAJOR):
            raise KibanaError(
                f"{self.address}: this is Kibana {number}; the dashboards are made for {MAJOR}.x: use the release of"
                " sulh that fits, or upgrade Kibana"
            )
        return str(number)

    def held(self, objects: Sequence[Saved]) -> dict[tuple[str, str], Saved]:
        """Give those of the objects that Kibana holds, as it holds them, by type and id."""
        if not objects:
            return {}
        wanted = [{"type": each["type"], "id": each["id"]} for each in objects]
        body = json.dumps({"objects": wanted, "excludeExportDetails": True, "includeReferencesDeep": False}).encode()
        answer = self._ask("POST", "/api/saved_objects/_export", body, "application/json")
        if answer.status == 400:
            # Kibana then exports none, and names those that it does not find, or that these credentials may not see.
            said = answer.json()
            named = said.get("attributes", {}).get("objects", ()) if isinstance(said, dict) else ()
            if any(each.get("error", {}).get("statusCode") == 403 for each in named):
                raise KibanaError(f"{self.address}: {_ROLE.format('read')}")
            missing = {(each.get("type"), each.get("id")) for each in named}
            there = [each for each in objects if (each["type"], each["id"]) not in missing]
            if missing and len(there) < len(objects):
                return self.held(there)
        self._refused(answer)
        found = {}
        for line in answer.body.splitlines():
            each = json.loads(line)
            found[each["type"], each["id"]] = each
        return found

    def put(self, objects: Sequence[Saved]) -> Imported:
        """Import the objects that Kibana lacks or holds otherwise. Raises KibanaError where it does not take all."""
        there = self.held(objects)
        wanted = [each for each in objects if not same(each, there.get((each["type"], each["id"])))]
        if not wanted:
            return Imported(unchanged=len(objects))
        body, kind = _form("sulh.ndjson", ndjson(wanted).encode())
        answer = self._ask("POST", "/api/saved_objects/_import?overwrite=true", body, kind)
        self._refused(answer)
        said = answer.json()
        if not isinstance(said, dict) or "success" not in said:
            raise KibanaError(f"{self.address}: answers the import in a way that Kibana does not: check SULH_KIBANA")
        if not said["success"] or said.get("errors"):
            raise KibanaError(f"{self.address}: {_failed(said, len(wanted))}")
        if said.get("successCount") != len(wanted):
            raise KibanaError(
                f"{self.address}: took {said.get('successCount')} of {len(wanted)} objects and does not say why: run"
                " this again"
            )
        new = tuple(label(each) for each in wanted if (each["type"], each["id"]) not in there)
        replaced = tuple(label(each) for each in wanted if (each["type"], each["id"]) in there)
        return Imported(new=new, replaced=replaced, unchanged=len(objects) - len(wanted))

    def _ask(self, method: str, path: str, body: bytes | None = None, kind: str = "") -> _Answer:
        headers = {"kbn-xsrf": "sulh", "Accept": "*/*", **self._headers}
        if kind:
            headers["Content-Type"] = kind
        connection: http.client.HTTPConnection
        if self._secure:
            connection = http.client.HTTPSConnection(self._host, self._port, timeout=SECONDS, context=self._trust)
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=SECONDS)
        try:
            with closing(connection):
                connection.request(method, self._path + path, body=body, headers=headers)
                answer = connection.getresponse()
                return _Answer(
                    answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
                )
        except ssl.SSLCertVerificationError:
            raise KibanaError(
                f"{self.address}: its certificate is not trusted: set SULH_KIBANA_CA to the PEM file of the authority"
                " that signed it (and check that the address is the one that the certificate names)"
            ) from None
        except ssl.SSLError:
            raise KibanaError(
                f"{self.address}: does not speak TLS: check whether the address begins with http://"
            ) from None
        except TimeoutError:
            raise KibanaError(
                f"{self.address}: no answer within {SECONDS} s: run this again when it is less busy"
            ) from None
        except (http.client.HTTPException, ConnectionResetError):
            raise KibanaError(
                f"{self.address}: answers no HTTP here: check SULH_KIBANA, and whether it begins with https://"
            ) from None
        except (socket.gaierror, OSError):
            raise KibanaError(
                f"{self.address}: Kibana cannot be reached: check SULH_KIBANA, and that it runs, then run this again"
            ) from None

    def _refused(self, answer: _Answer) -> None:
        """Raise KibanaError for an answer that is none to our question."""
        said = answer.json()
        message = str(said.get("message", "")) if isinstance(said, dict) else ""
        if answer.status == 401:
            raise KibanaError(f"{self.address}: {_CREDENTIALS}")
        if answer.status == 403:
            raise KibanaError(f"{self.address}: {_ROLE.format('write')}{f' ({message})' if message else ''}")
        if answer.status in (301, 302, 303, 307, 308):
            raise KibanaError(
                f"{self.address}: sends us elsewhere: check SULH_KIBANA (with the base path, as a browser shows it)"
            )
        if answer.status == 413:
            raise KibanaError(f"{self.address}: takes no import of this size: raise savedObjects.maxImportPayloadBytes")
        if answer.status in (429, 502, 503, 504):
            raise KibanaError(f"{self.address}: Kibana is busy or starting ({answer.status}): run this again later")
        if answer.status != 200:
            raise KibanaError(
                f"{self.address}: refuses the request ({answer.status}{': ' + message if message else ''})"
            )


_CREDENTIALS: Final = (
    "Kibana refuses these credentials: check SULH_STORE_API_KEY, or SULH_STORE_USER and SULH_STORE_PASSWORD"
)

_ROLE: Final = (
    "these credentials may not {} saved objects: use those of the role admin, such as the key that"
    " `sulh index key admin` prints"
)


def _credentials(access: Access) -> dict[str, str]:
    if key := access.api_key.get_secret_value():
        if not key.isascii() or not key.isprintable() or " " in key:
            raise SettingsError("SULH_STORE_API_KEY: this is no API key: expected what `sulh index key` prints")
        return {"Authorization": f"ApiKey {key}"}
    if access.user:
        pair = f"{access.user}:{access.password.get_secret_value()}"
        return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}
    return {}


def _trust(ca: Path | None) -> ssl.SSLContext:
    if ca is None:
        return ssl.create_default_context()
    if not ca.is_file():
        raise SettingsError(f"{ca}: there is no such file; SULH_KIBANA_CA or SULH_STORE_CA names it")
    try:
        return ssl.create_default_context(cafile=str(ca))
    except (OSError, ValueError):
        raise SettingsError(f"{ca}: holds no certificate in PEM; SULH_KIBANA_CA or SULH_STORE_CA names it") from None


def _form(name: str, content: bytes) -> tuple[bytes, str]:
    """Give a form with one file as its body and content type; the boundary must not occur in the content."""
    boundary = "sulh-saved-objects"
    while boundary.encode() in content:
        boundary += "-"
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: application/ndjson\r\n\r\n"
    )
    return head.encode() + content + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def label(each: Saved) -> str:
    """Name an object for a person: its kind in Kibana's words, and its title."""
    attributes = each["attributes"]
    kind = {"index-pattern": "data view", "search": "saved search", "visualization": "panel"}
    return f"{kind.get(each['type'], each['type'])} “{attributes.get('name') or attributes['title']}”"


def _failed(said: Mapping[str, Any], whole: int) -> str:
    errors = said.get("errors") or []
    named = []
    for each in errors[:_LISTED]:
        error = each.get("error", {})
        missing = ", ".join(f"{one.get('type')} {one.get('id')}" for one in error.get("references", ()))
        why = error.get("message") or error.get("type", "unknown") + (f" {missing}" if missing else "")
        title = each.get("meta", {}).get("title") or each.get("title") or each.get("id")
        named.append(f"{each.get('type')} “{title}”: {why}")
    more = f"; … and {len(errors) - _LISTED} more" if len(errors) > _LISTED else ""
    return f"Kibana took {said.get('successCount', 0)} of {whole} objects: {'; '.join(named)}{more}"


# ------------------------------------------------------------------------------------- what is there already


def same(ours: Saved, theirs: Saved | None) -> bool:
    """Whether Kibana holds what we would import: later formats add to it, and opening a data view counts its fields."""
    if theirs is None or bool(theirs.get("managed")) is not bool(ours["managed"]):
        return False
    if {(one["type"], one["id"]) for one in ours["references"]} != {
        (one["type"], one["id"]) for one in theirs.get("references", ())
    }:
        return False
    held = dict(theirs.get("attributes", {}))
    if tabs := held.get("tabs"):
        # From 9.1 on a saved search holds tabs; ours becomes the one and only.
        if len(tabs) != 1:
            return False
        held |= tabs[0].get("attributes", {})
    return all(_read(name, value) == _read(name, held.get(name)) for name, value in ours["attributes"].items())


def _read(name: str, value: Any) -> Any:
    """Give a value with JSON text read, so that its spelling does not matter."""
    if isinstance(value, dict):
        return {key: _read(key, inner) for key, inner in value.items()}
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            value = json.loads(value)
        except ValueError:
            return value
        if name == "fieldAttrs":
            value = {field: {"customLabel": about.get("customLabel")} for field, about in value.items()}
            return {field: about for field, about in value.items() if about["customLabel"]}
    return value
