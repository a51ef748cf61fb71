"""Addresses: one page has one, however a reader was led to it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.addresses import canonical_url, same_site, untracked


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("HTTP://Example.COM:80/a#top", "http://example.com/a"),
        ("https://example.com", "https://example.com/"),
        ("https://example.com/a?utm_source=rss&b=2&a=1&fbclid=x", "https://example.com/a?a=1&b=2"),
        ("https://example.com/story.php?id=7", "https://example.com/story.php?id=7"),
        ("https://example.com/x/../a/./b", "https://example.com/a/b"),
        ("https://example.com/أخبار", "https://example.com/%D8%A3%D8%AE%D8%A8%D8%A7%D8%B1"),
        ("https://example.com:8443/a;b", "https://example.com:8443/a;b"),
    ],
)
def test_one_page_has_one_address(given: str, expected: str) -> None:
    assert canonical_url(given) == expected


def test_the_address_to_fetch_keeps_the_order_of_its_parameters() -> None:
    assert untracked("https://e.org/a?b=2&utm_medium=feed&a=1#x") == "https://e.org/a?b=2&a=1"


@given(
    path=st.lists(st.text("abزя-_;.%é", max_size=6), max_size=4),
    query=st.dictionaries(st.text("abc", min_size=2, max_size=3), st.text("xyz&=é", max_size=4), max_size=3),
    tracking=st.sampled_from(["utm_source=a", "fbclid=1", "gclid=2", "UTM_Medium=feed"]),
)
def test_tracking_and_repetition_change_nothing(path: list[str], query: dict[str, str], tracking: str) -> None:
    plain = "https://example.com/" + "/".join(path).replace("%", "")
    asked = "&".join(f"{key}={value.replace('&', '')}" for key, value in query.items())
    url = f"{plain}?{asked}" if asked else plain
    tracked = f"{url}&{tracking}#part" if asked else f"{url}?{tracking}#part"
    assert canonical_url(tracked) == canonical_url(url)
    assert canonical_url(canonical_url(url)) == canonical_url(url)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("https://www.example.com/a", "http://example.com/b", True),
        ("https://m.example.com/a", "https://example.com:443/a", True),
        ("https://example.com/", "https://example.org/", False),
        ("https://one.wordpress.com/", "https://two.wordpress.com/", False),
        ("http://127.0.0.1:8000/", "http://127.0.0.1:8001/", False),
        ("https://m.co/", "https://co/", False),
    ],
)
def test_sites_are_told_apart(one: str, other: str, same: bool) -> None:
    assert same_site(one, other) is same
