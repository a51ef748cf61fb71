"""One site and one archive for the tests of a module."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.crawlers.site import Crawls, Site


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    site = Site()
    yield site
    site.close()


@pytest.fixture(scope="module")
def crawls(tmp_path_factory: pytest.TempPathFactory) -> Crawls:
    return Crawls(tmp_path_factory.mktemp("crawls"))
