"""What an IP address belongs to. Pure; asked of the address that was connected to, never of a name or its spelling.

A name may have another address each time that it is looked up (DNS rebinding), and `0xa9fea9fe`, `2852039166` and
`0251.0376.0251.0376` are all 169.254.169.254 to the system that connects.
"""

import ipaddress

_PLATFORM = ipaddress.ip_address("168.63.129.16")
"""Azure's own services for each virtual machine: by number a public address (Microsoft, "What is IP address
168.63.129.16?")."""
_NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
_INTERNET = ipaddress.ip_network("2000::/3")
"""What IANA gives out of IPv6. `is_global` is true as well of forms of before, such as fec0::/10 and ::10.0.0.1."""
_METADATA = frozenset({ipaddress.ip_address("fd00:ec2::254"), ipaddress.ip_address("100.100.100.200")})
"""The instance metadata of other clouds, at addresses that are not link-local."""

type _Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def public(text: str) -> bool:
    """Whether an IP address belongs to the internet at large."""
    address = _meant(text)
    if isinstance(address, ipaddress.IPv6Address) and address not in _INTERNET:
        return False
    return address.is_global and not address.is_multicast and address != _PLATFORM


def of_the_platform(text: str) -> bool:
    """Whether it is where a cloud tells a machine of itself (IMDS, the wire server), or no machine's at all."""
    address = _meant(text)
    if isinstance(address, ipaddress.IPv6Address) and address.sixtofour is not None:
        address = address.sixtofour
    return (
        address.is_link_local
        or address.is_unspecified
        or address.is_multicast
        or address == _PLATFORM
        or address in _METADATA
    )


def _meant(text: str) -> _Address:
    """An IPv4 address that is written as an IPv6 one is itself."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF)
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
    return address
