"""Where the page is: the addresses by which browsers here and elsewhere reach it."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from ipaddress import ip_address


def is_loopback(host: str) -> bool:
    """Is ``host`` this machine for itself alone?"""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):  # UnicodeError: no name that could be looked up
        return False
    return ip_address(str(found[0][4][0]).partition("%")[0]).is_loopback


def outgoing_address(host: str) -> str:
    """``host``, or where that stands for every address of the machine, the one by which it goes out."""
    try:
        if not ip_address(host).is_unspecified:
            return host
    except ValueError:
        return host
    family, far = (socket.AF_INET6, "2001:db8::1") if ":" in host else (socket.AF_INET, "192.0.2.1")
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect((far, 9))  # sends nothing; addresses that RFC 3849 and RFC 5737 keep for documentation
            return str(probe.getsockname()[0])
        except OSError:
            return "::1" if ":" in host else "127.0.0.1"


def page_address(host: str, port: int, hosts: Sequence[str], *, proxied: bool) -> str:
    """The page's address as a browser elsewhere would need it; behind one's own proxy that is the proxy's name.

    ``hosts`` are the names that the page was given beside ``host``, each with or without a port.
    """
    name = hosts[0] if hosts else outgoing_address(host)
    if hosts and (proxied or ":" in name):
        return f"{'https' if proxied else 'http'}://{name}/"
    return f"http://{f'[{name}]' if ':' in name else name}:{port}/"
