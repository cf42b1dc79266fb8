"""The client of all API tests, the only user of httpx: judges answers by the document."""

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response
from jsonschema_rs import Draft202012Validator, Registry

from tests import fhir_judging

Client = AsyncClient
Answer = Response

PROBLEM = "application/problem+json"
# The document as it was reviewed: the one that is published, as tests/api/test_openapi.py holds.
# An application takes a second to build it.
REVIEWED = Path(__file__).parent / "api" / "openapi.json"
PUBLISHED: dict[str, Any] = json.loads(REVIEWED.read_text("utf-8"))
_UNDOCUMENTED = re.compile(r"/(openapi\.json|docs.*|redoc|guide.*|metrics)?$")


class Document:
    """The published document, as a judge of answers."""

    def __init__(self, document: dict[str, Any]) -> None:
        self.document = document
        self._registry = Registry([("urn:document", document)])
        self._validators: dict[str, Draft202012Validator] = {}

    @cached_property
    def _paths(self) -> list[tuple[re.Pattern[str], str]]:
        """Templates with fewer parameters first, as the router has them."""
        templates = sorted(self.document["paths"], key=lambda path: path.count("{"))
        return [(re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), path) for path in templates]

    def judge(self, response: Response) -> None:
        """Fail where an answer is not what the document promises."""
        path = response.request.url.path
        if response.request.method == "HEAD":
            assert not response.content
            return
        if path.startswith("/fhir/R4"):
            fhir_judging.judge(response.headers, response.content, path)
            return
        if _UNDOCUMENTED.fullmatch(path):
            return
        method = response.request.method.lower()
        for pattern, template in self._paths:
            if pattern.fullmatch(path) and method in self.document["paths"][template]:
                self._judge_operation(response, template, method)
                return
            if path == template:
                break
        if method == "options" and response.is_success:
            return  # a browser asks before it calls
        assert response.status_code in {400, 401, 404, 405, 414, 431}, response.text
        self._check("/components/schemas/Problem", response.json())

    def _judge_operation(self, response: Response, template: str, method: str) -> None:
        operation = self.document["paths"][template][method]
        status = str(response.status_code)
        what = f"{method} {template} answered {status}"
        assert status in operation["responses"], f"{what}, which is not documented"
        self._judge_headers(operation["responses"][status].get("headers", {}), response, what)
        content = operation["responses"][status].get("content", {})
        media_type = response.headers.get("content-type", "").partition(";")[0]
        if not response.content:
            assert not content, f"{what} without a body"
            return
        assert media_type in content, f"{what} as {media_type}"
        if media_type.endswith("json"):
            parts = (template, method, "responses", status, "content", media_type, "schema")
            escaped = (part.replace("~", "~0").replace("/", "~1") for part in parts)
            pointer = "/paths/" + "/".join(escaped)
            if media_type.endswith("ndjson"):
                for line in response.text.splitlines():
                    self._check(pointer, json.loads(line))
            else:
                self._check(pointer, response.json())

    def _judge_headers(self, promised: dict[str, Any], response: Response, what: str) -> None:
        for name, header in self.document["components"]["headers"].items():
            is_there = name in response.headers
            assert is_there <= (name in promised), f"{what} with {name}, which is not documented"
            is_due = name in promised and header.get("required", False)
            assert is_due <= is_there, f"{what} without {name}"

    def _check(self, pointer: str, data: Any) -> None:
        validator = self._validators.get(pointer)
        if validator is None:
            quoted = pointer.replace("{", "%7B").replace("}", "%7D")
            validator = Draft202012Validator(
                {"$ref": f"urn:document#{quoted}"},
                registry=self._registry,
                validate_formats=True,
            )
            self._validators[pointer] = validator
        validator.validate(data)


_DOCUMENT = Document(PUBLISHED)


@asynccontextmanager
async def client_of(
    app: FastAPI, *, came_from: str = "127.0.0.1", **options: Any
) -> AsyncIterator[Client]:
    """A client of the application, without a network; the lifespan does not run."""

    async def judge(response: Response) -> None:
        await response.aread()
        _DOCUMENT.judge(response)

    transport = ASGITransport(app=app, raise_app_exceptions=True, client=(came_from, 50_000))
    async with AsyncClient(
        transport=transport,
        base_url="http://localhost",
        event_hooks={"response": [judge]},
        **options,
    ) as client:
        yield client
