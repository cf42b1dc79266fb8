"""Many plans in one request: each line is stored or refused on its own."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import anyio
import pytest
from fastapi import Request

from app.api import lines
from app.api.refusals import BodyTooSlow
from tests.api.given_bulk import FEW, bodies, body_of, bulk, post, results_of, summary
from tests.api.given_plans import NOBODY, Data, Desk, faults_of, good

SECRET = "Jane-Doe-1975"


async def test_each_line_becomes_a_plan_and_is_told_where_it_is(desk: Desk) -> None:
    asked = await bodies(desk, 3)

    *stored, last = await bulk(desk, *asked)

    assert last == summary(created=3)
    assert [result["line"] for result in stored] == [1, 2, 3]
    for result, body in zip(stored, asked, strict=True):
        read = await desk.api.get(result["location"])
        assert read.status_code == 200
        assert read.headers["etag"] == result["etag"]
        assert read.json()["id"] == result["id"]
        assert read.json()["patient_id"] == body["patient"]["id"]


async def test_a_plan_made_so_is_the_same_as_one_posted_alone(desk: Desk) -> None:
    one, other = await bodies(desk, 2, practitioner="dr-7", note="by the window", condition="Pain")
    alone = await good(desk.post(one))

    made, _ = await bulk(desk, other)

    plan = await good(desk.api.get(made["location"]))
    assert nameless(plan) == nameless(alone)


def nameless(plan: Any) -> Any:
    """A plan without the ids that are its own and its patient's."""
    if isinstance(plan, dict):
        own = {"id", "patient_id", "next_step", "step_id", "step_ids"}
        return {key: nameless(value) for key, value in plan.items() if key not in own}
    return [nameless(one) for one in plan] if isinstance(plan, list) else plan


async def test_plans_of_one_request_are_listed_in_the_order_of_their_lines(desk: Desk) -> None:
    asked = [desk.body(parameters=FEW, status="draft") for _ in range(5)]

    *stored, _ = await bulk(desk, *asked)

    page = await good(desk.api.get("/v1/plans", params={"patient_id": desk.patient_id}))
    assert [plan["id"] for plan in reversed(page["items"])] == [plan["id"] for plan in stored]


async def test_what_happened_is_noted_once_for_each_plan_in_the_order_of_lines(
    own_desk: Desk,
) -> None:
    before = (await good(own_desk.api.get("/v1/events", params={"limit": 1})))["last"]

    *stored, _ = await bulk(own_desk, *await bodies(own_desk, 3), {})

    events = await good(own_desk.api.get("/v1/events", params={"after": before, "limit": 200}))
    made = [e for e in events["items"] if e["type"] == "plan_created"]
    assert [e["plan_id"] for e in made[-3:]] == [plan["id"] for plan in stored[:3]]


@pytest.mark.parametrize(
    "line, status, kind",
    [
        pytest.param(b"{", 400, "malformed-body", id="no JSON"),
        pytest.param(b'{"x": 1, "x": 2}', 400, "malformed-body", id="a key twice"),
        pytest.param(b"\xff", 400, "malformed-body", id="not UTF-8"),
        pytest.param(b"null", 422, "invalid-request", id="null"),
        pytest.param(b"[]", 422, "invalid-request", id="a list"),
        pytest.param(f'{{"{SECRET}": "{SECRET}"}}'.encode(), 422, "invalid-request", id="fields"),
        pytest.param({"laterality": ...}, 422, "invalid-plan", id="does not fit"),
        pytest.param({"protocol": {"key": "nobodys"}}, 404, "protocol-not-found", id="protocol"),
        pytest.param(
            {"protocol": {"key": "drafted"}}, 409, "no-active-version", id="no active version"
        ),
        pytest.param({"patient": {"id": NOBODY}}, 404, "patient-not-found", id="patient"),
        pytest.param(
            {"patient": {"identifier": {"system": SECRET, "value": SECRET}}},
            404,
            "patient-not-found",
            id="identifier",
        ),
        pytest.param({"location_id": NOBODY}, 404, "location-not-found", id="location"),
        pytest.param({"location_id": ...}, 422, "location-needed", id="several locations"),
        pytest.param({"anchor": {"date": "2027-03-13"}}, 409, "schedule-conflict", id="conflict"),
        pytest.param({"idempotency_key": "a b"}, 422, "invalid-request", id="key"),
        pytest.param(b'"' + b"x" * 64 * 1024 + b'"', 413, "body-too-large", id="64 KiB"),
        pytest.param(b"x" * 10_000_000, 413, "body-too-large", id="10 MB"),
    ],
)
async def test_a_bad_line_is_refused_alone_without_echo(
    desk: Desk, line: Data | bytes, status: int, kind: str
) -> None:
    bad = line if isinstance(line, bytes) else desk.body(note=SECRET, **line)
    first, last = await bodies(desk, 2)

    before, refused, after, end = await bulk(desk, first, bad, last)

    assert (before["status"], after["status"]) == (201, 201)
    assert (refused["line"], refused["status"]) == (2, status)
    assert (refused["problem"]["type"], refused["problem"]["status"]) == (kind, status)
    assert SECRET not in str(refused).replace(f"'pointer': '/{SECRET}'", "")
    assert end == summary(created=2, refused=1)


async def test_faults_of_a_line_are_named_by_pointers_into_it(desk: Desk) -> None:
    body = desk.body(anchor={"date": "soon"}, changes=[{"type": "pin", "step": "session"}])

    refused, _ = await bulk(desk, body)

    assert faults_of(refused["problem"]) == {
        "/anchor/date": "not-a-day",
        "/changes/0/to": "missing",
    }


async def test_a_conflict_is_told_without_bodies_to_post_instead(desk: Desk) -> None:
    body = desk.body(anchor={"date": "2027-03-13"})
    alone = (await desk.post(body)).json()

    refused, _ = await bulk(desk, body)

    assert alone["options"]
    assert refused["problem"] == {**alone, "options": []}


async def test_lines_for_one_patient_see_one_another(desk: Desk) -> None:
    first, second, _ = await bulk(desk, desk.body(), desk.body())

    assert (first["status"], second["status"]) == (201, 409)
    assert f"other:{first['id']}/primer/1" in {
        element["id"] for element in second["problem"]["conflict"]["elements"]
    }


async def test_a_patient_named_in_both_ways_is_one_patient(desk: Desk) -> None:
    by_name = desk.body(patient={"identifier": desk.mrn})

    first, second, _ = await bulk(desk, by_name, desk.body())

    assert (first["status"], second["status"]) == (201, 409)


async def test_a_patient_that_is_gone_is_not_planned_for(desk: Desk) -> None:
    await desk.api.post(f"/v1/patients/{desk.patient_id}/erase", json={"reason": "asked for"})

    refused, _ = await bulk(desk, desk.body())

    assert (refused["status"], refused["problem"]["type"]) == (409, "patient-erased")


async def test_what_was_reported_of_a_patient_counts(desk: Desk) -> None:
    await desk.report(agent="corticosteroid_injection", on="2027-01-04")
    soon = desk.body(parameters=FEW, anchor={"date": "2027-01-22"})
    alone = await desk.preview(soon)

    refused, _ = await bulk(desk, soon)

    assert refused["status"] == alone.status_code
    assert refused["problem"]["detail"] == alone.json()["detail"]


async def test_an_identifier_names_one_plan_whether_stored_or_of_another_line(desk: Desk) -> None:
    names = [{"system": "urn:example:ehr", "value": f"{desk.patient_id}-{n}"} for n in range(2)]
    await good(desk.post((await bodies(desk, 1, identifiers=names[:1]))[0]))
    asked = [
        *await bodies(desk, 1, identifiers=names[:1]),
        *await bodies(desk, 2, identifiers=names[1:]),
    ]

    stored_before, first, second, _ = await bulk(desk, *asked)

    assert [r["status"] for r in (stored_before, first, second)] == [409, 201, 409]
    assert stored_before["problem"]["type"] == second["problem"]["type"] == "plan-identifier-taken"


async def test_empty_lines_are_passed_over_and_counted(desk: Desk) -> None:
    one, other = await bodies(desk, 2)
    body = b"\r\n" + json.dumps(one).encode() + b"\r\n \n" + json.dumps(other).encode()

    *stored, last = results_of(await post(desk.api, body))

    assert [(r["line"], r["status"]) for r in stored] == [(2, 201), (4, 201)]
    assert last == summary(created=2)


async def test_no_lines_are_no_plans(desk: Desk) -> None:
    assert results_of(await post(desk.api, b"")) == [summary()]


@pytest.mark.parametrize("media_type", ["application/json", "text/plain", "application/ndjson2"])
async def test_another_media_type_is_refused(desk: Desk, media_type: str) -> None:
    before = await desk.rows()

    answer = await post(desk.api, body_of([desk.body()]), **{"Content-Type": media_type})

    assert (answer.status_code, answer.json()["type"]) == (415, "unsupported-media-type")
    assert await desk.rows() == before


async def test_a_key_for_the_whole_request_is_refused(desk: Desk) -> None:
    answer = await post(desk.api, body_of([desk.body()]), **{"Idempotency-Key": "all"})

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-idempotency-key")


async def test_a_body_that_says_it_is_too_large_is_refused_unread(desk: Desk) -> None:
    answer = await post(desk.api, b"\n" * (lines.MAX_BODY + 1))

    assert (answer.status_code, answer.json()["type"]) == (413, "body-too-large")


async def test_a_body_that_turns_out_too_large_is_read_no_further(desk: Desk) -> None:
    [body] = await bodies(desk, 1)

    async def endless() -> AsyncIterator[bytes]:
        yield body_of([body])
        for _ in range(33):
            yield b" " * 1024 * 1024

    stored, refused, last = results_of(await post(desk.api, endless()))

    assert (stored["status"], refused["line"], refused["status"]) == (201, 2, 413)
    assert last == summary(created=1, refused=1, complete=False)


async def test_lines_that_do_not_come_are_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lines, "SILENCE_SECONDS", 0.1)
    come = [{"type": "http.request", "body": b"{}\n{", "more_body": True}]

    async def receive() -> Any:
        return come.pop() if come else await asyncio.Event().wait()

    headers = [(b"content-type", b"application/x-ndjson")]
    reader = lines.LineReader(Request({"type": "http", "headers": headers}, receive))

    assert [line.text for line in await reader.read()] == [b"{}"]
    (late,) = await reader.read()
    assert (late.number, type(late.refusal), reader.complete) == (2, BodyTooSlow, False)
    assert await reader.read() == []


async def test_lines_after_the_ten_thousandth_are_not_read(desk: Desk) -> None:
    first, last = await bodies(desk, 2)
    most: list[Data | bytes] = [first, *[b""] * 9_998, last]

    stored, tenth, refused, end = await bulk(desk, *most, {"not": "read"}, b"nor this")

    assert (stored["line"], stored["status"]) == (1, 201)
    assert (tenth["line"], tenth["status"]) == (10_000, 201)
    assert (refused["line"], refused["status"]) == (10_001, 413)
    assert end == summary(created=2, refused=1, complete=False)


async def test_a_line_under_a_key_is_made_once(desk: Desk) -> None:
    line = desk.body(parameters=FEW, idempotency_key=desk.patient_id)
    first, _ = await bulk(desk, line)
    await desk.at("2027-01-05T08:59:00-07:00")

    again, last = await bulk(desk, line)

    assert again == {**first, "replayed": True}
    assert last == summary(replayed=1)
    page = await good(desk.api.get("/v1/plans", params={"patient_id": desk.patient_id}))
    assert len(page["items"]) == 1


async def test_a_key_twice_in_one_request_is_one_plan(desk: Desk) -> None:
    line = desk.body(parameters=FEW, idempotency_key=desk.patient_id)

    first, second, third, last = await bulk(desk, line, line, {**line, "note": "another"})

    assert second == {**first, "line": 2, "replayed": True}
    assert (third["status"], third["problem"]["type"]) == (422, "idempotency-key-reused")
    assert last == summary(created=1, replayed=1, refused=1)


async def test_another_line_under_a_key_is_refused(desk: Desk) -> None:
    line = desk.body(parameters=FEW, idempotency_key=desk.patient_id)
    await bulk(desk, line)

    refused, _ = await bulk(desk, {**line, "note": "another"})

    assert (refused["status"], refused["problem"]["type"]) == (422, "idempotency-key-reused")


async def test_a_key_of_a_request_of_its_own_is_no_lines_key(desk: Desk) -> None:
    body = desk.body(parameters=FEW)
    await good(desk.post(body, headers={"Idempotency-Key": desk.patient_id}))

    refused, _ = await bulk(desk, {**body, "idempotency_key": desk.patient_id})

    assert refused["problem"]["type"] == "idempotency-key-reused"


async def test_a_refused_line_does_not_burn_its_key(desk: Desk) -> None:
    line = desk.body(parameters=FEW, idempotency_key=desk.patient_id)

    refused, stored, _ = await bulk(desk, {**line, "anchor": {"date": "2027-03-13"}}, line)

    assert (refused["status"], stored["status"]) == (409, 201)


async def test_a_key_is_forgotten_after_a_day(desk: Desk) -> None:
    line = desk.body(parameters=FEW, status="draft", idempotency_key=desk.patient_id)
    first, _ = await bulk(desk, line)
    await desk.at("2027-01-05T09:00:00-07:00")

    again, _ = await bulk(desk, line)

    assert again["id"] != first["id"]
    assert not again["replayed"]


async def test_equal_requests_at_once_store_each_line_once(desk: Desk) -> None:
    asked = await bodies(desk, 20, idempotency_key=desk.patient_id)
    keyed = [{**line, "idempotency_key": f"{desk.patient_id}-{n}"} for n, line in enumerate(asked)]
    found: list[list[Data]] = []

    async def send() -> None:
        found.append(await bulk(desk, *keyed))

    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(send)

    assert {tuple(r["id"] for r in results[:-1]) for results in found} == {
        tuple(r["id"] for r in found[0][:-1])
    }
    assert sorted(results[-1]["summary"]["created"] for results in found) == [0, 0, 20]
