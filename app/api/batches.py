"""Work over many plans: its progress, what became of each plan, and stopping it."""

from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import ConfigDict, Field

from app.api.deps import ContextDep, ReadContextDep
from app.api.fields import Instant, Out
from app.api.paging import PageDep, uuid_of
from app.api.problems import problems
from app.api.routing import Route
from app.services import batches
from app.services.batches import BatchItemRecord, BatchNotFound, Progress

router = APIRouter(prefix="/v1/batches", tags=["batches"], route_class=Route)

ItemStatus = Literal["waiting", "changed", "unchanged", "conflict", "failed", "cancelled"]
_ID = "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d77"
_BATCH: dict[str, Any] = {
    "id": _ID,
    "kind": "closure",
    "status": "running",
    "request": {
        "closure_id": "01938a5e-7b1c-7f00-8a51-3b1f2a9c0d12",
        "reason": "clinic closed for works",
    },
    "total": 12,
    "done": 7,
    "counts": {"changed": 6, "conflict": 1, "waiting": 5},
    "created_at": "2027-02-05T16:00:00Z",
    "finished_at": None,
}
_ITEM: dict[str, Any] = {
    "plan_id": "01920000-0000-7000-8000-000000000100",
    "status": "changed",
    "result": {
        "revision": 4,
        "moves": [
            {
                "step_id": "01920000-0000-7000-8000-000000000105",
                "step": "primer/1",
                "from": "2027-02-17",
                "to": "2027-02-23",
                "reasons": [
                    {
                        "code": "target",
                        "text": "its target Wed 2027-02-17 is 21 days before session on "
                        "Wed 2027-03-10",
                    },
                    {
                        "code": "closure",
                        "text": "the location is closed on Wed 2027-02-17 "
                        "(Clinic closed for works)",
                        "rule": "closure:week-7",
                    },
                    {
                        "code": "nearest",
                        "text": "Tue 2027-02-23, 6 days after it, is the best day that works",
                    },
                ],
            }
        ],
        "added": [],
        "removed": [],
    },
    "done_at": "2027-02-05T16:00:02Z",
}


class BatchOut(Out):
    """One request's work over many plans, and how far it is."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BATCH]})

    id: UUID = Field(description="The batch.")
    kind: Literal["closure", "amendment", "rules"] = Field(
        description=(
            "What it does: solve plans again whose days are closed, or look at those whose days "
            "are open again; move plans to another version; look at plans by other rules."
        )
    )
    status: Literal["running", "done", "cancelled"] = Field(description="Whether it goes on.")
    request: dict[str, Any] = Field(description="What was asked.")
    total: int = Field(description="How many plans it concerns.")
    done: int = Field(description="How many of them are done.")
    counts: dict[str, int] = Field(description="How many plans have which status.")
    created_at: Instant = Field(description="When it was started.")
    finished_at: Instant | None = Field(description="When it ended; null while it runs.")

    @classmethod
    def from_domain(cls, progress: Progress) -> "BatchOut":
        """The batch as clients see it."""
        batch = progress.batch
        return cls(
            id=batch.id,
            kind=batch.kind,  # type: ignore[arg-type]  # the table knows no other
            status=batch.status,  # type: ignore[arg-type]  # the table knows no other
            request=batch.request,
            total=batch.total,
            done=batch.total - progress.counts.get("waiting", 0),
            counts=progress.counts,
            created_at=batch.created_at,
            finished_at=batch.finished_at,
        )


def follow(response: Response, progress: Progress | None) -> BatchOut | None:
    """Say which batch goes on with what was stored, if one does.

    The link's relation is that of RFC 5989: where to watch what becomes of it.
    """
    if progress is None:
        return None
    response.headers["link"] = f'</v1/batches/{progress.batch.id}>; rel="monitor"'
    return BatchOut.from_domain(progress)


class BatchItemOut(Out):
    """What became of one plan of a batch."""

    plan_id: UUID = Field(description="The plan.")
    status: ItemStatus = Field(description="What became of it.")
    result: dict[str, Any] = Field(
        description=(
            "changed: `moves` with their reasons, `added` and `removed` steps, the `revision` it "
            "made; conflict: the `conflict` and its `options`, each with the `request` to post to "
            "the plan's changes; failed: why, as `detail`. By other rules nothing moves: changed "
            "says that the plan shows other `breaches` now, with the moves that are `proposed` and "
            "the `request` to post for them; conflict has the `breaches` too."
        )
    )
    done_at: Instant | None = Field(description="When it was done.")

    @classmethod
    def from_domain(cls, item: BatchItemRecord) -> "BatchItemOut":
        """The item as clients see it."""
        return cls(
            plan_id=item.plan_id,
            status=item.status,  # type: ignore[arg-type]  # the table knows no other
            result=item.result,
            done_at=item.done_at,
        )


class BatchItemsOut(Out):
    """A page of a batch's plans."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"items": [_ITEM], "next": None}]})

    items: list[BatchItemOut] = Field(description="The plans, by their ids.")
    next: str | None = Field(description="Cursor of the next page; null at the end.")


@router.get("/{batch_id}", operation_id="get_batch", responses=problems(BatchNotFound))
async def get_batch(batch_id: UUID, ctx: ReadContextDep) -> BatchOut:
    """Read how far a batch is."""
    return BatchOut.from_domain(await batches.get_batch(ctx, batch_id))


@router.get("/{batch_id}/items", operation_id="list_batch_items", responses=problems(BatchNotFound))
async def list_batch_items(
    batch_id: UUID,
    page: PageDep,
    ctx: ReadContextDep,
    status: Annotated[ItemStatus | None, Query(description="Only of this status.")] = None,
) -> BatchItemsOut:
    """List what became of each plan of a batch: its moves and why, or why it could not be.

    The ways out of a conflict are those of the moment at which the plan was tried: each names what
    to post to the plan's changes. Those of now are at `/v1/plans/{plan_id}/recheck`.
    """
    found = await batches.list_batch_items(
        ctx, batch_id, status=status, after=uuid_of(page.after), limit=page.limit
    )
    items = [BatchItemOut.from_domain(item) for item in found.items]
    return BatchItemsOut(items=items, next=page.next(found.next))


@router.delete("/{batch_id}", operation_id="cancel_batch", responses=problems(BatchNotFound))
async def cancel_batch(batch_id: UUID, ctx: ContextDep) -> BatchOut:
    """Stop a batch: plans that still wait are left as they are."""
    return BatchOut.from_domain(await batches.cancel_batch(ctx, batch_id))
