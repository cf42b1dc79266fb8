"""A plan is stored whole, once and before the answer, or not at all."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import anyio
import pytest
from sqlalchemy import event, text
from sqlalchemy.engine import Engine
from sqlalchemy.exc import OperationalError

from app.persistence.clinics import DEFAULT_CLINIC_ID
from app.persistence.events import EventRecord, EventRepository
from app.persistence.idempotency import IdempotencyRepository
from app.persistence.plans.repository import PlanRepository
from tests.api.given_plans import Data, Desk, good
from tests.client import Answer

CANARY = "Canary-Zzyzx"
FEW: Data = {"primer_count": 0, "booster_timing": "none", "orthotics": "declined"}


async def at_once(count: int, send: Callable[[], Awaitable[Answer]]) -> list[Answer]:
    """The answers to requests sent all at once."""
    answers: list[Answer] = []

    async def keep() -> None:
        answers.append(await send())

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(keep)
    return answers


def shown(answer: Answer) -> tuple[Any, ...]:
    """Everything of an answer that must come again."""
    names = ("location", "etag", "content-type")
    return (answer.status_code, answer.content, *(answer.headers[name] for name in names))


async def plans_of(desk: Desk) -> int:
    """How many plans the patient has."""
    page = await good(desk.api.get("/v1/plans", params={"patient_id": desk.patient_id}))
    return len(page["items"])


def key_of(desk: Desk) -> dict[str, str]:
    """A key that no other test uses."""
    return {"Idempotency-Key": desk.patient_id}


async def test_a_post_that_is_repeated_gives_the_first_answer_byte_for_byte(desk: Desk) -> None:
    first = await desk.post(headers=key_of(desk))
    await desk.at("2027-01-05T08:59:00-07:00")

    again = await desk.post(headers=key_of(desk))

    assert first.status_code == 201
    assert shown(again) == shown(first)
    assert await plans_of(desk) == 1


async def test_another_body_under_the_key_is_refused(desk: Desk) -> None:
    await desk.post(headers=key_of(desk))

    answer = await desk.post(desk.body(parameters=FEW), headers=key_of(desk))

    assert (answer.status_code, answer.json()["type"]) == (422, "idempotency-key-reused")
    assert await plans_of(desk) == 1


async def test_ten_equal_posts_at_once_make_one_plan_and_one_answer(desk: Desk) -> None:
    answers = await at_once(10, lambda: desk.post(headers=key_of(desk)))

    assert {answer.status_code for answer in answers} == {201}
    assert len({shown(answer) for answer in answers}) == 1
    assert await plans_of(desk) == 1


@pytest.mark.parametrize(
    "fields, status",
    [
        pytest.param({"anchor": {"date": "2027-03-13"}}, 409, id="a conflict"),
        pytest.param({"laterality": ...}, 422, id="a fault"),
        pytest.param({"protocol": {"key": "nobody-has-it"}}, 404, id="nothing found"),
    ],
)
async def test_a_refused_post_does_not_burn_its_key(desk: Desk, fields: Data, status: int) -> None:
    refused = await desk.post(desk.body(**fields), headers=key_of(desk))

    answer = await desk.post(headers=key_of(desk))

    assert (refused.status_code, answer.status_code) == (status, 201)


async def test_a_preview_needs_no_key_and_keeps_none(desk: Desk) -> None:
    before = await desk.rows()

    answers = [
        await desk.api.post("/v1/plans/preview", json=desk.body(), headers=key_of(desk))
        for _ in range(2)
    ]

    assert {answer.status_code for answer in answers} == {200}
    assert await desk.rows() == before


async def test_of_equal_posts_without_a_key_at_once_only_one_finds_room(desk: Desk) -> None:
    answers = await at_once(6, lambda: desk.post(desk.body(parameters=FEW)))

    assert sorted(answer.status_code for answer in answers) == [201, *[409] * 5]
    assert await plans_of(desk) == 1


async def test_a_report_is_never_missed_by_a_plan_made_at_the_same_moment(desk: Desk) -> None:
    soon = desk.body(parameters=FEW, anchor={"date": "2027-01-22"})
    answers: list[Answer] = []

    async def report() -> None:
        await desk.report(agent="corticosteroid_injection", on="2027-01-04")

    async def make() -> None:
        answers.append(await desk.post(soon))

    async with anyio.create_task_group() as group:
        group.start_soon(make)
        group.start_soon(report)

    (answer,) = answers
    if answer.status_code == 201:
        plan = await good(desk.api.get(answer.headers["location"]))
        assert [breach["rule"] for breach in plan["breaches"]] == ["steroid-before-session"]
    else:
        assert answer.status_code == 409


class Broken(Exception):
    """Something in the middle of storing went wrong."""


def breaking(after: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """The same, but it fails once it is done."""

    async def broken(*args: Any, **options: Any) -> None:
        await after(*args, **options)
        raise Broken

    return broken


@pytest.mark.parametrize(
    "repository, method",
    [
        pytest.param(PlanRepository, "add", id="after the plan is stored"),
        pytest.param(IdempotencyRepository, "claim", id="after the key is claimed"),
        pytest.param(IdempotencyRepository, "remember", id="after the answer is kept"),
    ],
)
async def test_what_fails_half_way_leaves_nothing(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, repository: type[Any], method: str
) -> None:
    before = await desk.rows()
    monkeypatch.setattr(repository, method, breaking(getattr(repository, method)))

    answer = await desk.post(headers=key_of(desk))

    monkeypatch.undo()
    assert (answer.status_code, answer.json()["type"]) == (500, "unexpected-error")
    assert await desk.rows() == before
    assert (await desk.post(headers=key_of(desk))).status_code == 201


async def test_a_failing_statement_among_those_that_store_a_plan_leaves_nothing(
    desk: Desk,
) -> None:
    before = await desk.rows()

    with _failing("plan_revisions"):
        answer = await desk.post(headers=key_of(desk))

    assert (answer.status_code, answer.json()["type"]) == (500, "unexpected-error")
    assert "disk" not in answer.text
    assert await desk.rows() == before


@contextmanager
def _failing(table: str) -> Iterator[None]:
    def fail(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        if "INSERT" in statement and table in statement:
            raise OperationalError(statement, None, Exception("the disk is full"))

    event.listen(Engine, "before_cursor_execute", fail)
    try:
        yield
    finally:
        event.remove(Engine, "before_cursor_execute", fail)


async def test_a_commit_that_fails_is_not_answered_as_stored(desk: Desk) -> None:
    before = await desk.rows()
    engine = desk.app.state.database.write.sync_engine

    def fail(connection: object) -> None:
        raise OperationalError("commit", None, Exception("the disk is full"))

    event.listen(engine, "commit", fail)
    try:
        answer = await desk.post(headers=key_of(desk))
    finally:
        event.remove(engine, "commit", fail)

    assert (answer.status_code, answer.json()["type"]) == (500, "unexpected-error")
    assert "location" not in answer.headers
    assert await desk.rows() == before


async def test_an_identifier_of_another_plan_leaves_nothing_and_names_no_plan(desk: Desk) -> None:
    taken = {"system": "urn:example:ehr", "value": f"{CANARY}-{desk.patient_id}"}
    await desk.plan(identifiers=[taken])
    before = await desk.rows()
    other = desk.body(patient={"id": await desk.patient()}, identifiers=[taken])

    answer = await desk.post(other, headers=key_of(desk))

    after = await desk.rows()
    assert (answer.status_code, answer.json()["type"]) == (409, "plan-identifier-taken")
    assert CANARY not in answer.text
    assert {table: after[table] - before[table] for table in after if table != "events"} == {
        table: 0 for table in after if table != "events"
    }


async def test_what_happened_is_noted_once_without_anything_about_the_patient(desk: Desk) -> None:
    plan = await desk.plan(
        condition=CANARY,
        practitioner=CANARY,
        note=CANARY,
        identifiers=[{"system": "urn:example:ehr", "value": f"{CANARY}-{desk.patient_id}"}],
        changes=[{"type": "report", "agent": "nsaid", "on": "2027-01-02"}],
    )

    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        events = await EventRepository(connection, desk.app.state.clinic_id).page(
            after=0, limit=1_000_000
        )
    mine = [found for found in events if str(found.plan_id) == plan["id"]]
    assert [_told(found) for found in mine] == [
        ("plan_created", 1, {"protocol": plan["protocol"]["key"], "version": "1.0.0"})
    ]
    assert str(mine[0].patient_id) == desk.patient_id
    assert CANARY not in str(mine)


def _told(found: EventRecord) -> tuple[str, int | None, Data]:
    return found.type, found.revision, found.data


async def test_the_first_revision_says_who_made_the_plan_when_and_from_what(desk: Desk) -> None:
    plan = await desk.plan(changes=[{"type": "skip", "step": "primer/2"}])

    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        stored = PlanRepository(connection, desk.app.state.clinic_id)
        (revision,) = await stored.revisions(UUID(plan["id"]), limit=10)
    assert (revision.revision, revision.actor, revision.moves) == (1, "local", [])
    assert revision.at.isoformat() == "2027-01-04T16:00:00+00:00"


@contextmanager
def _counted() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(connection: Any, cursor: Any, statement: str, *_: Any) -> None:
        # Whether there are keys at all is looked up every few seconds, whoever asks for what.
        is_asked_for = "FROM api_keys" not in statement and "FROM oauth_clients" not in statement
        if is_asked_for and not statement.startswith(("BEGIN", "PRAGMA")):
            statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@pytest.mark.parametrize(
    "what, most",
    [
        # One of them notes who created it, in the account of access.
        pytest.param("create", {"sqlite": 11, "postgresql": 8}, id="creating"),
        pytest.param("change", {"sqlite": 12, "postgresql": 8}, id="changing"),
        pytest.param("preview", {"sqlite": 3, "postgresql": 3}, id="previewing"),
        pytest.param("read", {"sqlite": 2, "postgresql": 2}, id="reading"),
        pytest.param("list", {"sqlite": 2, "postgresql": 2}, id="a page of a list"),
    ],
)
async def test_plans_need_few_statements(desk: Desk, what: str, most: dict[str, int]) -> None:
    plan = await desk.plan()
    body = desk.body(laterality="left")
    later = {"changes": [{"type": "move_anchor", "to": "2027-03-19"}]}
    answering: dict[str, Callable[[], Awaitable[Answer]]] = {
        "create": lambda: desk.post(body, headers=key_of(desk)),
        "change": lambda: desk.api.post(
            f"/v1/plans/{plan['id']}/changes", json=later, headers={"if-match": '"1"'}
        ),
        "preview": lambda: desk.preview(body),
        "read": lambda: desk.api.get(f"/v1/plans/{plan['id']}"),
        "list": lambda: desk.api.get("/v1/plans", params={"limit": 200}),
    }

    with _counted() as statements:
        answer = await answering[what]()

    assert answer.status_code in {200, 201}
    dialect = desk.app.state.database.write.dialect.name
    assert len(statements) <= most[dialect], statements


async def test_what_is_stored_is_whole(desk: Desk) -> None:
    await desk.plan()

    async with desk.app.state.database.reading(DEFAULT_CLINIC_ID) as connection:
        halves = await connection.execute(
            text(
                "SELECT count(*) FROM plans WHERE NOT EXISTS (SELECT 1 FROM plan_revisions r"
                " WHERE r.plan_id = plans.id) OR NOT EXISTS (SELECT 1 FROM planned_steps s"
                " WHERE s.plan_id = plans.id) OR NOT EXISTS (SELECT 1 FROM events e"
                " WHERE e.plan_id = plans.id)"
            )
        )
        assert halves.scalar_one() == 0
