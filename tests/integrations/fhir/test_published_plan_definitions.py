"""Published PlanDefinitions which nobody here wrote: their days by the engine, what is kept."""

from datetime import date, timedelta
from typing import Any

import pytest
from fhir.resources.R4B.plandefinition import PlanDefinition

from app.domain.documents import ProtocolDocument
from app.domain.engine import solve
from app.domain.facts import Anchor, OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Schedule
from app.integrations.fhir.findings import Verdict
from app.integrations.fhir.plan_definitions import plan_definition_of, read_protocol
from tests.domain.published import read_json

NAMES = (
    "KDN5",
    "exclusive-breastfeeding-intervention-01",
    "h2q-mc-lzzt",
    "low-suicide-risk-order-set",
    "options-example",
    "protocol-example",
)
FILES: dict[str, dict[str, Any]] = {
    name: read_json(f"fhir/PlanDefinition-{name}.json") for name in NAMES
}
START = date(2027, 3, 10)
# Visit: its day, and its window where the study gives one.
VISITS = {
    "Visit-1": ("02-25", "02-23", "02-26"),
    "Visit-2": ("03-09", None, None),
    "Visit-3": ("03-10", None, None),
    "Visit-4": ("03-24", "03-22", "03-25"),
    "Visit-5": ("04-07", "04-05", "04-09"),
    "Visit-6": ("04-14", "04-12", "04-16"),
    "Visit-7": ("04-21", "04-19", "04-23"),
    "Visit-8": ("05-05", "05-03", "05-07"),
    "Visit-8.1": ("05-19", None, None),
    "Visit-9": ("06-02", "05-31", "06-04"),
    "Visit-9.1": ("06-16", None, None),
    "Visit-10": ("06-30", "06-28", "07-02"),
    "Visit-10.1": ("07-14", None, None),
    "Visit-11": ("07-28", "07-26", "07-30"),
    "Visit-11.1": ("08-11", None, None),
    "Visit-12": ("08-25", "08-23", "08-27"),
    "Visit-13": ("09-08", "09-06", "09-10"),
}


def _document(name: str) -> ProtocolDocument:
    read = read_protocol(FILES[name])
    assert read.document is not None, read.refused
    return read.document


def _schedule(
    document: ProtocolDocument, parameters: dict[str, str | int] | None = None
) -> Schedule:
    anchor = document.protocol.anchor
    problem = Problem(
        document.protocol,
        as_of=date(2027, 1, 1),
        anchor=None if anchor is None else Anchor(OccurrenceId(anchor), START),
        plan_start=START,
        parameters=parameters or {},
    )
    found = solve(problem)
    assert isinstance(found, Schedule)
    return found


@pytest.mark.parametrize("visit", VISITS)
def test_a_visit_of_the_trial_is_on_the_published_day(visit: str) -> None:
    document = _document("h2q-mc-lzzt")
    titles = {step.key: step.title for step in document.protocol.steps}
    placed = next(one for one in _schedule(document).steps if titles[one.id.step] == visit)

    target, earliest, latest = VISITS[visit]

    assert str(placed.day) == f"2027-{target}"
    if earliest is not None:
        assert placed.window is not None
        assert str(placed.window.earliest) == f"2027-{earliest}"
        assert str(placed.window.latest) == f"2027-{latest}"


def test_actions_with_an_order_only_are_not_before_what_they_follow() -> None:
    steps = {step.title: step for step in _document("h2q-mc-lzzt").protocol.steps}

    for title in ("ET-14", "RT-15"):
        (timing,) = steps[title].timings
        assert (str(timing.bounds.earliest), timing.bounds.latest) == ("P0D", None)


def test_cycles_have_the_published_days() -> None:
    schedule = _schedule(_document("KDN5"))

    days = {
        key: [one.day for one in schedule.steps if one.id.step == key]
        for key in ("action-1", "action-2")
    }

    first_days = [START + timedelta(days=21 * cycle) for cycle in range(6)]
    assert days["action-2"] == first_days
    assert days["action-1"] == sorted([*first_days, *(day + timedelta(7) for day in first_days)])


def test_what_is_concurrent_in_a_cycle_moves_together() -> None:
    rules = _document("KDN5").protocol.rules

    assert len(rules) == 6
    assert all(rule.id.startswith("together-") for rule in rules)


def test_an_hour_after_the_end_is_the_same_day() -> None:
    schedule = _schedule(_document("options-example"))

    assert [one.day for one in schedule.steps] == [START, START]


def test_of_nested_groups_one_medicine_at_most_is_chosen() -> None:
    document = _document("low-suicide-risk-order-set")
    medications = next(one for one in document.protocol.parameters if one.key == "medications")

    nothing = _schedule(document)
    one = _schedule(document, {"medications": medications.options[0]})

    assert len(medications.options) == 9
    assert [placed.id.step for placed in nothing.steps] == []
    assert [placed.id.step for placed in one.steps] == [medications.options[0]]


def test_every_dynamic_value_is_reported_as_kept() -> None:
    found = read_protocol(FILES["low-suicide-risk-order-set"]).findings

    dynamic = [one for one in found if one.expression.endswith(".dynamicValue")]
    assert len(dynamic) == 2
    assert {(one.verdict, one.code) for one in dynamic} == {(Verdict.KEPT, "not-supported")}


@pytest.mark.parametrize("name", ["protocol-example", "exclusive-breastfeeding-intervention-01"])
def test_conditions_in_another_language_are_refused_where_they_are(name: str) -> None:
    read = read_protocol(FILES[name])

    assert read.document is None
    assert [(one.expression, one.code) for one in read.refused] == [
        ("PlanDefinition.action[0].condition[0].expression", "not-supported")
    ]


@pytest.mark.parametrize(
    "name", ["KDN5", "h2q-mc-lzzt", "low-suicide-risk-order-set", "options-example"]
)
def test_what_was_understood_is_the_same_after_both_ways(name: str) -> None:
    document = _document(name)

    resource = plan_definition_of(document)

    assert read_protocol(resource).document == document
    PlanDefinition.model_validate(resource)


@pytest.mark.parametrize("name", NAMES)
def test_every_element_of_every_action_is_told(name: str) -> None:
    told = {one.expression for one in read_protocol(FILES[name]).findings}
    silent = {"id", "action", "extension", "title", "description", "textEquivalent"}

    def untold(actions: list[dict[str, Any]], at: str) -> list[str]:
        found = []
        for number, action in enumerate(actions):
            place = f"{at}.action[{number}]"
            found += [
                f"{place}.{element}"
                for element in action.keys() - silent
                if not any(one.startswith(f"{place}.{element}") for one in told)
            ]
            found += untold(action.get("action", []), place)
        return found

    assert untold(FILES[name]["action"], "PlanDefinition") == []
