"""The sources that come with the package: all load, and none promises what nobody has seen."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawlers.sources import FOLDER, Source, load_sources
from crawlers.spiders import SourceSpider
from crawlers.spiders.kinds import KINDS
from processors.addresses import canonical_url

SOURCES = load_sources()
FILES = sorted(FOLDER.glob("*.y*ml"))


def comments(source: Source) -> list[str]:
    """Give the lines at the top of a source's file that say where its address was found."""
    lines = (FOLDER / f"{source.id}.yml").read_text(encoding="utf-8").splitlines()
    return [line for line in lines[: next(n for n, line in enumerate(lines) if not line.startswith("#"))] if line]


@pytest.fixture(params=SOURCES.values(), ids=SOURCES)
def source(request: pytest.FixtureRequest) -> Source:
    """Each packaged source in turn."""
    assert isinstance(request.param, Source)
    return request.param


def test_there_are_enough_of_each_language_and_kind() -> None:
    languages = Counter(source.language for source in SOURCES.values())
    kinds = Counter(source.kind for source in SOURCES.values())
    assert len(SOURCES) >= 45
    assert {language for language, count in languages.items() if count >= 6} == {"ar", "en", "fr", "ru", "tr"}
    assert {kind for kind, count in kinds.items() if count >= 3} == set(KINDS)


def test_every_file_is_a_source_of_its_own_name() -> None:
    # Two files of one stem, .yml and .yaml, would hide each other.
    assert [path.stem for path in FILES] == sorted(SOURCES)
    assert {path.suffix for path in FILES} == {".yml"}


def test_the_article_and_the_outlets_that_it_cites_are_among_them() -> None:
    hosts = {urlsplit(source.front).hostname for source in SOURCES.values()}
    assert {"kyleorton.co.uk", "apnews.com", "www.theguardian.com", "www.telegraph.co.uk"} <= hosts


def test_no_two_share_an_entry_or_a_name() -> None:
    entries = Counter(canonical_url(entry) for source in SOURCES.values() for entry in source.entries)
    names = Counter(source.name for source in SOURCES.values())
    assert [entry for entry, count in entries.items() if count > 1] == []
    assert [name for name, count in names.items() if count > 1] == []


def test_an_id_ends_with_its_country(source: Source) -> None:
    assert source.id.endswith(f"_{source.country.lower()}")


def test_its_addresses_are_public_and_encrypted(source: Source) -> None:
    for address in (*source.entries, source.front):
        parts = urlsplit(address)
        assert parts.scheme == "https"
        assert parts.port is None
        assert parts.hostname is not None
        with pytest.raises(ValueError, match="does not appear to be"):
            ipaddress.ip_address(parts.hostname)
        assert re.fullmatch(r"([a-z0-9-]+\.)+[a-z]{2,}", parts.hostname)
        # A public name ends in a top-level domain that is not set aside (RFC 2606, RFC 6761, RFC 6762).
        assert parts.hostname.rsplit(".")[-1] not in {"test", "example", "invalid", "localhost", "local", "internal"}
        assert parts.hostname.removeprefix("www.") not in {"t.me", "telegram.me", "telegram.org"}


def test_its_front_page_can_be_joined_with_a_path(source: Source) -> None:
    assert source.front.endswith("/")


def test_nobody_claims_to_have_seen_it_live(source: Source) -> None:
    assert source.checked == "never"
    assert re.search(r"^checked: never$", (FOLDER / f"{source.id}.yml").read_text(encoding="utf-8"), re.MULTILINE)


def test_it_says_where_its_address_was_found(source: Source) -> None:
    top = " ".join(comments(source))
    assert re.search(r"\b(feed|sitemap|REST|page) address: ", top)
    if source.kind == "listing":
        assert "selectors: " in top and "unverified" in top


def test_it_says_why_it_is_read_and_whose_voice_it_is(source: Source) -> None:
    assert 20 <= len(source.about) <= 120
    assert source.camp in {"independent", "state", "kurdish", "rebel", "regime"}


def test_its_kind_has_a_spider_and_a_bound_on_the_past(source: Source) -> None:
    assert issubclass(KINDS[source.kind], SourceSpider)
    # A sitemap or REST interface lists all that was ever published; only the article's own blog is wanted whole.
    if source.kind in ("sitemap", "wordpress") and "register" not in source.tags:
        assert source.oldest is not None and source.oldest.days <= 30


def test_its_patterns_let_something_through(source: Source) -> None:
    # Addresses are matched as they are fetched, percent-encoded: a pattern in another script finds nothing.
    assert all(pattern.isascii() for pattern in (*source.include, *source.exclude))


def test_a_person_may_overrule_one(tmp_path: Path) -> None:
    mine = (FOLDER / "apnews_us.yml").read_text(encoding="utf-8").replace("every: 30m", "every: 2h")
    (tmp_path / "apnews_us.yml").write_text(mine, encoding="utf-8")
    sources = load_sources(tmp_path)
    assert sources["apnews_us"].every == "2h"
    assert len(sources) == len(SOURCES)
