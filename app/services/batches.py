"""Work over many plans: closures and amendments, each plan in a transaction of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from app.domain.calendars import Closure
from app.domain.errors import DomainError
from app.domain.plans.changes import Amend
from app.domain.plans.records import move_to_data
from app.domain.states import VersionStatus
from app.persistence.batches import (
    BatchItemRecord,
    BatchNotFound,
    BatchRecord,
    BatchRepository,
)
from app.services.context import Context
from app.services.listing import Listed, page_of
from app.services.locations import ClosureRecord, create_closure
from app.services.plans import change_plan, preview_change, read_plan
from app.services.plans.loading import VersionNotUsable, load_version
from app.services.plans.planning import ScheduleConflict
from app.services.plans.posting import PlanChange, PostedChanges
from app.services.plans.rechecking import recheck_plan
from app.services.plans.redating import ChangedPlan

__all__ = ["BatchItemRecord", "BatchNotFound", "BatchRecord"]

MAX_PLANS = 100_000
QUESTIONNAIRE = ["questionnaire"]


@dataclass(frozen=True, slots=True)
class Progress:
    """A batch with how many of its plans have which status."""

    batch: BatchRecord
    counts: dict[str, int]


@dataclass(frozen=True, slots=True)
class Touched:
    """A plan that a closure would touch, and the steps on its days."""

    plan_id: UUID
    step_ids: tuple[UUID, ...]


async def touched_plans(
    ctx: Context, location_id: UUID, first: date, last: date
) -> tuple[Touched, ...]:
    """Living plans with steps on these days that need an open day."""
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    found = await batches.plans_on_days(location_id, first, last)
    touched = []
    for plan_id, steps in found.items():
        needing = tuple(
            step_id
            for step_id, modes, kind, end in steps
            if modes != QUESTIONNAIRE and kind != "restriction" and end is None
        )
        if needing:
            touched.append(Touched(plan_id, needing))
    return tuple(touched)


async def close_location(
    ctx: Context, location_id: UUID, closure: Closure
) -> tuple[ClosureRecord, Progress | None]:
    """Store a closure, then a batch that solves every touched plan again; none if none is.

    Raises LocationNotFound or ClosureExists.
    """
    touched = await touched_plans(ctx, location_id, closure.first, closure.last)
    stored = await create_closure(ctx, location_id, closure)
    if not touched:
        return stored, None
    reason = closure.title or f"closed: {closure.id}"
    request = {"closure_id": str(stored.id), "reason": reason}
    return stored, await _start(ctx, "closure", request, [plan.plan_id for plan in touched])


async def amend_plans(
    ctx: Context, key: str, *, old: str, new: str, location_id: UUID | None
) -> Progress:
    """A batch that moves living plans of one protocol version to another, which is active.

    Raises ProtocolNotFound, VersionNotFound or VersionNotUsable.
    """
    await load_version(ctx, key, old)
    version, _ = await load_version(ctx, key, new)
    if version.status != VersionStatus.ACTIVE:
        raise VersionNotUsable(f"version '{new}' is {version.status}, not active")
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    plans = await batches.plans_of_version(key, old, location_id=location_id, limit=MAX_PLANS)
    request = {"protocol": key, "from": old, "to": new, "reason": f"amended to {new}"}
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


async def do_next(ctx: Context, batch_id: UUID) -> bool:
    """Do one plan of a batch within the caller's transaction; false when none is left to do.

    A domain error is the plan's result; anything else is the caller's to note as failed.
    """
    batches = BatchRepository(ctx.connection, ctx.clinic_id)
    plan_id = await batches.claim(batch_id)
    if plan_id is None:
        if not await batches.waiting(batch_id):
            await batches.finish(batch_id, status="done", now=ctx.now)
        return False
    batch = await batches.get(batch_id)
    status, result = await _do(ctx, batch, plan_id)
    await batches.finish_item(batch_id, plan_id, status=status, result=result, now=ctx.now)
    return True


async def _do(ctx: Context, batch: BatchRecord, plan_id: UUID) -> tuple[str, dict[str, Any]]:
    posted = _posted(batch)
    try:
        preview = await preview_change(ctx, plan_id, posted)
        if batch.kind == "closure" and not preview.moves:
            return "unchanged", {"moves": []}
        revision = (await read_plan(ctx, plan_id)).view.revision
        changed = await change_plan(ctx, plan_id, posted, revision=revision)
    except ScheduleConflict as conflict:
        await recheck_plan(ctx, plan_id)
        elements = [{"id": e.id, "text": e.text} for e in conflict.conflict.elements]
        options = [option.text for option in conflict.options]
        return "conflict", {"conflict": {"elements": elements}, "options": options}
    except DomainError as error:
        return "failed", {"detail": str(error)}
    return "changed", {"moves": _moves(changed), "revision": changed.record.revision}


def _moves(changed: ChangedPlan) -> list[dict[str, Any]]:
    return [move_to_data(move, str(changed.ids[move.id])) for move in changed.moves]


def _posted(batch: BatchRecord) -> PostedChanges:
    if batch.kind == "amendment":
        version = str(batch.request["to"])
        return PostedChanges((PlanChange(lambda _: Amend(version)),), batch.request["reason"])
    return PostedChanges((), batch.request["reason"])
