"""Measures what every request pays beside its route: the edge, limits, figures and its log line."""

import asyncio
import gc
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from time import process_time

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Scope

from app.logs import configure_logs
from app.main import create_app
from app.persistence.migrate import upgrade
from app.settings import LogFormat, LogLevel, Settings
from tests.benchmarks.figures import Figure
from tests.processes import environ, regimen

ROUNDS = 9
REQUESTS = 2000

_HEADERS = [
    (b"host", b"localhost"),
    (b"accept", b"application/json"),
    (b"user-agent", b"benchmark"),
    (b"accept-encoding", b"gzip"),
]


def figures() -> Iterator[Figure]:
    """The whole application and one without layers around its routes, in turns."""
    with tempfile.TemporaryDirectory(prefix="regimen-bench-") as folder:
        url = f"sqlite:///{folder}/regimen.db"
        upgrade(url)
        with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
            configure_logs(Settings(log_format=LogFormat.JSON), nowhere)
            measured = asyncio.run(_measured(url, _key(url)))
        configure_logs(Settings(log_level=LogLevel.WARNING))
        yield measured


def _key(url: str) -> bytes:
    """A key, made as operators make them."""
    made = subprocess.run(
        regimen("keys", "create", "benchmark", "--role", "admin"),
        env=environ(REGIMEN_DATABASE_URL=url),
        capture_output=True,
        text=True,
        check=True,
    )
    (key,) = set(re.findall(r"rgm_\S+", made.stdout))
    return str(key).encode("ascii")


async def _measured(url: str, key: bytes) -> Figure:
    whole, bare = (create_app(Settings(database_url=url, rate_limit=1_000_000)) for _ in range(2))
    bare.user_middleware.clear()
    for app in (whole, bare):
        app.router.routes.insert(0, Route("/v1/nothing", _nothing))
    differences = []
    gc.disable()
    for _ in range(ROUNDS + 1):
        alone = await _cpu(bare, key)
        differences.append((await _cpu(whole, key) - alone) * 1_000_000)
    gc.enable()
    for app in (whole, bare):
        await app.state.database.dispose()
    warm = tuple(differences[1:])
    assert median(warm) > 0
    return Figure("CPU of the edge, one request", warm, 60, 40, most=True, unit=" µs")


async def _nothing(_: Request) -> Response:
    return Response(b"{}", media_type="application/json")


async def _cpu(app: ASGIApp, key: bytes) -> float:
    """Seconds of this process for one request."""

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            assert message["status"] == 200

    begin = process_time()
    for _ in range(REQUESTS):
        scope: Scope = {
            "type": "http",
            "http_version": "1.1",
            "method": "GET",
            "path": "/v1/nothing",
            "raw_path": b"/v1/nothing",
            "root_path": "",
            "scheme": "http",
            "query_string": b"",
            "headers": [*_HEADERS, (b"authorization", b"Bearer " + key)],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        await app(scope, receive, send)
    return (process_time() - begin) / REQUESTS
