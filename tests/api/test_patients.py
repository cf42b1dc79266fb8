"""Shadow patients over HTTP."""

from typing import Any

import pytest

from tests.client import Answer, Client

MRN = {"system": "urn:example:mrn", "value": "EX-0001"}
OTHER = {"system": "urn:example:lab", "value": "L-77"}
ALEX: dict[str, Any] = {
    "identifiers": [MRN],
    "name": "Example, Alex",
    "birth_date": "1975-06-30",
}
NOBODY = "00000000-0000-7000-8000-000000000000"


async def add(api: Client, **fields: Any) -> dict[str, Any]:
    """A stored patient."""
    answer = await api.post("/v1/patients", json=ALEX | fields)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def type_of(answer: Answer) -> tuple[int, str]:
    """Status and type of a problem."""
    return answer.status_code, answer.json()["type"]


async def test_an_unknown_patient_is_added(api: Client) -> None:
    answer = await api.post("/v1/patients", json=ALEX)

    patient = answer.json()
    assert answer.status_code == 201
    assert answer.headers["location"] == f"/v1/patients/{patient['id']}"
    assert answer.headers["etag"] == '"1"'
    assert {field: patient[field] for field in ALEX} == ALEX


async def test_what_was_added_is_read_back(api: Client) -> None:
    added = await add(api)

    answer = await api.get(f"/v1/patients/{added['id']}")

    assert (answer.status_code, answer.json()) == (200, added)


async def test_a_known_identifier_finds_the_patient_and_adds_to_it(api: Client) -> None:
    added = await add(api)

    answer = await api.post(
        "/v1/patients", json={"identifiers": [MRN, OTHER], "birth_date": "1975-07-01"}
    )

    patient = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert patient["id"] == added["id"]
    assert patient["identifiers"] == [OTHER, MRN]
    assert (patient["name"], patient["birth_date"]) == ("Example, Alex", "1975-07-01")


async def test_the_same_again_changes_nothing(api: Client) -> None:
    added = await add(api)

    answer = await api.post("/v1/patients", json=ALEX)

    assert (answer.status_code, answer.json()) == (200, added)


async def test_identifiers_of_two_patients_do_not_merge_them(api: Client) -> None:
    await add(api)
    await add(api, identifiers=[OTHER])

    answer = await api.post("/v1/patients", json={"identifiers": [MRN, OTHER]})

    assert type_of(answer) == (409, "identifier-taken")


async def test_a_patient_without_identifiers_is_always_new(api: Client) -> None:
    first = await add(api, identifiers=[])
    second = await add(api, identifiers=[])

    assert first["id"] != second["id"]


async def test_a_change_leaves_what_is_absent_and_clears_what_is_null(api: Client) -> None:
    added = await add(api)

    answer = await api.patch(
        f"/v1/patients/{added['id']}", json={"name": None}, headers={"If-Match": '"1"'}
    )

    patient = answer.json()
    assert (answer.status_code, answer.headers["etag"]) == (200, '"2"')
    assert (patient["name"], patient["birth_date"]) == (None, "1975-06-30")
    assert patient["identifiers"] == [MRN]


async def test_identifiers_that_are_given_replace_those_known(api: Client) -> None:
    added = await add(api)

    answer = await api.patch(
        f"/v1/patients/{added['id']}", json={"identifiers": [OTHER]}, headers={"If-Match": '"1"'}
    )

    assert answer.json()["identifiers"] == [OTHER]


async def test_an_identifier_of_another_patient_cannot_be_taken(api: Client) -> None:
    added = await add(api)
    await add(api, identifiers=[OTHER])

    answer = await api.patch(
        f"/v1/patients/{added['id']}", json={"identifiers": [OTHER]}, headers={"If-Match": '"1"'}
    )

    assert type_of(answer) == (409, "identifier-taken")


@pytest.mark.parametrize(
    "headers, expected",
    [
        pytest.param({}, (428, "precondition-required"), id="without a tag"),
        pytest.param({"If-Match": "1"}, (400, "invalid-if-match"), id="not a tag"),
        pytest.param({"If-Match": '"7"'}, (412, "changed-meanwhile"), id="another revision"),
    ],
)
async def test_a_change_needs_the_current_tag(
    api: Client, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    added = await add(api)

    answer = await api.patch(f"/v1/patients/{added['id']}", json={"name": "X"}, headers=headers)

    assert type_of(answer) == expected


async def test_of_two_changes_at_once_one_is_told(api: Client) -> None:
    added = await add(api)
    address, headers = f"/v1/patients/{added['id']}", {"If-Match": '"1"'}
    await api.patch(address, json={"name": "First"}, headers=headers)

    answer = await api.patch(address, json={"name": "Second"}, headers=headers)

    assert type_of(answer) == (412, "changed-meanwhile")
    assert (await api.get(address)).json()["name"] == "First"


async def test_a_copy_that_is_still_right_is_not_sent_again(api: Client) -> None:
    added = await add(api)
    address = f"/v1/patients/{added['id']}"
    tag = (await api.get(address)).headers["etag"]

    answer = await api.get(address, headers={"If-None-Match": tag})

    assert (answer.status_code, answer.content, answer.headers["etag"]) == (304, b"", tag)


@pytest.mark.parametrize(
    "search",
    [
        pytest.param({"identifier": MRN}, id="by identifier"),
        pytest.param({"name": "EXAMPLE"}, id="by a part of the name"),
        pytest.param({"birth_date": "1975-06-30"}, id="by birth date"),
        pytest.param({"name": "alex", "birth_date": "1975-06-30"}, id="by both"),
    ],
)
async def test_a_patient_is_found(api: Client, search: dict[str, Any]) -> None:
    added = await add(api)
    await add(api, identifiers=[OTHER], name="Someone, Else", birth_date="1980-01-01")

    answer = await api.post("/v1/patients/search", json=search)

    assert answer.json() == {"items": [added], "next": None}


async def test_a_search_for_nothing_is_refused(api: Client) -> None:
    answer = await api.post("/v1/patients/search", json={})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "nothing-searched"


async def test_a_search_goes_on_where_it_stopped(api: Client) -> None:
    added = [await add(api, identifiers=[]) for _ in range(3)]
    search = {"name": "alex", "limit": 2}

    first = (await api.post("/v1/patients/search", json=search)).json()
    second = (await api.post("/v1/patients/search", json=search | {"cursor": first["next"]})).json()

    assert first["items"] + second["items"] == added
    assert second["next"] is None


async def test_a_cursor_of_another_search_is_refused(api: Client) -> None:
    for _ in range(2):
        await add(api, identifiers=[])
    found = await api.post("/v1/patients/search", json={"name": "alex", "limit": 1})

    answer = await api.post(
        "/v1/patients/search", json={"name": "example", "cursor": found.json()["next"]}
    )

    assert type_of(answer) == (400, "invalid-cursor")


async def test_the_list_is_read_page_by_page(api: Client) -> None:
    added = [await add(api, identifiers=[]) for _ in range(5)]

    seen, address = [], "/v1/patients?limit=2"
    while address:
        answer = await api.get(address)
        seen += answer.json()["items"]
        address = answer.headers.get("link", "").partition(">")[0].removeprefix("<")

    assert seen == added


@pytest.mark.parametrize(
    "method, path, body",
    [
        pytest.param("GET", "", None, id="read"),
        pytest.param("PATCH", "", {"name": "X"}, id="change"),
        pytest.param("GET", "/events", None, id="events"),
        pytest.param("POST", "/events", {"agent": "nsaid", "on": "2027-03-01"}, id="report"),
        pytest.param("DELETE", f"/events/{NOBODY}", None, id="withdraw"),
        pytest.param("GET", "/unavailability", None, id="absences"),
        pytest.param(
            "POST", "/unavailability", {"from": "2027-03-01", "to": "2027-03-01"}, id="absent"
        ),
        pytest.param("DELETE", f"/unavailability/{NOBODY}", None, id="present"),
    ],
)
async def test_a_patient_who_does_not_exist_is_not_found(
    api: Client, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = await api.request(
        method, f"/v1/patients/{NOBODY}{path}", json=body, headers={"If-Match": '"1"'}
    )

    assert type_of(answer) == (404, "patient-not-found")
