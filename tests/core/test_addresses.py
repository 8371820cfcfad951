"""core.addresses: what may be reached (trap 41)."""

from __future__ import annotations

import psutil
import pytest

from core import addresses

INSIDE = (
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "198.51.100.7", "203.0.113.7", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "::", "::1", "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1",
    "fe80::1", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001::1", "2001:20::1", "2001:db8::1",
    "2002:7f00:1::", "2002:a00:1::", "3fff::1", "5f00::1", "4000::1",
)  # fmt: skip
PUBLIC = ("8.8.8.8", "1.1.1.1", "93.184.215.14", "172.32.0.1", "2606:4700:4700::1111", "2a00:1450:4001:82a::200e")


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_that_leads_inside_is_not_reached(address: str) -> None:
    assert not addresses.may_reach(addresses.parse(address), [])


@pytest.mark.parametrize("address", PUBLIC)
def test_a_public_address_is_reached(address: str) -> None:
    assert addresses.may_reach(addresses.parse(address), [])


@pytest.mark.parametrize("address", ["10.1.2.3", "10.1.255.255", "fd00::7"])
def test_an_address_in_a_network_that_the_operator_allows_is_reached(address: str) -> None:
    assert addresses.may_reach(addresses.parse(address), ["10.1.0.0/16", "fd00::/64"])
    assert not addresses.may_reach(addresses.parse("10.2.0.1"), ["10.1.0.0/16", "fd00::/64"])


def test_a_mapped_address_does_not_pass_for_the_network_that_is_allowed() -> None:
    assert not addresses.may_reach(addresses.parse("::ffff:10.1.2.3"), ["10.1.0.0/16"])


def test_the_machine_s_own_addresses_are_known() -> None:
    own = [entry.address for card in psutil.net_if_addrs().values() for entry in card if entry.family.name == "AF_INET"]
    assert own
    assert all(addresses.is_own(addresses.parse(address)) for address in own)
    assert not addresses.is_own(addresses.parse("8.8.8.8"))


@pytest.mark.parametrize("text", ["localhost", "0x7f000001", "127.1", "2130706433", ""])
def test_only_a_literal_address_is_parsed(text: str) -> None:
    with pytest.raises(ValueError):
        addresses.parse(text)
