"""The clinic's own rules over HTTP."""

from typing import Any

import pytest

from tests.client import Answer, Client

RULES: dict[str, Any] = {
    "format": 1,
    "title": "Ours",
    "washouts": [{"id": "nsaid", "agent": "nsaid", "before": "P14D", "severity": "review"}],
}
YAML = b"""
format: 1
title: Ours
washouts:
  - {id: nsaid, agent: nsaid, before: P14D, severity: review}
"""


async def save(api: Client, rules: Any = RULES, tag: str = '"0"') -> Answer:
    """Replace the rules."""
    return await api.put("/v1/clinic/rules", json=rules, headers={"If-Match": tag})


async def test_a_clinic_begins_with_the_built_in_rules(api: Client) -> None:
    answer = await api.get("/v1/clinic/rules")

    agents = {washout["agent"] for washout in answer.json()["washouts"]}
    assert (answer.status_code, answer.headers["etag"]) == (200, '"0"')
    assert {"nsaid", "corticosteroid_injection"} <= agents


async def test_rules_that_are_saved_are_read_back(api: Client) -> None:
    saved = await save(api)

    answer = await api.get("/v1/clinic/rules")

    assert (saved.status_code, saved.headers["etag"]) == (200, '"1"')
    assert answer.json() == saved.json() == RULES
    assert answer.headers["etag"] == '"1"'


async def test_what_was_read_can_be_saved_as_it_is(api: Client) -> None:
    read = await api.get("/v1/clinic/rules")

    saved = await save(api, read.json(), read.headers["etag"])

    assert saved.json() == read.json()


async def test_rules_may_come_as_yaml(api: Client) -> None:
    headers = {"If-Match": '"0"', "Content-Type": "application/yaml"}

    answer = await api.put("/v1/clinic/rules", content=YAML, headers=headers)

    assert (answer.status_code, answer.json()) == (200, RULES)


@pytest.mark.parametrize(
    "content, status, kind",
    [
        pytest.param(b"a: &x 1", 400, "malformed-body", id="an anchor"),
        pytest.param(b"- 1", 422, "invalid-request", id="a list"),
        pytest.param(b"x: " + b"y" * 300_000, 413, "body-too-large", id="300 KB"),
        pytest.param(YAML.replace(b"P14D", b"14"), 422, "invalid-clinic-rules", id="a fault"),
    ],
)
async def test_yaml_that_cannot_be_is_refused(
    api: Client, content: bytes, status: int, kind: str
) -> None:
    headers = {"If-Match": '"0"', "Content-Type": "application/yaml"}

    answer = await api.put("/v1/clinic/rules", content=content, headers=headers)

    assert (answer.status_code, answer.json()["type"]) == (status, kind)


async def test_every_fault_of_the_rules_is_named(api: Client) -> None:
    washouts = [{"id": "a", "agent": "nsaid"}, {"id": "b", "agent": "Two words", "after": "1"}]

    answer = await save(api, RULES | {"washouts": washouts, "extra": 1})

    assert (answer.status_code, answer.json()["type"]) == (422, "invalid-clinic-rules")
    pointers = {fault["pointer"] for fault in answer.json()["errors"]}
    assert {"/washouts/0", "/washouts/1/agent", "/washouts/1/after", "/extra"} <= pointers
    assert "Two words" not in answer.text
    assert (await api.get("/v1/clinic/rules")).headers["etag"] == '"0"'


async def test_of_two_who_save_at_once_one_is_told(api: Client) -> None:
    await save(api)

    answer = await save(api, RULES | {"title": "Theirs"})

    assert (answer.status_code, answer.json()["type"]) == (412, "changed-meanwhile")


async def test_rules_are_saved_over_those_that_were_read(api: Client) -> None:
    answer = await api.put("/v1/clinic/rules", json=RULES)

    assert (answer.status_code, answer.json()["type"]) == (428, "precondition-required")
