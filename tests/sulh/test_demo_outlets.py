"""The sample outlets answer as real sites do, and their expected file fits their pages."""

from __future__ import annotations

from collections.abc import Iterator
from http.client import HTTPConnection
from urllib.parse import urlsplit

import pytest

from processors.errors import SulhError
from sulh.demo.serve import Outlets


@pytest.fixture(scope="module")
def outlets() -> Iterator[Outlets]:
    with Outlets().start(0) as served:
        yield served


def get(url: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Fetch an address without any library's own caching or redirects."""
    parts = urlsplit(url)
    connection = HTTPConnection(parts.netloc, timeout=10)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request("GET", target, headers={name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
    finally:
        connection.close()


def test_each_page_answers_at_its_address(outlets: Outlets) -> None:
    for id, url in outlets.addresses().items():
        assert get(url)[0] == 200, id


def test_an_unchanged_page_costs_only_a_conditional_request(outlets: Outlets) -> None:
    url = outlets.addresses()["levantwire_lb/atareb-truce"]
    _, headers, _ = get(url)
    status, _, body = get(url, If_None_Match=headers["etag"])
    assert (status, body) == (304, b"")
    assert get(url, If_Modified_Since=headers["last-modified"])[0] == 304
    assert outlets.log[-1].conditional and outlets.log[-1].status == 304


def test_a_port_in_use_is_said_clearly(outlets: Outlets) -> None:
    port = urlsplit(next(iter(outlets.outlets.values())).base).port
    with pytest.raises(SulhError, match=f"Port {port} .*--port"):
        Outlets().start(port or 0)
