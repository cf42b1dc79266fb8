"""Protocols that include others over HTTP: saved, read, checked, approved, planned, compared."""

from typing import Any

import pytest

from tests.api.given_protocols import (
    SMALL,
    activate,
    approval,
    bounds,
    faults,
    refused,
    store,
    stored_and_active,
    visit,
)
from tests.client import Client

Data = dict[str, Any]
PART: Data = {"key": "a", "protocol": "small", "version": "1.0.0"}
WHOLE: Data = {
    "format": 1,
    "key": "whole",
    "version": "1.0.0",
    "title": "The small protocol and a call",
    "evidence_note": "Clinic practice; there is no trial of it.",
    "anchor": "a_session",
    "include": [PART],
    "steps": [
        {
            "key": "call",
            "kind": "call",
            "title": "Call",
            "timings": [{"relative_to": {"step": "a_visit"}, "target": "P1D"}],
            "sources": {"timing": ["cfg"]},
        }
    ],
}
ADDRESS = "/v1/protocols/whole/versions/1.0.0"


def including(**members: Any) -> Data:
    """The whole with another include."""
    return WHOLE | {"include": [PART | members]}


async def test_what_is_read_is_what_was_written_beside_what_became_of_it(api: Client) -> None:
    small = await store(api)

    stored = await store(api, WHOLE)

    assert stored["document"] == WHOLE
    assert stored["included"] == [PART | {"content_hash": small["content_hash"]}]
    flat = stored["expanded"]
    assert [step["key"] for step in flat["steps"]] == ["a_session", "a_visit", "call"]
    assert "include" not in flat
    assert (await api.get(ADDRESS)).json() == stored
    assert (small["included"], small["expanded"]) == ([], None)


async def test_a_read_document_can_be_put_back(api: Client) -> None:
    await store(api)
    stored = await store(api, WHOLE)

    answer = await api.put(ADDRESS, json=stored["document"], headers={"If-Match": '"1"'})

    again = answer.json()
    assert (answer.status_code, again["revision"]) == (200, 2)
    for name in ("content_hash", "document", "expanded", "included", "to_confirm"):
        assert again[name] == stored[name]


async def test_a_document_may_stop_including(api: Client) -> None:
    await store(api)
    await store(api, WHOLE)
    alone = SMALL | {"key": "whole"}

    answer = await api.put(ADDRESS, json=alone, headers={"If-Match": '"1"'})

    assert answer.status_code == 200
    assert (answer.json()["document"], answer.json()["expanded"]) == (alone, None)


@pytest.mark.parametrize(
    "document, expected",
    [
        (including(version="2.0.0"), {"/include/0/version": "unknown-version"}),
        (including(protocol="nothing"), {"/include/0/version": "unknown-version"}),
        (including(leave_out=["nothing"]), {"/include/0/leave_out/0": "unknown-step"}),
        (including(leave_out=["visit"]), {"/steps/0/timings/0/relative_to/step": "unknown-step"}),
        (including(colour="red"), {"/include/0/colour": "unknown-field"}),
        (WHOLE | {"include": []}, {"/include": "too-few"}),
        (
            WHOLE | {"include": [PART, PART]},
            {"/include/1/key": "occurs-twice"},
        ),
        (WHOLE | {"key": "check"}, {"/key": "not-allowed"}),
    ],
)
async def test_faults_lead_into_the_written_document(
    api: Client, document: Data, expected: dict[str, str]
) -> None:
    await store(api)

    answer = await api.post("/v1/protocols", json=document)

    assert faults(answer) == expected
    assert (await api.get("/v1/protocols/whole")).status_code == 404


async def test_a_cycle_is_refused_when_it_is_closed(api: Client) -> None:
    await store(api)
    await store(api, WHOLE)
    back = visit() | {"include": [PART | {"protocol": "whole"}]}

    answer = await api.put(
        "/v1/protocols/small/versions/1.0.0", json=back, headers={"If-Match": '"1"'}
    )

    assert faults(answer) == {"/include/0": "cycle"}


async def test_the_check_takes_parts_in_and_tries_start_days(api: Client) -> None:
    await store(api)
    apart = {"id": "r", "type": "max_gap", "from": "a_session", "to": "a_visit", "offset": "P1D"}

    good = (await api.post("/v1/protocols/check", json=WHOLE)).json()
    bad = (await api.post("/v1/protocols/check", json=WHOLE | {"rules": [apart]})).json()

    assert (good["faults"], good["start_days"]["tried"]) == ([], 261)
    assert [fault["pointer"] for fault in bad["faults"]] == ["/include/0"]
    assert "a_visit" in bad["faults"][0]["detail"]


async def test_nothing_is_activated_over_a_part_that_changed_meanwhile(api: Client) -> None:
    await store(api)
    draft = await store(api, WHOLE)
    await api.put(
        "/v1/protocols/small/versions/1.0.0",
        json=visit(timings=bounds("P9D", "P9D", "P9D")),
        headers={"If-Match": '"1"'},
    )

    assert refused(await activate(api, draft)) == (409, "content-changed")

    saved = await api.put(ADDRESS, json=WHOLE, headers={"If-Match": '"1"'})
    assert saved.json()["content_hash"] != draft["content_hash"]
    answer = await activate(api, saved.json())
    assert answer.status_code == 200
    assert answer.json()["expanded"]["steps"][1]["timings"] == [
        {**bounds("P9D", "P9D", "P9D")[0], "relative_to": {"step": "a_session"}}
    ]


async def test_an_active_version_keeps_what_it_took_in(api: Client) -> None:
    await store(api)
    active = await stored_and_active(api, WHOLE)

    await api.put(
        "/v1/protocols/small/versions/1.0.0", json=visit(title="New"), headers={"If-Match": '"1"'}
    )

    assert (await api.get(ADDRESS)).json() == active


async def test_every_default_is_confirmed_with_the_whole_while_its_part_is_a_draft(
    api: Client,
) -> None:
    await store(api)
    draft = await store(api, WHOLE)

    assert [figure["id"] for figure in draft["to_confirm"]] == ["a_visit.timing", "call.timing"]
    answer = await activate(api, draft, confirmed=["call.timing"])
    assert faults(answer) == {"/confirmed": "not-confirmed"}


async def test_what_the_parts_approval_confirmed_is_taken_over(api: Client) -> None:
    await stored_and_active(api)
    draft = await store(api, WHOLE)

    assert [figure["id"] for figure in draft["to_confirm"]] == ["call.timing"]
    active = (await activate(api, draft)).json()
    given = active["approval"]
    assert (given["confirmed"], given["taken_over"]) == (["call.timing"], ["a_visit.timing"])

    outer = WHOLE | {"key": "outer", "anchor": "b_a_session", "steps": WHOLE["steps"][:0]}
    outer["include"] = [{"key": "b", "protocol": "whole", "version": "1.0.0"}]
    del outer["steps"]
    assert (await store(api, outer))["to_confirm"] == []


async def test_a_new_version_takes_its_parts_in_anew(api: Client) -> None:
    await store(api)
    await stored_and_active(api, WHOLE)
    address = "/v1/protocols/small/versions/1.0.0"
    longer = visit(title="Later", timings=bounds("P20D", "P20D", "P20D"))
    assert (await api.put(address, json=longer, headers={"If-Match": '"1"'})).status_code == 200

    answer = await api.post("/v1/protocols/whole/versions", json={"version": "1.1.0"})

    assert answer.status_code == 201, answer.text
    assert answer.json()["document"] == WHOLE | {"version": "1.1.0"}
    compared = await api.get("/v1/protocols/whole/versions/1.0.0/diff/1.1.0")
    texts = [one["text"] for one in compared.json()["differences"]]
    assert "step 'a_visit': title is 'Later' instead of 'Follow-up'" in texts

    gone = SMALL | {"steps": SMALL["steps"][:1]}
    await api.put(address, json=gone, headers={"If-Match": '"2"'})
    answer = await api.post("/v1/protocols/whole/versions", json={"version": "1.2.0"})
    assert faults(answer) == {"/steps/0/timings/0/relative_to/step": "unknown-step"}


async def test_what_differs_in_the_includes_is_told_as_it_was_written(api: Client) -> None:
    await store(api)
    await store(api, WHOLE)
    await api.post("/v1/protocols/whole/versions", json={"version": "1.1.0", "from": "1.0.0"})
    await api.put(
        "/v1/protocols/whole/versions/1.1.0",
        json=including(title="First") | {"version": "1.1.0"},
        headers={"If-Match": '"1"'},
    )

    compared = await api.get("/v1/protocols/whole/versions/1.0.0/diff/1.1.0")

    texts = [one["text"] for one in compared.json()["differences"]]
    assert texts[0] == "protocol: include a title is new: 'First'"
    assert "step 'a_session': title is 'First: Session' instead of 'Session'" in texts


async def test_a_plan_is_made_by_the_whole_and_knows_nothing_of_parts(api: Client) -> None:
    await store(api)
    draft = await store(api, WHOLE)
    location = {"name": "Main", "time_zone": "America/Denver", "open_weekdays": [1, 2, 3, 4, 5]}
    assert (await api.post("/v1/locations", json=location)).status_code == 201
    patient = (await api.post("/v1/patients", json={})).json()["id"]
    body = {
        "protocol": {"key": "whole", "version": "1.0.0"},
        "patient": {"id": patient},
        "anchor": {"date": "2027-03-10"},
    }

    seen = (await api.post("/v1/plans/preview", json=body)).json()
    assert (await activate(api, draft)).status_code == 200
    made = await api.post("/v1/plans", json=body)

    assert made.status_code == 201, made.text
    for plan in (seen, made.json()):
        assert {step["key"]: step["date"] for step in plan["steps"]} == {
            "a_session": "2027-03-10",
            "a_visit": "2027-03-24",
            "call": "2027-03-25",
        }


async def test_an_approval_names_figures_of_the_whole(api: Client) -> None:
    await store(api)
    draft = await store(api, WHOLE)

    answer = await api.post(
        f"{ADDRESS}/activate", json=approval(draft, confirmed=["visit.timing", "call.timing"])
    )

    assert faults(answer)["/confirmed/0"] == "unknown-figure"


async def test_a_fixed_parameter_is_nobodys_to_set(api: Client) -> None:
    count = {"key": "n", "title": "How many", "type": "integer", "min": 1, "default": 1, "max": 3}
    await store(api, SMALL | {"parameters": [count]})
    await stored_and_active(api, including(parameters={"n": 2}))
    location = {"name": "Main", "time_zone": "America/Denver", "open_weekdays": [1, 2, 3, 4, 5]}
    assert (await api.post("/v1/locations", json=location)).status_code == 201
    patient = (await api.post("/v1/patients", json={})).json()["id"]
    body = {
        "protocol": {"key": "whole"},
        "patient": {"id": patient},
        "anchor": {"date": "2027-03-10"},
    }

    answer = await api.post("/v1/plans", json=body | {"parameters": {"a_n": 3}})
    plan = (await api.post("/v1/plans", json=body)).json()

    assert faults(answer) == {"/parameters/a_n": "not-allowed"}
    change = {"changes": [{"type": "set_parameter", "key": "a_n", "value": 1}]}
    answer = await api.post(f"/v1/plans/{plan['id']}/changes/preview", json=change)
    assert faults(answer) == {"/changes/0/value": "not-allowed"}


async def test_what_is_fixed_has_a_value(api: Client) -> None:
    fixed = {"key": "n", "title": "How many", "type": "integer", "fixed": True}

    answer = await api.post("/v1/protocols", json=SMALL | {"parameters": [fixed]})

    assert faults(answer) == {"/parameters/0/default": "missing"}
