"""What a check finds: contradictions with their loop, doubts, figures, failing start days."""

from datetime import date
from typing import Any

import pytest

from app.domain.calendars import Calendar, Closure
from app.domain.checks import (
    Checked,
    StartDays,
    check_data,
    check_document,
    simulate_start_days,
)
from app.domain.checks.checking import sound_document
from app.domain.checks.simulation import MOST_WORK
from app.domain.documents import InvalidProtocol, parse_protocol
from app.domain.documents.figures import figures, to_confirm
from app.domain.engine import solve
from app.domain.facts import Anchor, InvalidRequest, OccurrenceId
from app.domain.problem import Problem
from app.domain.schedules import Conflict
from tests.domain.given_documents import (
    Data,
    after,
    choice,
    document,
    parameter,
    sample,
    step,
)

NOTE = "Clinic practice; there is no trial of it."
ROOM = {"id": "room", "type": "max_gap", "from": "a/first", "to": "a/last", "offset": "P15D"}
MONDAY_TO_SATURDAY = Calendar(frozenset({1, 2, 3, 4, 5, 6}))
NEW_YEAR = date(2027, 1, 1)


def sourced(key: str, **members: Any) -> Data:
    """A step every figure of which is marked as a default."""
    names = ("timing", "repeat", "spacing", "timepoints", "span", "minutes", "segments")
    return step(key, **members) | {"sources": {name: ["cfg"] for name in names}}


def checked(*steps: Data, **members: Any) -> Checked:
    """What a check of these steps finds; parameters name their sources."""
    names = ("min", "default", "max", "options")
    for one in members.get("parameters", []):
        one["sources"] = {name: ["cfg"] for name in names}
    return check_data(document(*steps, **{"evidence_note": NOTE} | members))


def codes(found: Checked) -> dict[str, str]:
    return {warning.pointer: warning.code for warning in found.warnings}


def exactly(offset: str) -> Data:
    return {"earliest": offset, "target": offset, "latest": offset}


# -- faults


def test_the_sample_has_no_faults() -> None:
    found = check_data(sample("protocol-format-1"))

    assert found.faults == ()
    assert codes(found) == {"/parameters/2/options": "no-source"}


def test_faults_of_the_notation_come_before_all_others() -> None:
    found = check_data({"format": 1})

    assert found.document is None
    assert [fault.code for fault in found.faults] == ["missing"] * 4
    assert found.warnings == ()


def test_a_contradiction_is_told_with_its_loop() -> None:
    found = checked(
        sourced("b"),
        sourced("a", timings=after("b", **exactly("P5D"))),
        rules=[{"id": "soon", "type": "max_gap", "from": "b", "to": "a", "offset": "P3D"}],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/steps/1", "contradiction")
    assert "a is not before 5 days after b" in fault.text
    assert "a is at most 3 days after b" in fault.text


def test_a_contradiction_of_rules_alone_stands_at_the_first_rule() -> None:
    found = checked(
        sourced("a", timings=[{"relative_to": "plan_start", "earliest": "P0D"}]),
        sourced("b", timings=[{"relative_to": "plan_start", "earliest": "P0D"}]),
        rules=[
            {"id": "later", "type": "min_gap", "from": "a", "to": "b", "offset": "P5D"},
            {"id": "soon", "type": "order", "before": "b", "after": "a"},
        ],
        anchor="a",
    )

    assert [(fault.pointer, fault.code) for fault in found.faults] == [
        ("/rules/0", "contradiction")
    ]


def test_a_contradiction_under_one_value_names_the_value() -> None:
    options = [
        {"key": "early", "timing": {"relative_to": {"step": "b"}, **exactly("P1D")}},
        {"key": "late", "timing": {"relative_to": {"step": "b"}, **exactly("P9D")}},
    ]
    found = checked(
        sourced("b"),
        sourced("a", alternatives={"choose": {"parameter": "when"}, "options": options}),
        parameters=[choice()],
        rules=[{"id": "soon", "type": "max_gap", "from": "b", "to": "a", "offset": "P3D"}],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/steps/1", "contradiction")
    assert fault.text.startswith("with when = late these cannot hold together: ")


def test_a_count_for_which_there_is_no_room_is_out_of_reach() -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": exactly("P7D")}
    found = checked(
        sourced("a", repeat=repeat),
        parameters=[parameter(max=4)],
        rules=[
            {"id": "room", "type": "max_gap", "from": "a/first", "to": "a/last", "offset": "P15D"}
        ],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/parameters/0", "unreachable-count")
    assert fault.text.startswith("with count = 4 these cannot hold together: ")


def test_a_count_which_only_a_decision_can_reach_is_tried_too() -> None:
    repeat = {"count": {"min": 1, "default": 2, "max": 5}, "spacing": exactly("P7D")}
    found = checked(
        sourced("a", repeat=repeat),
        rules=[
            {"id": "room", "type": "max_gap", "from": "a/first", "to": "a/last", "offset": "P15D"}
        ],
    )

    (fault,) = found.faults
    assert (fault.pointer, fault.code) == ("/steps/0/repeat/count", "unreachable-count")
    assert fault.text.startswith("with 5 times 'a' these cannot hold together: ")


def test_days_beyond_the_calendar_are_a_contradiction() -> None:
    steps = [sourced("s0")]
    steps += [sourced(f"s{n}", timings=after(f"s{n - 1}", **exactly("P9Y"))) for n in range(1, 25)]

    (fault,) = checked(*steps).faults

    assert (fault.pointer, fault.code) == ("/steps/1", "contradiction")


def test_steps_decades_before_the_anchor_are_no_contradiction() -> None:
    steps = [sourced("s0")]
    steps += [sourced(f"s{n}", timings=after(f"s{n - 1}", **exactly("-P9Y"))) for n in range(1, 9)]

    assert checked(*steps).faults == ()


def test_a_protocol_which_the_engine_refuses_is_at_fault() -> None:
    timings = [after("s0", target=f"P{n}D")[0] for n in range(1, 21)]
    options = [{"key": f"o{n}", "timing": timing} for n, timing in enumerate(timings)]
    alternatives = {"choose": "first_feasible", "options": options}
    steps = [sourced(f"s{n}", alternatives=alternatives) for n in range(1, 9)]

    (fault,) = checked(sourced("s0"), *steps).faults

    assert (fault.pointer, fault.code) == ("", "unsolvable")


def test_what_is_stored_has_no_faults() -> None:
    data = document(step("a", timings=after("b", target="P1D")))

    with pytest.raises(InvalidProtocol):
        sound_document(data)


def test_a_contradiction_is_not_stored() -> None:
    data = document(
        step("b"),
        step("a", timings=after("b", **exactly("P5D"))),
        rules=[{"id": "soon", "type": "max_gap", "from": "b", "to": "a", "offset": "P3D"}],
    )

    with pytest.raises(InvalidProtocol) as caught:
        sound_document(data)

    assert [fault.code for fault in caught.value.faults] == ["contradiction"]


def test_a_sound_document_is_given_back() -> None:
    data = sample("protocol-format-1")

    assert sound_document(data) == parse_protocol(data)


# -- warnings


def test_nothing_doubtful_is_no_warning() -> None:
    assert checked(sourced("a"), sourced("b", timings=after("a", target="P1W"))).warnings == ()


@pytest.mark.parametrize("note", [None, "none"], ids=["absent", "one word"])
def test_a_missing_evidence_note_is_doubtful(note: str | None) -> None:
    members = {} if note is None else {"evidence_note": note}

    assert codes(check_data(document(sourced("a"), **members))) == {
        "/evidence_note": "no-evidence-note"
    }


@pytest.mark.parametrize(
    "text", ["Booster at 6 or 8 weeks", "after six or eight weeks", "in 6 weeks or 8 weeks"]
)
def test_two_times_with_one_window_are_doubtful(text: str) -> None:
    found = checked(
        sourced("a", title=text),
        sourced("b", note=text, instructions=[_told(text)], timings=after("a", target="P6W")),
        summary=text,
    )

    assert codes(found) == {
        "/summary": "one-window-for-two",
        "/steps/0/title": "one-window-for-two",
        "/steps/1/note": "one-window-for-two",
        "/steps/1/instructions/0/text": "one-window-for-two",
    }


def _told(text: str) -> Data:
    return {"offset": "P0D", "audience": "patient", "text": text}


@pytest.mark.parametrize(
    "text", ["an hour or two a day", "6 to 8 weeks", "left or right", "at week 6 or earlier"]
)
def test_other_words_are_not_two_times(text: str) -> None:
    assert checked(sourced("a", title=text)).warnings == ()


def test_two_times_with_alternatives_are_as_they_should_be() -> None:
    options = [
        {"key": "early", "timing": after("a", target="P6W")[0]},
        {"key": "late", "timing": after("a", target="P8W")[0]},
    ]
    alternatives = {"choose": "first_feasible", "options": options}
    second = sourced("b", title="At 6 or 8 weeks", alternatives=alternatives)

    assert checked(sourced("a"), second, summary="At 6 or 8 weeks").warnings == ()


def test_what_hangs_on_a_step_that_may_be_left_out_is_doubtful() -> None:
    late = {"parameter": "when", "in": ["late"]}
    first = sourced("b", when=late, timings=after("a", target="P1D"))
    second = sourced("c", timings=after("b", target="P1D"))

    found = checked(sourced("a"), first, second, parameters=[choice()])

    (warning,) = found.warnings
    assert (warning.pointer, warning.code) == ("/steps/2", "dangling")
    assert warning.text == "with when = early it vanishes, because 'b' is left out then"


@pytest.mark.parametrize(
    "occurrence, warned",
    [
        pytest.param(3, True, id="a third that may not be"),
        pytest.param("last", True, id="the last of perhaps none"),
    ],
)
def test_what_hangs_on_an_occurrence_that_may_not_be_is_doubtful(
    occurrence: int | str, warned: bool
) -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": {"target": "P1W"}}
    reference = {"step": "b", "occurrence": occurrence}
    found = checked(
        sourced("a"),
        sourced("b", timings=after("a", target="P1D"), repeat=repeat),
        sourced("c", timings=[{"relative_to": reference, "target": "P1D"}]),
        parameters=[parameter()],
    )

    assert (codes(found) == {"/steps/2": "dangling"}) is warned


@pytest.mark.parametrize(
    "when",
    [
        pytest.param({"parameter": "count", "min": 2}, id="the same count"),
        pytest.param({"parameter": "count", "in": [2, 3]}, id="the same values"),
    ],
)
def test_what_vanishes_by_itself_first_does_not_dangle(when: Data) -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": {"target": "P1W"}}
    reference = {"step": "b", "occurrence": 2}
    found = checked(
        sourced("a"),
        sourced("b", timings=after("a", target="P1D"), repeat=repeat),
        sourced("c", when=when, timings=[{"relative_to": reference, "target": "P1D"}]),
        parameters=[parameter()],
    )

    assert found.warnings == ()


def test_a_count_by_value_is_understood() -> None:
    count = {"parameter": "when", "default": 1, "by_value": {"late": 4}}
    repeat = {"count": count, "spacing": {"target": "P1W"}}
    reference = {"step": "b", "occurrence": 4}
    found = checked(
        sourced("a"),
        sourced("b", timings=after("a", target="P1D"), repeat=repeat),
        sourced("c", timings=[{"relative_to": reference, "target": "P1D"}]),
        parameters=[choice()],
    )

    (warning,) = found.warnings
    assert warning.text == "with when = early it vanishes, because 'b' is left out then"


def test_what_hangs_on_a_step_that_a_decision_adds_is_doubtful() -> None:
    effects = [{"type": "add", "steps": ["b"]}]
    decision = sourced(
        "d",
        kind="decision",
        timings=after("a", target="P1D"),
        choices=[{"key": "yes", "title": "Yes", "effects": effects}],
    )
    added = sourced("b", on_decision=True, timings=after("d", target="P1D"))
    found = checked(sourced("a"), decision, added, sourced("c", timings=after("b", target="P1D")))

    assert codes(found) == {"/steps/3": "dangling"}


def test_a_step_which_no_decision_adds_is_doubtful() -> None:
    found = checked(sourced("a"), sourced("b", on_decision=True, timings=after("a", target="P1D")))

    assert codes(found) == {"/steps/1/on_decision": "never-added"}


def test_a_step_that_nothing_places_is_doubtful() -> None:
    assert codes(checked(sourced("a"), sourced("b"))) == {"/steps/1": "never-dated"}


def test_a_value_without_an_option_is_doubtful() -> None:
    options = [{"key": "early", "timing": after("a", target="P6W")[0]}]
    alternatives = {"choose": {"parameter": "when"}, "options": options}
    only = {"parameter": "when", "in": ["early"]}
    found = checked(
        sourced("a"),
        sourced("b", alternatives=alternatives),
        sourced("c", alternatives=alternatives, when=only),
        parameters=[choice()],
    )

    (warning,) = found.warnings
    assert (warning.pointer, warning.code) == ("/steps/1/alternatives", "uncovered-value")
    assert warning.text == "there is no option for 'late': then 'early' is taken"


def test_a_reference_that_does_not_say_which_time_is_doubtful() -> None:
    repeat = {"count": 2, "spacing": {"target": "P1W"}}
    points = [{"key": "m3", "target": "P3M"}]
    found = checked(
        sourced("a", repeat=repeat),
        sourced("b", timings=after("a", target="P1D")),
        sourced("c", relative_to="plan_start", timepoints=points),
        sourced("d", timings=after("c", target="P1D")),
        sourced("e", timings=[{"relative_to": {"step": "a", "occurrence": 1}, "target": "P1D"}]),
    )

    assert codes(found) == {"/steps/1": "which-occurrence", "/steps/3": "which-occurrence"}


def test_own_previous_occurrences_do_not_dangle() -> None:
    repeat = {"count": {"parameter": "count"}, "spacing": {"target": "P1W"}}
    own = [{"relative_to": {"step": "a", "occurrence": "previous"}, "earliest": "P1W"}]

    found = checked(sourced("a", timings=own, repeat=repeat), parameters=[parameter(min=1)])

    assert found.warnings == ()


def test_figures_without_a_source_are_doubtful() -> None:
    found = checked(
        step("a"),
        step("b", timings=after("a", target="P1W"), span="P3D", appointment={"minutes": 20}),
        rules=[{"id": "gap", "type": "max_gap", "from": "a", "to": "b", "offset": "P9D"}],
    )

    assert codes(found) == dict.fromkeys(
        (
            "/steps/1/timings",
            "/steps/1/span",
            "/steps/1/appointment/minutes",
            "/rules/0/offset",
        ),
        "no-source",
    )


# -- figures


def test_figures_are_told_in_words_with_their_sources() -> None:
    found = {figure.id: figure for figure in figures(parse_protocol(sample("protocol-format-1")))}

    assert found["primer.timing"].text == (
        "Primer: not before 5 weeks before, best 3 weeks before, not after 2 weeks before"
    )
    assert found["primer.timing"].sources == ("trial", "cfg")
    assert found["primer.repeat"].text == "Primer: 0 to 3 times, usually 2"
    assert found["primer.spacing"].text.endswith("; none: best 14 days before")
    assert found["booster.timing"].text.startswith("Booster: six_weeks: not before 40 days after")
    assert found["followup.timepoints"].text.startswith("Follow-up: m3: not before 77 days after")
    assert found["followup.minutes"].pointer == "/steps/9/timepoints"
    assert found["session.minutes"].text == "Session: 180 minutes"
    assert found["session.segments"].text == "Session: draw 15 minutes, injection 40 minutes"
    assert found["nsaid_free.span"].text == "No anti-inflammatory medicines: lasts 28 days"
    assert found["consult.timing"].text.startswith("Consultation: not before 3 days after")
    assert "(open days)" in found["consult.timing"].text
    assert found["steroid.after"].text == "steroid: no corticosteroid_injection 4 weeks after"
    assert found["not-too-long.offset"].text == "not-too-long: at most 42 days"
    assert found["apart.offset"].text == "apart: at least 2 weeks"
    assert found["primers.max"].text == "Primers: max 3"
    assert found["booster.options"].text == "Booster: six_weeks, eight_weeks, none"


def test_an_exact_day_is_called_so() -> None:
    data = document(step("a"), step("b", timings=after("a", **exactly("P10D"))))

    (figure,) = figures(parse_protocol(data))

    assert figure.text == "Step b: exactly 10 days after"


def test_a_washout_before_alone_is_one_figure() -> None:
    washout = {"id": "w", "type": "washout", "agent": "nsaid", "before": "P14D"}

    (figure,) = figures(parse_protocol(document(rules=[washout])))

    assert (figure.id, figure.text) == ("w.before", "w: no nsaid 14 days before")


def test_defaults_are_to_be_confirmed() -> None:
    found = to_confirm(parse_protocol(sample("protocol-format-1")))

    names = [figure.id for figure in found]
    assert "primer.timing" in names
    assert "primers.default" in names
    assert "primers.max" not in names


# -- start days


def _visits(*days: int) -> Data:
    steps = [
        step(f"visit_{n}", timings=[{"relative_to": "plan_start", **exactly(f"P{n}D")}])
        for n in days
    ]
    return document(*steps) | {"anchor": None}


def simulated(data: Data, calendar: Calendar = MONDAY_TO_SATURDAY, **more: Any) -> StartDays:
    protocol = parse_protocol({k: v for k, v in data.items() if v is not None}).protocol
    return simulate_start_days(protocol, calendar, NEW_YEAR, **more)


def test_exact_10_and_20_day_visits_fail_on_28_percent_of_start_days() -> None:
    found = simulated(_visits(10, 20))

    assert (found.tried, found.closed, found.failing, found.percent) == (365, 0, 104, 28)
    assert found.text == (
        "28 % of start days fail: visit 10 is exactly 10 days after the start of the plan and the "
        "location is closed on Sundays (14 %); visit 20 is exactly 20 days after the start of the "
        "plan and the location is closed on Sundays (14 %)"
    )
    assert [(why.days, why.percent) for why in found.reasons] == [(52, 14), (52, 14)]
    assert found.reasons[0].first_day == date(2027, 1, 7)
    assert found.by_weekday == (
        (52, 52),
        (0, 52),
        (0, 52),
        (52, 52),
        (0, 53),
        (0, 52),
        (0, 52),
    )
    assert sum(failing for failing, _ in found.by_month) == 104
    assert sum(tried for _, tried in found.by_month) == 365


def test_every_failing_start_day_is_one_on_which_the_engine_finds_no_schedule() -> None:
    data = document(
        step("session", kind="procedure"),
        step("visit", timings=after("session", earliest="P4D", target="P5D", latest="P5D")),
    )
    closed = Closure("holiday", date(2027, 5, 3), date(2027, 5, 12))
    calendar = Calendar(frozenset({1, 3, 5}), (closed,))

    found = simulated(data, calendar)

    protocol = parse_protocol(data).protocol
    days = [date.fromordinal(NEW_YEAR.toordinal() + n) for n in range(365)]
    starts = [day for day in days if calendar.is_open(day)]
    failing = [day for day in starts if not _works(protocol, calendar, day)]
    assert (found.tried, found.closed) == (len(starts), 365 - len(starts))
    assert found.failing == len(failing)
    assert {why.first_day for why in found.reasons} <= set(failing)


def _works(protocol: Any, calendar: Calendar, day: date) -> bool:
    problem = Problem(
        protocol=protocol,
        as_of=NEW_YEAR,
        calendar=calendar,
        anchor=Anchor(OccurrenceId("session"), day),
    )
    return not isinstance(solve(problem), Conflict)


def test_where_every_start_works_that_is_said() -> None:
    found = simulated(document(step("a"), step("b", timings=after("a", target="P1W"))))

    assert found.text == "every one of 313 start days works"
    assert found.reasons == ()


def test_a_rare_failure_is_less_than_one_percent() -> None:
    closed = Closure("holiday", date(2027, 5, 3), date(2027, 5, 3))

    found = simulated(_visits(10), Calendar(closures=(closed,)))

    assert found.failing == 1
    assert found.text.startswith("less than 1 % of start days fail: ")


def test_a_repeated_anchor_starts_with_its_first_occurrence() -> None:
    repeat = {"count": 3, "spacing": exactly("P7D")}

    found = simulated(document(step("a", repeat=repeat)), Calendar(frozenset({2})))

    assert (found.tried, found.failing) == (52, 0)


def test_an_anchor_with_timepoints_starts_with_the_first_of_them() -> None:
    points = [{"key": "d1", "target": "P0D"}, {"key": "d8", **exactly("P7D")}]
    data = document(step("a", relative_to={"event": "surgery"}, timepoints=points))

    found = simulated(data, Calendar(frozenset({1, 2, 3, 4, 5})))

    assert found.tried == 365
    assert found.failing > 0


def test_an_anchor_that_needs_no_open_day_starts_on_any_day() -> None:
    found = simulated(document(step("a", any_day=True)), Calendar(frozenset({2})))

    assert found.closed == 0


def test_where_no_day_is_open_there_is_no_start() -> None:
    closed = Closure("always", date(2026, 1, 1), date(2029, 1, 1))

    found = simulated(document(step("a")), Calendar(closures=(closed,)))

    assert (found.tried, found.closed, found.percent) == (0, 365, 0)


def test_progress_is_reported_day_by_day() -> None:
    told: list[tuple[int, int]] = []

    simulated(_visits(10), on_progress=lambda done, of: told.append((done, of)))

    assert told == [(n, 365) for n in range(1, 366)]


def test_parameters_are_those_asked_for() -> None:
    options = [
        {"key": "early", "timing": {"relative_to": {"step": "a"}, **exactly("P7D")}},
        {"key": "late", "timing": {"relative_to": {"step": "a"}, **exactly("P10D")}},
    ]
    alternatives = {"choose": {"parameter": "when"}, "options": options}
    data = document(step("a"), step("b", alternatives=alternatives), parameters=[choice()])

    assert simulated(data).failing == 0
    assert simulated(data, parameters={"when": "late"}).failing > 0
    with pytest.raises(InvalidRequest):
        simulated(data, parameters={"when": "never"})


def test_of_a_large_protocol_fewer_days_are_tried_on_every_weekday() -> None:
    points = [{"key": f"t{n}", "target": f"P{n}D"} for n in range(1, 401)]
    data = document(
        step("a", any_day=True, relative_to="plan_start", timepoints=points, kind="restriction")
    )

    found = simulated(data)

    assert found.tried * 400 <= MOST_WORK * 1.1
    assert all(tried > 0 for _, tried in found.by_weekday)


def test_a_document_may_be_checked_without_reading_it_again() -> None:
    found = parse_protocol(sample("protocol-format-1"))

    assert check_document(found).document is found
