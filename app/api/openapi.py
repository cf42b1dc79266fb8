"""The published OpenAPI 3.1 document: what FastAPI collects, corrected and completed."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode

from app.api import problems
from app.api.etags import IF_MATCH
from app.api.fields import In, Out
from app.api.links import add_links
from app.api.plans.bulk import PlanLineIn
from app.api.response_headers import add_headers
from app.api.routing import Route
from app.api.scopes import scope_of
from app.domain.documents import clinic_rules_schema, protocol_schema
from app.domain.permissions import SCOPE_TEXTS, Scope

VERSION = "0.1.0"

TAGS = [
    {
        "name": "protocols",
        "description": "What a course of treatment is: timed steps, versions, checks, approval.",
    },
    {
        "name": "plans",
        "description": "A protocol applied to one patient: every step gets a day and a reason.",
    },
    {
        "name": "worklist",
        "description": "What waits for people: planned steps over all plans, and plans to look at.",
    },
    {
        "name": "events",
        "description": "What happened, in order, as a feed: nothing missed and nothing twice.",
    },
    {
        "name": "access",
        "description": "Who read or changed which patient's data, when, by which operation.",
    },
    {
        "name": "webhooks",
        "description": "Events sent to other systems: signed, at least once, in order in a plan.",
    },
    {
        "name": "calendars",
        "description": "Feeds for calendar programs, each at an address its reader alone knows.",
    },
    {
        "name": "patients",
        "description": "Minimal shadows of the EHR's patients, their absences and reported events.",
    },
    {
        "name": "locations",
        "description": "Places of the clinic: time zone, opening hours, holidays and closures.",
    },
    {
        "name": "batches",
        "description": "Work over many plans: its progress, and what became of each plan.",
    },
    {
        "name": "clinic",
        "description": "Rules that hold for every plan of the clinic, beside the protocol's own.",
    },
    {
        "name": "keys",
        "description": "Who may call: keys of the clinic's callers, their roles and scopes.",
    },
    {"name": "clock", "description": "Today and now; in a sandbox clinic the clock can be set."},
    {"name": "health", "description": "Whether the service lives and is ready to serve."},
]

DESCRIPTION = """\
Treatment-plan scheduling for regenerative medicine. A **protocol** says, as timed steps, how a
course of treatment runs. A **plan** is a protocol applied to one patient: every step gets a day,
and every day has a reason.

Every error is a problem document (RFC 9457) with a stable `type`; `422` names each fault by JSON
pointer. Reads of one thing give an `ETag`, changes require it in `If-Match`. Every `POST` that
stores takes an `Idempotency-Key`, unless its answer shows a secret. Lists are paged by `next`. A
2xx answer means: stored. Every answer has its `X-Request-Id`; `RateLimit` tells what is left.

Callers send a key, `Authorization: Bearer rgm_…`. Each operation needs one scope, which is named
with it. What belongs to another clinic is not found.

The [guide](/guide) has the words and how the engine decides.
"""

SECURITY_SCHEMES: dict[str, Any] = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of the clinic, `Authorization: Bearer rgm_…`.",
    },
    "token": {
        "type": "oauth2",
        "description": "A bearer token for an assertion that a client signs (`private_key_jwt`, "
        "RS384 or ES384), or one of the OpenID Connect issuer that the service trusts.",
        "flows": {
            "clientCredentials": {
                "tokenUrl": "/oauth/token",
                "scopes": {scope.value: text for scope, text in SCOPE_TEXTS.items()},
            }
        },
    },
    "keyHeader": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "The same key in a header of its own.",
    },
}

_NAMED_IN_PATHS: Mapping[str, str] = {
    "absence_id": "The absence.",
    "batch_id": "The batch.",
    "calendar_id": "The feed.",
    "closure_id": "The closure.",
    "day": "The local day.",
    "event_id": "The reported event.",
    "key_id": "The key's record; not the key itself.",
    "location_id": "The location.",
    "patient_id": "The patient.",
    "plan_id": "The plan.",
    "step_id": "The planned step.",
    "token": "What stands before `.ics` in the feed's address; it was told once.",
    "webhook_id": "The webhook.",
}

# What the framework says of every success, and what is to be said instead.
_UNSAID = "Successful Response"
_SUCCESSES: Mapping[str, str] = {
    "200": "What was asked for, or what came of it.",
    "201": "It is stored.",
    "202": "It is taken on, and goes on by itself.",
    "204": "It is done; there is nothing to show.",
}

_REFERENCE = "#/components/schemas/{model}"


class Regimen(FastAPI):
    """The application, publishing the corrected document."""

    def openapi(self) -> dict[str, Any]:
        """The document of all operations; built once."""
        if self.openapi_schema is None:
            for route in self.routes:
                if isinstance(route, Route):
                    route.completed().name_refusals()
            self.openapi_schema = _completed(super().openapi())
        return self.openapi_schema


def rendered(app: FastAPI) -> str:
    """The document as it is reviewed: one line for each thing that can change."""
    return json.dumps(app.openapi(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _completed(document: dict[str, Any]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for injected in ("HTTPValidationError", "ValidationError"):
        schemas.pop(injected, None)
    _complete_examples(schemas)
    for schema in (protocol_schema(), clinic_rules_schema()):
        schemas.update(_as_components(schema["$defs"]))
    _add(PlanLineIn, "validation", schemas)
    for model in problems.models():
        _add(model, "serialization", schemas)
    _close_maps(schemas)
    document["components"]["schemas"] = dict(sorted(schemas.items()))
    examples = document["components"].setdefault("examples", {})
    for path in document["paths"].values():
        for operation in path.values():
            _refer_to_documents(operation.get("requestBody", {}))
            _require_tags(operation.get("parameters", []))
            _describe_ids(operation.get("parameters", []))
            operation["security"] = _security(scope_of(operation["operationId"]))
            for status, response in operation["responses"].items():
                _simplify(response)
                if response["description"] == _UNSAID:
                    response["description"] = _SUCCESSES[status]
                _share_examples(response, examples)
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    document["components"]["examples"] = dict(sorted(examples.items()))
    document["paths"] = dict(sorted(document["paths"].items()))
    add_links(document["paths"])
    add_headers(document)
    return document


def _complete_examples(schemas: dict[str, Any]) -> None:
    """The framework leaves null out of examples, where it says that there is nothing."""
    for model in (*_models_of(In), *_models_of(Out)):
        extra = model.model_config.get("json_schema_extra")
        if isinstance(extra, dict) and "examples" in schemas.get(model.__name__, {}):
            schemas[model.__name__]["examples"] = extra["examples"]


def _models_of(model: type[BaseModel]) -> Iterator[type[BaseModel]]:
    for below in model.__subclasses__():
        yield below
        yield from _models_of(below)


def _add(model: type[BaseModel], mode: JsonSchemaMode, schemas: dict[str, Any]) -> None:
    """Add the schema of a model which the framework does not see, and those it refers to."""
    schema = model.model_json_schema(mode=mode, ref_template=_REFERENCE)
    for name, part in schema.pop("$defs", {}).items():
        schemas.setdefault(name, part)
    schemas[model.__name__] = schema


def _security(scope: Scope | None) -> list[dict[str, list[str]]]:
    """Any of the ways to be known, with the scope that the operation needs."""
    return [] if scope is None else [{name: [scope.value]} for name in SECURITY_SCHEMES]


def _as_components(schemas: Any) -> Any:
    """Schemas of documents, referring to each other where the document keeps them."""
    if isinstance(schemas, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/")
            if key == "$ref"
            else _as_components(value)
            for key, value in schemas.items()
        }
    return [_as_components(one) for one in schemas] if isinstance(schemas, list) else schemas


def _refer_to_documents(body: dict[str, Any]) -> None:
    """The framework knows a document as an object of anything; its published schema says all."""
    for content in body.get("content", {}).values():
        if "additionalProperties" in content["schema"] and "$ref" in content["schema"]:
            content["schema"] = {"$ref": content["schema"]["$ref"]}


def _close_maps(schemas: Any) -> None:
    """A map takes no other keys than those of its pattern, which JSON Schema wants said."""
    if isinstance(schemas, dict):
        if "patternProperties" in schemas:
            schemas.setdefault("additionalProperties", False)
        for part in schemas.values():
            _close_maps(part)
    elif isinstance(schemas, list):
        for part in schemas:
            _close_maps(part)


def _require_tags(parameters: list[dict[str, Any]]) -> None:
    """What is answered 428 without is required; the framework would answer 422, and sooner."""
    for parameter in parameters:
        if parameter["name"] == "If-Match":
            parameter["required"] = True
            parameter["schema"] = {"type": "string", "pattern": f"^{IF_MATCH}$"}


def _describe_ids(parameters: list[dict[str, Any]]) -> None:
    """What an id in an address names, which is the same wherever it stands."""
    for parameter in parameters:
        if parameter["in"] == "path":
            parameter.setdefault("description", _NAMED_IN_PATHS.get(parameter["name"], ""))


def _simplify(response: dict[str, Any]) -> None:
    """One possible schema needs no ``anyOf``; OpenAPI 3.2's ``itemSchema`` is not of 3.1.

    What is no JSON as a whole is text to the framework, even where each line follows a model.
    """
    for content in response.get("content", {}).values():
        content.pop("itemSchema", None)
        options = content.get("schema", {}).get("anyOf", [])
        if len(options) == 1:
            content["schema"] = options[0]
        if "$ref" in content.get("schema", {}):
            content["schema"] = {"$ref": content["schema"]["$ref"]}


def _share_examples(response: dict[str, Any], shared: dict[str, Any]) -> None:
    """A problem is described once and referred to from every operation that may answer it."""
    examples = response.get("content", {}).get(problems.MEDIA_TYPE, {}).get("examples", {})
    for slug, example in examples.items():
        if shared.setdefault(slug, example) != example:
            continue
        examples[slug] = {"$ref": f"#/components/examples/{slug}"}
