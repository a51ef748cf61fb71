"""Who may do what in a store on Elasticsearch: the roles that `mappings/roles` describes, and API keys limited to one.

Roles are for people, who sign in to Kibana with them; keys are for machines. Neither reaches beyond the indices of the
store. A key is shown once, when it is made, and nowhere kept.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from elasticsearch import ApiError, Elasticsearch
from pydantic import SecretStr

from mappings import roles
from processors.errors import StoreError
from sulh.stores import Access, server
from sulh.stores.elastic_client import cause, connect, plainly

_PARTS: Final = ("cluster", "indices", "applications")


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """An API key as it was made; the secret shows itself in no repr."""

    id: str
    name: str
    role: str
    encoded: SecretStr
    expires: datetime | None


def create_roles(address: str, access: Access) -> list[str]:
    """Write the roles; gives the names of those that were not there. Raises StoreError, in one sentence."""
    made = []
    with _security(address, access) as client:
        for name, body in roles(access.prefix).items():
            answer = client.security.put_role(name=name, description=body["description"], **_parts(body))
            if answer["role"]["created"]:
                made.append(name)
    return made


def create_key(address: str, access: Access, role: str, *, days: int | None = None) -> Key:
    """Make an API key that may do what the role may, and no more. Raises StoreError, in one sentence."""
    name = f"{access.prefix}-{role}"
    # The client's debug log would hold the answer, which is the key.
    with _security(address, access) as client, _unlogged():
        made = client.security.create_api_key(
            name=name,
            role_descriptors={name: _parts(roles(access.prefix)[name])},
            expiration=f"{days}d" if days else None,
            metadata={"application": "sulh", "role": role},
        )
    ends = made.get("expiration")
    return Key(
        id=made["id"],
        name=name,
        role=role,
        encoded=SecretStr(made["encoded"]),
        expires=datetime.fromtimestamp(ends / 1000, tz=UTC) if ends else None,
    )


def forget_key(address: str, access: Access, key: Key) -> None:
    """Make a key void that could not be handed over."""
    with _security(address, access) as client:
        client.security.invalidate_api_key(ids=[key.id], owner=True)


def keep_key(key: Key, path: Path, *, force: bool = False) -> None:
    """Write a key into a file that only its owner may read: whole or not at all, and over no other unless forced."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        # Made with its mode, so that there is no moment in which others may read it.
        handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(key.encoded.get_secret_value() + "\n")
                file.flush()
                os.fsync(file.fileno())
            if force:
                beside.replace(path)
            else:
                # Unlike a rename, a link takes no other file's place.
                path.hardlink_to(beside)
        finally:
            with suppress(FileNotFoundError):
                beside.unlink()
    except FileExistsError:
        raise StoreError(f"{path}: there is a file already: take another name, or --force to replace it") from None
    except OSError as error:
        raise StoreError(f"{path}: the key cannot be written there: {error.strerror}") from None


def _parts(body: Mapping[str, Any]) -> dict[str, Any]:
    return {part: body[part] for part in _PARTS if part in body}


@contextmanager
def _unlogged() -> Iterator[None]:
    def drop(record: logging.LogRecord) -> bool:
        return False

    log = logging.getLogger("elastic_transport.node")
    log.addFilter(drop)
    try:
        yield
    finally:
        log.removeFilter(drop)


@contextmanager
def _security(address: str, access: Access) -> Iterator[Elasticsearch]:
    """Give a client to speak of roles and keys; a cluster without security, or a key in place of a user, is named."""
    address = server(address)
    with plainly(address), closing(connect(address, access)) as client:
        try:
            yield client
        except ApiError as error:
            _, reason = cause(error.body)
            if "no handler found" in reason or "Security must be explicitly enabled" in reason:
                raise StoreError(
                    f"{address}: security is off on this cluster, so it knows neither roles nor keys: set"
                    " xpack.security.enabled: true there, or do without (docs/operations.md)"
                ) from None
            if error.meta.status == 403 or "derived api keys" in reason:
                raise StoreError(
                    f"{address}: only a user who may manage security, such as elastic, can make roles and keys: set"
                    " SULH_STORE_USER and SULH_STORE_PASSWORD, and no SULH_STORE_API_KEY, for this command"
                ) from None
            raise
