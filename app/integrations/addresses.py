"""Which addresses that clients name may be called: public ones, and nothing that leads inside."""

import re
from dataclasses import dataclass
from enum import StrEnum
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

from app.domain.errors import DomainError

MAX_URL = 1000
Address = IPv4Address | IPv6Address

# What `is_global` calls public although it leads to private networks, or to many machines.
_NOT_PUBLIC = tuple(
    ip_network(network)
    for network in (
        "64:ff9b::/96",  # NAT64: any IPv4 address, private ones too
        "64:ff9b:1::/48",
        "2002::/16",  # 6to4, likewise
        "2001::/32",  # Teredo, likewise
        "::/96",  # IPv4-compatible, likewise
        "::ffff:0:0:0/96",  # IPv4-translated, likewise
        "fec0::/10",  # site-local
        "ff00::/8",  # multicast
        "192.88.99.0/24",  # 6to4 relays
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved
    )
)
_OWN_NETWORKS = tuple(
    ip_network(network) for network in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")
)
_LABEL = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9])?"
# A last label that begins with a digit would make it a number: 127.1, 0x7f.1, 2130706433.
_NAME = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]){_LABEL}")
_LOOPBACK_NAMES = {"localhost", "127.0.0.1", "::1"}
_PORTS = {"https": 443, "http": 80}


class UrlRefused(DomainError):
    """The URL cannot be called: it must be https, of a public host, without credentials."""


class Failure(StrEnum):
    """Why an attempt had no answer."""

    ADDRESS_REFUSED = "address_refused"
    """The URL, or an address its name has now, may not be called."""
    NAME_UNKNOWN = "name_unknown"
    NOT_CONNECTED = "not_connected"
    """Nobody listens there, or its certificate does not hold."""
    TIMED_OUT = "timed_out"
    BROKEN_OFF = "broken_off"
    """The connection ended before an answer, or what came was none."""


class NotSent(Exception):
    """No answer was had."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.value)
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Target:
    """A URL that may be called, taken apart."""

    url: str
    host: str
    port: int


def check_url(url: str, *, loopback: bool = False) -> Target:
    """Take a URL apart that may be called, as far as its text shows. Raises UrlRefused."""
    parts = _parts(url)
    host = (parts.hostname or "").rstrip(".")
    local = loopback and host in _LOOPBACK_NAMES
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise UrlRefused("the url must begin with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UrlRefused("the url must have no user name, password or fragment")
    if not local and not _is_public_host(host, is_address="[" in parts.netloc):
        raise UrlRefused("the url's host is not a public one")
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        if port == 0:
            raise UrlRefused("the url's port is malformed")
        return Target(url, host, port)
    except ValueError:
        raise UrlRefused("the url is malformed") from None


def is_public(address: Address) -> bool:
    """Whether an address is on the internet, and one machine's."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def is_in_own_network(address: Address) -> bool:
    """Whether it is an address of a private network (RFC 1918, RFC 4193)."""
    return any(address in network for network in _OWN_NETWORKS)


def _parts(url: str) -> SplitResult:
    if len(url) > MAX_URL or not (url.isascii() and url.isprintable()) or set(url) & set(' "\\'):
        raise UrlRefused(f"the url must be at most {MAX_URL} characters of a url")
    try:
        return urlsplit(url)
    except ValueError:
        raise UrlRefused("the url is malformed") from None


def _is_public_host(host: str, *, is_address: bool) -> bool:
    try:
        return is_public(ip_address(host))
    except ValueError:
        return not is_address and len(host) <= 253 and _NAME.fullmatch(host) is not None
