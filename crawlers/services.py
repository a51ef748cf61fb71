"""Names where the web archives are; a mirror or a stand-in may take the place of each."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """Addresses of the web archives that the past is taken from."""

    commoncrawl: str = "https://index.commoncrawl.org/"
    commoncrawl_data: str = "https://data.commoncrawl.org/"
    wayback: str = "https://web.archive.org/"


PUBLIC = Services()
