"""What an EHR writes back changes the plan as a native client's change does."""

import pytest

from tests.api.fhir.given_fhir import R4, SENT, Data, get, ids, issue_of, plan_of
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


async def test_an_instant_that_is_asked_for_is_its_local_day(living: Living) -> None:
    session = await visit(living, "session")
    night = [{"start": "2027-03-20T05:30:00Z", "end": "2027-03-20T06:30:00Z"}]

    answer = await put(living, {**session, "requestedPeriod": night})

    assert answer.status_code == 200, answer.text
    assert (await plan_of(living))["anchor"]["date"] == "2027-03-19"


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

    assert arrived.json()["status"] == "arrived"
    assert kept.json()["status"] == "fulfilled"
    await plan_of(living)
    assert living.steps["primer/1"]["status"] == "performed"
    procedure = await get(living.desk.api, f"Procedure/{living.id_of('primer/1')}")
    encounter = await get(living.desk.api, f"Encounter/{living.id_of('primer/1')}")
    assert procedure["performedDateTime"] == "2027-02-23"
    assert encounter["period"]["start"] == "2027-02-23T16:00:00Z"


@pytest.mark.parametrize("status", ["arrived", "checked-in", "fulfilled", "noshow"])
async def test_what_became_of_a_visit_that_was_booked_elsewhere_reads_as_it_was_written(
    living: Living, status: str
) -> None:
    await living.on("2027-02-23")
    now = {**TIMES, "status": status, "identifier": [{"value": "B-7"}]}

    answer = await put(living, {**await visit(living, "primer/1"), **now})

    told = answer.json()
    assert (told["status"], told["identifier"]) == (status, [{"value": "B-7"}]), answer.text
    assert told["start"] == "2027-02-23T16:00:00Z"
    found = await get(living.desk.api, f"Appointment?_id={told['id']}&status={status}")
    assert ids(found) == [told["id"]]
    again = await put(living, told)
    assert again.headers["etag"] == answer.headers["etag"] == 'W/"2"'


async def test_a_booking_that_stays_is_not_booked_again_by_who_arrives(living: Living) -> None:
    await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})
    await living.on("2027-02-23")

    arrived = await patch(
        living, "primer/1", {"op": "replace", "path": "/status", "value": "arrived"}
    )
    ready = await put(living, {**arrived.json(), "status": "checked-in"})
    back = await put(living, {**ready.json(), "status": "booked"})

    assert arrived.json()["status"] == "arrived"
    assert ready.json()["status"] == "checked-in"
    assert back.json()["status"] == "booked"
    changes = [change["type"] for one in await living.history() for change in one["changes"]]
    assert changes == ["book", "arrive", "arrive", "book"]


async def test_a_booking_at_a_second_that_no_clock_shows_is_refused(living: Living) -> None:
    booked = await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})
    leap = {"start": "2027-02-23T15:59:60Z", "end": "2027-02-23T16:45:00Z"}

    issue = issue_of(await put(living, {**booked.json(), **leap}), 422)

    assert issue["expression"] == ["Appointment.start"]


async def test_nobody_arrives_before_the_day(living: Living) -> None:
    resource = {**await visit(living, "primer/1"), **TIMES, "status": "arrived"}

    issue = issue_of(await put(living, resource), 422)

    assert issue["expression"] == ["Appointment"]
    assert (await visit(living, "primer/1"))["status"] == "proposed"


async def test_a_visit_to_which_nobody_came_says_so_until_another_is_booked(
    living: Living,
) -> None:
    await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})
    await living.on("2027-02-23")

    missed = await put(living, {**await visit(living, "primer/1"), "status": "noshow"})
    await plan_of(living)

    told, step = missed.json(), living.steps["primer/1"]
    assert told["status"] == "noshow"
    assert (told["start"], told["end"]) == ("2027-02-23T16:00:00Z", "2027-02-23T16:45:00Z")
    assert told["requestedPeriod"] == [{"start": step["date"], "end": step["date"]}]
    assert (step["status"], step["appointment"]["status"]) == ("missed", "missed")
    assert step["date"] > "2027-02-23"
    assert {k: v for k, v in told.items() if k != "extension"} == await visit(living, "primer/1")

    day = step["date"]
    times = {"start": f"{day}T09:00:00-07:00", "end": f"{day}T09:45:00-07:00"}
    booked = await put(living, {**told, **times, "status": "booked"})
    assert (booked.json()["status"], booked.json()["start"]) == ("booked", f"{day}T16:00:00Z")
    at = f"Appointment/{told['id']}/_history"
    kept = [one["resource"]["status"] for one in (await get(living.desk.api, at))["entry"]]
    assert kept == ["booked", "noshow", "booked", "proposed"]


async def test_a_visit_that_is_cancelled_leaves_the_step_to_be_booked_again(
    living: Living,
) -> None:
    booked = await put(living, {**await visit(living, "primer/1"), **TIMES, "status": "booked"})
    reason = {"text": "the room is taken"}

    off = await put(living, {**booked.json(), "status": "cancelled", "cancelationReason": reason})
    again = await put(living, off.json())
    await plan_of(living)

    told = off.json()
    assert (told["status"], told["start"]) == ("cancelled", "2027-02-23T16:00:00Z")
    assert told["requestedPeriod"] == [{"start": "2027-02-23", "end": "2027-02-23"}]
    assert again.headers["etag"] == off.headers["etag"]
    step = living.steps["primer/1"]
    assert (step["status"], step["date"]) == ("planned", "2027-02-23")
    assert "unbook" in step["allowed_changes"]
    request = await get(living.desk.api, f"ServiceRequest/{told['id']}")
    assert request["status"] == "active"
    provenance = await get(living.desk.api, f"Provenance/{living.plan['id']}.3")
    assert provenance["reason"][0] == {"text": "the room is taken"}

    proposed = await put(living, {**told, "status": "proposed"})
    assert proposed.json()["status"] == "proposed"
    assert "start" not in proposed.json()


async def test_a_visit_that_is_only_proposed_cannot_be_cancelled(living: Living) -> None:
    resource = await visit(living, "primer/2")

    issue = issue_of(await put(living, {**resource, "status": "cancelled"}), 422)

    assert issue["expression"] == ["Appointment.status"]
    assert "ServiceRequest" in issue["diagnostics"]


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
        ([{"op": ["add"], "path": "/start", "value": 1}], "[0].op"),
        ([{"op": "add", "path": f"/participant/{2**64}", "value": 1}], "[0].path"),
        ([{"op": "replace", "path": "status", "value": "booked"}], "[0].path"),
        ([{"op": "add", "path": "/start"}], "[0].value"),
        ([{"op": "remove", "path": "/nothing"}], "[0].path"),
        ([{"op": "replace", "path": "/participant/x", "value": 1}], "[0].path"),
        ([{"op": "replace", "path": "/participant/9", "value": 1}], "[0].path"),
        ([{"op": "test", "path": "/status", "value": "booked"}], "[0].path"),
        ([{"op": "add", "path": "/status/x/y", "value": 1}], "[0].path"),
        ([{"op": "add", "path": "/participant/9", "value": {"status": "accepted"}}], "[0].path"),
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
        ({"status": "noshow"}, "Appointment.start"),
        ({"status": "fulfilled"}, "Appointment.start"),
        ({"status": "booked", "start": TIMES["start"]}, "Appointment.end"),
        ({"status": "booked", "start": TIMES["end"], "end": TIMES["start"]}, "Appointment"),
        (
            {"status": "booked", "start": "2027-02-23T09:00:00", "end": TIMES["end"]},
            "Appointment.start",
        ),
        ({"id": "00000000-0000-7000-8000-000000000000"}, "Appointment.id"),
        *(
            ({"requestedPeriod": [{"start": start}]}, "Appointment.requestedPeriod")
            for start in ("2027-03", "2027-02-23T23:59:60Z", "0001-01-01T00:00:00+14:00")
        ),
        ({"status": 5}, "Appointment.status"),
        ({"nonsense": True}, "Appointment.nonsense"),
        ({"participant": []}, "Appointment.participant"),
        ({"resourceType": "Patient"}, "Appointment"),
        ({"status": "fulfilled", **TIMES}, "Appointment.end"),
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


async def test_what_a_patch_of_another_version_would_find_is_not_looked_at(
    living: Living,
) -> None:
    resource = await visit(living, "primer/1")
    tested = [{"op": "test", "path": "/status", "value": "booked"}]

    stale = await living.desk.api.patch(
        f"{R4}/Appointment/{resource['id']}",
        json=tested,
        headers={"Content-Type": "application/json-patch+json", "If-Match": 'W/"7"'},
    )

    assert issue_of(stale, 412)["code"] == "conflict"
