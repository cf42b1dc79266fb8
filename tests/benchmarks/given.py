"""What is measured on: a plan of eight steps, one of thirty, and the clinic they belong to."""

from dataclasses import replace
from datetime import date
from typing import Any

from app.domain.calendars import Calendar, Closure
from app.domain.documents import parse_protocol
from app.domain.facts import Anchor, OccurrenceId
from app.domain.offsets import Offset
from app.domain.problem import Problem
from app.domain.protocols import Bounds, Protocol, Step, StepKind, StepReference, Timing
from app.domain.rules import MinGap, StepSelector
from tests.domain.given_vectors import problem_of, vectors

TODAY = date(2026, 3, 1)
ANCHOR_DAY = date(2026, 5, 20)
STEPS = 8


def _timing(earliest: str, target: str, latest: str, step: str = "session") -> dict[str, Any]:
    return {"relative_to": {"step": step}, "earliest": earliest, "target": target, "latest": latest}


def _visit(
    key: str, title: str, timing: dict[str, Any], *, kind: str = "visit", minutes: int = 30
) -> dict[str, Any]:
    appointment = {"minutes": minutes, "modes": ["in_person"]}
    return {
        "key": key,
        "kind": kind,
        "title": title,
        "timings": [timing],
        "appointment": appointment,
    }


def _told(offset: str, text: str) -> dict[str, Any]:
    return {"offset": offset, "audience": "patient", "text": text}


PROTOCOL: dict[str, Any] = {
    "format": 1,
    "key": "ankle-eight-steps",
    "version": "1.0.0",
    "title": "Ankle: two primers, a session, follow-ups and a booster",
    "body_site": {"key": "ankle", "text": "Ankle"},
    "laterality": {"required": True, "allowed": ["left", "right"]},
    "anchor": "session",
    "steps": [
        {
            "key": "session",
            "kind": "procedure",
            "title": "Stem cell / PRP session",
            "tags": ["stem-cell", "prp"],
            "appointment": {"minutes": 180, "modes": ["in_person"]},
            "instructions": [
                _told("-P2D", "Drink plenty of water. Arrange someone to drive you home."),
                _told("P0D", "Wear loose clothing. Bring your walking boot."),
            ],
        },
        {
            "key": "primer",
            "kind": "injection",
            "title": "Dextrose prolotherapy primer",
            "optional": True,
            "tags": ["prolotherapy"],
            "timings": [_timing("-P3W", "-P2W", "-P10D")],
            "repeat": {
                "count": {"min": 0, "default": 2, "max": 3, "parameter": "primer_count"},
                "order": "backward",
                "spacing": {"earliest": "-P4W", "target": "-P3W", "latest": "-P2W"},
            },
            "appointment": {"minutes": 45, "modes": ["in_person"]},
            "instructions": [_told("-P7D", "Please tell us about steroid shots or an infection.")],
        },
        _visit("pre_check", "Readiness call", _timing("-P7D", "-P5D", "-P2D"), minutes=10),
        _visit("followup_1", "Early follow-up", _timing("P5D", "P1W", "P10D")),
        _visit("followup_2", "Follow-up", _timing("P10D", "P2W", "P18D")),
        {
            **_visit(
                "booster", "PRP booster", _timing("P5W", "P6W", "P7W"), kind="injection", minutes=60
            ),
            "tags": ["prp"],
        },
        _visit("followup_3", "Last follow-up", _timing("P4W", "P6W", "P8W", "booster")),
    ],
    "parameters": [
        {
            "key": "primer_count",
            "title": "Number of primers",
            "type": "integer",
            "min": 0,
            "max": 3,
            "default": 2,
        }
    ],
}

LOCATION: dict[str, Any] = {
    "name": "Foot and ankle clinic",
    "time_zone": "America/Denver",
    "open_weekdays": [1, 2, 3, 4, 5],
    "holidays": {"country": "US"},
}


def plan_body(patient_id: str, session: date) -> dict[str, Any]:
    """What a client posts to have the plan of eight steps."""
    return {
        "protocol": {"key": PROTOCOL["key"]},
        "patient": {"id": patient_id},
        "anchor": {"date": session.isoformat()},
        "laterality": "right",
        "condition": "Chronic ankle pain",
    }


def eight_steps() -> Problem:
    """The plan of eight steps, every one of them on its target."""
    closures = tuple(
        Closure(f"holiday-{day}", date.fromisoformat(day), date.fromisoformat(day))
        for day in ("2026-05-25", "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26")
    )
    return Problem(
        protocol=parse_protocol(PROTOCOL).protocol,
        as_of=TODAY,
        calendar=Calendar(frozenset({1, 2, 3, 4, 5}), closures),
        anchor=Anchor(OccurrenceId("session"), ANCHOR_DAY),
        plan_start=TODAY,
    )


def too_late() -> Problem:
    """The same plan asked for so late that its primers have no room: a conflict."""
    return replace(eight_steps(), as_of=date(2026, 5, 11))


def story_one() -> Problem:
    """Story 1 of the scenarios: eighteen occurrences round a closed calendar and an absence."""
    return next(problem_of(case["given"]) for case in vectors("scenarios") if _is(case, "story-01"))


def _is(case: dict[str, Any], name: str) -> bool:
    return bool(case["id"] == name)


BRANCHES = 5
DEEP = 6
_KINDS = (StepKind.INJECTION, StepKind.VISIT, StepKind.REHAB, StepKind.CALL, StepKind.ASSESSMENT)
_IMPORTANCE = (10, 3, 3, 1, 3)


def thirty_steps() -> Problem:
    """Five branches of visits from one anchor, held apart by directed gaps, on a broken calendar.

    Each branch is a chain, each step of it asks for some days between it and the next step of the
    next branch, and four closures lie where targets would be: the branches cannot be dated apart
    from each other, and many steps cannot have their targets.
    """
    steps = [Step("session", StepKind.PROCEDURE, "Session", 10)]
    rules = []
    for branch in range(BRANCHES):
        for place in range(DEEP - (branch == 0)):
            steps.append(_branch_step(branch, place))
            if branch > 0 and place:
                rules.append(
                    MinGap(
                        id=f"apart-{branch}-{place}",
                        begin=StepSelector(f"b{branch - 1}_{place - 1}"),
                        end=StepSelector(f"b{branch}_{place}"),
                        offset=Offset.of_days(9 + (branch + place) % 4),
                    )
                )
    assert len(steps) == 30
    closed = (
        ("2027-03-15", "2027-03-19"),
        ("2027-03-30", "2027-04-02"),
        ("2027-04-19", "2027-04-23"),
        ("2027-05-11", "2027-05-14"),
    )
    return Problem(
        protocol=Protocol(tuple(steps), anchor="session", rules=tuple(rules)),
        as_of=date(2027, 2, 1),
        calendar=Calendar(
            frozenset({2, 3, 4, 5}),
            tuple(
                Closure(f"closed-{first}", date.fromisoformat(first), date.fromisoformat(last))
                for first, last in closed
            ),
        ),
        anchor=Anchor(OccurrenceId("session"), date(2027, 3, 3)),
    )


def _branch_step(branch: int, place: int) -> Step:
    before = "session" if place == 0 else f"b{branch}_{place - 1}"
    target = 5 + 2 * branch if place == 0 else 12 + (branch + place) % 3
    reach = 7 if place == 0 else 6
    bounds = Bounds(
        Offset.of_days(target - reach + 1), Offset.of_days(target), Offset.of_days(target + reach)
    )
    kind = _KINDS[(branch + place) % len(_KINDS)]
    return Step(
        f"b{branch}_{place}",
        kind,
        f"Step {place + 1} of branch {branch + 1}",
        _IMPORTANCE[(branch + place) % len(_IMPORTANCE)],
        timings=(Timing(StepReference(before), bounds),),
    )
