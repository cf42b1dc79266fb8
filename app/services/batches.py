"""Work over many plans: closed days, amendments and other rules, one transaction a plan."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from app.domain.errors import DomainError, Fault, Faults
from app.domain.plans.changes import Amend, Change
from app.domain.plans.records import move_to_data
from app.domain.plans.step_changes import Book
from app.domain.states import VersionStatus
from app.persistence.batches import (
    BatchItemRecord,
    BatchNotFound,
    BatchRecord,
    BatchRepository,
    ClaimedPlan,
)
from app.services.context import Context
from app.services.listing import Listed, page_of
from app.services.locations import get_location
from app.services.plans import PlanChangedMeanwhile
from app.services.plans.changing import store, work_out
from app.services.plans.loading import VersionNotUsable, load_version
from app.services.plans.planning import ScheduleConflict
from app.services.plans.posting import Place, PlanChange, PostedChanges
from app.services.plans.rebooking import book_body, rebookings
from app.services.plans.rechecking import look_again, look_by, put_right
from app.services.plans.redating import ChangedPlan
from app.services.plans.stored import StoredPlan, load_plan, stands_on_closed_day

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
    if wanted.location_id is not None:
        request["location_id"] = str(wanted.location_id)
    request |= {"reason": f"amended to {new}", "tried": tried}
    return await start(ctx, "amendment", request, plans)


async def start(
    ctx: Context, kind: str, request: dict[str, Any], plans: Sequence[UUID]
) -> Progress:
    """Store a batch over these plans; a worker does it."""
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
    try:
        if batch.kind == "rules":
            return await _held_to_rules(ctx, batch, plan_id, ways_out)
        return await _dated_again(ctx, batch, plan_id, ways_out)
    except PlanChangedMeanwhile:
        raise
    except Faults as error:
        return "failed", {"detail": "; ".join(fault.text for fault in error.faults)}
    except DomainError as error:
        return "failed", {"detail": str(error)}


async def _dated_again(
    ctx: Context, batch: BatchRecord, plan_id: UUID, ways_out: WaysOut
) -> tuple[str, dict[str, Any]]:
    """A plan solved again: only one that is amended, or stands on days not its own, may move."""
    tried, of_days = bool(batch.request.get("tried")), batch.kind == "closure"
    stored = await load_plan(ctx, plan_id, hold=True)
    if _is_amended(batch, stored):
        return "unchanged", {"moves": []}
    booked = rebookings(stored) if of_days else ()
    if of_days and not (booked or stands_on_closed_day(stored)):
        await look_again(ctx, stored)
        return "unchanged", {"moves": []}
    posted = _posted(batch, booked)
    try:
        worked_out = await work_out(ctx, stored, posted)
    except ScheduleConflict as conflict:
        # That an appointment is on another day no rule says: who would look again would not see it.
        if not (tried or booked):
            await look_again(ctx, stored)
        return "conflict", _conflicting(conflict, ways_out, _body(batch, booked))
    if of_days and not worked_out.plan.moves:
        await look_again(ctx, stored)
        return "unchanged", {"moves": []}
    if not tried:
        await store(ctx, stored, worked_out, reason=posted.reason)
    return "changed", _result(worked_out.plan)


async def _held_to_rules(
    ctx: Context, batch: BatchRecord, plan_id: UUID, ways_out: WaysOut
) -> tuple[str, dict[str, Any]]:
    """What a plan breaks by the clinic's rules, flagged; its days stay, others are proposed."""
    rules = batch.request.get("rules")
    if rules is None:
        looked_at = await look_again(ctx, await load_plan(ctx, plan_id, hold=True))
    else:
        looked_at = look_by(await load_plan(ctx, plan_id, clinic_rules=json.dumps(rules)))
    if not looked_at.is_new:
        return "unchanged", {"moves": []}
    found = await put_right(looked_at)
    result: dict[str, Any] = {"moves": [], "breaches": list(found.breaches)}
    if rules is None:
        result["revision"] = looked_at.stored.record.revision + 1
    if found.conflict is not None:
        return "conflict", result | _conflicting(found.conflict, ways_out, _body(batch))
    proposed = [move_to_data(move, str(found.ids[move.id])) for move in found.moves]
    request = _body(batch) | {"changes": found.changes}
    return "changed", result | {"proposed": {"moves": proposed, "request": request}}


def _conflicting(
    conflict: ScheduleConflict, ways_out: WaysOut, body: Mapping[str, Any]
) -> dict[str, Any]:
    elements = [{"id": e.id, "text": e.text} for e in conflict.conflict.elements]
    return {"conflict": {"elements": elements}, "options": list(ways_out(conflict, body))}


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


def _body(batch: BatchRecord, booked: Sequence[Book] = ()) -> dict[str, Any]:
    """What a person would post to one of the plans to do the same."""
    changes = [book_body(book) for book in booked]
    if batch.kind == "amendment":
        changes.append({"type": "amend", "version": batch.request["to"]})
    return {"reason": batch.request["reason"], "changes": changes}


def _posted(batch: BatchRecord, booked: Sequence[Book]) -> PostedChanges:
    changes: list[Change] = [*booked]
    if batch.kind == "amendment":
        changes.append(Amend(str(batch.request["to"])))
    made = tuple(PlanChange(partial(_given, change)) for change in changes)
    return PostedChanges(made, batch.request["reason"])


def _given(change: Change, place: Place) -> Change:
    del place
    return change
