"""The states of plans and steps, the one table of legal transitions, and the one window state."""

from dataclasses import replace
from datetime import date
from enum import StrEnum

from app.domain.schedules import Window


class WindowState(StrEnum):
    """Where a planned step stands in its window on a local day; derived, never stored."""

    UPCOMING = "upcoming"
    DUE = "due"
    OVERDUE = "overdue"
    EARLY = "early"
    IN_WINDOW = "in_window"
    LATE = "late"


class StepStatus(StrEnum):
    """What became of a planned step."""

    PROPOSED = "proposed"
    PLANNED = "planned"
    BOOKED = "booked"
    PERFORMED = "performed"
    MISSED = "missed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"
    ENTERED_IN_ERROR = "entered_in_error"


class AppointmentStatus(StrEnum):
    """What became of a booked appointment; one that was kept is the step's own fact."""

    BOOKED = "booked"
    ARRIVED = "arrived"
    CHECKED_IN = "checked_in"
    """The patient has arrived, and all that comes before the treatment is done."""
    MISSED = "missed"
    CANCELLED = "cancelled"


class PlanStatus(StrEnum):
    """The status of a plan, in the words of FHIR CarePlan."""

    DRAFT = "draft"
    ACTIVE = "active"
    ON_HOLD = "on_hold"
    COMPLETED = "completed"
    REVOKED = "revoked"
    ENTERED_IN_ERROR = "entered_in_error"


class VersionStatus(StrEnum):
    """The life of a protocol version; an active one never changes."""

    DRAFT = "draft"
    ACTIVE = "active"
    RETIRED = "retired"


# Each kind of status apart: words such as active are states of several kinds.
ALLOWED: dict[type[StrEnum], dict[StrEnum, frozenset[StrEnum]]] = {
    VersionStatus: {
        VersionStatus.DRAFT: frozenset({VersionStatus.ACTIVE}),
        VersionStatus.ACTIVE: frozenset({VersionStatus.RETIRED}),
        VersionStatus.RETIRED: frozenset(),
    },
    PlanStatus: {
        PlanStatus.DRAFT: frozenset(
            {PlanStatus.ACTIVE, PlanStatus.REVOKED, PlanStatus.ENTERED_IN_ERROR}
        ),
        PlanStatus.ACTIVE: frozenset(
            {
                PlanStatus.ON_HOLD,
                PlanStatus.COMPLETED,
                PlanStatus.REVOKED,
                PlanStatus.ENTERED_IN_ERROR,
            }
        ),
        PlanStatus.ON_HOLD: frozenset(
            {PlanStatus.ACTIVE, PlanStatus.REVOKED, PlanStatus.ENTERED_IN_ERROR}
        ),
        PlanStatus.COMPLETED: frozenset({PlanStatus.ACTIVE, PlanStatus.ENTERED_IN_ERROR}),
        PlanStatus.REVOKED: frozenset({PlanStatus.ENTERED_IN_ERROR}),
        PlanStatus.ENTERED_IN_ERROR: frozenset(),
    },
    StepStatus: {
        StepStatus.PROPOSED: frozenset(
            {
                StepStatus.PLANNED,
                StepStatus.PERFORMED,
                StepStatus.SKIPPED,
                StepStatus.CANCELLED,
            }
        ),
        StepStatus.PLANNED: frozenset(
            {
                StepStatus.BOOKED,
                StepStatus.PERFORMED,
                StepStatus.MISSED,
                StepStatus.SKIPPED,
                StepStatus.CANCELLED,
            }
        ),
        StepStatus.BOOKED: frozenset(
            {
                StepStatus.PLANNED,
                StepStatus.PERFORMED,
                StepStatus.MISSED,
                StepStatus.SKIPPED,
                StepStatus.CANCELLED,
            }
        ),
        StepStatus.MISSED: frozenset(
            {
                StepStatus.PLANNED,
                StepStatus.BOOKED,
                StepStatus.PERFORMED,
                StepStatus.SKIPPED,
                StepStatus.CANCELLED,
                StepStatus.ENTERED_IN_ERROR,
            }
        ),
        StepStatus.PERFORMED: frozenset({StepStatus.ENTERED_IN_ERROR}),
        StepStatus.SKIPPED: frozenset({StepStatus.PROPOSED, StepStatus.PLANNED, StepStatus.MISSED}),
        StepStatus.CANCELLED: frozenset(
            {StepStatus.PROPOSED, StepStatus.PLANNED, StepStatus.MISSED}
        ),
        StepStatus.ENTERED_IN_ERROR: frozenset({StepStatus.PLANNED}),
    },
}


def may(now: StrEnum, then: StrEnum) -> bool:
    """Whether a status may become another of its kind."""
    return type(now) is type(then) and then in ALLOWED[type(now)][now]


def window_state(window: Window, as_of: date, performed_on: date | None = None) -> WindowState:
    """Where a step stands on the local day ``as_of``; both edges of the window are inside it."""
    day = as_of if performed_on is None else performed_on
    if window.earliest is not None and day < window.earliest:
        return WindowState.UPCOMING if performed_on is None else WindowState.EARLY
    if window.latest is not None and day > window.latest:
        return WindowState.OVERDUE if performed_on is None else WindowState.LATE
    return WindowState.DUE if performed_on is None else WindowState.IN_WINDOW


_LIVING = frozenset({PlanStatus.DRAFT, PlanStatus.ACTIVE, PlanStatus.ON_HOLD})
_STATELESS = frozenset({StepStatus.SKIPPED, StepStatus.MISSED, StepStatus.CANCELLED})


def planned_state(
    window: Window | None, day: date | None, step: StepStatus, plan: PlanStatus, as_of: date
) -> WindowState | None:
    """Where a planned step stands on the local day ``as_of``, or none where there is no saying.

    What is undone in a plan that ended waits for nobody.
    """
    if day is None or step in _STATELESS:
        return None
    if step is StepStatus.PERFORMED:
        return window_state(window or Window(day, day, day), as_of, day)
    if plan not in _LIVING:
        return None
    return window_state(due_window(window, day, plan), as_of)


def due_window(window: Window | None, day: date, plan: PlanStatus) -> Window:
    """The days on which a step is due while it is not done; they may be stored, states never.

    A step without timings has its own day as its window. While its plan is on hold nothing is
    overdue.
    """
    window = window or Window(day, day, day)
    return replace(window, latest=None) if plan is PlanStatus.ON_HOLD else window


# Which changes a step's status allows, in the order in which people usually want them.
_CHANGES: dict[StepStatus, tuple[str, ...]] = {
    StepStatus.PROPOSED: ("perform", "move", "pin", "skip", "cancel"),
    StepStatus.PLANNED: ("perform", "miss", "move", "pin", "book", "unbook", "skip", "cancel"),
    StepStatus.BOOKED: (
        *("arrive", "perform", "miss", "move", "pin", "book", "unbook", "skip", "cancel"),
    ),
    StepStatus.PERFORMED: ("correct",),
    StepStatus.MISSED: (
        *("perform", "miss", "move", "pin", "book", "unbook", "skip", "cancel", "correct"),
    ),
    StepStatus.SKIPPED: ("restore",),
    StepStatus.CANCELLED: ("restore",),
    StepStatus.ENTERED_IN_ERROR: (),
}


def allowed_changes(
    plan: PlanStatus,
    step: StepStatus,
    *,
    is_decision: bool,
    has_come: bool,
    is_pinned: bool,
    has_appointment: bool,
) -> tuple[str, ...]:
    """The types of change that may be posted for a step, as things stand.

    Nobody has missed a step, or arrived for it, before its day has come.
    """
    if plan not in _LIVING:
        return ()
    instead = {
        "perform": ("decide",) if is_decision else ("perform",),
        "arrive": ("arrive",) if has_come else (),
        "miss": ("miss",) if has_come else (),
        "unbook": ("unbook",) if has_appointment else (),
        "pin": ("pin", "unpin") if is_pinned else ("pin",),
    }
    return tuple(type_ for change in _CHANGES[step] for type_ in instead.get(change, (change,)))
