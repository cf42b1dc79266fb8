"""Every operation is given rubbish: it refuses as documented, and nothing breaks."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI

from app.main import create_app
from app.settings import Settings
from tests.client import PUBLISHED, Client, client_of

pytestmark = pytest.mark.long

NOTHING = "00000000-0000-7000-8000-000000000000"
RUBBISH: list[Any] = [
    None,
    "",
    "x" * 5000,
    "2027-02-30",
    "0001-01-01",
    "P99999D",
    "' OR 1=1 --",
    "../../etc/passwd",
    -1,
    10**18,
    1.5,
    True,
    [],
    [None],
    [[[]]],
    {},
    {"type": "x"},
]
BODIES = [b"", b"null", b"[]", b"{}", b"5", b'"x"', b"{", b"[" * 50, b'{"a":1,"a":2}', b"\xff"]


OPERATIONS = [
    pytest.param(method, path, operation, id=operation["operationId"])
    for path, methods in PUBLISHED["paths"].items()
    for method, operation in methods.items()
]


@pytest.fixture
async def app(sqlite_url: str) -> FastAPI:
    """Refusals come before the database, so one kind of it is enough."""
    return create_app(Settings(database_url=sqlite_url))


@pytest.fixture
async def api(app: FastAPI) -> Any:
    """A client that sends rubbish."""
    async with client_of(app, headers={"If-Match": '"1"'}) as client:
        yield client
    await app.state.database.dispose()


def examples_of(operation: dict[str, Any]) -> list[Any]:
    """Bodies that the document shows for an operation."""
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    name = content.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return list(PUBLISHED["components"]["schemas"].get(name, {}).get("examples", []))


def spoilt(value: Any) -> Iterator[Any]:
    """The value with each of its parts replaced by each piece of rubbish, one at a time."""
    if isinstance(value, dict):
        for key, part in value.items():
            for other in [*RUBBISH, *spoilt(part)]:
                yield copy.copy(value) | {key: other}
    if isinstance(value, list):
        for index, part in enumerate(value):
            for other in [*RUBBISH, *spoilt(part)]:
                yield [*value[:index], other, *value[index + 1 :]]


async def send(api: Client, method: str, path: str, body: Any = None) -> None:
    """The client judges the answer by the document; here only its status matters."""
    content = body if isinstance(body, bytes | None) else json.dumps(body)
    headers = {} if body is None else {"Content-Type": "application/json"}
    answer = await api.request(method, path, content=content, headers=headers)
    assert answer.status_code != 500, (method, path, body)


@pytest.mark.parametrize("method, path, operation", OPERATIONS)
async def test_rubbish_in_the_address_is_refused(
    api: Client, method: str, path: str, operation: dict[str, Any]
) -> None:
    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
    for rubbish in [NOTHING, "x", "%00", "%F0%9F%98%80", "2027-02-30", "9" * 40, "1.0.0"]:
        await send(api, method, path.format(**dict.fromkeys(names, rubbish)))


@pytest.mark.parametrize("method, path, operation", OPERATIONS)
async def test_rubbish_in_the_query_is_refused(
    api: Client, method: str, path: str, operation: dict[str, Any]
) -> None:
    parameters = operation.get("parameters", [])
    names = [one["name"] for one in parameters if one["in"] == "path"]
    address = path.format(**dict.fromkeys(names, NOTHING))
    for name in [one["name"] for one in parameters if one["in"] == "query"]:
        for rubbish in ["", "x", "-1", "9" * 40, "2027-02-30", "%00", "%ED%A0%80", "a" * 3000]:
            await send(api, method, f"{address}?{name}={rubbish}")


@pytest.mark.parametrize("method, path, operation", OPERATIONS)
async def test_a_spoilt_body_is_refused(
    api: Client, method: str, path: str, operation: dict[str, Any]
) -> None:
    if "requestBody" not in operation:
        return
    names = [one["name"] for one in operation.get("parameters", []) if one["in"] == "path"]
    address = path.format(**dict.fromkeys(names, NOTHING))
    for body in BODIES:
        await send(api, method, address, body)
    for example in examples_of(operation):
        for body in spoilt(example):
            await send(api, method, address, body)
