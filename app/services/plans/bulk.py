"""Makes many plans in one transaction, as if each were posted after the one before it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import chain
from time import monotonic
from typing import TypeVar
from uuid import UUID

from anyio import to_thread

from app.domain.calendars import Calendar
from app.domain.documents import ProtocolDocument
from app.domain.errors import DomainError
from app.domain.rules import Rule
from app.persistence.events import EventRepository
from app.persistence.idempotency import (
    Answer,
    IdempotencyRepository,
    KeptAnswer,
    KeyReused,
)
from app.persistence.locations import LocationRecord, LocationRepository
from app.persistence.patients import Identifier, PatientRepository
from app.persistence.plans.bulk import BulkRepository, OvertakenMeanwhile, ReadyPlans
from app.persistence.plans.lives import PatientLife, read_lives
from app.persistence.plans.records import PatientStep, PlanIdentifierTaken, PlanRecord
from app.persistence.protocols import VersionSummary
from app.services import clinic
from app.services.context import Context
from app.services.idempotency import KEPT_FOR
from app.services.plans.flagging import flag_others
from app.services.plans.likeness import (
    NewPlan,
    Patterns,
    ReadyPlan,
    likeness_of,
    pattern_of,
)
from app.services.plans.loading import (
    Basis,
    load_active,
    load_calendar,
    only_location,
    only_patient,
    surroundings_of,
)
from app.services.plans.others import HeldTo, counts, held_to, load_held
from app.services.plans.planning import plan_at_once
from app.services.plans.requests import PlanRequest
from app.services.plans.starting import (
    Started,
    close_start,
    load_origin,
    nothing_to_start,
    refuse_another,
    refuse_unlisted,
)

__all__ = ["AskedPlan", "MadePlan", "NewPlan", "OvertakenMeanwhile", "Patterns", "create_plans"]

T = TypeVar("T")

# Whoever else wants these patients, or on SQLite wants to write at all, waits two seconds at most.
MAX_SECONDS = 0.5
SEVERAL = 2


@dataclass(frozen=True, slots=True)
class AskedPlan:
    """One of many requests; under a key it is made once, whatever is asked how often.

    ``fingerprint`` is what makes two requests under a key equal.
    """

    request: PlanRequest
    key: str | None
    fingerprint: str


@dataclass(frozen=True, slots=True)
class MadePlan:
    """The answer to a request: the first one given under its key, where that was before."""

    answer: Answer
    replayed: bool


@dataclass(frozen=True, slots=True)
class _Version:
    summary: VersionSummary
    document: ProtocolDocument
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class _Place:
    location: LocationRecord
    calendar: Calendar
    today: date


@dataclass(frozen=True, slots=True)
class _Life:
    """A patient's life as it was read, and the plans made for the patient since."""

    read: PatientLife
    held: Mapping[UUID, HeldTo]
    made: list[tuple[ReadyPlan, _Version]] = field(default_factory=list)

    @property
    def steps(self) -> Iterator[PatientStep]:
        """The dated steps of all its plans."""
        return chain(self.read.steps, *(plan.steps() for plan, _ in self.made))

    def concerned(self) -> set[UUID]:
        """The plans in which one that was made after them may have broken rules."""
        if not any(plan.concerns_others for plan, _ in self.made):
            return set()
        before = {step.plan_id for step in self.read.steps if counts(step)}
        return before | {plan.new.id for plan, _ in self.made[:-1]}

    def held_to(self) -> dict[UUID, HeldTo]:
        """What each of its plans is held to."""
        made = {
            plan.new.id: held_to(version.document.protocol, version.rules, plan.state)
            for plan, version in self.made
        }
        return {**self.held, **made}


@dataclass(slots=True)
class _Chunk:
    """What the requests of a transaction share, and what came of them so far.

    What cannot be found is an error in the place of the thing: it is each request's own.
    """

    versions: dict[tuple[str, str | None], _Version | DomainError]
    places: dict[UUID | None, _Place | DomainError]
    lives: dict[UUID, _Life]
    known_as: dict[Identifier, UUID]
    answers: dict[str, KeptAnswer]
    taken: set[Identifier]
    ready: ReadyPlans
    patterns: Patterns
    origins: dict[UUID, PlanRecord | DomainError]
    started: list[Started] = field(default_factory=list)
    sources: dict[tuple[object, ...], int] = field(default_factory=dict)


async def create_plans(
    ctx: Context,
    asked: Sequence[AskedPlan],
    *,
    answer: Callable[[NewPlan], Answer],
    patterns: Patterns,
) -> tuple[MadePlan | Exception, ...]:
    """Date and store plans in their order; what is refused is one request's and no other's.

    ``patterns`` are plans made before by which others may be made, and take up new ones. Gives
    what came of the first of them: of as many as there was time for, one at least. Raises
    OvertakenMeanwhile when it is all to be done anew.
    """
    chunk = await _load(ctx, asked, patterns)
    made = await to_thread.run_sync(_make_all, ctx, asked, chunk, answer)
    await BulkRepository(ctx.connection, ctx.clinic_id).add(chunk.ready)
    for started in chunk.started:
        await close_start(ctx, started)
    others = [plan_id for life in chunk.lives.values() for plan_id in life.concerned()]
    if happened := await flag_others(ctx, others):
        await EventRepository(ctx.connection, ctx.clinic_id).append(happened)
    return made


async def _load(ctx: Context, asked: Sequence[AskedPlan], patterns: Patterns) -> _Chunk:
    """Everything the requests need, each thing once; their patients are held."""
    requests = [one.request for one in asked]
    patients = await PatientRepository(ctx.connection, ctx.clinic_id).hold_all(
        {one.patient_id for one in requests if one.patient_id is not None},
        {one.patient_identifier for one in requests if one.patient_identifier is not None},
    )
    lives = await read_lives(ctx.connection, ctx.clinic_id, patients)
    rules = await clinic.rules_document(ctx)
    held = await load_held(ctx, (step for life in lives for step in life.steps), rules)
    keys = {one.key for one in asked if one.key is not None}
    versions = {(one.protocol_key, one.protocol_version) for one in requests}
    repository = BulkRepository(ctx.connection, ctx.clinic_id)
    return _Chunk(
        versions={name: await _version(ctx, name, rules) for name in versions},
        places={id_: await _place(ctx, id_) for id_ in {one.location_id for one in requests}},
        lives={life.patient.id: _Life(life, held) for life in lives},
        known_as={name: life.patient.id for life in lives for name in life.patient.identifiers},
        answers=await IdempotencyRepository(ctx.connection, ctx.clinic_id).find(
            keys, now=ctx.now, kept_for=KEPT_FOR
        ),
        taken=await repository.taken({named for one in requests for named in one.identifiers}),
        ready=repository.ready(),
        patterns=patterns,
        origins={
            one.started_by.plan_id: await _origin(ctx, one.started_by.plan_id)
            for one in requests
            if one.started_by is not None
        },
    )


async def _version(
    ctx: Context, name: tuple[str, str | None], clinic_rules: str | None
) -> _Version | DomainError:
    try:
        summary, document = await load_active(ctx, *name)
    except DomainError as error:
        return error
    return _Version(summary, document, clinic.applied(clinic_rules, document.protocol))


async def _origin(ctx: Context, plan_id: UUID) -> PlanRecord | DomainError:
    try:
        return await load_origin(ctx, plan_id)
    except DomainError as error:
        return error


async def _place(ctx: Context, location_id: UUID | None) -> _Place | DomainError:
    locations = LocationRepository(ctx.connection, ctx.clinic_id)
    try:
        if location_id is None:
            found = await locations.page(after=None, limit=SEVERAL)
        else:
            found = (await locations.get(location_id),)
        location = only_location(found, location_id)
    except DomainError as error:
        return error
    calendar = await load_calendar(ctx, location, ctx.now.date())
    return _Place(location, calendar, ctx.today(location.time_zone))


def _make_all(
    ctx: Context,
    asked: Sequence[AskedPlan],
    chunk: _Chunk,
    answer: Callable[[NewPlan], Answer],
) -> tuple[MadePlan | Exception, ...]:
    made: list[MadePlan | Exception] = []
    began = monotonic()
    for place, one in enumerate(asked):
        # Ids sort by the moment: plans of one transaction, too, are to sort as they were asked for.
        moment = (ctx.ordinary_now or ctx.now) + timedelta(microseconds=place)
        try:
            made.append(_make(replace(ctx, ordinary_now=moment), one, chunk, answer))
        except Exception as error:  # noqa: BLE001 - whatever it is, the others are not to suffer
            made.append(error)
        if monotonic() - began > MAX_SECONDS:
            break
    return tuple(made)


def _make(
    ctx: Context, asked: AskedPlan, chunk: _Chunk, answer: Callable[[NewPlan], Answer]
) -> MadePlan:
    before = None if asked.key is None else chunk.answers.get(asked.key)
    if before is not None:
        if before.fingerprint != asked.fingerprint:
            raise KeyReused("the idempotency key was used for another request")
        return MadePlan(before.answer, replayed=True)
    origin = _listing(asked.request, chunk)
    life, plan = _ready(ctx, asked.request, chunk)
    refuse_another(origin, life.read.patient.id)
    identifiers = asked.request.identifiers
    if not chunk.taken.isdisjoint(identifiers):
        raise PlanIdentifierTaken("another plan has this identifier")
    made = MadePlan(answer(plan.new), replayed=False)
    kept = None
    if asked.key is not None:
        kept = KeptAnswer(asked.key, asked.fingerprint, made.answer, ctx.now)
    chunk.ready.add(plan.rows, plan.new.id, identifiers, kept)
    if kept is not None:
        chunk.answers[kept.key] = kept
    chunk.taken.update(identifiers)
    if (by := asked.request.started_by) is not None:
        chunk.started.append(Started(by, asked.request.protocol_key, plan.new.id))
    version = _there(chunk.versions[asked.request.protocol_key, asked.request.protocol_version])
    life.made.append((plan, version))
    return made


def _listing(request: PlanRequest, chunk: _Chunk) -> PlanRecord | None:
    """The plan whose decision starts this one, if one does. Raises InvalidPlan.

    What a line before was started by is listed no more.
    """
    by = request.started_by
    if by is None:
        return None
    before = {(one.by, one.protocol) for one in chunk.started}
    if (by, request.protocol_key) in before:
        raise nothing_to_start()
    origin = _there(chunk.origins[by.plan_id])
    refuse_unlisted(origin, by, request.protocol_key)
    return origin


def _ready(ctx: Context, request: PlanRequest, chunk: _Chunk) -> tuple[_Life, ReadyPlan]:
    """The plan of a request, worked out only where there was none like it before."""
    version = _there(chunk.versions[request.protocol_key, request.protocol_version])
    life = _life(request, chunk)
    place = _there(chunk.places[request.location_id])
    named = (request.protocol_key, request.protocol_version, request.location_id)
    source = chunk.sources.get(named)
    if source is None:
        made_from = (version, place, ctx.actor, ctx.grant)
        source = chunk.sources[named] = chunk.patterns.source(made_from)
    likeness = None if life.made else likeness_of(source, request, life.read)
    pattern = chunk.patterns.find(likeness)
    if pattern is not None:
        return life, pattern.again(ctx, request, life.read.patient.id)
    basis = _basis(request, version, place, life)
    pattern = pattern_of(ctx, plan_at_once(ctx, request, basis), chunk.ready)
    chunk.patterns.keep(likeness, pattern)
    return life, pattern.first


def _basis(request: PlanRequest, version: _Version, place: _Place, life: _Life) -> Basis:
    """What ``load_basis`` would load after the requests before were stored."""
    around = surroundings_of(
        version.document,
        life.read.patient,
        calendar=place.calendar,
        clinic_rules=version.rules,
        laterality=request.laterality,
        events=life.read.events,
        absences=life.read.absences,
        others=life.steps,
        held=life.held_to(),
    )
    patient, location = life.read.patient, place.location
    return Basis(version.summary, version.document, patient, location, around, place.today)


def _life(request: PlanRequest, chunk: _Chunk) -> _Life:
    patient_id = request.patient_id
    if request.patient_identifier is not None:
        patient_id = chunk.known_as.get(request.patient_identifier)
    life = None if patient_id is None else chunk.lives.get(patient_id)
    patient = only_patient(None if life is None else life.read.patient, request)
    return chunk.lives[patient.id]


def _there(found: T | DomainError) -> T:
    if isinstance(found, DomainError):
        raise found
    return found
