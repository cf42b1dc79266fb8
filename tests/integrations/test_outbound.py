"""Calls to addresses that clients named reach public ones only, and only what was checked."""

import ssl
from collections.abc import Sequence
from ipaddress import ip_address

import pytest
import trustme

from app.integrations.addresses import NotSent, check_url, is_in_own_network, is_public
from app.integrations.outbound import Caller, Resolver, open_client
from tests.receivers import HANG, receiving

PUBLIC = "93.184.216.34"


class Names:
    """Answers for names as a test says, and remembers how often it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """The addresses of any name."""
        self.asked.append((host, port))
        return self.addresses


async def failure_of(caller: Caller, url: str) -> str:
    """Why a call had no answer."""
    with pytest.raises(NotSent) as refused:
        await caller.post(url, headers={"webhook-id": "1"}, body=b"{}")
    return refused.value.failure.value


@pytest.mark.parametrize(
    "addresses",
    [
        ("127.0.0.1",),
        ("10.1.2.3",),
        (PUBLIC, "192.168.0.1"),
        ("2606:2800:220:1::1", "::ffff:10.0.0.1"),
        ("64:ff9b::a00:1",),
        ("fe80::1%eth0",),
        ("169.254.169.254",),
    ],
)
async def test_a_name_with_any_address_inside_is_not_called(addresses: tuple[str, ...]) -> None:
    names = Names(*addresses)
    async with open_client() as client:
        caller = Caller(client=client, resolve=names)

        assert await failure_of(caller, "https://rebound.example.org/") == "address_refused"

    assert names.asked == [("rebound.example.org", 443)]


@pytest.mark.parametrize(
    "address, is_called",
    [
        pytest.param("fd00::1", True, id="private"),
        pytest.param("127.0.0.1", False, id="this machine"),
        pytest.param("169.254.169.254", False, id="a cloud's own"),
        pytest.param("100.64.0.1", False, id="a provider's"),
    ],
)
async def test_with_leave_the_own_network_is_called_and_nothing_else_inside(
    address: str, is_called: bool
) -> None:
    async with open_client() as client:
        names = Names(address)
        caller = Caller(client=client, own_network=True, resolve=names, seconds=0.05)

        failure = await failure_of(caller, "https://login.example.org/")

    assert (failure != "address_refused") is is_called


@pytest.mark.parametrize("address", ["10.1.2.3", "172.31.0.1", "192.168.0.1", "fd12::1"])
def test_private_addresses_are_of_the_own_network(address: str) -> None:
    assert is_in_own_network(ip_address(address))


async def test_a_name_is_asked_for_once_and_its_address_is_called() -> None:
    names = Names("127.0.0.1")
    async with receiving() as receiver, open_client() as client:
        caller = Caller(client=client, loopback=True, resolve=names)
        port = int(receiver.url.rpartition(":")[2])

        status, _ = await caller.post(
            f"http://localhost:{port}/hook?a=b", headers={"webhook-id": "1"}, body=b'{"data":{}}'
        )

    (message,) = receiver.received
    assert (status, message.path) == (200, "/hook?a=b")
    assert message.headers["host"] == f"localhost:{port}"
    assert names.asked == [("localhost", port)]


async def test_a_redirect_is_not_followed() -> None:
    async with receiving(lambda _: 307) as receiver, open_client() as client:
        caller = Caller(client=client, loopback=True)

        status, _ = await caller.post(
            f"{receiver.url}/", headers={"webhook-id": "1"}, body=b'{"data":{}}'
        )

    assert status == 307
    assert len(receiver.received) == 1


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    async with receiving() as receiver, open_client() as client:
        caller = Caller(client=client, loopback=True)

        sent, _ = await caller.post(receiver.url, headers={"webhook-id": "1"}, body=b'{"data":{}}')

    assert sent == 200


async def test_a_call_ends_in_time_whoever_it_waits_for() -> None:
    async with receiving(lambda _: HANG) as receiver, open_client() as client:
        caller = Caller(client=client, loopback=True, seconds=0.1)

        assert await failure_of(caller, receiver.url) == "timed_out"


@pytest.mark.parametrize("addresses", [(), ("not an address",)])
async def test_a_name_without_addresses_is_unknown(addresses: tuple[str, ...]) -> None:
    async with open_client() as client:
        caller = Caller(client=client, resolve=Names(*addresses))

        assert await failure_of(caller, "https://nobody.example.org/") == "name_unknown"


async def test_a_name_that_cannot_be_is_unknown() -> None:
    async with open_client() as client:
        caller = Caller(client=client)

        assert await failure_of(caller, "https://nobody.invalid/") == "name_unknown"


async def test_without_leave_this_machine_is_not_called() -> None:
    async with receiving() as receiver, open_client() as client:
        caller = Caller(client=client)

        assert await failure_of(caller, receiver.url) == "address_refused"

    assert receiver.received == []


@pytest.mark.parametrize(
    "named, expected",
    [("hooks.example.org", 200), ("other.example.org", "not_connected")],
)
async def test_the_certificate_must_be_the_names_not_the_addresss(
    named: str, expected: int | str
) -> None:
    authority, tls = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("hooks.example.org").configure_cert(tls)
    trusted = ssl.create_default_context()
    authority.configure_trust(trusted)
    async with receiving(tls=tls) as receiver, open_client(trusted) as client:
        # Only the test says that such a name may be of this machine.
        caller = Caller(client=client, loopback=True, resolve=Names("127.0.0.1"))
        url = receiver.url.replace("127.0.0.1", named)

        try:
            answered = await caller.post(url, headers={"webhook-id": "1"}, body=b'{"data":{}}')
            found: int | str = answered.status
        except NotSent as error:
            found = error.failure.value

    assert found == expected
    assert len(receiver.accepted) == (expected == 200)


async def test_the_machine_is_asked_for_addresses() -> None:
    assert "127.0.0.1" in await Resolver()("localhost", 80)


@pytest.mark.parametrize(
    "address, expected",
    [
        (PUBLIC, True),
        ("2606:2800:220:1::1", True),
        ("::ffff:93.184.216.34", True),
        ("::ffff:127.0.0.1", False),
        ("::7f00:1", False),
        ("::ffff:0:7f00:1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::7f00:1", False),
        ("2002:7f00:1::", False),
        ("2001::1", False),
        ("fec0::1", False),
        ("fc00::1", False),
        ("ff0e::1", False),
        ("224.0.0.251", False),
        ("239.255.255.250", False),
        ("255.255.255.255", False),
        ("240.0.0.1", False),
        ("192.88.99.1", False),
        ("100.64.0.1", False),
        ("198.18.0.1", False),
        ("0.0.0.0", False),
        ("::", False),
    ],
)
def test_only_addresses_on_the_internet_are_public(address: str, expected: bool) -> None:
    assert is_public(ip_address(address)) is expected


@pytest.mark.parametrize(
    "url, host, port",
    [
        ("https://ehr.example.org", "ehr.example.org", 443),
        ("https://EHR.example.org./hook", "ehr.example.org", 443),
        ("https://ehr.example.org:8443/hook", "ehr.example.org", 8443),
        (f"https://{PUBLIC}/", PUBLIC, 443),
        ("https://[2606:2800:220:1::1]/", "2606:2800:220:1::1", 443),
        ("https://xn--bcher-kva.example/", "xn--bcher-kva.example", 443),
    ],
)
def test_a_url_that_may_be_called_is_taken_apart(url: str, host: str, port: int) -> None:
    target = check_url(url)

    assert (target.host, target.port) == (host, port)
