"""What any body or address may hold: refused with the right status, nothing stored, no echo."""

import asyncio
import json
from collections.abc import AsyncIterator

import pytest

from app.api import routing
from tests.client import Client

SECRET = "Jane-Doe-1975"
JSON = {"Content-Type": "application/json"}
DEEP = "[" * 40 + "]" * 40


@pytest.mark.parametrize(
    "body, status, code",
    [
        pytest.param(f'{{"name": "{SECRET}"', 400, "invalid-json", id="unfinished"),
        pytest.param(f'{{"name": "{SECRET}", "name": "x"}}', 400, "duplicate-key", id="twice"),
        pytest.param('{"name": NaN}', 400, "not-a-number", id="NaN"),
        pytest.param('{"name": Infinity}', 400, "not-a-number", id="infinity"),
        pytest.param('{"name": 1e999}', 400, "not-a-number", id="too large a float"),
        pytest.param(f'{{"name": {"9" * 4000}}}', 400, "number-too-long", id="4000 digits"),
        pytest.param(f'{{"name": "{SECRET}\\u0000"}}', 400, "invalid-character", id="NUL"),
        pytest.param(f'{{"name": "{SECRET}\\ud800"}}', 400, "invalid-character", id="surrogate"),
        pytest.param(f'{{"name": {DEEP}}}', 400, "too-deep", id="deep"),
        pytest.param("[" * 100_000, 400, "too-deep", id="very deep"),
        pytest.param('{"name": "x"}'.encode("utf-16"), 400, "not-utf-8", id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", 400, "byte-order-mark", id="byte order mark"),
        pytest.param("", 422, "missing", id="nothing"),
        pytest.param("null", 422, "not-an-object", id="null"),
        pytest.param(f'"{SECRET}"', 422, "not-an-object", id="text"),
        pytest.param(f'["{SECRET}"]', 422, "not-an-object", id="a list"),
        pytest.param(f'{{"{SECRET}": 1}}', 422, "unknown-field", id="unknown field"),
        pytest.param(f'{{"name": ["{SECRET}"]}}', 422, "not-text", id="wrong type"),
        pytest.param(f'{{"birth_date": "{SECRET}"}}', 422, "not-a-day", id="not a day"),
        pytest.param('{"birth_date": "2027-02-30"}', 422, "not-a-day", id="no such day"),
        pytest.param('{"birth_date": "0001-01-01"}', 422, "day-out-of-range", id="year 1"),
    ],
)
async def test_a_bad_body_is_refused_by_its_place_without_echo(
    api: Client, body: str | bytes, status: int, code: str
) -> None:
    answer = await api.post("/v1/patients", content=body, headers=JSON)

    assert answer.status_code == status
    assert [fault["code"] for fault in answer.json()["errors"]] == [code]
    assert "Jane" not in answer.text or answer.json()["errors"][0]["pointer"] == f"/{SECRET}"
    assert (await api.get("/v1/patients")).json()["items"] == []


async def test_a_key_with_blanks_is_not_repeated(api: Client) -> None:
    answer = await api.post("/v1/patients", json={"Jane Doe": 1})

    assert answer.json()["errors"] == [
        {"pointer": "", "code": "unknown-field", "detail": "is not a known field"}
    ]


async def test_a_hundred_thousand_faults_give_a_short_answer(api: Client) -> None:
    body = json.dumps({"identifiers": [5] * 100_000})

    answer = await api.post("/v1/patients", content=body, headers=JSON)

    assert answer.status_code == 422
    assert len(answer.content) < 16 * 1024
    assert len(answer.json()["errors"]) <= 20


async def test_long_names_of_fields_give_a_short_answer(api: Client) -> None:
    body = {"identifiers": [{f"{'x' * 60}{n}": 1 for n in range(100)}]}

    answer = await api.post("/v1/patients", json=body)

    assert len(answer.content) < 16 * 1024


async def _chunks(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b" " * 100_000


async def test_a_body_of_two_megabytes_is_refused(api: Client) -> None:
    answer = await api.post("/v1/patients", content=b" " * 2_000_000, headers=JSON)

    assert (answer.status_code, answer.json()["type"]) == (413, "body-too-large")


async def test_a_body_that_does_not_say_its_length_is_stopped(api: Client) -> None:
    answer = await api.post("/v1/patients", content=_chunks(20), headers=JSON)

    assert (answer.status_code, answer.json()["type"]) == (413, "body-too-large")


async def test_a_body_that_does_not_come_is_not_waited_for(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(routing, "BODY_SECONDS", 0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"name": "Jane '
        await asyncio.Event().wait()

    answer = await api.post("/v1/patients", content=slow(), headers=JSON)

    assert (answer.status_code, answer.json()["type"]) == (408, "body-too-slow")
    assert answer.headers["connection"] == "close"
    assert (await api.get("/v1/patients")).json()["items"] == []


async def test_a_body_of_one_mebibyte_is_read(api: Client) -> None:
    body = b'{"name": "Alex"}'.ljust(1024 * 1024)

    answer = await api.post("/v1/patients", content=body, headers=JSON)

    assert answer.status_code == 201


@pytest.mark.parametrize(
    "media_type, status",
    [
        pytest.param("application/json", 201, id="json"),
        pytest.param("application/JSON; charset=UTF-8", 201, id="json that says UTF-8"),
        pytest.param('application/json; charset="utf-8"', 201, id="in quotes"),
        pytest.param("application/json; charset=latin-1", 415, id="another encoding"),
        pytest.param("text/plain", 415, id="text"),
        pytest.param("application/x-www-form-urlencoded", 415, id="a form"),
        pytest.param("application/xml", 415, id="xml"),
        pytest.param("application/yaml", 415, id="yaml where no document is read"),
        pytest.param(None, 415, id="none"),
    ],
)
async def test_the_media_type_decides_how_a_body_is_read(
    api: Client, media_type: str | None, status: int
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}

    answer = await api.post("/v1/patients", content=b'{"name": "Alex"}', headers=headers)

    assert answer.status_code == status


@pytest.mark.parametrize(
    "path", ["/health/live", "/v1/patients", "/fhir/R4/Patient", "/guide", "/v1/nothing"]
)
async def test_a_head_is_what_a_get_would_begin_with(api: Client, path: str) -> None:
    whole, head = await api.get(path), await api.head(path)

    assert head.status_code == whole.status_code
    kept = ("content-type", "content-length")
    assert [head.headers[name] for name in kept] == [whole.headers[name] for name in kept]
    assert head.content == b""


@pytest.mark.parametrize("path", ["/v1/patients", "/v1/plans/bulk", "/fhir/R4/Patient"])
@pytest.mark.parametrize("coding, status", [("gzip", 415), ("gzip, identity", 415), ("br", 415)])
async def test_a_compressed_body_is_refused(
    api: Client, path: str, coding: str, status: int
) -> None:
    media_type = {"/v1/plans/bulk": "application/x-ndjson"}.get(path, "application/json")
    headers = {"Content-Type": media_type, "Content-Encoding": coding}

    answer = await api.post(path, content=b'{"resourceType": "Patient"}', headers=headers)

    assert answer.status_code == status


async def test_a_body_that_says_it_is_not_compressed_is_read(api: Client) -> None:
    headers = {**JSON, "Content-Encoding": "Identity"}

    assert (await api.post("/v1/patients", content=b"{}", headers=headers)).status_code == 201


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/v1/nothing", id="unknown"),
        pytest.param("/v1/patients/", id="a slash too many"),
        pytest.param("/v1//patients", id="two slashes"),
        pytest.param("/v1/patients/%00", id="NUL"),
    ],
)
async def test_an_unknown_address_is_not_found_and_not_redirected(api: Client, path: str) -> None:
    answer = await api.get(path)

    assert answer.status_code in {404, 422}
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "patient_id",
    ["1", "99999999999999999999", SECRET, "'; DROP TABLE patients; --", "%F0%9F%98%80"],
)
async def test_what_is_no_id_is_refused(api: Client, patient_id: str) -> None:
    answer = await api.get(f"/v1/patients/{patient_id}")

    assert answer.status_code == 422
    assert answer.json()["errors"] == [
        {"pointer": "patient_id", "code": "not-an-id", "detail": "must be an id (UUID)"}
    ]


async def test_a_method_that_is_not_taken_names_those_that_are(api: Client) -> None:
    answer = await api.put("/v1/patients", json={})

    assert (answer.status_code, answer.json()["type"]) == (405, "method-not-allowed")
    assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "BREW", "OPTIONS"])
async def test_strange_methods_are_not_taken(api: Client, method: str) -> None:
    assert (await api.request(method, "/v1/patients")).status_code == 405


@pytest.mark.parametrize(
    "method, path, allowed",
    [
        ("GET", "/v1/plans/preview", "POST"),
        ("GET", "/v1/plans/bulk", "POST"),
        ("GET", "/v1/protocols/check", "POST"),
        ("OPTIONS", "/v1/protocols/library", "POST"),
        ("PUT", "/v1/protocols/schema", "GET"),
    ],
)
async def test_a_word_of_an_address_is_not_taken_for_an_id(
    api: Client, method: str, path: str, allowed: str
) -> None:
    answer = await api.request(method, path)

    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1e3", "9" * 30, "", "NaN"])
async def test_a_page_has_one_to_two_hundred_items(api: Client, limit: str) -> None:
    answer = await api.get("/v1/patients", params={"limit": limit})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "limit"


@pytest.mark.parametrize("cursor", ["x", "é", "", "A" * 2000, "../../etc", "W10"])
async def test_a_cursor_that_was_not_given_out_is_refused(api: Client, cursor: str) -> None:
    answer = await api.get("/v1/patients", params={"cursor": cursor})

    assert (answer.status_code, answer.json()["type"]) == (400, "invalid-cursor")


async def test_a_parameter_that_is_not_known_is_refused(api: Client) -> None:
    answer = await api.get("/v1/patients", params={"nmae": SECRET})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "unknown-parameter"
    assert SECRET not in answer.text
