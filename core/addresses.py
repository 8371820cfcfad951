"""Which addresses the portal connects to when a customer names the receiver: public ones, and what is allowed.

Everything else leads inside (trap 41): this machine, its network, the provider's metadata. Without Django, for the
processes that send.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

# IANA's special-purpose registries, written out: `is_global` differs between Python versions and holds multicast, 6to4
# and NAT64 for global. 168.63.129.16 is Azure's own service inside every virtual machine.
_INSIDE_V4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16",
        "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15",
        "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    )
)  # fmt: skip
# Outside of global unicast lie loopback, IPv4-mapped, NAT64, unique local, link-local and multicast; inside it Teredo
# and the protocols' own (2001::/23), documentation, and 6to4, which carries an IPv4 address.
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_INSIDE_V6 = tuple(
    ipaddress.IPv6Network(network) for network in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
)


def parse(address: str) -> Address:
    """ValueError for anything but a literal address."""
    return ipaddress.ip_address(address)


def is_named(address: Address, allowed: Sequence[str]) -> bool:
    """Whether it is in a network that the operator allows (the setting OUTGOING_ALLOW)."""
    return any(address in ipaddress.ip_network(network) for network in allowed)


def is_public(address: Address) -> bool:
    if isinstance(address, ipaddress.IPv4Address):
        return not any(address in network for network in _INSIDE_V4)
    return address in _GLOBAL_V6 and not any(address in network for network in _INSIDE_V6)


def is_own(address: Address) -> bool:
    """Whether it is this machine's, public or not: the kernel then sends from the address that it sends to.

    Connecting a datagram socket sends nothing.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(address), 9))
            return bool(parse(probe.getsockname()[0]) == address)
    except OSError:
        return False


def may_reach(address: Address, allowed: Sequence[str]) -> bool:
    return is_named(address, allowed) or (is_public(address) and not is_own(address))
