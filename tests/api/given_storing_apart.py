"""Operations that store over FHIR, and those of an administrator in a clinic of its own."""

import json
from typing import Any
from urllib.parse import urlencode

from app.domain.permissions import Role
from tests.api.fhir.given_apply import OURS, anchor, asking
from tests.api.fhir.given_fhir import BOOKING, R4, SUBSCRIPTION
from tests.api.given_callers import headers, second_clinic
from tests.api.given_changes import Living, living
from tests.api.given_plans import Data, Desk, good
from tests.api.given_storing import STORING, Request, numbers, stored, storing
from tests.api.given_tokens import EC_KEY, System, client_id, public
from tests.integrations.fhir.given_plan_definitions import action, plan_definition

__all__ = ["STORING"]


@storing("Patient.create")
async def a_fhir_patient(desk: Desk) -> Request:
    """A patient of an EHR."""
    identifier = {"system": "urn:interrupted", "value": f"F-{next(numbers)}"}
    return Request(
        desk.app, f"{R4}/Patient", {"resourceType": "Patient", "identifier": [identifier]}
    )


@storing("Bundle.transaction")
async def a_transaction(desk: Desk) -> Request:
    """Two patients of an EHR, or none."""
    made = [(await a_fhir_patient(desk)).body for _ in range(2)]
    entries = [{"resource": one, "request": {"method": "POST", "url": "Patient"}} for one in made]
    return Request(
        desk.app, R4, {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    )


async def _visit(desk: Desk) -> tuple[Living, Data]:
    found = await living(desk, patient={"id": await desk.patient()})
    at = f"{R4}/Appointment/{found.id_of('primer/1')}"
    return found, await good(desk.api.get(at))


@storing("Appointment.update")
async def a_booking(desk: Desk) -> Request:
    """A visit that an EHR has booked."""
    _, visit = await _visit(desk)
    booked = {"start": BOOKING["starts_at"], "end": BOOKING["ends_at"], "status": "booked"}
    at = f"{R4}/Appointment/{visit['id']}"
    return Request(desk.app, at, {**visit, **booked}, {"if-match": 'W/"1"'}, "PUT")


@storing("Appointment.patch")
async def a_patched_booking(desk: Desk) -> Request:
    """The same, of which only the difference is sent."""
    _, visit = await _visit(desk)
    booked = {"start": BOOKING["starts_at"], "end": BOOKING["ends_at"], "status": "booked"}
    patch = [
        {"op": "replace" if name in visit else "add", "path": f"/{name}", "value": value}
        for name, value in booked.items()
    ]
    at = f"{R4}/Appointment/{visit['id']}"
    sent = json.dumps(patch).encode()
    form = "application/json-patch+json"
    return Request(desk.app, at, sent, {"if-match": 'W/"1"'}, "PATCH", form)


async def _request(desk: Desk) -> Data:
    found = await living(desk, patient={"id": await desk.patient()})
    return await good(desk.api.get(f"{R4}/ServiceRequest/{found.id_of('primer/1')}"))


@storing("ServiceRequest.update")
async def a_revoked_request(desk: Desk) -> Request:
    """A step that an EHR calls off."""
    sent = {**await _request(desk), "status": "revoked"}
    at = f"{R4}/ServiceRequest/{sent['id']}"
    return Request(desk.app, at, sent, {"if-match": 'W/"1"'}, "PUT")


@storing("ServiceRequest.patch")
async def a_patched_request(desk: Desk) -> Request:
    """The same, of which only the difference is sent."""
    at = f"{R4}/ServiceRequest/{(await _request(desk))['id']}"
    sent = json.dumps([{"op": "replace", "path": "/status", "value": "revoked"}]).encode()
    form = "application/json-patch+json"
    return Request(desk.app, at, sent, {"if-match": 'W/"1"'}, "PATCH", form)


async def _recorded(desk: Desk) -> tuple[str, Data]:
    """What was recorded, and its address."""
    made = await a_fact(desk)
    assert isinstance(made.body, dict)
    resource = await stored(desk, made.path, made.body)
    return f"{made.path}/{resource['id']}", resource


@storing("Procedure.update", "Encounter.update")
async def a_fact_taken_back(desk: Desk) -> Request:
    """A fact that was entered in error."""
    at, resource = await _recorded(desk)
    sent = {**resource, "status": "entered-in-error"}
    return Request(desk.app, at, sent, {"if-match": 'W/"2"'}, "PUT")


@storing("Procedure.patch", "Encounter.patch")
async def a_patched_fact(desk: Desk) -> Request:
    """The same, of which only the difference is sent."""
    at, _ = await _recorded(desk)
    sent = json.dumps([{"op": "replace", "path": "/status", "value": "entered-in-error"}]).encode()
    form = "application/json-patch+json"
    return Request(desk.app, at, sent, {"if-match": 'W/"2"'}, "PATCH", form)


@storing("Procedure.create", "Encounter.create")
async def a_fact(desk: Desk) -> Request:
    """What was done at a step, as a procedure: an encounter takes the same way."""
    found = await living(desk, patient={"id": await desk.patient()})
    await found.on("2027-02-02")
    procedure = {
        "resourceType": "Procedure",
        "status": "completed",
        "basedOn": [{"reference": f"ServiceRequest/{found.id_of('primer/2')}"}],
        "subject": {"reference": f"Patient/{found.plan['patient_id']}"},
        "performedDateTime": "2027-02-02",
    }
    return Request(desk.app, f"{R4}/Procedure", procedure)


def _definition() -> Data:
    url = f"http://example.org/fhir/PlanDefinition/course-{next(numbers)}"
    return {**plan_definition(action("session"), version="2.1"), "url": url}


@storing("PlanDefinition.create")
async def a_plan_definition(desk: Desk) -> Request:
    """A protocol of another system."""
    return Request(desk.app, f"{R4}/PlanDefinition", _definition())


def _activity() -> Data:
    number = next(numbers)
    return {
        "resourceType": "ActivityDefinition",
        "url": f"http://example.org/fhir/ActivityDefinition/reminder-{number}",
        "title": f"Reminder {number}",
        "status": "active",
        "kind": "CommunicationRequest",
        "timingTiming": {"repeat": {"duration": 15, "durationUnit": "min"}},
    }


@storing("ActivityDefinition.create")
async def an_activity(desk: Desk) -> Request:
    """What is done at a step, of another system."""
    return Request(desk.app, f"{R4}/ActivityDefinition", _activity())


async def _edited(desk: Desk, made: Request) -> Request:
    assert isinstance(made.body, dict)
    resource = await stored(desk, made.path, made.body)
    at = f"{made.path}/{resource['id']}"
    return Request(desk.app, at, {**resource, "title": "Other"}, {"if-match": 'W/"1"'}, "PUT")


@storing("PlanDefinition.update")
async def an_edited_plan_definition(desk: Desk) -> Request:
    """The same once more, as it was changed there."""
    return await _edited(desk, await a_plan_definition(desk))


@storing("ActivityDefinition.update")
async def an_edited_activity(desk: Desk) -> Request:
    """Likewise."""
    return await _edited(desk, await an_activity(desk))


@storing("PlanDefinition.$apply")
async def an_applied_plan(desk: Desk) -> Request:
    """A plan that is kept."""
    own = Desk(desk.app, desk.api, desk.location_id, await desk.patient(), {})
    kept = {"name": "persist", "valueBoolean": True}
    return Request(desk.app, OURS, asking(own, anchor(), kept))


async def _apart(desk: Desk, path: str, body: Data | None = None, **fields: Any) -> Request:
    """A request of an administrator in a clinic of its own."""
    clinic_id = await second_clinic(desk.app)
    sent = await headers(desk.app, Role.ADMIN, clinic_id=clinic_id)
    made = Request(desk.app, path, body, clinic_id=clinic_id, **fields)
    made.headers |= sent
    return made


@storing("install_library")
async def a_library(desk: Desk) -> Request:
    """The built-in protocols."""
    return await _apart(desk, "/v1/protocols/library")


@storing("set_clock")
async def another_time(desk: Desk) -> Request:
    """It is another day."""
    return await _apart(desk, "/v1/clock", {"now": "2027-02-05T09:00:00-07:00"}, method="PUT")


@storing("save_clinic_rules")
async def rules(desk: Desk) -> Request:
    """Rules that hold for every plan."""
    washout = {"id": "nsaid", "agent": "nsaid", "before": "P14D", "severity": "review"}
    body: Data = {"format": 1, "title": "Ours", "washouts": [washout]}
    sent = {"if-match": '"0"'}
    return await _apart(desk, "/v1/clinic/rules", body, method="PUT", headers=sent)


@storing("preview_clinic_rules")
async def tried_rules(desk: Desk) -> Request:
    """Likewise, only tried: the batch with what would become of the plans is stored."""
    return await _apart(desk, "/v1/clinic/rules/preview", {"format": 1, "title": "Ours"})


@storing("create_key")
async def a_key(desk: Desk) -> Request:
    """A caller."""
    body = {"name": "front", "role": "front-desk"}
    return await _apart(desk, "/v1/keys", body, is_keyed=False)


async def _of_a_key(desk: Desk, what: str, body: Data | None) -> Request:
    made = await a_key(desk)
    assert isinstance(made.body, dict)
    sent = {"Authorization": made.headers["Authorization"]}
    key = await stored(desk, made.path, made.body, sent)
    made.path, made.body = f"/v1/keys/{key['id']}/{what}", body
    return made


@storing("rotate_key")
async def a_rotated_key(desk: Desk) -> Request:
    """Another key for the same caller."""
    return await _of_a_key(desk, "rotate", {"overlap_hours": 1})


@storing("revoke_key")
async def a_revoked_key(desk: Desk) -> Request:
    """A caller who is one no more."""
    return await _of_a_key(desk, "revoke", None)


@storing("issue_token")
async def a_token(desk: Desk) -> Request:
    """A token for what a client signs, once."""
    made = await client_id(desk.app, public(EC_KEY), name=f"ehr-{next(numbers)}")
    system = System(desk.api, str(made), EC_KEY, "ES384")
    form = urlencode(system.form()).encode()
    media_type = "application/x-www-form-urlencoded"
    return Request(desk.app, "/oauth/token", form, media_type=media_type, is_keyed=False)


@storing("create_webhook")
async def a_webhook(desk: Desk) -> Request:
    """Who is told what happens."""
    body = {"title": "EHR", "url": "https://ehr.example.org/hooks", "event_types": ["plan_created"]}
    return await _apart(desk, "/v1/webhooks", body)


async def _of_a_webhook(
    desk: Desk, what: str, body: Data | None = None, method: str = "POST", **sent: str
) -> Request:
    made = await a_webhook(desk)
    assert isinstance(made.body, dict)
    known = {"Authorization": made.headers["Authorization"]}
    webhook = await stored(desk, made.path, made.body, known)
    path = f"/v1/webhooks/{webhook['id']}{what}"
    request = Request(desk.app, path, body, sent, method, clinic_id=made.clinic_id)
    request.headers |= known
    return request


@storing("change_webhook")
async def a_changed_webhook(desk: Desk) -> Request:
    """Who is not told for a while."""
    tag = {"if-match": '"1"'}
    return await _of_a_webhook(desk, "", {"enabled": False}, "PATCH", **tag)


@storing("delete_webhook")
async def no_webhook(desk: Desk) -> Request:
    """Who is told no more."""
    return await _of_a_webhook(desk, "", None, "DELETE")


@storing("rotate_webhook_secret")
async def another_secret(desk: Desk) -> Request:
    """What is sent is signed anew."""
    return await _of_a_webhook(desk, "/secret/rotate", {"former_valid_hours": 1})


@storing("test_webhook")
async def a_tried_webhook(desk: Desk) -> Request:
    """A message for nothing."""
    return await _of_a_webhook(desk, "/test")


async def _sent(desk: Desk) -> tuple[Request, int]:
    """A webhook for which a message waits, and its number."""
    tried = await a_tried_webhook(desk)
    known = {"Authorization": tried.headers["Authorization"]}
    answer = await good(desk.api.post(tried.path, headers=known))
    return tried, int(answer["event_number"])


@storing("replay_delivery")
async def a_message_again(desk: Desk) -> Request:
    """One message is sent again."""
    made, number = await _sent(desk)
    made.path = made.path.replace("/test", f"/deliveries/{number}/replay")
    return made


@storing("replay_deliveries")
async def messages_again(desk: Desk) -> Request:
    """All messages are sent again."""
    made, _ = await _sent(desk)
    made.path, made.body = made.path.replace("/test", "/replay"), {"after": 0}
    return made


@storing("Subscription.create")
async def a_subscription(desk: Desk) -> Request:
    """An EHR that is told what happens."""
    return await _apart(desk, f"{R4}/Subscription", SUBSCRIPTION)


async def _of_a_subscription(desk: Desk, method: str) -> Request:
    made = await a_subscription(desk)
    assert isinstance(made.body, dict)
    known = {"Authorization": made.headers["Authorization"]}
    resource = await stored(desk, made.path, made.body, known)
    at = f"{made.path}/{resource['id']}"
    body = {**resource, "status": "off"} if method == "PUT" else None
    sent = {**known, "if-match": 'W/"1"'}
    return Request(desk.app, at, body, sent, method, clinic_id=made.clinic_id)


@storing("Subscription.update")
async def a_stopped_subscription(desk: Desk) -> Request:
    """Who is not told for a while."""
    return await _of_a_subscription(desk, "PUT")


@storing("Subscription.delete")
async def no_subscription(desk: Desk) -> Request:
    """Who is told no more."""
    return await _of_a_subscription(desk, "DELETE")
