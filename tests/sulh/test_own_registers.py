"""A register of one's own, through the commands: sentences do, several stand side by side, a broken one is refused."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from processors.archive import Archive, Exchange, Listed
from sulh import desk
from sulh.cli import main
from sulh.pipeline import registers_of

SAHEL = "sahel-2020-07-31"
ORTON = "orton-2014-11-15"
NOTES = """\
article: {id: notes, title: Notes on the Sahel, author: A. Writer, date: 2020-08-31}
claims:
  - id: N01
    statement: JNIM and ISGS agreed a truce in 2020.
  - id: C01
    statement: The feud of JNIM and ISGS is past repair.
    kind: rivalry
"""
PAGES = {
    "fought": (
        "Deadly day near Boulikessi",
        "2020-04-20",
        "Fighters of JNIM attacked a camp of the ISGS near Boulikessi in Mali on Monday, and dozens were killed,"
        " residents said. The battle went on until the evening. Herders who had left their villages with their cattle"
        " told of burnt motorcycles along the road to the border.",
    ),
    "enemies": (
        "The end of an understanding",
        "2021-05-04",
        "For years the two had left each other alone. Now JNIM and ISGS are sworn enemies, and will fight each other to"
        " the finish. In the villages of the border country nobody expects the quarrel to end before the rains, and the"
        " traders who supply both of them have begun to choose sides.",
    ),
    "north": (
        "Rivals in Syria put down their arms",
        "2014-11-13",
        "The Islamic State and the Nusra Front have agreed a truce near Atareb in northern Syria, two opposition"
        " commanders said on Thursday. Under the agreement they stop attacks on each other around Aleppo, and open the"
        " roads between their towns to the trucks of both.",
    ),
}


pytestmark = pytest.mark.usefixtures("no_settings")


def sulh(*arguments: str | Path, status: int = 0, given: str = "") -> Result:
    """Run a command in this process, and expect its exit status and no trace."""
    result = CliRunner().invoke(main, [str(part) for part in arguments], input=given)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == status, result.output
    return result


def rows(result: Result) -> list[dict[str, Any]]:
    """Give the JSON lines that a command printed on standard output."""
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose archive holds the pages, not yet read, and that has a register of its own."""
    home = tmp_path / "home"
    with Archive(home).writer("mine_ml") as writer:
        at = datetime(2021, 5, 5, 8, tzinfo=UTC)
        writer.begin(at).result()
        listed = [Listed(address=f"https://mine.test/{name}", url=f"https://mine.test/{name}") for name in PAGES]
        for item in writer.discover(listed, at).result().due:
            title, day, text = PAGES[item.url.rsplit("/", 1)[1]]
            head = f'<title>{title}</title><meta property="article:published_time" content="{day}T08:00:00Z">'
            article = f"<article><h1>{title}</h1><p>{text}</p></article>"
            body = f'<html lang="en"><head>{head}</head><body>{article}</body></html>'
            exchange = Exchange(
                requested=item.url,
                url=item.url,
                fetched_at=at,
                status=200,
                headers=(("Content-Type", "text/html; charset=utf-8"),),
                body=body.encode(),
            )
            writer.store(item, exchange).result()
        writer.end("ok", "", at).result()
    own(home, NOTES)
    return home


def own(home: Path, text: str, name: str = "notes.yml") -> Path:
    """Write a register into the home."""
    path = home / "registers" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def judged(home: Path, text: str, published: str) -> dict[tuple[str, str], dict[str, Any]]:
    """Give what one text bears on, by register and claim."""
    item = json.dumps({"id": "a", "title": "", "text": text, "published": published})
    (row,) = rows(sulh("--home", home, "judge", "-", given=item))
    return {(one["register"], one["claim"]): one for one in row["comparisons"]}


def test_sentences_are_enough_for_claims_exports_and_the_desk(home: Path) -> None:
    assert "processed 3 captures" in sulh("--home", home, "process").stdout
    board = {row["claim"]: row for row in rows(sulh("--home", home, "claims", "--register", "notes", "--json"))}
    assert {claim: [row[b] for b in ("supports", "reports", "contradicts")] for claim, row in board.items()} == {
        "N01": [0, 0, 1],
        "C01": [1, 0, 0],
    }
    (against,) = rows(sulh("--home", home, "claims", "N01", "--json"))
    assert against["sentence"] in PAGES["fought"][2]
    exported = {(row["register"], row["claim"]) for row in rows(sulh("--home", home, "export", "comparisons"))}
    assert {("notes", "N01"), ("notes", "C01"), (SAHEL, "S03"), (ORTON, "C01")} <= exported
    app = desk.app(home / "sulh.sqlite", registers=registers_of(home / "registers"))
    page = asyncio.run(app.client.get("/claims/notes/N01"))
    assert page.status_code == 200 and against["sentence"] in page.text


def test_claims_of_one_id_in_several_registers_are_kept_apart(home: Path) -> None:
    sulh("--home", home, "process")
    both = sulh("--home", home, "claims", "c01").stdout
    assert "C01 (notes, author)" in both and f"C01 ({ORTON}, doubted)" in both
    mine = sulh("--home", home, "claims", "C01", "--register", "notes").stdout
    assert "sworn enemies" in mine and "Atareb" not in mine
    theirs = sulh("--home", home, "claims", "C01", "--register", ORTON).stdout
    assert "sworn enemies" not in theirs and "Atareb" in theirs
    app = desk.app(home / "sulh.sqlite", registers=registers_of(home / "registers"))
    for register, said in (("notes", "sworn enemies"), (ORTON, "Atareb")):
        assert said in asyncio.run(app.client.get(f"/claims/{register}/C01")).text
    board = asyncio.run(app.client.get("/claims")).text
    assert all(f'href="/claims/{register}/' in board for register in ("notes", ORTON, SAHEL))


def test_the_second_register_that_comes_with_sulh_bears_and_leaves_the_first_alone(home: Path) -> None:
    sulh("--home", home, "process")
    found = rows(sulh("--home", home, "export", "comparisons"))
    by_register = {
        register: {row["claim"] for row in found if row["register"] == register} for register in (SAHEL, ORTON)
    }
    assert {"S03", "S10"} <= by_register[SAHEL]
    documents = {row["id"]: row["url"].rsplit("/", 1)[1] for row in rows(sulh("--home", home, "export", "documents"))}
    assert {documents[row["document"]] for row in found if row["register"] == SAHEL} == {"fought", "enemies"}
    assert {documents[row["document"]] for row in found if row["register"] == ORTON} == {"north"}
    board = rows(sulh("--home", home, "claims", "--register", SAHEL, "--json"))
    assert [row["claim"] for row in board] == [f"S{number:02}" for number in range(1, 11)]
    sulh("--home", home, "alert")
    (alert,) = rows(sulh("--home", home, "alerts", "--json"))
    assert alert["alert"]["parties"] == ["islamic-state", "nusra"]


def test_what_the_file_gives_takes_the_place_of_what_is_read(home: Path) -> None:
    fight = PAGES["fought"][2]
    assert judged(home, fight, "2020-04-20")["notes", "N01"]["bearing"] == "contradicts"
    statement = "    statement: JNIM and ISGS agreed a truce in 2020.\n"
    for given in (
        "    since: 2020-06-01\n    until: 2020-06-30\n",
        "    parties: [{actor: jnim}, {actor: islamic-state}]\n    words: {en: [armistice]}\n",
        "    events:\n      - {kinds: [truce], sides: [{actors: [jnim]}, {actors: [isgs]}]}\n",
    ):
        own(home, NOTES.replace(statement, statement + given))
        assert ("notes", "N01") not in judged(home, fight, "2020-04-20"), given
    own(
        home,
        NOTES.replace(statement, statement + "    words: {en: [burnt motorcycle*]}\n    parties: [{actor: jnim}]\n"),
    )
    assert judged(home, fight, "2020-04-20")["notes", "N01"]["bearing"] != "contradicts"


def test_the_register_that_the_documents_show_works(home: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "registers.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"```yaml\n(.*?)```", page, flags=re.DOTALL)
    own(home, text)
    assert judged(home, PAGES["fought"][2], "2020-04-20")["notes-2020", "N01"]["bearing"] == "contradicts"
    assert judged(home, PAGES["enemies"][2], "2021-05-04")["notes-2020", "N02"]["bearing"] == "supports"


def test_a_register_of_a_shipped_ones_id_takes_its_place(home: Path) -> None:
    own(home, NOTES.replace("id: notes", f"id: {SAHEL}"))
    found = judged(home, PAGES["fought"][2], "2020-04-20")
    assert {claim for register, claim in found if register == SAHEL} == {"N01"}


BROKEN = (
    (NOTES.replace("agreed a truce in 2020", "are what they are"), ":4: claims.0.statement: "),
    (NOTES.replace("JNIM and ISGS agreed a truce in 2020", "It rained"), ":4: claims.0.statement: nothing can be read"),
    (NOTES.replace("    statement: JNIM and ISGS agreed a truce in 2020.\n", ""), ":3: claims.0.statement: missing"),
    (NOTES.replace("kind: rivalry", "kind: quarrel"), ":7: claims.1.kind: input should be 'truce',"),
    (NOTES.replace("id: C01", "id: N01"), ":5: claims.1.id: the claim id 'N01' is given twice"),
    (NOTES.replace("kind: rivalry", "parties: [{actor: jnmi}]"), ":7: claims.1.parties.0.actor: unknown actor 'jnmi'"),
    (NOTES.replace("kind: rivalry", "kind: [rivalry"), "not valid YAML"),
)


@pytest.mark.parametrize(("text", "said"), BROKEN)
def test_a_broken_register_is_refused_with_file_line_and_reason(home: Path, text: str, said: str) -> None:
    path = own(home, text)
    item = json.dumps({"id": "a", "title": "", "text": PAGES["fought"][2], "published": "2020-04-20"})
    for command in (["process"], ["judge", "-"], ["replay"]):
        result = sulh("--home", home, *command, status=1, given=item)
        assert f"sulh: {path}:" in result.stderr and said in result.stderr
        assert result.stdout == ""
    (looked,) = [one for one in rows(sulh("--home", home, "doctor", "--json", status=1)) if one["about"] == "registers"]
    assert looked["level"] == "wrong" and said in looked["said"]


def test_a_broken_register_costs_none_of_the_batch(home: Path) -> None:
    own(home, BROKEN[1][0])
    sulh("--home", home, "process", status=1)
    own(home, NOTES)
    (report,) = rows(sulh("--home", home, "process", "--json"))
    assert (report["total"], report["counts"], report["faults"]) == (3, {"indexed": 3}, [])
    ledger = rows(sulh("--home", home, "ledger", "--json"))
    assert sum(row["indexed"] for row in ledger) == 3
