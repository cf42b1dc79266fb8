"""Changes to a plan's facts and choices, without days: what each does, refuses and is kept as."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.calendars import Absence
from app.domain.facts import Anchor, OccurrenceId, Reported
from app.domain.plans.change_records import change_from_data, change_to_data
from app.domain.plans.changes import (
    Acknowledge,
    AddStep,
    Amend,
    Change,
    Decide,
    MoveAnchor,
    Report,
    Resume,
    SetParameter,
    SetStatus,
    Unavailable,
    Waive,
    changed_by,
)
from app.domain.plans.records import state_from_data, state_to_data
from app.domain.plans.state import Booking, PlanState, status_of
from app.domain.plans.step_changes import (
    Arrive,
    Book,
    Cancel,
    CloseStart,
    ContradictoryChange,
    Miss,
    Move,
    Perform,
    Pin,
    Restore,
    Skip,
    Unbook,
    Unpin,
)
from app.domain.states import AppointmentStatus, PlanStatus, StepStatus, may

TODAY = date(2027, 3, 1)
SESSION, VISIT, CALL = OccurrenceId("session"), OccurrenceId("visit", 1), OccurrenceId("call")
NINE = datetime(2027, 3, 10, 9, tzinfo=UTC)
SOON = date(2027, 3, 10)
BOOKING = Booking(NINE, NINE + timedelta(hours=1), "appointment-7", "in_person")
STATE = PlanState(anchor=Anchor(SESSION, date(2027, 3, 10)), version="1.0.0")

ARRIVED = [AppointmentStatus.ARRIVED, AppointmentStatus.CHECKED_IN]
occurrences = st.sampled_from([SESSION, VISIT, CALL])
days = st.dates(date(2027, 2, 20), date(2027, 3, 12))
keys = st.sampled_from(["primers", "side"])
visits = st.none() | st.just(BOOKING)
values = st.integers(0, 3) | st.sampled_from(["left", "right"])
changes: st.SearchStrategy[Change] = st.one_of(
    st.builds(Perform, occurrences, days, visits),
    st.builds(Miss, occurrences, days, visits),
    st.builds(Move, occurrences, days),
    st.builds(Pin, occurrences, days),
    st.builds(Unpin, occurrences),
    st.builds(Book, occurrences, days, st.just(BOOKING)),
    st.builds(Arrive, occurrences, st.sampled_from(ARRIVED)),
    st.builds(Unbook, occurrences, st.booleans()),
    st.builds(Skip, occurrences),
    st.builds(Cancel, occurrences),
    st.builds(Restore, occurrences),
    st.builds(AddStep, st.just({"key": "added_1", "timings": [{"target": "P7D"}]})),
    st.builds(SetParameter, keys, values),
    st.builds(
        Decide,
        st.sampled_from(["call", "decision"]),
        st.sampled_from(["yes", "no"]),
        st.lists(st.tuples(st.just("visit"), st.integers(-9, 9)), max_size=2).map(tuple),
        st.lists(st.tuples(keys, values), max_size=2).map(tuple),
        st.lists(st.sampled_from(["knee-prp", "ankle-prp"]), max_size=2).map(tuple),
    ),
    st.builds(CloseStart, st.just(CALL), st.none() | st.just("knee-prp"), st.none() | st.just("p")),
    st.builds(Report, st.builds(Reported, st.just("report-1"), days, agent=st.just("nsaid"))),
    st.builds(Unavailable, st.builds(Absence, st.just("away-1"), st.just(TODAY), st.just(TODAY))),
    st.builds(Waive, st.just("weekdays"), st.none() | st.integers(1, 9), st.just("agreed")),
    st.builds(Acknowledge, st.just("breach"), st.sampled_from(["as it reads", "otherwise"])),
    st.builds(MoveAnchor, st.none() | days),
    st.builds(SetStatus, st.sampled_from(PlanStatus)),
    st.builds(Resume, days),
    st.builds(Amend, st.sampled_from(["1.0.0", "1.1.0"])),
)
posts = st.lists(changes, min_size=1, max_size=3)


def after(*made: Change, state: PlanState = STATE, as_of: date = TODAY) -> PlanState:
    """The state after changes that are posted one by one."""
    for change in made:
        state = changed_by(state, [change], as_of=as_of)
    return state


@given(changes)
def test_a_change_is_read_back_as_it_was_kept(change: Change) -> None:
    assert change_from_data(change_to_data(change)) == change


def lived(life: list[list[Change]]) -> tuple[PlanState, list[list[Change]]]:
    """The state after all posts that are not refused, and these."""
    state, taken = STATE, []
    for post in life:
        try:
            state = changed_by(state, post, as_of=TODAY)
        except ContradictoryChange:
            continue
        taken.append(post)
    return state, taken


@given(st.lists(posts, max_size=12))
def test_a_state_is_read_back_and_comes_out_of_its_changes_again(life: list[list[Change]]) -> None:
    state, taken = lived(life)

    again = state_from_data(state_to_data(STATE), STATE.status, STATE.version)
    for post in taken:
        kept = [change_from_data(change_to_data(change)) for change in post]
        again = changed_by(again, kept, as_of=TODAY)

    assert again == state
    stored = state_from_data(state_to_data(state), state.status, state.version)
    assert state_to_data(stored) == state_to_data(state)


def test_a_refused_post_names_the_change_that_contradicts() -> None:
    post: list[Change] = [Skip(VISIT), Skip(CALL), Move(VISIT, TODAY), Restore(SESSION)]

    with pytest.raises(ContradictoryChange) as refused:
        changed_by(STATE, post, as_of=TODAY)

    assert refused.value.place == 2


@given(st.lists(posts, max_size=12), changes)
def test_statuses_change_by_the_table_alone(life: list[list[Change]], change: Change) -> None:
    state, _ = lived(life)
    try:
        now = changed_by(state, [change], as_of=TODAY)
    except ContradictoryChange:
        return

    assert now.status is state.status or may(state.status, now.status)
    if now.status is state.status:
        for occurrence in (SESSION, VISIT, CALL):
            was, is_now = status_of(state, occurrence), status_of(now, occurrence)
            decided = isinstance(change, Decide) and is_now is StepStatus.PERFORMED
            rebooked = isinstance(change, MoveAnchor) and occurrence == SESSION
            assert was is is_now or may(was, is_now) or decided or rebooked


@given(st.lists(posts, max_size=12), posts)
def test_facts_never_move(life: list[list[Change]], post: list[Change]) -> None:
    state, _ = lived(life)
    try:
        now = changed_by(state, post, as_of=TODAY)
    except ContradictoryChange:
        return

    assert now.performed[: len(state.performed)] == state.performed
    assert now.missed[: len(state.missed)] == state.missed
    done = [fact.occurrence for fact in now.performed]
    assert len(done) == len(set(done))
    assert all(fact.on <= TODAY for fact in now.performed)
    assert all(fact.on <= TODAY for fact in now.missed)


REFUSED: list[Any] = [
    pytest.param([Perform(VISIT, TODAY + timedelta(1))], "after today", id="a fact tomorrow"),
    pytest.param(
        [Perform(VISIT, TODAY), Perform(VISIT, TODAY)], "performed already", id="done twice"
    ),
    pytest.param([Skip(VISIT), Perform(VISIT, TODAY)], "is skipped", id="skipped and done"),
    pytest.param([Cancel(VISIT), Move(VISIT, TODAY)], "is cancelled", id="cancelled and moved"),
    pytest.param([Miss(VISIT, TODAY), Miss(VISIT, TODAY)], "missed already", id="missed twice"),
    pytest.param([Restore(VISIT)], "not skipped or cancelled", id="nothing to restore"),
    pytest.param([Unpin(VISIT)], "not pinned", id="nothing pinned"),
    pytest.param([Unbook(VISIT)], "not booked", id="nothing booked"),
    pytest.param([Arrive(VISIT)], "not booked", id="nobody expected"),
    pytest.param([Book(VISIT, SOON, BOOKING), Arrive(VISIT)], "after today", id="came too early"),
    pytest.param(
        [Miss(VISIT, TODAY, BOOKING), Unbook(VISIT, cancelled=True)], "not booked", id="over"
    ),
    pytest.param(
        [Pin(VISIT, TODAY), Move(VISIT, TODAY), Unpin(VISIT)], "not pinned", id="unpinned"
    ),
    pytest.param([Report(Reported("r", TODAY + timedelta(1)))], "after today", id="told ahead"),
    pytest.param([SetStatus(PlanStatus.DRAFT)], "cannot become", id="a draft again"),
    pytest.param([SetStatus(PlanStatus.ACTIVE)], "not activated", id="active already"),
    pytest.param([Resume(TODAY)], "not resumed", id="nothing to resume"),
    pytest.param(
        [SetStatus(PlanStatus.ON_HOLD), Resume(TODAY - timedelta(1))], "before today", id="too late"
    ),
    pytest.param([SetStatus(PlanStatus.REVOKED), Skip(VISIT)], "does not change", id="it is over"),
    pytest.param([Amend("1.0.0")], "already", id="the same version"),
    pytest.param([Decide("d", "a"), Decide("d", "b")], "taken already", id="decided twice"),
    pytest.param([Acknowledge("b", "t"), Acknowledge("b", "t")], "already", id="seen twice"),
    pytest.param([Perform(SESSION, TODAY), MoveAnchor(TODAY)], "performed already", id="too late"),
    pytest.param([Book(VISIT, TODAY, Booking(NINE, NINE))], "before it begins", id="no time"),
    pytest.param([Book(VISIT, TODAY - timedelta(1), BOOKING)], "before today", id="booked back"),
    pytest.param(
        [Book(VISIT, TODAY, Booking(NINE, NINE + timedelta(hours=25)))],
        "longer than a day",
        id="booked too long",
    ),
]


@pytest.mark.parametrize("made, text", REFUSED)
def test_what_contradicts_what_is_known_is_refused(made: list[Change], text: str) -> None:
    state = after(*made[:-1])

    with pytest.raises(ContradictoryChange, match=text):
        changed_by(state, made[-1:], as_of=TODAY)


@pytest.mark.parametrize("change", [Miss(VISIT, TODAY), Book(VISIT, TODAY, BOOKING)])
def test_what_is_only_proposed_is_neither_booked_nor_missed(change: Change) -> None:
    draft = PlanState(status=PlanStatus.DRAFT)

    with pytest.raises(ContradictoryChange, match="is proposed, it cannot become"):
        changed_by(draft, [change], as_of=TODAY)


def test_a_plan_without_an_anchor_has_none_to_move() -> None:
    with pytest.raises(ContradictoryChange, match="no anchor"):
        changed_by(PlanState(), [MoveAnchor(TODAY)], as_of=TODAY)


@pytest.mark.parametrize(
    "change", [Move(SESSION, TODAY), Book(SESSION, TODAY, BOOKING), MoveAnchor(TODAY)]
)
def test_a_day_wanted_for_the_anchor_is_the_anchors_day(change: Change) -> None:
    state = after(MoveAnchor(None), change)

    assert (state.anchor, state.postponed) == (Anchor(SESSION, TODAY), False)
    assert state.asked == ()


def test_a_missed_anchor_is_asked_for_as_soon_as_can_be() -> None:
    state = after(Miss(SESSION, TODAY))

    assert state.anchor == Anchor(SESSION, earliest_from=TODAY + timedelta(1))
    assert status_of(state, SESSION) is StepStatus.MISSED


def test_what_is_booked_is_kept_with_what_was_done_and_lost_with_another_day() -> None:
    booked = after(Book(VISIT, TODAY, BOOKING))

    assert after(Perform(VISIT, TODAY), state=booked).booked == {VISIT: BOOKING}
    assert after(Pin(VISIT, TODAY), state=booked).booked == {VISIT: BOOKING}
    for change in (Pin(VISIT, TODAY + timedelta(1)), Move(VISIT, TODAY), Skip(VISIT)):
        assert after(change, state=booked).booked == {}
    assert after(Unbook(VISIT), state=booked).moved == {VISIT: TODAY}


@pytest.mark.parametrize(
    "change, status",
    [
        (Miss(VISIT, TODAY), AppointmentStatus.MISSED),
        (Unbook(VISIT, cancelled=True), AppointmentStatus.CANCELLED),
    ],
)
def test_a_visit_that_did_not_take_place_is_known_until_there_is_another(
    change: Change, status: AppointmentStatus
) -> None:
    ended = after(Book(VISIT, TODAY, BOOKING), Arrive(VISIT), change)

    assert ended.booked == {}
    assert ended.ended == {VISIT: replace(BOOKING, status=status)}
    for following in (Book(VISIT, TODAY, BOOKING), Move(VISIT, SOON), Skip(VISIT), Unbook(VISIT)):
        assert after(following, state=ended).ended == {}
    assert status_of(after(Unbook(VISIT), state=ended), VISIT) is status_of(ended, VISIT)


def test_a_visit_that_was_booked_elsewhere_is_known_from_its_end_on() -> None:
    missed, done = after(Miss(VISIT, TODAY, BOOKING)), after(Perform(VISIT, TODAY, BOOKING))

    assert missed.ended == {VISIT: replace(BOOKING, status=AppointmentStatus.MISSED)}
    assert done.booked == {VISIT: BOOKING}


def test_days_asked_for_bind_once() -> None:
    state = after(Move(VISIT, TODAY))
    assert [pin.occurrence for pin in state.asked] == [VISIT]

    state = after(SetParameter("primers", 1), state=state)

    assert (state.asked, state.moved) == ((), {VISIT: TODAY})


def test_a_decision_sets_what_its_choice_sets_and_adds_up_what_it_puts_off() -> None:
    state = after(
        Decide("one", "a", (("visit", 7),), (("primers", 2),)), Decide("two", "b", (("visit", 7),))
    )

    assert (state.shifts, state.parameters) == ({"visit": 14}, {"primers": 2})
    assert state.decided == {"one": "a", "two": "b"}
    assert {fact.on for fact in state.performed} == {TODAY}


def test_what_a_decision_starts_is_open_until_it_is_closed() -> None:
    decided = after(Decide("call", "up", starts=("knee-prp", "ankle-prp")))

    assert decided.starts == (("call", "knee-prp"), ("call", "ankle-prp"))
    assert after(CloseStart(CALL, "knee-prp", "p"), state=decided).starts == (
        ("call", "ankle-prp"),
    )
    closed = after(CloseStart(CALL), SetStatus(PlanStatus.COMPLETED), state=decided)
    assert closed.starts == ()
    with pytest.raises(ContradictoryChange, match="nothing to be started"):
        after(CloseStart(CALL), state=closed)


def test_a_step_that_was_pinned_or_left_out_is_planned_again() -> None:
    assert after(Pin(VISIT, TODAY), Unpin(VISIT)).pinned == ()
    assert after(Skip(VISIT), Restore(VISIT)).skipped == ()
    assert after(Cancel(VISIT), Restore(VISIT)).cancelled == ()


def test_a_change_kept_before_one_of_its_members_existed_has_that_members_usual_value() -> None:
    data = change_to_data(Decide("call", "up", starts=("knee-prp",)))
    del data["starts"]

    assert change_from_data(data) == Decide("call", "up")


def test_a_decision_at_a_visit_that_is_on_record_keeps_its_day() -> None:
    visit = Perform(OccurrenceId("call"), date(2027, 2, 26))

    decided = changed_by(STATE, [visit, Decide("call", "up")], as_of=TODAY)

    assert [(fact.occurrence, fact.on) for fact in decided.performed] == [
        (OccurrenceId("call"), date(2027, 2, 26))
    ]
