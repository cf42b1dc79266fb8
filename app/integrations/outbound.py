"""Calls to addresses that clients named: only public ones are reached. It alone knows httpx.

A name is resolved once, every address it has must be public, and the connection is made to an
address that was checked; redirects and proxies are not followed.
"""

import asyncio
import re
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from urllib.parse import SplitResult, urlsplit

import anyio
import httpx

from app.domain.errors import DomainError

MAX_URL = 1000
SECONDS = 10.0
# Names that nobody answers for hold a thread each for a while; others must not wait for one.
LOOKUPS = 200

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
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

    url: httpx.URL
    host: str
    port: int


class Resolver:
    """Asks the machine for the addresses of names, many at a time."""

    def __init__(self) -> None:
        self._threads = anyio.CapacityLimiter(LOOKUPS)

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Every address of a name, in the order in which the machine would try them."""
        look_up = partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = await anyio.to_thread.run_sync(
            look_up, abandon_on_cancel=True, limiter=self._threads
        )
        return [str(entry[4][0]) for entry in found]


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls public addresses; ``loopback`` adds this machine, also without TLS, for development.

    A call takes at most ``seconds``, all of it together.
    """

    client: httpx.AsyncClient
    seconds: float = SECONDS
    loopback: bool = False
    resolve: Resolve = field(default_factory=Resolver)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> int:
        """Send a body and give the status that is answered; what else is answered is not read.

        Raises NotSent.
        """
        try:
            async with asyncio.timeout(self.seconds):
                target = check_url(url, loopback=self.loopback)
                return await self._send(target, await self._address(target), headers, body)
        except UrlRefused as error:
            raise NotSent(Failure.ADDRESS_REFUSED) from error
        except TimeoutError as error:
            raise NotSent(Failure.TIMED_OUT) from error
        except httpx.ConnectError as error:
            raise NotSent(Failure.NOT_CONNECTED) from error
        except (httpx.HTTPError, OSError) as error:
            raise NotSent(Failure.BROKEN_OFF) from error

    async def get(self, url: str, *, most: int) -> bytes:
        """What is found at a URL, where it is answered with 200 and of so many bytes at most.

        Raises NotSent.
        """
        try:
            async with asyncio.timeout(self.seconds):
                target = check_url(url, loopback=self.loopback)
                request = self._request("GET", target, await self._address(target))
                response = await self.client.send(request, stream=True)
                try:
                    return await _read(response, most)
                finally:
                    await response.aclose()
        except UrlRefused as error:
            raise NotSent(Failure.ADDRESS_REFUSED) from error
        except TimeoutError as error:
            raise NotSent(Failure.TIMED_OUT) from error
        except (httpx.HTTPError, OSError) as error:
            raise NotSent(Failure.BROKEN_OFF) from error

    async def _address(self, target: Target) -> str:
        """An address of the target, when all that it has may be called."""
        try:
            texts = await self.resolve(target.host, target.port)
            found = [ip_address(text.partition("%")[0]) for text in texts]
        except (OSError, ValueError) as error:
            raise NotSent(Failure.NAME_UNKNOWN) from error
        if not found:
            raise NotSent(Failure.NAME_UNKNOWN)
        if not all(self._may_be_called(address) for address in found):
            raise NotSent(Failure.ADDRESS_REFUSED)
        return str(found[0])

    def _may_be_called(self, address: Address) -> bool:
        return is_public(address) or (self.loopback and address.is_loopback)

    async def _send(
        self, target: Target, address: str, headers: Mapping[str, str], body: bytes
    ) -> int:
        request = self._request("POST", target, address, headers=headers, content=body)
        response = await self.client.send(request, stream=True)
        await response.aclose()
        return response.status_code

    def _request(
        self,
        method: str,
        target: Target,
        address: str,
        *,
        headers: Mapping[str, str] | None = None,
        content: bytes | None = None,
    ) -> httpx.Request:
        """Connect to the address, but ask for the host, whose certificate is checked."""
        return self.client.build_request(
            method,
            target.url.copy_with(host=address),
            headers={**(headers or {}), "host": target.url.netloc.decode("ascii")},
            content=content,
            extensions={"sni_hostname": target.host},
        )


async def _read(response: httpx.Response, most: int) -> bytes:
    """The whole body of a good answer, if it is not too long. Raises NotSent."""
    body = b""
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            break
    if response.status_code != httpx.codes.OK or len(body) > most:
        raise NotSent(Failure.BROKEN_OFF)
    return body


@asynccontextmanager
async def open_client(
    certificates: ssl.SSLContext | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client for a caller while the block runs.

    It keeps no connection: another name may share the address, but not the certificate.
    """
    async with httpx.AsyncClient(
        verify=certificates or ssl.create_default_context(),
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - the caller bounds the whole call
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
    ) as client:
        yield client


def check_url(url: str, *, loopback: bool = False) -> Target:
    """Take a URL apart that may be called, as far as its text shows. Raises UrlRefused."""
    parts = _parts(url)
    host = (parts.hostname or "").rstrip(".")
    local = loopback and host in _LOOPBACK_NAMES
    if parts.scheme != "https" and not (local and parts.scheme == "http"):
        raise UrlRefused("the url must begin with https://")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise UrlRefused("the url must have no user name, password or fragment")
    if not local and not _is_public_host(host):
        raise UrlRefused("the url's host is not a public one")
    try:
        port = _PORTS[parts.scheme] if parts.port is None else parts.port
        if port == 0:
            raise UrlRefused("the url's port is malformed")
        return Target(httpx.URL(url), host, port)
    except (ValueError, httpx.InvalidURL):
        raise UrlRefused("the url is malformed") from None


def is_public(address: Address) -> bool:
    """Whether an address is on the internet, and one machine's."""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    return address.is_global and not any(address in network for network in _NOT_PUBLIC)


def _parts(url: str) -> SplitResult:
    if len(url) > MAX_URL or not (url.isascii() and url.isprintable()) or set(url) & set(' "\\'):
        raise UrlRefused(f"the url must be at most {MAX_URL} characters of a url")
    try:
        return urlsplit(url)
    except ValueError:
        raise UrlRefused("the url is malformed") from None


def _is_public_host(host: str) -> bool:
    try:
        return is_public(ip_address(host))
    except ValueError:
        return len(host) <= 253 and _NAME.fullmatch(host) is not None
