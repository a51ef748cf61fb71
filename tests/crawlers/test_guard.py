"""The guard: a crawl reaches the public network, and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.address import IPv4Address, IPv6Address

from crawlers.guard import GuardedResolver, RefusedError, check_url, is_allowed


@pytest.mark.parametrize(
    "address",
    [
        "10.0.0.1",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "fc00::1",
        "fe80::1%eth0",
        "ff02::1",
        "::",
        "::ffff:10.0.0.1",
        "::ffff:127.0.0.1",
        "2002:0a00:0001::",
        "64:ff9b::10.0.0.1",
        "no address",
    ],
)
def test_private_addresses_are_refused(address: str) -> None:
    assert not is_allowed(address, loopback=False)


@pytest.mark.parametrize("address", ["1.1.1.1", "2606:4700:4700::1111", "64:ff9b::1.1.1.1"])
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, loopback=False)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.8.8.8", "::1"])
def test_the_loopback_takes_a_setting(address: str) -> None:
    assert is_allowed(address, loopback=True)
    assert not is_allowed(address, loopback=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("ftp://example.org/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("http://10.0.0.1/", "private-address"),
        ("http://[::1]:80/", "private-address"),
    ],
)
def test_addresses_are_refused_by_name(url: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        check_url(url, loopback=False)


class Resolver:
    """A name server whose answer is different every time, as one that attacks is."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)

    def resolveHostName(self, receiver: Any, name: str, port: int, *_: object) -> None:
        receiver.resolutionBegan(None)
        for host in self.answers.pop(0):
            kind = IPv6Address if ":" in host else IPv4Address
            receiver.addressResolved(kind("TCP", host, port))
        receiver.resolutionComplete()


class Receiver:
    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.complete = False

    def resolutionBegan(self, resolution: object) -> None: ...

    def addressResolved(self, address: Any) -> None:
        self.hosts.append(address.host)

    def resolutionComplete(self) -> None:
        self.complete = True


def test_a_name_that_turns_private_leads_nowhere() -> None:
    guard = GuardedResolver(Resolver(["1.1.1.1"], ["10.0.0.1"], ["127.0.0.1", "1.1.1.1"], ["::1"]), loopback=False)
    seen = []
    for _ in range(4):
        receiver = Receiver()
        guard.resolveHostName(receiver, "rebinding.example", 80)
        assert receiver.complete
        seen.append((receiver.hosts, "rebinding.example" in guard.refused))
    assert seen == [(["1.1.1.1"], False), ([], True), (["1.1.1.1"], False), ([], True)]
