"""What an attacker, a broken client or a pasted document may send, by class of weakness.

Nothing is answered with 500, nothing refused is repeated in the answer, every status is documented
(the client looks that up), and what is taken is given back exactly as it was sent.
"""

import json
import os
from typing import Any
from uuid import uuid4

import pytest

from tests.api.given_hostile import (
    CONTROLS,
    DAYS,
    JSON,
    MARK,
    NUMBERS,
    SPOTS,
    TEXTS,
    a_protocol,
    judge,
)
from tests.api.given_plans import NOBODY, Desk

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
DATABASES = ("sqlite", "postgresql") if DEEP else ("postgresql",)
pytestmark = [
    pytest.mark.deep,
    pytest.mark.parametrize("plans_url", DATABASES, indirect=True, scope="session"),
]


@pytest.mark.parametrize("spot", SPOTS)
async def test_text_is_only_text(desk: Desk, spot: str) -> None:
    for name, text in TEXTS.items():
        answer = await SPOTS[spot].send(desk, text)

        judge(answer, name, SPOTS[spot].given_back)
    assert (await desk.api.get("/v1/plans")).status_code == 200


@pytest.mark.parametrize(
    "path, body",
    [
        ("/v1/patients", '{"name": "%s"}'),
        ("/v1/patients", '{"identifiers": [{"system": "urn:x", "value": "%s"}]}'),
        ("/v1/patients/search", '{"name": "%s"}'),
        ("/v1/locations", '{"name": "%s", "time_zone": "UTC", "open_weekdays": [1]}'),
        ("/v1/plans/preview", '{"note": "%s"}'),
        ("/v1/protocols/check", '{"title": "%s"}'),
    ],
)
async def test_control_characters_are_taken_nowhere(desk: Desk, path: str, body: str) -> None:
    for name, text in CONTROLS.items():
        answer = await desk.api.post(path, content=body % text, headers=JSON)

        assert answer.status_code == 400, (name, answer.text)
        assert MARK not in answer.text, name


@pytest.mark.parametrize("number", NUMBERS)
async def test_numbers_are_whole_and_in_range_or_refused(desk: Desk, number: str) -> None:
    bodies = {
        "/v1/locations": f'{{"name": "x", "time_zone": "UTC", "open_weekdays": [{number}]}}',
        "/v1/plans/preview": f'{{"parameters": {{"primer_count": {number}}}}}',
        "/v1/protocols/check": json.dumps(a_protocol()).replace(": 1,", f": {number},"),
    }
    for path, body in bodies.items():
        judge(await desk.api.post(path, content=body, headers=JSON), path)
    for path in ("/v1/plans", "/v1/events", "/v1/worklist"):
        judge(await desk.api.get(path, params={"limit": number}), path)
    judge(await desk.api.get("/v1/events", params={"after": number}), "after")


@pytest.mark.parametrize("day", DAYS)
async def test_days_are_days_between_1900_and_2200_or_refused(desk: Desk, day: str) -> None:
    bodies = {
        "/v1/plans/preview": json.dumps(desk.body(anchor={"date": "DAY"})),
        "/v1/patients": '{"birth_date": "DAY"}',
        f"/v1/patients/{desk.patient_id}/unavailability": '{"from": "DAY", "to": "DAY"}',
        "/v1/closures/preview": json.dumps(
            {"location_id": desk.location_id, "title": "x", "from": "DAY", "to": "DAY"}
        ),
    }
    for path, body in bodies.items():
        answer = await desk.api.post(path, content=body.replace("DAY", day), headers=JSON)
        judge(answer, path)
    for name in ("from", "to"):
        judge(await desk.api.get("/v1/worklist", params={name: day}), name)


@pytest.mark.parametrize(
    "body, status",
    [
        pytest.param("[" * 33 + "]" * 33, 400, id="deep"),
        pytest.param('{"a":' * 40 + "1" + "}" * 40, 400, id="deep objects"),
        pytest.param("[" * 500_000, 400, id="a wall"),
        pytest.param("[" + "1," * 300_000 + "1]", 422, id="wide"),
        pytest.param(
            "{" + ",".join(f'"k{n}":1' for n in range(60_000)) + "}", 422, id="many fields"
        ),
        pytest.param('{"name": "x", "name": "y"}', 400, id="twice"),
        pytest.param('{"__proto__": {"admin": true}}', 422, id="prototype"),
        pytest.param('{"constructor": {"prototype": {}}}', 422, id="constructor"),
        pytest.param('{"$where": "sleep(1000)"}', 422, id="operator"),
        pytest.param('{"id": "x", "name": "x"}', 422, id="its id"),
        pytest.param('{"clinic_id": "x", "name": "x"}', 422, id="its clinic"),
        pytest.param('{"revision": 9, "name": "x"}', 422, id="its revision"),
        pytest.param('{"name": {"$gt": ""}}', 422, id="an object for text"),
        pytest.param('{"name": [["x"]]}', 422, id="a list for text"),
        pytest.param("{'name': 'x'}", 400, id="python"),
        pytest.param('{"name": "x",}', 400, id="a comma too many"),
        pytest.param('{"name": "x"} {"name": "y"}', 400, id="two bodies"),
        pytest.param('/**/{"name": "x"}', 400, id="a comment"),
        pytest.param("<patient/>", 400, id="xml"),
        pytest.param("name=x", 400, id="a form"),
        pytest.param("\x1f\x8b\x08\x00", 400, id="gzip"),
    ],
)
async def test_a_body_is_judged_by_its_form(desk: Desk, body: str, status: int) -> None:
    answer = await desk.api.post("/v1/patients", content=body.encode("latin-1"), headers=JSON)

    assert answer.status_code == status
    assert len(answer.content) < 20_000


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"steps": []}, id="no steps"),
        pytest.param({"steps": [{}] * 201}, id="201 steps"),
        pytest.param({"steps": "x" * 100_000}, id="text for steps"),
        pytest.param({"parameters": {"x" * 10_000: {}}}, id="a long name"),
        pytest.param({"key": "../../x"}, id="a path for a key"),
        pytest.param({"version": "1.0.0; rm -rf"}, id="a command for a version"),
        pytest.param({"format": 2**62}, id="a format of the future"),
        pytest.param({"include": ["hostile@1.0.0"]}, id="itself"),
        pytest.param({"month_end": "explode"}, id="an unknown rule"),
    ],
)
async def test_a_protocol_has_faults_and_breaks_nothing(desk: Desk, fields: Any) -> None:
    answer = await desk.api.post("/v1/protocols/check", json=a_protocol(**fields))

    judge(answer, "protocol")
    assert answer.status_code != 200 or answer.json()["faults"]


@pytest.mark.parametrize(
    "timing",
    [
        {"target": "P99999999Y"},
        {"target": "P3651D"},
        {"target": "PT1H"},
        {"target": "P1DT1S"},
        {"target": "P-1D"},
        {"target": "P1.5D"},
        {"target": "P" + "9" * 5000 + "D"},
        {"earliest": "P9D", "target": "P1D"},
        {"relative_to": "visit", "target": "P1D"},
        {"relative_to": "nobody", "target": "P1D"},
        {"relative_to": {"step": "visit", "occurrence": 10**18}, "target": "P1D"},
    ],
    ids=lambda timing: json.dumps(timing)[:40],
)
async def test_a_timing_that_cannot_be_is_a_fault(desk: Desk, timing: Any) -> None:
    protocol = a_protocol()
    protocol["steps"][0]["timings"] = [{"relative_to": "plan_start", **timing}]

    answer = await desk.api.post("/v1/protocols/check", json=protocol)

    judge(answer, "timing")
    assert answer.json()["faults"]


@pytest.mark.parametrize(
    "repeat",
    [
        {"count": 10**18, "spacing": {"target": "P1D"}},
        {"count": {"min": 1, "default": 2, "max": 10**9}, "spacing": {"target": "P1D"}},
        {"count": -1, "spacing": {"target": "P1D"}},
        {"count": 500, "spacing": {"target": "P3650D"}},
        {"count": 3, "spacing": {"target": "P0D", "latest": "-P1D"}},
    ],
    ids=json.dumps,
)
async def test_a_repeat_that_would_not_end_is_a_fault(desk: Desk, repeat: Any) -> None:
    protocol = a_protocol()
    protocol["steps"][0]["repeat"] = repeat

    answer = await desk.api.post("/v1/protocols/check", json=protocol)

    judge(answer, "repeat")


@pytest.mark.parametrize(
    "text",
    [
        "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
        "!!python/object/apply:os.system ['id']",
        "? {a: b}\n: c\n",
        "a: !!binary AAAA\n",
        "%YAML 9.9\n---\na: b\n",
        "a: b\n---\nc: d\n",
        "- " * 40 + "x",
        "{" * 40,
        "a: 'unfinished",
        "<<: {key: x}\n",
        "key: " + "9" * 5000,
        "\t- x",
    ],
    ids=lambda text: str(text)[:20].replace("\n", " "),
)
async def test_yaml_is_data_and_nothing_more(desk: Desk, text: str) -> None:
    headers = {"Content-Type": "application/yaml"}

    answer = await desk.api.post("/v1/protocols/check", content=text.encode(), headers=headers)

    judge(answer, "yaml")
    assert answer.status_code in {400, 422} or answer.json()["faults"]


@pytest.mark.parametrize(
    "headers, status",
    [
        pytest.param({"Host": "evil.example"}, 400, id="another host"),
        pytest.param({"Host": "localhost, evil.example"}, 400, id="two hosts"),
        pytest.param({"Host": "localhost:99999999"}, 400, id="a port that is none"),
        pytest.param({"X-Forwarded-Host": "evil.example"}, 200, id="forwarded host"),
        pytest.param({"X-HTTP-Method-Override": "DELETE"}, 200, id="another method"),
        pytest.param({"X-Original-URL": "/metrics"}, 200, id="another address"),
        pytest.param({"X-Request-Id": "a\tb c" * 20}, 200, id="an id that is none"),
        pytest.param({"Range": "bytes=0-"}, 200, id="range"),
        pytest.param({"Accept": "text/html;q=nan, */*;q=-1"}, 200, id="accept"),
        pytest.param({"Accept-Encoding": "gzip;q=1e999" * 50}, 200, id="encoding"),
        pytest.param({"If-None-Match": '"' * 3000}, 200, id="quotes"),
        pytest.param({"If-None-Match": "W/" * 1000}, 200, id="weak"),
        pytest.param({"Cookie": "a=b; " * 1000}, 200, id="cookies"),
        pytest.param({"Origin": "null"}, 200, id="no origin"),
        pytest.param({"Expect": "200-ok"}, 200, id="expectation"),
        pytest.param({"X": "y" * 40_000}, 431, id="a huge header"),
        pytest.param({f"x-{n}": "y" for n in range(120)}, 431, id="many headers"),
    ],
)
async def test_headers_change_nothing_that_they_should_not(
    desk: Desk, headers: dict[str, str], status: int
) -> None:
    answer = await desk.api.get("/v1/plans", headers=headers)

    assert answer.status_code == status
    assert "evil" not in answer.text
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    "path",
    [
        "/v1/plans/../../etc/passwd",
        "/v1/plans/%2e%2e%2f%2e%2e%2fetc%2fpasswd",
        "/v1//plans",
        "/v1/plans;a=b",
        "/v1/plans%00",
        "/v1/plans%0d%0aSet-Cookie:x",
        "/v1/PLANS",
        "/V1/plans",
        "/v1/plans/",
        "/docs/assets/../../../settings.py",
        "/docs/assets/%2e%2e%2fdocs.py",
        "/guide/..%2f..%2fsettings",
        "/guide/index.md",
        "/.git/config",
        "/.env",
        "/" + "a" * 9000,
        "/v1/plans?" + "a=b&" * 2100,
        "/%ff%fe",
        "/v1/plans/" + "%41" * 500,
        "/v1/protocols/%2F/versions/%2F",
    ],
    ids=lambda path: path[:40],
)
async def test_an_address_leads_to_an_operation_or_nowhere(desk: Desk, path: str) -> None:
    answer = await desk.api.get(path)

    assert answer.status_code in {400, 404, 405, 414, 422}
    assert "location" not in answer.headers
    assert "root:" not in answer.text


CHANGES: tuple[Any, ...] = (
    {"type": "move", "step_id": NOBODY, "to": "2027-03-10"},
    {"type": "move", "step_id": MARK, "to": "2027-03-10"},
    {"type": "move_anchor", "to": "9999-12-31"},
    {"type": "move_anchor", "to": MARK},
    {"type": "explode"},
    {"type": ["move"]},
    {"type": None},
    {},
    {"type": "report", "agent": MARK * 1000, "on": "2027-01-01"},
    {"type": "report", "agent": "x", "on": "2200-12-31"},
    {"type": "waive", "element": MARK, "days": 10**9, "reason": "x"},
    {"type": "waive", "element": "as_of", "days": -1, "reason": "x"},
    {"type": "set_parameter", "key": MARK, "value": 1},
    {"type": "set_parameter", "key": "primer_count", "value": 10**18},
    {"type": "decide", "step_id": NOBODY, "choice": MARK},
    {"type": "correct", "change_id": str(uuid4())},
    {"type": "amend", "version": "../../1"},
    {"type": "acknowledge", "breach": MARK},
    {"type": "add_step", "title": MARK, "kind": "explosion", "timing": {}},
    {"type": "unavailable", "from": "2027-03-10", "to": "1900-01-01"},
    {"type": "unavailable", "from": "1900-01-01", "to": "2200-12-31"},
    {"type": "resume", "on": "2027-02-30"},
)


async def test_a_change_that_makes_no_sense_changes_nothing(desk: Desk) -> None:
    plan = await desk.plan()
    address = f"/v1/plans/{plan['id']}"

    for change in CHANGES:
        for changes in ([change], [change] * 60):
            answer = await desk.api.post(
                f"{address}/changes", json={"changes": changes}, headers={"If-Match": '"1"'}
            )
            judge(answer, json.dumps(change))
            assert answer.status_code in {400, 404, 409, 422}, change
    assert (await desk.api.get(address)).json()["revision"] == 1


async def test_ten_thousand_changes_are_refused_at_once(desk: Desk) -> None:
    plan = await desk.plan(patient={"id": await desk.patient()})
    changes = [{"type": "report", "agent": "x", "on": "2027-01-01"}] * 10_000

    answer = await desk.api.post(
        f"/v1/plans/{plan['id']}/changes", json={"changes": changes}, headers={"If-Match": '"1"'}
    )

    judge(answer, "changes")
    assert answer.status_code == 422
