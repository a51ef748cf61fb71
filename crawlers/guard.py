"""Lets a crawl reach public addresses only: checked in the URL, after each redirect, and again when connecting."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from twisted.internet.interfaces import IHostnameResolver, IResolutionReceiver
from zope.interface import implementer

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
"""RFC 6052: these addresses lead to the IPv4 address in their last 32 bits."""


class RefusedError(Exception):
    """An address that is not to be fetched; ``reason`` names the rule."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def is_allowed(address: str, *, loopback: bool) -> bool:
    """Say whether an IP address may be connected to: a public one, or the loopback where that is allowed."""
    try:
        ip: ipaddress.IPv4Address | ipaddress.IPv6Address = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is None and ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        ip = inner or ip
    if ip.is_loopback:
        return loopback
    return ip.is_global and not ip.is_multicast and not ip.is_reserved


def check_url(url: str, *, loopback: bool) -> None:
    """Raise RefusedError for another scheme than http and https, and for an IP address that is not allowed."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise RefusedError("scheme")
    host = parts.hostname or ""
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return  # a name: what it leads to is checked when it is resolved
    if not is_allowed(host, loopback=loopback):
        raise RefusedError("private-address")


@implementer(IHostnameResolver)
class GuardedResolver:
    """Resolves names, but keeps back addresses that are not allowed.

    What it passes on is what is connected to, so a name that answers differently the second time gets nowhere.
    """

    def __init__(self, resolver: Any, *, loopback: bool) -> None:
        self._resolver = resolver
        self._loopback = loopback
        self.refused: set[str] = set()
        """Names of which every address was kept back."""

    def resolveHostName(
        self,
        resolutionReceiver: Any,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[Any]] | None = None,
        transportSemantics: str = "TCP",
    ) -> Any:
        """Resolve as the reactor's own resolver does."""
        receiver = _Filter(resolutionReceiver, self, hostName, self._loopback)
        return self._resolver.resolveHostName(receiver, hostName, portNumber, addressTypes, transportSemantics)


@implementer(IResolutionReceiver)
class _Filter:
    def __init__(self, receiver: Any, resolver: GuardedResolver, name: str, loopback: bool) -> None:
        self._receiver, self._resolver, self._name, self._loopback = receiver, resolver, name, loopback
        self._passed = self._kept = 0

    def resolutionBegan(self, resolution: Any) -> None:
        self._receiver.resolutionBegan(resolution)

    def addressResolved(self, address: Any) -> None:
        if is_allowed(address.host, loopback=self._loopback):
            self._passed += 1
            self._receiver.addressResolved(address)
        else:
            self._kept += 1

    def resolutionComplete(self) -> None:
        if self._kept and not self._passed:
            self._resolver.refused.add(self._name)
        else:
            self._resolver.refused.discard(self._name)
        self._receiver.resolutionComplete()
