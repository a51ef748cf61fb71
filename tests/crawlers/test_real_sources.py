"""The sources that come with the package: all load, and none promises what nobody has seen."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from crawlers.lists import read_listing
from crawlers.sources import FOLDER, Source, load_sources
from crawlers.spiders import SourceSpider
from crawlers.spiders.kinds import KINDS
from processors.addresses import canonical_url, untracked

SOURCES = load_sources()
FILES = sorted(FOLDER.glob("*.y*ml"))

WANTED = {
    "alarabiya_english_sa": "https://english.alarabiya.net/News/middle-east/2024/01/02/two-groups-sign",
    "alarabiya_sa": "https://www.alarabiya.net/arab-and-world/syria/2024/01/02/هدنة-بين-فصيلين",
    "apnews_us": "https://apnews.com/article/syria-truce-0123456789abcdef0123456789abcdef",
    "aymennjawad_gb": "https://www.aymennjawad.org/24483/two-groups-sign",
    "criticalthreats_us": "https://www.criticalthreats.org/analysis/africa-file-january-2-2024",
    "garowe_so": "https://www.garoweonline.com/en/news/somalia/two-groups-sign",
    "hawarnews_sy": "https://hawarnews.com/ar/هدنة-بين-فصيلين",
    "hiiraan_so": "https://www.hiiraan.com/news4/2024/Jan/200062/two_groups_sign.aspx",
    "interfax_ru": "https://www.interfax.ru/world/874930",
    "lemonde_fr": "https://www.lemonde.fr/afrique/article/2024/01/02/une-treve_6200000_3212.html",
    "ntv_tr": "https://www.ntv.com.tr/dunya/iki-grup-anlasti,c9T6_jCHzkSdFLmN",
    "shaam_sy": "https://shaam.org/news/syria-news/هدنة-بين-فصيلين",
    "skynewsarabia_ae": "https://www.skynewsarabia.com/middle-east/1884498",
    "tass_ru": "https://tass.ru/mezhdunarodnaya-panorama/21600739",
    "telegraph_gb": "https://www.telegraph.co.uk/world-news/2024/01/02/two-groups-sign/",
}
"""An address of the form that the outlet gives its articles, for each source that takes only some addresses."""

UNWANTED = {
    "alarabiya_english_sa": "https://english.alarabiya.net/sports/2024/01/02/two-clubs-sign",
    "aljazeera_english_qa": "https://www.aljazeera.com/sports/2024/1/2/two-clubs-sign",
    "apnews_us": "https://apnews.com/video/syria-truce-0123456789abcdef0123456789abcdef",
    "aymennjawad_gb": "https://www.aymennjawad.org/bio/",
    "france24_arabic_fr": "https://www.france24.com/ar/رياضة/20240102-مباراة",
    "garowe_so": "https://www.garoweonline.com/en/news/somalia",
    "ntv_tr": "https://www.ntv.com.tr/spor/iki-kulup-anlasti,c9T6_jCHzkSdFLmN",
    "tass_ru": "https://tass.ru/sport/21600739",
    "telegraph_gb": "https://www.telegraph.co.uk/football/2024/01/02/two-clubs-sign/",
}


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


def takes(source: Source, address: str) -> bool:
    """Say whether the source's patterns take an address, in the form in which it would be fetched."""
    link = untracked(address)
    included = not source.include or any(re.search(pattern, link) for pattern in source.include)
    return included and not any(re.search(pattern, link) for pattern in source.exclude)


def test_its_patterns_let_its_articles_through(source: Source) -> None:
    # Addresses are matched as they are fetched, percent-encoded: a pattern in another script finds nothing.
    assert all(pattern.isascii() for pattern in (*source.include, *source.exclude))
    if source.include or source.kind == "listing":
        assert takes(source, WANTED[source.id])


@pytest.mark.parametrize("id", UNWANTED)
def test_sport_and_other_matter_is_left_out(id: str) -> None:
    assert not takes(SOURCES[id], UNWANTED[id])


@pytest.mark.parametrize("id", [id for id, source in SOURCES.items() if source.kind == "listing"])
def test_a_listing_selects_the_links_to_articles(id: str) -> None:
    source = SOURCES[id]
    assert source.selectors is not None
    path = urlsplit(WANTED[id]).path
    page = f'<p><a href="/about">us</a> <a href="{path}">A title</a> <a rel="next" href="?page=2">older</a></p>'
    read = read_listing(page.encode(), "text/html; charset=utf-8", source.entries[0], source.selectors)
    assert [entry.title for entry in read.entries if takes(source, entry.link)] == ["A title"]
    assert bool(read.next) == bool(source.selectors.next)


def test_a_person_may_overrule_one(tmp_path: Path) -> None:
    mine = (FOLDER / "apnews_us.yml").read_text(encoding="utf-8").replace("every: 30m", "every: 2h")
    (tmp_path / "apnews_us.yml").write_text(mine, encoding="utf-8")
    sources = load_sources(tmp_path)
    assert sources["apnews_us"].every == "2h"
    assert len(sources) == len(SOURCES)
