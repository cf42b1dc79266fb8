"""Work over many plans: closures and amendments, each plan in a transaction of its own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.calendars import Closure
from app.domain.documents.usual import usual_any_day
from app.domain.errors import DomainError, Fault, Faults
from app.domain.plans.changes import Amend
from app.domain.plans.records import move_to_data
from app.domain.protocols import StepKind
from app.domain.rules import Severity
from app.domain.states import VersionStatus
from app.persistence.batches import (
    BatchItemRecord,
    BatchNotFound,
    BatchRecord,
    BatchRepository,
    ClaimedPlan,
    StepOnDay,
)
from app.persistence.events import EventRepository
from app.services.context import Context
from app.services.events import EventType, new_event
from app.services.listing import Listed, page_of
from app.services.locations import ClosureRecord, create_closure, delete_closure, get_location
from app.services.plans import PlanChangedMeanwhile
from app.services.plans.changing import store, work_out
from app.services.plans.loading import VersionNotUsable, load_version
from app.services.plans.planning import ScheduleConflict
from app.services.plans.posting import PlanChange, PostedChanges
from app.services.plans.rechecking import recheck_plan
from app.services.plans.redating import ChangedPlan
from app.services.plans.stored import StoredPlan, load_plan

__all__ = ["BatchItemRecord", "BatchNotFound", "BatchRecord"]

MAX_PLANS = 100_000

# How the ways out of a conflict are told, with the body for which there was one.
WaysOut = Callable[[ScheduleConflict, Mapping[str, Any]], Sequence[Mapping[str, Any]]]


class InvalidAmendment(Faults):
    """The versions named give nothing to amend; each fault by its JSON pointer."""


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch with how many of its plans have which status."""

    batch: BatchRecord
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Touched:
    """A plan that a closure would touch, and its steps on the closure's days."""

    plan_id: UUID
    steps: tuple[StepOnDay, ...]


async def touched_plans(
    ctx: Context, location_id: UUID, first: date, last: date
) -> tuple[Touched, ...]:
    """Living plans with steps on these days that need an open day."""
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    found = await batches.steps_on_days(location_id, first, last)
    touched = []
    for plan_id, steps in found.items():
        needing = tuple(
            step
            for step in steps
            if not usual_any_day(StepKind(step.kind), step.end_day is not None, tuple(step.modes))
        )
        if needing:
            touched.append(Touched(plan_id, needing))
    return tuple(touched)


async def close_location(
    ctx: Context, location_id: UUID, closure: Closure
) -> tuple[ClosureRecord, Progress | None]:
    """Store a closure, then a batch that solves every touched plan again; none if none is.

    Until then these plans are flagged. Raises LocationNotFound or ClosureExists.
    """
    touched = await touched_plans(ctx, location_id, closure.first, closure.last)
    rule = f"closure:{closure.id}"
    flagged = await BatchRepository(ctx.connection, ctx.clinic_id).flag(
        {plan.plan_id: plan.steps for plan in touched},
        rule=rule,
        why="the location is closed",
        now=ctx.now,
    )
    stored = await create_closure(ctx, location_id, closure)
    if not touched:
        return stored, None
    request = {"closure_id": str(stored.id), "reason": closure.title or f"closed: {closure.id}"}
    progress = await _start(ctx, "closure", request, [plan.plan_id for plan in touched])
    await EventRepository(ctx.connection, ctx.clinic_id).append(
        [
            new_event(
                ctx,
                EventType.BREACH_FOUND,
                plan_id=plan.id,
                patient_id=plan.patient_id,
                revision=plan.revision,
                data={"rule": rule, "severity": Severity.BLOCK.value},
            )
            for plan in flagged
        ]
    )
    return stored, progress


async def open_location(ctx: Context, closure_id: UUID) -> Progress | None:
    """Take a closure back; plans that are flagged because of it are looked at again by a batch.

    None where no plan is. Raises ClosureNotFound.
    """
    flagged = await BatchRepository(ctx.connection, ctx.clinic_id).flagged_plans(closure_id)
    await delete_closure(ctx, closure_id)
    if not flagged:
        return None
    request = {"closure_id": str(closure_id), "reason": "opened again"}
    return await _start(ctx, "closure", request, flagged)


@dataclass(frozen=True, slots=True)
class Amendment:
    """Which plans go on by which version: those of one version, perhaps of one location."""

    protocol: str
    old: str
    new: str
    location_id: UUID | None = None


async def amend_plans(ctx: Context, wanted: Amendment, *, tried: bool = False) -> Progress:
    """A batch that moves living plans of one protocol version to another, which is active.

    One that is only ``tried`` says what would become of each plan, and changes none. Raises
    ProtocolNotFound, VersionNotFound, VersionNotUsable, LocationNotFound or InvalidAmendment.
    """
    key, old, new = wanted.protocol, wanted.old, wanted.new
    if new == old:
        fault = Fault("/to", "not-another", "must be another version")
        raise InvalidAmendment((fault,))
    await load_version(ctx, key, old)
    version, _ = await load_version(ctx, key, new)
    if version.status != VersionStatus.ACTIVE:
        raise VersionNotUsable(f"version '{new}' is {version.status}, not active")
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    if wanted.location_id is not None:
        await get_location(ctx, wanted.location_id)
    plans = await batches.plans_of_version(
        key, old, location_id=wanted.location_id, limit=MAX_PLANS
    )
    request: dict[str, Any] = {"protocol": key, "from": old, "to": new}
    request |= {"reason": f"amended to {new}", "tried": tried}
    return await _start(ctx, "amendment", request, plans)


async def _start(
    ctx: Context, kind: str, request: dict[str, Any], plans: Sequence[UUID]
) -> Progress:
    batch = BatchRecord(
        id=ctx.new_id(),
        kind=kind,
        status="running" if plans else "done",
        request=request,
        total=len(plans),
        created_at=ctx.now,
        created_by=ctx.actor,
        finished_at=None if plans else ctx.now,
    )
    await BatchRepository(ctx.connection, ctx.clinic_id).add(batch, plans)
    return Progress(batch, {"waiting": len(plans)} if plans else {})


async def get_batch(ctx: Context, batch_id: UUID) -> Progress:
    """A batch with its progress. Raises BatchNotFound."""
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    return Progress(await batches.get(batch_id), await batches.counts(batch_id))


async def list_batch_items(
    ctx: Context, batch_id: UUID, *, status: str | None, after: UUID | None, limit: int
) -> Listed[BatchItemRecord]:
    """What became of each plan of a batch. Raises BatchNotFound."""
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    await batches.get(batch_id)
    rows = await batches.items(batch_id, status=status, after=after, limit=limit + 1)
    return page_of(rows, limit, lambda item: (str(item.plan_id),))


async def cancel_batch(ctx: Context, batch_id: UUID) -> Progress:
    """Leave the plans that still wait as they are. Raises BatchNotFound."""
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    await batches.get(batch_id)
    await batches.finish(batch_id, status="cancelled", now=ctx.now)
    return await get_batch(ctx, batch_id)


async def claim_plan(ctx: Context, batch_id: UUID) -> ClaimedPlan | None:
    """A plan that still waits, held by the caller's transaction; ends a batch with none left."""
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    claimed = await batches.claim(batch_id)
    if claimed is None and not await batches.waiting(batch_id):
        await batches.finish(batch_id, status="done", now=ctx.now)
    return claimed


async def do_plan(ctx: Context, claimed: ClaimedPlan, ways_out: WaysOut) -> None:
    """Do one plan of a batch within the caller's transaction.

    What the domain refuses is the plan's result. Somebody who changes the plan meanwhile goes
    first: it goes on waiting.
    """
    try:
        status, result = await _do(ctx, claimed.batch, claimed.plan_id, ways_out)
    except PlanChangedMeanwhile:
        return
    await BatchRepository(ctx.connection, ctx.clinic_id).finish_item(
        claimed.batch.id, claimed.plan_id, status=status, result=result, now=ctx.now
    )


async def give_up(ctx: Context, batch_id: UUID, plan_id: UUID) -> None:
    """Note a plan that could not be done for a reason nobody foresaw; the others go on."""
    result = {"detail": "the service failed"}
    await BatchRepository(ctx.connection, ctx.clinic_id).finish_item(
        batch_id, plan_id, status="failed", result=result, now=ctx.now
    )


async def _do(
    ctx: Context, batch: BatchRecord, plan_id: UUID, ways_out: WaysOut
) -> tuple[str, dict[str, Any]]:
    posted, tried = _posted(batch), bool(batch.request.get("tried"))
    try:
        stored = await load_plan(ctx, plan_id, hold=True)
        if _is_amended(batch, stored):
            return "unchanged", {"moves": []}
        worked_out = await work_out(ctx, stored, posted)
    except ScheduleConflict as conflict:
        if not tried:
            await recheck_plan(ctx, plan_id)
        elements = [{"id": e.id, "text": e.text} for e in conflict.conflict.elements]
        options = ways_out(conflict, _body(batch))
        return "conflict", {"conflict": {"elements": elements}, "options": list(options)}
    except Faults as error:
        return "failed", {"detail": "; ".join(fault.text for fault in error.faults)}
    except DomainError as error:
        return "failed", {"detail": str(error)}
    if batch.kind == "closure" and not worked_out.plan.moves:
        await recheck_plan(ctx, plan_id)
        return "unchanged", {"moves": []}
    if not tried:
        await store(ctx, stored, worked_out, reason=posted.reason)
    return "changed", _result(worked_out.plan)


def _is_amended(batch: BatchRecord, stored: StoredPlan) -> bool:
    """Whether somebody has brought the plan to the batch's version meanwhile."""
    return batch.kind == "amendment" and stored.record.protocol_version == batch.request["to"]


def _result(changed: ChangedPlan) -> dict[str, Any]:
    return {
        "moves": [move_to_data(move, str(changed.ids[move.id])) for move in changed.moves],
        "added": [str(step.occurrence) for step in changed.added],
        "removed": [str(step.occurrence) for step in changed.removed],
        "revision": changed.record.revision,
    }


def _body(batch: BatchRecord) -> dict[str, Any]:
    """What a person would post to one of the plans to do the same."""
    changes = []
    if batch.kind == "amendment":
        changes.append({"type": "amend", "version": batch.request["to"]})
    return {"reason": batch.request["reason"], "changes": changes}


def _posted(batch: BatchRecord) -> PostedChanges:
    if batch.kind == "amendment":
        version = str(batch.request["to"])
        return PostedChanges((PlanChange(lambda _: Amend(version)),), batch.request["reason"])
    return PostedChanges((), batch.request["reason"])
