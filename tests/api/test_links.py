"""The links of the published document lead from what was made to what can be done with it."""

import json
import re
from functools import reduce
from typing import Any

import pytest

from tests.api.given_plans import Desk
from tests.api.given_storing_apart import STORING
from tests.client import PUBLISHED, Answer

OPERATIONS = {
    operation["operationId"]: (method, path, operation)
    for path, methods in PUBLISHED["paths"].items()
    for method, operation in methods.items()
}
LINKED = [
    name
    for name, (_, _, operation) in OPERATIONS.items()
    if any("links" in response for response in operation["responses"].values())
]


def value(expression: str, answer: Answer, path: str) -> str:
    """What a runtime expression stands for, https://spec.openapis.org/oas/v3.1.0#runtime-expressions"""
    if expression.startswith("$response.header."):
        return answer.headers[expression.removeprefix("$response.header.")]
    if expression.startswith("$request.path."):
        template = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)
        found = re.fullmatch(template, answer.request.url.path)
        assert found is not None
        return found[expression.removeprefix("$request.path.")]
    parts = expression.removeprefix("$response.body#/").split("/")
    return str(
        reduce(lambda part, key: part[int(key) if key.isdigit() else key], parts, answer.json())
    )


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", LINKED)
async def test_a_link_leads_to_what_was_made(own_desk: Desk, name: str) -> None:
    request = await STORING[name](own_desk)
    answer = await own_desk.api.request(
        request.method, request.path, json=request.body, headers=request.headers
    )
    links: dict[str, Any] = OPERATIONS[name][2]["responses"][str(answer.status_code)]["links"]
    assert links

    for target, link in links.items():
        method, path, operation = OPERATIONS[target]
        given = {
            parameter: value(expression, answer, OPERATIONS[name][1])
            for parameter, expression in link["parameters"].items()
        }
        for parameter, text in given.items():
            path = path.replace(f"{{{parameter.removeprefix('path.')}}}", text)
        assert "{" not in path
        if method == "get":
            needed = [
                p["name"] for p in operation["parameters"] if p["in"] == "query" and p["required"]
            ]
            found = await own_desk.api.get(
                path, headers=request.headers, params=dict.fromkeys(needed, "2027-03-10")
            )
            assert found.status_code == 200, json.dumps(found.json())
