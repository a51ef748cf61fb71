"""Gives every page one address: tracking parameters, fragments and default ports off; pure, no network."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit, urlunsplit

from w3lib.url import canonicalize_url, safe_url_string

_TRACKING = re.compile(
    r"(?:utm_\w+|mtm_\w+|pk_\w+|at_(?:medium|campaign|custom\d?|link\w*|format|ptr_name|bbc_team)|ga_\w+|hsa_\w+|"
    r"fbclid|fb_\w+|gclid|gclsrc|dclid|gbraid|wbraid|msclkid|yclid|ysclid|twclid|ttclid|igshid|igsh|mc_cid|mc_eid|"
    r"mkt_tok|oly_anon_id|oly_enc_id|_hsenc|_hsmi|vero_id|wickedid|rb_clickid|s_cid|cmpid|cmp|icid|ncid|ito|"
    r"guccounter|guce_referrer\w*|xtor|ocid|smid|sref|ref_src|ref_url|spm|_ga|_gl|srnd|taid|amp|outputtype|"
    r"wt\.mc_id|wt_mc|cx_\w+|__twitter_impression)",
    re.IGNORECASE,
)
"""Parameters that say how a reader came, not what is read: the analytics vendors' own names, and those that the
outlets in `crawlers/sources` put into their feeds. ``amp`` and ``outputtype`` ask for the AMP copy of the same page."""

_DEFAULT_PORTS = {"http": 80, "https": 443}

_COPIES = ("www.", "m.", "mobile.", "amp.")
"""First labels under which outlets serve the same pages."""


def canonical_url(url: str) -> str:
    """Give the one form of an address that stands for its page; the same for every tracked or reordered copy of it."""
    return canonicalize_url(untracked(url), keep_blank_values=True, keep_fragments=False)


def untracked(url: str) -> str:
    """Give the address to fetch: as it was listed, without tracking parameters, fragment and default port."""
    parts = urlsplit(safe_url_string(url.strip()))
    query = "&".join(p for p in parts.query.split("&") if p and not _TRACKING.fullmatch(p.partition("=")[0]))
    return urlunsplit((parts.scheme.lower(), _netloc(parts), _path(parts.path), query, ""))


def same_site(one: str, other: str) -> bool:
    """Say whether two addresses are of one site: same host but for ``www.``, ``m.``, ``amp.``, and the same port."""
    return _site(one) == _site(other)


def _netloc(parts: SplitResult) -> str:
    host = (parts.hostname or "").rstrip(".")
    if ":" in host:
        host = f"[{host}]"
    try:
        port = parts.port
    except ValueError:
        port = None
    return host if port in (None, _DEFAULT_PORTS.get(parts.scheme.lower())) else f"{host}:{port}"


def _path(path: str) -> str:
    """Resolve ``.`` and ``..`` as RFC 3986 section 5.2.4 says, since a server sees the same page behind them."""
    kept: list[str] = []
    segments = path.split("/")
    for segment in segments:
        if segment == "..":
            if len(kept) > 1:
                kept.pop()
        elif segment != ".":
            kept.append(segment)
    if segments[-1] in (".", ".."):
        kept.append("")
    return "/".join(kept) or "/"


def _site(url: str) -> tuple[str, int | None]:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".")
    for label in _COPIES:
        # Not where only a top-level domain would be left: m.co is a site of its own.
        if host.startswith(label) and host.count(".") > 1:
            host = host.removeprefix(label)
            break
    try:
        port = parts.port
    except ValueError:
        return host, -1
    return host, port if port != _DEFAULT_PORTS.get(parts.scheme) else None
