"""A rule with a condition holds only while its parameter has one of the values."""

from dataclasses import replace
from datetime import date

import pytest

from app.domain.calendars import Calendar
from app.domain.documents import parse_protocol
from app.domain.engine import solve
from app.domain.facts import Anchor, OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Schedule
from tests.domain.given_documents import after, choice, document, step

DAY = date(2027, 3, 10)
PROTOCOL = parse_protocol(
    document(
        step("session"),
        step("visit", timings=after("session", earliest="P1D", target="P1D", latest="P9D")),
        step("gate", kind="decision", choices=[
            {"key": "late", "title": "Late", "effects": [
                {"type": "set", "parameter": "when", "value": "late"}]},
        ]),
        parameters=[choice()],
        rules=[
            {"id": "gap", "type": "min_gap", "from": "session", "to": "visit", "offset": "P5D",
             "when": {"parameter": "when", "in": ["late"]}},
            {"id": "told", "type": "max_gap", "from": "session", "to": "visit", "offset": "P2D",
             "severity": "warn", "when": {"parameter": "when", "in": ["late"]}},
        ],
    )
).protocol  # fmt: skip
PROBLEM = Problem(
    protocol=PROTOCOL,
    as_of=DAY,
    calendar=Calendar(frozenset(range(1, 8))),
    anchor=Anchor(OccurrenceId("session"), DAY),
)


@pytest.mark.parametrize(
    "problem, day, told",
    [
        pytest.param(PROBLEM, date(2027, 3, 11), [], id="by default"),
        pytest.param(
            replace(PROBLEM, parameters={"when": "late"}), date(2027, 3, 15), ["told"], id="asked"
        ),
        pytest.param(
            replace(PROBLEM, decided={"gate": "late"}), date(2027, 3, 15), ["told"], id="decided"
        ),
    ],
)
def test_the_rule_holds_while_its_condition_does(
    problem: Problem, day: date, told: list[str]
) -> None:
    found = solve(problem)

    assert isinstance(found, Schedule)
    assert found.day_of(OccurrenceId("visit")) == day
    assert [breach.rule for breach in found.breaches] == told


def test_two_sides_are_not_one_site() -> None:
    gap = {"id": "gap", "type": "min_gap", "kinds": ["injection"], "offset": "P14D"}
    steps = [
        step(key, kind="injection", side=side, timings=after("session", target="P0D"))
        for key, side in (("one", "first"), ("other", "second"))
    ]

    def days(**members: object) -> set[date | None]:
        data = document(step("session"), *steps, rules=[gap | members])
        found = solve(replace(PROBLEM, protocol=parse_protocol(data).protocol))
        assert isinstance(found, Schedule)
        return {found.day_of(OccurrenceId(key)) for key in ("one", "other")}

    assert days(same_site=True) == {DAY}
    assert len(days()) == 2
