"""Published PlanDefinitions applied over FHIR, where every day is open: their published days."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.api.fhir.given_apply import ROOT, anchor, applied, applying, choice, days_of, refused
from tests.api.given_plans import Desk
from tests.domain.published import read_json

Data = dict[str, Any]
START = date(2027, 3, 10)
DAYS = {
    "Visit-1": "02-25",
    "Visit-2": "03-09",
    "Visit-3": "03-10",
    "Visit-4": "03-24",
    "Visit-8": "05-05",
    "Visit-8.1": "05-19",
    "Visit-11.1": "08-11",
    "Visit-13": "09-08",
}


def _file(name: str) -> Data:
    found: Data = read_json(f"fhir/PlanDefinition-{name}.json")
    return found


H2Q = _file("h2q-mc-lzzt")


async def _open_always(desk: Desk) -> Data:
    id_ = await desk.location(open_weekdays=[1, 2, 3, 4, 5, 6, 7])
    return {"name": "location", "valueString": f"Location/{id_}"}


def _at(body: Data, place: Data) -> Data:
    others = [one for one in body["parameter"] if one["name"] != "location"]
    return {**body, "parameter": [*others, place]}


async def test_the_trials_visits_are_on_their_published_days(desk: Desk) -> None:
    place = await _open_always(desk)
    body = applying(desk, H2Q, anchor(name="Index-Activity-Event"))

    plan = await applied(desk, f"{ROOT}/$apply", _at(body, place))

    requests = [one for one in plan["contained"] if one["resourceType"] == "ServiceRequest"]
    days = {one["code"]["text"]: one["extension"][0]["valueDate"] for one in requests}
    assert {name: days[name] for name in DAYS} == {n: f"2027-{day}" for n, day in DAYS.items()}
    fourth = next(one for one in requests if one["code"]["text"] == "Visit-4")["occurrencePeriod"]
    assert (fourth["start"], fourth["end"]) == ("2027-03-22", "2027-03-25")


async def test_the_cycles_medicines_are_on_their_published_days(desk: Desk) -> None:
    place = await _open_always(desk)
    body = applying(desk, _file("KDN5"), anchor(name="cycle-definition-1"))

    plan = await applied(desk, f"{ROOT}/$apply", _at(body, place))

    first = [START + timedelta(21 * cycle) for cycle in range(6)]
    eighth = [day + timedelta(7) for day in first]
    assert days_of(plan)["action-1"] == [day.isoformat() for day in sorted([*first, *eighth])]
    assert days_of(plan)["action-2"] == [day.isoformat() for day in first]


async def test_an_hour_later_is_the_same_day(desk: Desk) -> None:
    plan = await applied(desk, f"{ROOT}/$apply", applying(desk, _file("options-example"), anchor()))

    assert days_of(plan) == {
        "medication-action-1": ["2027-03-10"],
        "medication-action-2": ["2027-03-10"],
    }


@pytest.mark.parametrize(
    "name",
    [
        "protocol-example",
        "exclusive-breastfeeding-intervention-01",
        "low-suicide-risk-order-set",
    ],
)
async def test_expressions_in_another_language_are_refused_where_they_are(
    desk: Desk, name: str
) -> None:
    body = applying(desk, _file(name), anchor(), choice("medications", "none"))

    found = refused(await desk.api.post(f"{ROOT}/$apply", json=body))

    assert found
    assert {code for code, _ in found} == {"not-supported"}
    assert all("action" in place for _, place in found)


@pytest.mark.parametrize("name", ["KDN5", "h2q-mc-lzzt", "low-suicide-risk-order-set"])
async def test_what_is_imported_is_given_back_as_it_was_sent_but_for_its_narrative(
    own_desk: Desk, name: str
) -> None:
    sent = _file(name)

    made = await own_desk.api.post(ROOT, json=sent)
    id_ = made.json()["id"]
    read = (await own_desk.api.get(f"{ROOT}/{id_}")).json()

    assert made.status_code == 201, made.text
    changed = {"id", "meta", "status", "date", "text"}
    assert {n: v for n, v in read.items() if n not in changed} == {
        n: v for n, v in sent.items() if n not in changed
    }
