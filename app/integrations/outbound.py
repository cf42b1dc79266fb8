"""Calls to addresses that clients named: only public ones are reached. It alone knows httpx.

A name is resolved once, every address it has must be public, and the connection is made to an
address that was checked; redirects and proxies are not followed.
"""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_address
from typing import NamedTuple

import anyio
import httpx

from app.integrations.addresses import (
    Address,
    Failure,
    NotSent,
    Target,
    UrlRefused,
    check_url,
    is_in_own_network,
    is_public,
)

SECONDS = 10.0
# Names that nobody answers for hold a thread each for a while; others must not wait for one.
LOOKUPS = 200

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


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


class Answered(NamedTuple):
    """What was answered to a call: the status, and how long to wait as ``Retry-After`` has it."""

    status: int
    retry_after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Calls public addresses; ``loopback`` adds this machine, also without TLS, for development.

    ``own_network`` adds private addresses, for a URL that whoever runs the service has named.
    A call takes at most ``seconds``, all of it together.
    """

    client: httpx.AsyncClient
    seconds: float = SECONDS
    loopback: bool = False
    own_network: bool = False
    resolve: Resolve = field(default_factory=Resolver)

    async def post(self, url: str, *, headers: Mapping[str, str], body: bytes) -> Answered:
        """Send a body and give what is answered; the body of the answer is not read.

        Raises NotSent.
        """
        try:
            async with asyncio.timeout(self.seconds):
                target = check_url(url, loopback=self.loopback)
                return await self._send(target, await self._address(target), headers, body)
        except (UrlRefused, httpx.InvalidURL) as error:
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
        except (UrlRefused, httpx.InvalidURL) as error:
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
        return (
            is_public(address)
            or (self.loopback and address.is_loopback)
            or (self.own_network and is_in_own_network(address))
        )

    async def _send(
        self, target: Target, address: str, headers: Mapping[str, str], body: bytes
    ) -> Answered:
        request = self._request("POST", target, address, headers=headers, content=body)
        response = await self.client.send(request, stream=True)
        await response.aclose()
        return Answered(response.status_code, response.headers.get("retry-after"))

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
        url = httpx.URL(target.url)
        return self.client.build_request(
            method,
            url.copy_with(host=address),
            headers={**(headers or {}), "host": url.netloc.decode("ascii")},
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
