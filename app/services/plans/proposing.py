"""Days the anchor could have, ranked, each with the whole schedule it gives. Stores nothing."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Literal

from anyio import to_thread

from app.domain.engine import bookable_days, forced, solve
from app.domain.errors import DomainError
from app.domain.offsets import LAST_DAY
from app.domain.problem import Problem
from app.domain.schedules import BookableDay, Schedule
from app.services import engine_time
from app.services.context import Context
from app.services.plans.loading import Basis, load_basis
from app.services.plans.planning import InvalidPlan, PlannedPlan, planned_plan, problem_for
from app.services.plans.requests import AskedAnchor, PlanRequest
from app.services.ranges import require_forwards

RANGE_DAYS = 120

Rank = Literal["best", "earliest"]


class NoAnchorToPropose(DomainError):
    """The protocol has no anchor step whose day could be proposed."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One day for the anchor: its cost is importance times days from target over the whole plan."""

    day: date
    cost: int
    planned: PlannedPlan


@dataclass(frozen=True, slots=True)
class Proposals:
    """The days looked at, how many of them work, and the best of these."""

    first: date
    last: date
    possible: int
    ranked: tuple[Proposal, ...]


async def propose_plans(
    ctx: Context,
    request: PlanRequest,
    *,
    first: date | None,
    last: date | None,
    rank: Rank,
    limit: int,
) -> Proposals:
    """When the anchor could be, ranked. No day is an answer, not an error.

    Raises NoAnchorToPropose, RangeNotAllowed and what ``create_plan`` raises.
    """
    basis = await load_basis(ctx, request, allow_draft=True)
    first = first or basis.today
    last = last or min(LAST_DAY, first + timedelta(days=RANGE_DAYS - 1))
    require_forwards(first, last, most_days=RANGE_DAYS)
    if basis.document.protocol.anchor is None:
        raise NoAnchorToPropose("the protocol has no anchor step")
    try:
        return await _proposed(ctx, request, basis, (first, last), rank=rank, limit=limit)
    except InvalidPlan as error:
        raise error.below("/plan") from error


async def _proposed(
    ctx: Context,
    request: PlanRequest,
    basis: Basis,
    days: tuple[date, date],
    *,
    rank: Rank,
    limit: int,
) -> Proposals:
    first, last = days
    asked = replace(request, anchor=AskedAnchor(earliest_from=first, until=last))
    problem = problem_for(asked, basis).problem
    with engine_time.measured():
        found, schedules = await to_thread.run_sync(_ranked, problem, first, last, rank, limit)
    proposals = tuple(
        Proposal(
            day.day,
            day.cost,
            _planned(ctx, replace(request, anchor=AskedAnchor(day=day.day)), basis, schedule),
        )
        for day, schedule in schedules
    )
    return Proposals(first, last, found, proposals)


def _planned(ctx: Context, request: PlanRequest, basis: Basis, schedule: Schedule) -> PlannedPlan:
    return planned_plan(ctx, request, basis, problem_for(request, basis), schedule)


def _ranked(
    problem: Problem, first: date, last: date, rank: Rank, limit: int
) -> tuple[int, list[tuple[BookableDay, Schedule]]]:
    assert problem.anchor is not None  # noqa: S101 - the protocol has an anchor
    anchor = problem.anchor.occurrence
    days = bookable_days(problem, anchor, first, last)
    if rank == "best":
        ordered = sorted(days, key=lambda found: (found.cost, found.day))
    else:
        ordered = sorted(days, key=lambda found: found.day)
    chosen = []
    for found in ordered[:limit]:
        schedule = solve(forced(problem, anchor, found.day))
        if isinstance(schedule, Schedule):
            chosen.append((found, schedule))
    return len(days), chosen
