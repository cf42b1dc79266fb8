"""What an EHR writes back changes the plan as a native client's change does."""

import pytest

from tests.api.fhir.given_fhir import R4, SENT, Data, get, issue_of, plan_of
from tests.api.given_changes import Living
from tests.client import Answer

TIMES = {"start": "2027-02-23T09:00:00-07:00", "end": "2027-02-23T09:45:00-07:00"}


async def visit(living: Living, step: str) -> Data:
    """The appointment of a step."""
    return await get(living.desk.api, f"Appointment/{living.id_of(step)}")


async def put(living: Living, resource: Data, **headers: str) -> Answer:
    """Send a changed appointment back."""
    tag = {"If-Match": f'W/"{resource["meta"]["versionId"]}"'}
    at = f"{R4}/Appointment/{resource['basedOn'][0]['reference'].rpartition('/')[2]}"
    return await living.desk.api.put(at, json=resource, headers={**SENT, **tag, **headers})


async def patch(living: Living, step: str, *operations: Data) -> Answer:
    """Change an appointment by a JSON patch."""
    resource = await visit(living, step)
    headers = {
        "Content-Type": "application/json-patch+json",
        "If-Match": f'W/"{resource["meta"]["versionId"]}"',
    }
    at = f"{R4}/Appointment/{resource['id']}"
    return await living.desk.api.patch(at, json=list(operations), headers=headers)


async def test_a_booking_becomes_the_steps_day(living: Living) -> None:
    proposed = await visit(living, "primer/1")
    booked = {**proposed, **TIMES, "status": "booked", "identifier": [{"value": "B-1"}]}

    answer = await put(living, booked)

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "booked"
    assert answer.json()["start"] == "2027-02-23T16:00:00Z"
    assert answer.headers["etag"] == 'W/"2"'
    step = (await plan_of(living), living.steps["primer/1"])[1]
    assert (step["status"], step["date"]) == ("booked", "2027-02-23")
    assert step["appointment"]["identifier"] == "B-1"
    told = {name: part for name, part in answer.json().items() if name != "extension"}
    assert await visit(living, "primer/1") == told


async def test_the_same_booking_again_changes_nothing(living: Living) -> None:
    first = await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})

    again = await put(living, first.json())

    assert again.json()["status"] == "booked"
    assert again.headers["etag"] == first.headers["etag"] == 'W/"2"'


async def test_a_visit_that_moves_takes_others_along_and_says_so(living: Living) -> None:
    session = await visit(living, "session")
    wanted = [{"start": "2027-03-19", "end": "2027-03-19"}]

    answer = await put(living, {**session, "requestedPeriod": wanted})

    assert answer.status_code == 200, answer.text
    moves = [one for one in answer.json()["extension"] if one["url"] == "urn:regimen:fhir:move"]
    requests = {
        part["valueReference"]["reference"] for one in moves for part in one["extension"][:1]
    }
    assert f"ServiceRequest/{living.id_of('session')}" in requests
    assert len(requests) > 1
    before = dict(living.days)
    await plan_of(living)
    assert living.days["session"] == "2027-03-19"
    assert living.days["primer/1"] != before["primer/1"]


async def test_who_prefers_an_outcome_is_told_the_moves_in_words(living: Living) -> None:
    session = await visit(living, "session")
    wanted = [{"start": "2027-03-19", "end": "2027-03-19"}]

    answer = await put(
        living, {**session, "requestedPeriod": wanted}, Prefer="return=OperationOutcome"
    )

    texts = [issue["diagnostics"] for issue in answer.json()["issue"]]
    assert any(text.startswith("session moved from 2027-03-10 to 2027-03-19") for text in texts)


async def test_who_prefers_little_is_sent_no_body(living: Living) -> None:
    proposed = await visit(living, "primer/1")

    answer = await put(living, {**proposed, **TIMES, "status": "booked"}, Prefer="return=minimal")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["etag"] == 'W/"2"'


async def test_a_visit_that_was_kept_is_a_fact(living: Living) -> None:
    await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})
    await living.on("2027-02-23")

    arrived = await put(living, {**await visit(living, "primer/1"), "status": "arrived"})
    kept = await put(living, {**await visit(living, "primer/1"), "status": "fulfilled"})

    assert arrived.json()["status"] == "booked"
    assert kept.json()["status"] == "fulfilled"
    await plan_of(living)
    assert living.steps["primer/1"]["status"] == "performed"
    procedure = await get(living.desk.api, f"Procedure/{living.id_of('primer/1')}")
    encounter = await get(living.desk.api, f"Encounter/{living.id_of('primer/1')}")
    assert procedure["performedDateTime"] == "2027-02-23"
    assert encounter["period"]["start"] == "2027-02-23T16:00:00Z"


async def test_an_arrival_is_not_kept_and_that_is_said(living: Living) -> None:
    answer = await put(
        living,
        {**await visit(living, "primer/1"), **TIMES, "status": "arrived"},
        Prefer="return=OperationOutcome",
    )

    assert "that the patient has arrived is not kept" in answer.text
    assert (await visit(living, "primer/1"))["status"] == "booked"


async def test_what_was_done_without_a_booking_has_no_visit(living: Living) -> None:
    await living.on("2027-02-02")
    answer = await put(living, {**await visit(living, "primer/2"), "status": "fulfilled"})

    assert answer.json()["resourceType"] == "OperationOutcome"
    gone = await living.desk.api.get(f"{R4}/Appointment/{living.id_of('primer/2')}")
    assert gone.status_code == 404
    await plan_of(living)
    assert living.steps["primer/2"]["status"] == "performed"


async def test_a_visit_that_was_missed_is_proposed_again(living: Living) -> None:
    await living.on("2027-01-27")

    answer = await put(living, {**await visit(living, "primer/2"), "status": "noshow"})

    assert answer.json()["status"] == "proposed"
    assert "missed on 2027-01-27" in answer.json()["comment"]
    await plan_of(living)
    assert living.steps["primer/2"]["status"] == "missed"


async def test_a_visit_that_is_cancelled_calls_the_step_off_and_can_be_wanted_again(
    living: Living,
) -> None:
    reason = {"text": "patient moved away"}
    resource = await visit(living, "primer/2")
    called_off = await put(living, {**resource, "status": "cancelled", "cancelationReason": reason})
    again = await put(living, called_off.json())
    wanted = await put(living, {**called_off.json(), "status": "proposed"})

    assert called_off.json()["status"] == "cancelled"
    assert again.headers["etag"] == called_off.headers["etag"]
    assert wanted.json()["status"] == "proposed"
    provenance = await get(living.desk.api, f"Provenance/{living.plan['id']}.2")
    assert provenance["reason"][0] == {"text": "patient moved away"}


async def test_a_booking_that_is_taken_back_leaves_the_day(living: Living) -> None:
    booked = await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})
    resource = {k: v for k, v in booked.json().items() if k not in {"start", "end"}}

    answer = await put(living, {**resource, "status": "proposed"})

    assert answer.json()["status"] == "proposed"
    assert answer.json()["requestedPeriod"] == [{"start": "2027-02-23", "end": "2027-02-23"}]


async def test_a_patch_says_the_difference(living: Living) -> None:
    answer = await patch(
        living,
        "primer/1",
        {"op": "test", "path": "/status", "value": "proposed"},
        {"op": "replace", "path": "/status", "value": "booked"},
        {"op": "add", "path": "/start", "value": TIMES["start"]},
        {"op": "add", "path": "/end", "value": TIMES["end"]},
        {
            "op": "add",
            "path": "/participant/-",
            "value": {"type": [{"text": "x"}], "status": "accepted"},
        },
        {"op": "remove", "path": "/description"},
    )

    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == "booked"


@pytest.mark.parametrize(
    "operations, expression",
    [
        ([], None),
        ([{"op": "move", "from": "/start", "path": "/end"}], "[0].op"),
        ([{"op": "replace", "path": "status", "value": "booked"}], "[0].path"),
        ([{"op": "add", "path": "/start"}], "[0].value"),
        ([{"op": "remove", "path": "/nothing"}], "[0].path"),
        ([{"op": "replace", "path": "/participant/x", "value": 1}], "[0].path"),
        ([{"op": "replace", "path": "/participant/9", "value": 1}], "[0].path"),
        ([{"op": "test", "path": "/status", "value": "booked"}], "[0].path"),
        ([{"op": "add", "path": "/status/x/y", "value": 1}], "[0].path"),
        ([{"op": "replace", "path": "/resourceType", "value": "Patient"}], "Appointment"),
    ],
)
async def test_a_patch_that_does_not_fit_changes_nothing(
    living: Living, operations: list[Data], expression: str | None
) -> None:
    issue = issue_of(await patch(living, "primer/1", *operations), 422)

    assert issue.get("expression", [None])[0] == expression
    assert (await plan_of(living))["revision"] == 1


@pytest.mark.parametrize(
    "change, expression",
    [
        ({"status": "banana"}, "Appointment.status"),
        ({"status": "waitlist"}, "Appointment.status"),
        ({"status": "booked"}, "Appointment.start"),
        ({"status": "booked", "start": TIMES["start"]}, "Appointment.end"),
        ({"status": "booked", "start": TIMES["end"], "end": TIMES["start"]}, "Appointment"),
        (
            {"status": "booked", "start": "2027-02-23T09:00:00", "end": TIMES["end"]},
            "Appointment.start",
        ),
        ({"id": "00000000-0000-7000-8000-000000000000"}, "Appointment.id"),
        ({"status": 5}, "Appointment.status"),
        ({"nonsense": True}, "Appointment.nonsense"),
        ({"participant": []}, "Appointment.participant"),
        ({"resourceType": "Patient"}, "Appointment"),
        ({"status": "fulfilled", **TIMES}, "Appointment"),
    ],
)
async def test_a_visit_that_cannot_be_is_refused_with_its_place(
    living: Living, change: Data, expression: str
) -> None:
    resource = await visit(living, "primer/1")

    issue = issue_of(await put(living, {**resource, **change}), 422)

    assert issue["expression"] == [expression]
    assert (await plan_of(living))["revision"] == 1


async def test_another_patients_or_steps_visit_it_cannot_become(living: Living) -> None:
    resource = await visit(living, "primer/1")
    session = [{"reference": f"ServiceRequest/{living.id_of('session')}"}]
    of_step = await living.desk.api.put(
        f"{R4}/Appointment/{resource['id']}",
        json={**resource, "basedOn": session},
        headers={**SENT, "If-Match": 'W/"1"'},
    )
    assert issue_of(of_step, 422)["expression"] == ["Appointment.basedOn"]
    other = [{**one} for one in resource["participant"]]
    other[0]["actor"] = {"reference": f"Patient/{await living.desk.patient(name='Other')}"}

    issue = issue_of(await put(living, {**resource, "participant": other}), 422)

    assert issue["expression"] == ["Appointment.participant"]


async def test_a_day_that_cannot_be_is_refused_with_its_ways_out(living: Living) -> None:
    session = await visit(living, "session")
    sunday = [{"start": "2027-03-14", "end": "2027-03-14"}]

    answer = await put(living, {**session, "requestedPeriod": sunday})

    issues = answer.json()["issue"]
    assert answer.status_code == 409
    assert issues[0]["details"]["coding"][0]["code"] == "schedule-conflict"
    assert any(issue["diagnostics"].startswith("possible instead: ") for issue in issues[1:])


async def test_a_change_needs_the_version_it_is_based_on(living: Living) -> None:
    resource = await visit(living, "primer/1")
    at = f"{R4}/Appointment/{resource['id']}"
    booked = {**resource, **TIMES, "status": "booked"}

    without = await living.desk.api.put(at, json=booked, headers=SENT)
    malformed = await living.desk.api.put(at, json=booked, headers={**SENT, "If-Match": "x"})
    stale = await put(living, {**booked, "meta": {"versionId": "7"}})

    assert issue_of(without, 428)["code"] == "required"
    assert issue_of(malformed, 400)["code"] == "invalid"
    assert issue_of(stale, 412)["code"] == "conflict"
