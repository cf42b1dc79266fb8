"""The published document: a reviewed snapshot, valid, complete."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from jsonschema_rs import Draft202012Validator, Registry
from openapi_spec_validator import OpenAPIV31SpecValidator

from app.api.openapi import rendered
from app.main import create_app
from app.settings import Settings
from tests.client import REVIEWED

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def application() -> FastAPI:
    """An application whose database is never opened."""
    return create_app(Settings(database_url="sqlite+aiosqlite:///unused.db"))


@pytest.fixture(scope="module")
def document(application: FastAPI) -> dict[str, Any]:
    """The published document."""
    return application.openapi()


def operations(document: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Every operation with its name."""
    return [
        (f"{method} {path}", operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_the_document_is_the_reviewed_one(application: FastAPI) -> None:
    """To renew it: ``python -m app openapi > tests/api/openapi.json``; then review it."""
    assert rendered(application) == REVIEWED.read_text("utf-8")


def test_the_document_is_valid(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_the_documents_version_is_the_projects(document: dict[str, Any]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

    assert document["info"]["version"] == project["version"]


def test_every_operation_says_what_it_does(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        assert operation["summary"], name
        assert operation["description"], name
        assert len(operation["tags"]) == 1, name
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", operation["operationId"]), name


def test_every_tag_is_described(document: dict[str, Any]) -> None:
    described = {tag["name"] for tag in document["tags"]}

    assert {tag for _, operation in operations(document) for tag in operation["tags"]} <= described


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                assert list(response["content"]) == ["application/problem+json"], (name, status)
                assert response["content"]["application/problem+json"]["examples"], (name, status)


def test_what_any_operation_may_answer_is_documented(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        expected = {"400", "414", "422", "431", "500", "503"}
        if "requestBody" in operation:
            expected |= {"413", "415"}
        assert expected <= operation["responses"].keys(), name


def test_every_body_and_answer_has_an_example(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        if name.endswith(("In", "Out")) and schema.get("type") == "object":
            assert schema.get("examples") or _is_part(name, document), name


def test_every_field_is_described(document: dict[str, Any]) -> None:
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            speaks_for_itself = {"const", "$ref"} & described.keys()
            assert described.get("description") or speaks_for_itself, (name, field)


def test_every_example_is_one(document: dict[str, Any]) -> None:
    """Nulls too, which the framework leaves out of what it publishes."""
    registry = Registry([("urn:document", document)])
    for name, schema in document["components"]["schemas"].items():
        reference = {"$ref": f"urn:document#/components/schemas/{name}"}
        validator = Draft202012Validator(reference, registry=registry, validate_formats=True)
        for example in schema.get("examples", ()):
            assert [error.message for error in validator.iter_errors(example)] == [], name


def test_every_parameter_is_described(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description"), (name, parameter["name"])


def test_no_schema_is_named_by_the_module_it_stands_in(document: dict[str, Any]) -> None:
    """Two models of one name would be told apart by our folders."""
    assert [name for name in document["components"]["schemas"] if not name.isalnum()] == []


def test_the_frameworks_own_error_schema_is_gone(document: dict[str, Any]) -> None:
    text = json.dumps(document)

    assert "HTTPValidationError" not in text
    assert "itemSchema" not in text


def _is_part(name: str, document: dict[str, Any]) -> bool:
    """Whether a model only occurs within others, whose example shows it."""
    reference = f"#/components/schemas/{name}"
    return all(
        content.get("schema", {}).get("$ref") != reference
        for _, operation in operations(document)
        for part in [operation.get("requestBody", {}), *operation["responses"].values()]
        for content in part.get("content", {}).values()
    )
