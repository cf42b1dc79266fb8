"""CDC immunization schedules as protocols: the ordinary engine gives the published dates.

One step per dose. Its first timing is the one with a target (the age, where it has one), then the
other timings follow; all hold. The last recommended day is a deadline. A dose which did not count
is an outside event from which the same dose is spaced again.
"""

from collections.abc import Collection
from datetime import date
from typing import Any

import pytest

from app.domain.engine import solve
from app.domain.facts import OccurrenceId, Performed
from app.domain.offsets import MonthEnd, Offset
from app.domain.problem import Problem
from app.domain.protocols import (
    BirthDate,
    Bounds,
    LatestIs,
    OutsideEvent,
    Protocol,
    Reference,
    Step,
    StepKind,
    StepReference,
    Timing,
)
from app.domain.schedules import Schedule
from tests.domain.published import read_json

Data = dict[str, Any]  # JSON

CASES: list[Data] = read_json("cdsi/cases.json")
SERIES: dict[str, Data] = {series["key"]: series for series in read_json("cdsi/schedules.json")}
LAST_GIVEN = OutsideEvent("last_dose_given")


def _offset(rule: Data, key: str) -> Offset | None:
    return Offset.parse(rule[key], is_age=True) if key in rule else None


def _day_before(offset: Offset | None) -> Offset | None:
    """CDSi's last recommended day is exclusive."""
    if offset is None:
        return None
    return Offset(offset.years, offset.months, days=offset.weeks * 7 + offset.days - 1)


def _applies(rule: Data, as_of: str) -> bool:
    return bool(rule.get("effective_from", as_of) <= as_of <= rule.get("effective_until", as_of))


def _most_recent(case: Data, products: list[str]) -> str | None:
    dates = [dose["date"] for dose in case["doses"] if dose.get("product") in products]
    return dates[-1] if dates else None


class _Plan:
    """One series applied to one case."""

    def __init__(self, case: Data) -> None:
        self.case = case
        self.doses: list[Data] = SERIES[case["series"]]["doses"]
        self.counted = [dose["date"] for dose in case["doses"] if dose["valid"]]
        self.events: dict[str, date] = {}
        if case["doses"]:
            self.events[LAST_GIVEN.name] = date.fromisoformat(case["doses"][-1]["date"])

    @property
    def next_dose(self) -> OccurrenceId:
        return OccurrenceId(f"dose_{len(self.counted) + 1}")

    def problem(self) -> Problem:
        steps = tuple(
            Step(
                f"dose_{number}",
                StepKind.INJECTION,
                f"Dose {number}",
                importance=10,
                timings=tuple(self._timings(number, dose)),
            )
            for number, dose in enumerate(self.doses, 1)
        )
        given = (
            Performed(OccurrenceId(f"dose_{number}"), date.fromisoformat(on))
            for number, on in enumerate(self.counted, 1)
        )
        return Problem(
            Protocol(steps, month_end=MonthEnd.ROLL_FORWARD),
            as_of=date.fromisoformat(self.case["as_of"]),
            birth_date=date.fromisoformat(self.case["birth_date"]),
            events=self.events,
            performed=tuple(given),
        )

    def _timings(self, number: int, dose: Data) -> list[Timing]:
        age = dose.get("age", {})
        found = [_age_timing(age)]
        has_own = [key for key in ("recommended", "latest_recommended") if key in age]
        for interval in dose.get("intervals", []):
            reference = self._reference(number, interval["from"])
            if reference is not None and _applies(interval, self.case["as_of"]):
                found.append(_timing(reference, interval, without=has_own))
        if number == len(self.counted) + 1 and self.case["doses"]:
            found.append(Timing(LAST_GIVEN, Bounds(earliest=Offset())))
        timings = [timing for timing in found if timing is not None]
        return sorted(timings, key=_has_no_target)

    def _reference(self, number: int, origin: Any) -> Reference | None:
        """What an interval counts from; ``None`` where that has not happened."""
        if isinstance(origin, dict):
            products = origin["most_recent_product"]
            on = _most_recent(self.case, products)
            if on is None:
                return None
            event = OutsideEvent("last_" + "_".join(products))
            self.events[event.name] = date.fromisoformat(on)
            return event
        if origin == "previous" and number == len(self.counted) + 1:
            last_counts = bool(self.case["doses"]) and self.case["doses"][-1]["valid"]
            if not last_counts:
                return LAST_GIVEN if self.case["doses"] else None
        previous = number - 1 if origin == "previous" else origin
        return StepReference(f"dose_{previous}") if previous else None


def _age_timing(age: Data) -> Timing | None:
    planned = {key: text for key, text in age.items() if not key.startswith(("absolute", "max"))}
    return _timing(BirthDate(), planned, without=())


def _timing(reference: Reference, rule: Data, without: Collection[str]) -> Timing | None:
    kept = {key: value for key, value in rule.items() if key not in without}
    bounds = (
        _offset(kept, "minimum"),
        _offset(kept, "recommended"),
        _day_before(_offset(kept, "latest_recommended")),
    )
    if bounds == (None, None, None):
        return None
    return Timing(reference, Bounds(*bounds, latest_is=LatestIs.DEADLINE))


def _has_no_target(timing: Timing) -> bool:
    bounds = timing.bounds
    return bounds.target is None or bounds.target == bounds.earliest


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_next_dose_has_the_published_dates(case: Data) -> None:
    plan = _Plan(case)

    found = solve(plan.problem())

    assert isinstance(found, Schedule)
    window = next(step.window for step in found.steps if step.id == plan.next_dose)
    assert window is not None
    assert str(window.earliest) == case["expected"]["earliest"]
    assert str(window.target) == case["expected"]["recommended"]
    if case["expected"]["past_due"]:
        assert str(window.latest) == case["expected"]["past_due"]


def test_all_the_published_cases_are_there() -> None:
    assert len(CASES) == 151
    assert all(case["series"] in SERIES for case in CASES)
