"""What the commands say over an Elasticsearch that is not as it should be, or that takes not everything."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from elasticsearch import Elasticsearch

from processors.records import LedgerRow
from sulh.cli import main
from sulh.stores import Access, open_store
from sulh.stores.elastic_client import connect
from tests import sample_store as sample

Place = tuple[str, Access]


@pytest.fixture(autouse=True)
def _settings(elastic: Place, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in list(os.environ):
        if name.startswith("SULH_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("SULH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SULH_STORE", elastic[0])
    monkeypatch.setenv("SULH_STORE_PREFIX", elastic[1].prefix)


@pytest.fixture
def client(elastic: Place) -> Iterator[Elasticsearch]:
    with closing(connect(*elastic)) as client:
        yield client


def sulh(*arguments: str, status: int = 0) -> Result:
    result = CliRunner().invoke(main, list(arguments))
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def findings(*, status: int = 0) -> dict[str, dict[str, Any]]:
    rows = [json.loads(line) for line in sulh("doctor", "--json", status=status).stdout.splitlines()]
    return {row["about"]: row for row in rows}


def test_the_desk_sends_to_kibana() -> None:
    said = sulh("desk", status=1).stderr
    assert said.startswith("sulh: ") and "use Kibana" in said and len(said.splitlines()) == 1


def test_a_refused_capture_waits_by_that_name_and_the_ledger_balances(elastic: Place) -> None:
    # Elasticsearch takes no keyword above 32,766 bytes.
    bad = sample.processed(replace(sample.WIRE, credit="x" * 40_000))
    with closing(open_store(elastic[0], access=elastic[1])) as store:
        store.tally(
            LedgerRow(source=source, day=sample.DAY, step="crawl", disposition=name, count=1)
            for source in ("wire_us", "vestnik_ru")
            for name in ("discovered", "fetched")
        )
        store.write([bad, sample.processed(sample.FOUGHT)])
    rows = {row["source"]: row for row in map(json.loads, sulh("ledger", "--json").stdout.splitlines())}
    assert (rows["wire_us"]["waiting"], rows["wire_us"]["process_gap"]) == (1, 0)
    assert rows["wire_us"]["reasons"] == [["waiting", "store-refused", 1]]
    assert (rows["vestnik_ru"]["waiting"], rows["vestnik_ru"]["indexed"]) == (0, 1)
    assert "1 waiting: store-refused" in sulh("ledger", "--source", "wire_us").stdout
    assert sulh("ledger", "--source", "wire_us", "--day", "2014-11-14", "--json").stdout == ""
    told = [row for row in map(json.loads, sulh("doctor", "--json", status=1).stdout.splitlines())]
    (said,) = (row for row in told if row["level"] == "wrong")
    assert said["about"] == "store" and bad.outcome.url in said["said"] and "credit" in said["said"]
    assert "sulh process" in said["todo"]
    assert not any("captures wait" in row["said"] for row in told)


def test_doctor_finds_a_healthy_node_healthy() -> None:
    told = findings()
    assert [row for row in told.values() if row["level"] == "wrong"] == []
    assert told["store"]["level"] == "ok"
    assert "cluster" not in told and "indices" not in told


@pytest.mark.parametrize(
    ("block", "about", "todo"),
    [
        # The one that a node sets by itself when its disk passes the flood stage.
        ("read_only_allow_delete", "disk", "make room"),
        ("write", "indices", "sulh index migrate"),
    ],
)
def test_doctor_names_what_keeps_rows_out(
    elastic: Place, client: Elasticsearch, block: str, about: str, todo: str
) -> None:
    name = f"{elastic[1].prefix}-events"
    client.indices.put_settings(index=name, settings={f"index.blocks.{block}": True})
    try:
        told = findings(status=1)
    finally:
        client.indices.put_settings(index=name, settings={f"index.blocks.{block}": None})
    assert told[about]["level"] == "wrong"
    (index,) = client.indices.get_alias(name=name)
    assert index in told[about]["said"] and todo in told[about]["todo"]


def test_doctor_tells_yellow_and_red(elastic: Place, client: Elasticsearch) -> None:
    name = f"{elastic[1].prefix}-events"
    # A second copy, for which there is no node.
    client.indices.put_settings(
        index=name, settings={"index.auto_expand_replicas": False, "index.number_of_replicas": 1}
    )
    try:
        told = findings()
        assert (told["cluster"]["level"], told["store"]["level"]) == ("note", "ok")
        (index,) = client.indices.get_alias(name=name)
        assert "yellow" in told["cluster"]["said"] and index in told["cluster"]["said"]
    finally:
        client.indices.put_settings(index=name, settings={"index.auto_expand_replicas": "0-1"})
    # An index whose only node is away. Its name is one of the store's, so that it counts as such.
    lost = f"{elastic[1].prefix}-ledger-000009"
    nowhere = {"index.routing.allocation.require._name": "away", "index.auto_expand_replicas": False}
    client.indices.create(index=lost, settings=nowhere, wait_for_active_shards="0", timeout="1ms")
    try:
        told = findings(status=1)
        assert told["cluster"]["level"] == "wrong"
        assert "red" in told["cluster"]["said"] and lost in told["cluster"]["said"]
    finally:
        client.indices.delete(index=lost)


def test_doctor_says_that_a_mapping_is_older(elastic: Place, client: Elasticsearch) -> None:
    name = f"{elastic[1].prefix}-events"
    (meta,) = (about["mappings"]["_meta"] for about in client.indices.get_mapping(index=name).values())
    client.indices.put_mapping(index=name, meta=meta | {"fingerprint": "of another day"})
    try:
        told = findings()
    finally:
        client.indices.put_mapping(index=name, meta=meta)
    assert told["indices"]["level"] == "note" and told["indices"]["todo"] == "`sulh index migrate`"


def test_doctor_says_once_that_nothing_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SULH_STORE", "http://127.0.0.1:9")
    told = findings(status=1)
    (wrong,) = (row for row in told.values() if row["level"] == "wrong")
    assert wrong["about"] == "store" and "cannot be reached" in wrong["said"]
