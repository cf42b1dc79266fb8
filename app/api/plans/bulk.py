"""Many plans in one request: a plan's body in each line, the result of each line in its order."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from anyio import to_thread
from fastapi import APIRouter, Request
from pydantic import ConfigDict, Field, RootModel, ValidationError
from pydantic_core import from_json, to_json
from sqlalchemy.exc import SQLAlchemyError
from starlette.types import Scope

from app.api.accounting import asked_for, of_conflict
from app.api.deps import KEY, OpenContext, WriteContextsDep, fingerprint
from app.api.documents import read_json
from app.api.etags import etag
from app.api.faults import faults_of
from app.api.fields import Out
from app.api.handlers import note_unexpected, refusal_by_database
from app.api.lines import NDJSON, Line, LineReader, LinesResponse
from app.api.plans.asking import EXAMPLE, PlanIn
from app.api.plans.models import AttentionOut
from app.api.plans.refusing import ScheduleConflictProblem
from app.api.problem_model import Problem
from app.api.problems import problem_data, problems
from app.api.refusals import BodyTooLarge, Contended, FieldsRefused, MediaTypeRefused, Unexpected
from app.api.routing import Route
from app.domain.errors import DomainError
from app.services import plans
from app.services.access import Account
from app.services.idempotency import Answer
from app.services.plans import (
    AskedPlan,
    MadePlan,
    NewPlan,
    OvertakenMeanwhile,
    Patterns,
    ScheduleConflict,
)

router = APIRouter(prefix="/v1/plans", tags=["plans"], route_class=Route)

ATTEMPTS = 3

_EXAMPLE_ID = "01920000-0000-7000-8000-0000000000aa"
_EXAMPLE_STORED: dict[str, Any] = {
    "line": 1,
    "status": 201,
    "id": _EXAMPLE_ID,
    "etag": '"1.2027-01-04"',
    "location": f"/v1/plans/{_EXAMPLE_ID}",
    "needs_attention": [],
    "replayed": False,
}
_EXAMPLE_REFUSED: dict[str, Any] = {
    "line": 2,
    "status": 422,
    "problem": {
        "type": "invalid-request",
        "title": "The request has faults",
        "status": 422,
        "errors": [{"pointer": "/protocol/key", "code": "missing", "detail": "is required"}],
    },
}
_EXAMPLE_SUMMARY: dict[str, Any] = {
    "summary": {"lines": 2, "created": 1, "replayed": 0, "refused": 1, "complete": True}
}


class PlanLineIn(PlanIn):
    """A line: a plan's body, and beside it the key under which it is made once."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"idempotency_key": "row-1", **EXAMPLE}]}
    )

    idempotency_key: Annotated[str, Field(max_length=255, pattern=f"^{KEY}$")] | None = Field(
        default=None,
        description=(
            "Any text of your own, new for each plan. The same line sent again within 24 hours "
            "gives its first result again; another line under the key is refused."
        ),
    )


class StoredLineOut(Out):
    """A plan that is stored."""

    line: int = Field(description="Number of the line, from 1.", ge=1)
    status: Literal[201] = Field(description="What a request of its own would be answered.")
    id: UUID = Field(description="The plan.")
    etag: str = Field(description="Its ETag, for a change.")
    location: str = Field(description="Where it is.")
    needs_attention: list[AttentionOut] = Field(description="Why a person must look at it.")
    replayed: bool = Field(description="Whether it was stored before, under the line's key.")


class RefusedLineOut(Out):
    """A line of which nothing is stored."""

    line: int = Field(description="Number of the line, from 1.", ge=1)
    status: int = Field(description="What a request of its own would be answered.", ge=400, le=599)
    problem: ScheduleConflictProblem | Problem = Field(
        description="Why; a conflict is told without its ways out: post the line alone for them."
    )


class BulkSummaryOut(Out):
    """What became of all lines."""

    lines: int = Field(description="Lines with a result.")
    created: int = Field(description="Plans stored now.")
    replayed: int = Field(description="Plans stored before under the lines' keys.")
    refused: int = Field(description="Lines of which nothing is stored.")
    complete: bool = Field(description="Whether the body was read to its end.")


class LastLineOut(Out):
    """The last line: without it the answer was cut off."""

    summary: BulkSummaryOut


class BulkLineOut(RootModel[Any], defer_build=True):
    """One line of the answer."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [_EXAMPLE_STORED, _EXAMPLE_REFUSED, _EXAMPLE_SUMMARY]}
    )

    root: StoredLineOut | RefusedLineOut | LastLineOut


def _example(*lines: dict[str, Any]) -> str:
    return "".join(f"{to_json(line).decode()}\n" for line in lines)


@router.post(
    "/bulk",
    operation_id="create_plans",
    response_class=LinesResponse,
    responses={
        **problems(MediaTypeRefused, BodyTooLarge),
        200: {
            "model": BulkLineOut,
            "description": "The result of each line once it is stored, then a summary.",
            "content": {
                NDJSON: {"example": _example(_EXAMPLE_STORED, _EXAMPLE_REFUSED, _EXAMPLE_SUMMARY)}
            },
        },
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "One plan's body in each line: at most 10,000 lines and 32 MiB.",
            "content": {
                NDJSON: {
                    "schema": {"$ref": "#/components/schemas/PlanLineIn"},
                    "example": _example(
                        {"idempotency_key": "row-1", **EXAMPLE},
                        {"idempotency_key": "row-2", "patient": EXAMPLE["patient"]},
                    ),
                }
            },
        }
    },
)
async def create_plans(request: Request, contexts: WriteContextsDep) -> LinesResponse:
    """Store many plans, one for each line, as if each were posted after the one before it.

    Both bodies are NDJSON and streamed: a line's result is sent once its plan is stored, so read
    while you write. A line that is refused spoils no other. Lines with an `idempotency_key` may be
    sent again after a break: what was stored is told again, the rest is done.
    """
    reader = LineReader(request)
    return LinesResponse(_results(request, reader, contexts))


async def _results(
    request: Request, reader: LineReader, contexts: OpenContext
) -> AsyncIterator[bytes]:
    """The results of each chunk once it is committed, then the summary."""
    counts: Counter[str] = Counter()
    patterns = Patterns()
    while lines := await reader.read():
        asked = await to_thread.run_sync(_read_all, lines, request.scope)
        while asked:
            await reader.check()
            async with request.app.state.bulk_turn:
                plans_asked = [one for one in asked if isinstance(one, AskedPlan)]
                made = await _make(request, contexts, plans_asked, patterns)
            results = list(_in_order(asked, made))
            told = [_told(line.number, one) for line, one in zip(lines, results, strict=False)]
            counts.update(_sort(one) for one in results)
            yield b"".join(told)
            lines, asked = lines[len(results) :], asked[len(results) :]
    summary = {
        "lines": counts.total(),
        **{name: counts[name] for name in ("created", "replayed", "refused")},
        "complete": reader.complete,
    }
    yield to_json({"summary": summary}) + b"\n"


def _read_all(lines: Sequence[Line], scope: Scope) -> list[AskedPlan | Exception]:
    return [_read(line, scope) for line in lines]


def _read(line: Line, scope: Scope) -> AskedPlan | Exception:
    if line.refusal is not None:
        return line.refusal
    try:
        body = read_json(line.text)
        plan = PlanLineIn.model_validate(body)
        return AskedPlan(plan.to_domain(), plan.idempotency_key, fingerprint(scope, line.text))
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        return FieldsRefused(faults_of([{**e, "loc": ("body", *e["loc"])} for e in errors], body))
    except DomainError as error:
        return error


async def _make(
    request: Request, contexts: OpenContext, asked: Sequence[AskedPlan], patterns: Patterns
) -> Sequence[MadePlan | Exception]:
    """Make plans in a transaction of their own; again, where others came in between.

    Not where it is not certain that nothing was stored.
    """
    refused: Exception = Contended("others stored the same")
    for _ in range(ATTEMPTS if asked else 0):
        try:
            async with contexts() as ctx:
                made = await plans.create_plans(ctx, asked, answer=_answer, patterns=patterns)
                told = b"".join(map(_shown, made))
                account: Account = request.app.state.account
                await account.note_change(ctx, asked_for("create_plans", request), told)
        except OvertakenMeanwhile:
            continue
        except (SQLAlchemyError, OSError) as error:
            refused = refusal_by_database(error) or error
            if not isinstance(refused, Contended):
                break
        else:
            return made
    return [refused] * len(asked)


def _shown(made: MadePlan | Exception) -> bytes:
    """What a result tells of, for the account."""
    if isinstance(made, MadePlan):
        return made.answer.body
    return of_conflict(made) if isinstance(made, ScheduleConflict) else b""


def _answer(plan: NewPlan) -> Answer:
    """What is told of a plan, and kept to be told again."""
    told = {
        "id": str(plan.id),
        "etag": etag(1, plan.today),
        "location": f"/v1/plans/{plan.id}",
        "needs_attention": plan.attention,
    }
    return Answer(201, {}, to_json(told))


def _in_order(
    asked: Sequence[AskedPlan | Exception], made: Sequence[MadePlan | Exception]
) -> Iterator[MadePlan | Exception]:
    """What came of the first lines, up to one that is still to be done."""
    left = iter(made)
    for one in asked:
        result = one if isinstance(one, Exception) else next(left, None)
        if result is None:
            return
        yield result


def _sort(result: MadePlan | Exception) -> str:
    if isinstance(result, Exception):
        return "refused"
    return "replayed" if result.replayed else "created"


def _told(number: int, result: MadePlan | Exception) -> bytes:
    if isinstance(result, MadePlan):
        told = {"status": result.answer.status, **from_json(result.answer.body)}
        return to_json({"line": number, **told, "replayed": result.replayed}) + b"\n"
    if not isinstance(result, DomainError):
        note_unexpected(result)
        result = Unexpected()
    problem = problem_data(result)
    return to_json({"line": number, "status": problem["status"], "problem": problem}) + b"\n"
