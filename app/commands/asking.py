"""Asks the application itself for what it offers, as any client would, but without a network."""

import json
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from fastapi import FastAPI

Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Client:
    """Asks an application in this process, without a network."""

    app: FastAPI

    async def ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        revision: int | None = None,
        expect: int = 200,
    ) -> Data:
        """Send a request and give the body of the answer; another status is a defect.

        ``revision`` is the one of the plan that a change is based on.
        """
        content = b"" if body is None else json.dumps(body).encode()
        messages: Iterator[Data] = iter(
            [{"type": "http.request", "body": content, "more_body": False}]
        )
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> MutableMapping[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        scope = _scope(method, path, len(content))
        if revision is not None:
            scope["headers"].append((b"if-match", f'"{revision}"'.encode()))
        await self.app(scope, receive, send)
        status = sent[0]["status"]
        if status != expect and not (expect == 200 and status == 201):
            raise RuntimeError(f"{method} {path} was answered {status} instead of {expect}")
        answer: Data = json.loads(b"".join(message.get("body", b"") for message in sent))
        return answer


def _scope(method: str, path: str, length: int) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [
            (b"host", b"localhost"),
            (b"content-type", b"application/json"),
            (b"content-length", str(length).encode()),
        ],
        "client": ("127.0.0.1", 0),
        "server": ("127.0.0.1", 80),
    }
