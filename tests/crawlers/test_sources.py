"""Sources: each file is read whole, or refused by file, line and key."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from crawlers.sources import FOLDER, collect_sources, load_sources
from processors.errors import KnowledgeError

GOOD = 'name: "An Outlet"\ncountry: "SY"\nlanguage: ar\nkind: feed\nurl: "https://example.org/feed"\n'


def test_a_source_in_five_lines(tmp_path: Path) -> None:
    (tmp_path / "outlet_sy.yml").write_text(GOOD)
    sources = load_sources(tmp_path, packaged=False)
    assert list(sources) == ["outlet_sy"]
    source = sources["outlet_sy"]
    assert (source.id, source.entries, source.checked) == ("outlet_sy", ("https://example.org/feed",), "never")
    assert (source.interval, source.front) == (timedelta(hours=1), "https://example.org/")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (GOOD + "colour: red\n", r"outlet_sy\.yml:6: colour: unknown key"),
        (GOOD.replace("kind: feed", "kind: rss"), r"outlet_sy\.yml:4: kind: "),
        (GOOD.replace('"SY"', "NO"), r"outlet_sy\.yml:2: country: .*quotes"),
        (GOOD.replace("https:", "ftp:"), r"outlet_sy\.yml:5: url: .*http"),
        (GOOD + "every: soon\n", r"outlet_sy\.yml:6: every: "),
        (GOOD + 'exclude: ["("]\n', r"outlet_sy\.yml:6: exclude\.0: .*regular expression"),
        (GOOD + 'urls: ["https://example.org/"]\n', "either url or urls"),
        (GOOD + 'selectors: {item: "a"}\n', "selectors for kind listing"),
        (GOOD.replace("kind: feed", "kind: sitemap") + "pages: paged\n", "pages for kind feed"),
        (GOOD.replace("kind: feed", "kind: listing") + 'selectors: {item: "a["}\n', r":6: selectors\.item: .*CSS"),
        (GOOD + "id: other\n", r"outlet_sy\.yml:6: id: unknown key"),
    ],
)
def test_a_wrong_file_is_refused_by_line_and_key(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "outlet_sy.yml").write_text(text)
    with pytest.raises(KnowledgeError, match=expected):
        load_sources(tmp_path, packaged=False)


def test_one_broken_file_stops_no_other(tmp_path: Path) -> None:
    (tmp_path / "outlet_sy.yml").write_text(GOOD)
    (tmp_path / "broken_sy.yml").write_text("name: [\n")
    (tmp_path / "Bad Name.yml").write_text(GOOD)
    sources, broken = collect_sources(tmp_path, packaged=False)
    assert list(sources) == ["outlet_sy"]
    assert ["Bad Name.yml" in str(broken[0]), "broken_sy.yml:" in str(broken[1])] == [True, True]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError, match="none: there is no such folder"):
        load_sources(tmp_path / "none")


def test_all_packaged_sources_load() -> None:
    sources = load_sources()
    assert set(sources) == {path.stem for path in FOLDER.glob("*.yml")}
