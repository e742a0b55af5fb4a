"""What EXPOSE may name: `[ip:][host:]port[-port][/protocol]`.

After frontend/dockerfile/dockerfile2llb/convert_expose.go.
"""

import re
from ipaddress import ip_address

from graph.dockerfile.gotext import quote

_PROTOCOLS = ("", "tcp", "udp", "sctp")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")


class PortError(ValueError):
    """BuildKit refuses the port."""


def check_port(text: str) -> None:
    """Raises PortError."""
    *rest, last = text.split(":")
    host = rest.pop() if rest else ""
    address = ":".join(rest)
    container, _, protocol = last.partition("/")
    if not container:
        raise PortError(f"invalid port: {quote(text)}: no port specified")
    if protocol.lower() not in _PROTOCOLS:
        raise PortError(f"invalid port: {quote(text)}: invalid proto: {protocol}")
    if address:
        _check_address(address)
    ports = _range(container)
    if ports is None:
        raise PortError(f"invalid containerPort: {container}")
    if host:
        hosts = _range(host)
        if hosts is None:
            raise PortError(f"invalid hostPort: {host}")
        if ports[1] != ports[0] and ports[1] - ports[0] != hosts[1] - hosts[0]:
            reason = f"invalid ranges specified for container and host Ports: {container} and {host}"
            raise PortError(reason)


def _check_address(address: str) -> None:
    bare = address[1:-1] if address.startswith("[") and address.endswith("]") else address
    try:
        ip_address(bare)
    except ValueError as exc:
        raise PortError(f"invalid IP address: {bare}") from exc


def _range(text: str) -> tuple[int, int] | None:
    begin, _, end = text.partition("-")
    if not all(_INTEGER.fullmatch(part) for part in (begin, end or begin)) or text.endswith("-"):
        return None
    first, last = int(begin), int(end or begin)
    return (first, last) if 0 <= first <= last <= 65535 else None
