"""Property: lines of a bulk request come to what they come to when posted one after another."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.api.given_bulk import FEW, bulk
from tests.api.given_plans import Data, Desk, a_desk, good
from tests.client import Client

PATIENTS = 2
OWN = {"id", "patient_id", "location_id", "next_step", "step_id", "step_ids", "breach", "options"}
EXAMPLES = {"quick": 20, "deep": 300}

CHANGES: list[list[Data]] = [
    [],
    [{"type": "report", "agent": "nsaid", "on": "2027-01-02"}],
    [{"type": "skip", "step": "primer/2"}],
    [{"type": "perform", "step": "consult", "on": "2026-12-30"}],
    [{"type": "pin", "step": "session", "to": "2027-03-17"}],
    [{"type": "waive", "element": "rule:injection-gap", "reason": "as asked"}],
    [{"type": "skip", "step": "nothing"}],
]
# Half of what is drawn is ordinary, so that lines often meet and are not always refused.
LINES = st.fixed_dictionaries(
    {
        "patient": st.integers(0, PATIENTS - 1),
        "by_name": st.booleans(),
        "anchor": st.sampled_from(
            [
                {"date": "2027-03-10"},
                {"date": "2027-03-10"},
                {"date": "2027-03-24"},
                {"date": "2027-04-14"},
                {"date": "2027-03-13"},
                {"earliest_from": "2027-03-03"},
            ]
        ),
        "laterality": st.sampled_from(["left", "right", "right", None]),
        "status": st.sampled_from(["active", "active", "draft"]),
        "parameters": st.sampled_from([FEW, {"primer_count": 1}, {"primer_count": 2}, {"x": 1}]),
        "changes": st.sampled_from(CHANGES),
        "named": st.sampled_from([None, None, None, 0, 1]),
        "key": st.sampled_from([None, None, 0, 1]),
    }
)


async def world(desk: Desk) -> tuple[list[str], list[Data]]:
    """Patients of their own, by id and by name."""
    others = [f"{desk.patient_id}-{number}" for number in range(1, PATIENTS)]
    names = [desk.mrn, *({"system": "urn:example:mrn", "value": other} for other in others)]
    return [desk.patient_id, *[await desk.patient(identifiers=[n]) for n in names[1:]]], names


def body_of(drawn: Data, desk: Desk, patients: tuple[list[str], list[Data]]) -> Data:
    """A drawn line as a body in one of the two worlds."""
    ids, names = patients
    number = drawn["patient"]
    body = desk.body(
        patient={"identifier": names[number]} if drawn["by_name"] else {"id": ids[number]},
        **{name: drawn[name] for name in ("anchor", "status", "parameters", "changes")},
        laterality=drawn["laterality"] or ...,
    )
    if drawn["named"] is not None:
        value = f"{desk.patient_id}-{drawn['named']}"
        body["identifiers"] = [{"system": "urn:example:ehr", "value": value}]
    return body


def nameless(found: Any) -> Any:
    """Without the ids that are of one world only, and what only a request of its own is told."""
    match found:
        case dict():
            return {key: nameless(value) for key, value in found.items() if key not in OWN}
        case list():
            return [nameless(one) for one in found]
        case _:
            return found


def unnamed(found: Any, ids: dict[str, str]) -> str:
    """The same as text, every plan called by the number of its line."""
    text = repr(nameless(found))
    for id_, name in ids.items():
        text = text.replace(id_, name)
    return text


async def alone(desk: Desk, drawn: list[Data]) -> list[str]:
    """What comes of the lines, each posted when the one before it was answered."""
    patients = await world(desk)
    told: list[Any] = []
    ids = {desk.patient_id: "the patient"}
    for number, line in enumerate(drawn):
        key = line["key"]
        headers = None if key is None else {"Idempotency-Key": f"{desk.patient_id}-{key}"}
        answer = await desk.post(body_of(line, desk, patients), headers)
        if answer.status_code == 201:
            ids.setdefault(answer.json()["id"], f"plan-{number}")
            plan = await good(desk.api.get(answer.headers["location"]))
            told.append([ids[plan["id"]], answer.status_code, answer.headers["etag"], plan])
        else:
            told.append([answer.status_code, answer.json()])
    return [unnamed(one, ids) for one in told]


async def together(desk: Desk, drawn: list[Data]) -> list[str]:
    """What comes of the lines of one request."""
    patients = await world(desk)
    lines = []
    for line in drawn:
        key = {} if line["key"] is None else {"idempotency_key": f"{desk.patient_id}-{line['key']}"}
        lines.append({**body_of(line, desk, patients), **key})
    *results, _ = await bulk(desk, *lines)
    told: list[Any] = []
    ids = {desk.patient_id: "the patient"}
    for number, result in enumerate(results):
        if result["status"] == 201:
            ids.setdefault(result["id"], f"plan-{number}")
            plan = await good(desk.api.get(result["location"]))
            told.append([ids[plan["id"]], result["status"], result["etag"], plan])
        else:
            told.append([result["status"], result["problem"]])
    return [unnamed(one, ids) for one in told]


@settings(
    max_examples=EXAMPLES.get(settings.get_current_profile_name(), 20),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(drawn=st.lists(LINES, min_size=1, max_size=6))
async def test_lines_come_to_what_they_come_to_alone(
    plans_app: Any, plans_api: Client, drawn: list[Data]
) -> None:
    one, other = await a_desk(plans_app, plans_api), await a_desk(plans_app, plans_api)

    assert await together(one, drawn) == await alone(other, drawn)
