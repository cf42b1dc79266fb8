"""A clinic's own rules: read and written as plain data, and applied to a protocol's steps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, assert_never

from app.domain.documents.clinic_rules_grammar import CLINIC_RULES
from app.domain.documents.grammar import FORMAT, schema_of
from app.domain.documents.protocol_reading import read_sources
from app.domain.documents.protocol_writing import source_data
from app.domain.documents.protocols import Source
from app.domain.documents.reading import Data, Reading, keyed, present
from app.domain.documents.rule_reading import read_gap_of_kinds, read_washout_days
from app.domain.documents.rule_writing import gap_of_kinds_data, readiness_data, washout_data
from app.domain.documents.shapes import Report, Schema
from app.domain.documents.writing import Written, written
from app.domain.errors import Faults
from app.domain.offsets import MonthEnd
from app.domain.protocols import Protocol, Step, StepKind
from app.domain.rules import (
    MinGapOfKinds,
    Readiness,
    Rule,
    Severity,
    Washout,
    is_as_harsh,
    is_at_least,
    keeps_apart_as_much,
)

_TREATMENTS = frozenset({StepKind.INJECTION, StepKind.PROCEDURE})


class InvalidClinicRules(Faults):
    """The clinic's rules have faults; each is named by its JSON pointer."""


@dataclass(frozen=True, slots=True)
class StepsMeant:
    """The steps with one of the tags or kinds; neither given, every injection and procedure."""

    tags: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()

    def among(self, protocol: Protocol) -> tuple[str, ...]:
        """The keys of these steps in a protocol, in its order."""
        return tuple(step.key for step in protocol.steps if self._means(step))

    def _means(self, step: Step) -> bool:
        if not self.tags and not self.kinds:
            return step.kind in _TREATMENTS
        return step.kind in self.kinds or not set(self.tags).isdisjoint(step.details.tags)


@dataclass(frozen=True, slots=True)
class ClinicRule:
    """One rule of the clinic; its steps are found anew in each protocol."""

    rule: Washout | Readiness | MinGapOfKinds
    meant: StepsMeant = StepsMeant()
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class ClinicRules:
    """A clinic's washouts, readiness checks and gaps."""

    rules: tuple[ClinicRule, ...] = ()
    title: str | None = None
    sources: tuple[Source, ...] = ()

    def rules_for(self, protocol: Protocol) -> tuple[Rule, ...]:
        """These rules for the steps of a protocol.

        Where a rule of the protocol's own asks at least as much for a step, ours is left out
        there: setting the protocol's aside must not meet the same rule again.
        """
        return tuple(
            rule
            for clinic_rule in self.rules
            if clinic_rule.enabled
            for rule in _applied(clinic_rule, protocol)
        )


def _applied(clinic_rule: ClinicRule, protocol: Protocol) -> Iterator[Rule]:
    rule, steps = clinic_rule.rule, clinic_rule.meant.among(protocol)
    match rule:
        case Washout():
            for part in _halves(rule):
                left = tuple(key for key in steps if not _washed(part, key, protocol))
                if left:
                    yield replace(part, applies_to=left)
        case Readiness():
            left = tuple(key for key in steps if not _asked(rule, key, protocol))
            if left:
                yield replace(rule, id=f"clinic-{rule.id}", applies_to=left)
        case MinGapOfKinds():
            if not any(keeps_apart_as_much(own, rule) for own in protocol.rules):
                yield replace(rule, id=f"clinic-{rule.id}")
        case never:
            assert_never(never)


def _halves(rule: Washout) -> Iterator[Washout]:
    """A washout before and one after, each of which may be covered or set aside alone."""
    if rule.before is not None:
        yield replace(rule, id=f"clinic-{rule.id}-before", after=None, after_seen=None)
    if rule.after is not None:
        yield replace(rule, id=f"clinic-{rule.id}-after", before=None, before_seen=None)


def _washed(part: Washout, key: str, protocol: Protocol) -> bool:
    """Whether the protocol itself keeps the agent at least as far from this step."""
    return any(
        isinstance(own, Washout)
        and own.agent == part.agent
        and _concerns(own, key, protocol)
        and (part.same_site or not own.same_site)
        and (is_at_least(own.before, part.before) and is_at_least(own.after, part.after))
        for own in protocol.rules
        if is_as_harsh(own, part)
    )


def _asked(rule: Readiness, key: str, protocol: Protocol) -> bool:
    return any(
        isinstance(own, Readiness)
        and rule.findings <= own.findings
        and _concerns(own, key, protocol)
        and is_as_harsh(own, rule)
        for own in protocol.rules
    )


def _concerns(own: Washout | Readiness, key: str, protocol: Protocol) -> bool:
    if own.applies_to:
        return key in own.applies_to
    step = protocol.step(key)
    return step is not None and step.kind in _TREATMENTS


def parse_clinic_rules(data: Any) -> ClinicRules:
    """The rules which this plain data writes down. Raises InvalidClinicRules with every fault."""
    report = Report()
    clean, whole = CLINIC_RULES.members(data, "", report)
    reading = Reading(
        report=report,
        steps={},
        parameters={},
        sources=frozenset(source["id"] for _, source in present(clean.get("sources", ()))),
        month_end=MonthEnd.CLAMP,
    )
    rules = [
        rule
        for name, read in _READERS.items()
        for at, item in keyed(clean.get(name, ()), f"/{name}", reading, "id")
        if (rule := _clinic_rule(item, at, reading, read)) is not None
    ]
    sources = read_sources(clean, reading)
    _refuse_doubles(clean, reading)
    if report.faults or not whole:
        raise InvalidClinicRules(tuple(report.faults))
    return ClinicRules(tuple(rules), clean.get("title"), sources)


_Own = TypeVar("_Own", bound=Washout | Readiness | MinGapOfKinds)
_Read = Washout | Readiness | MinGapOfKinds | None
_Reader = Callable[[Data, str, Reading, dict[str, Any]], _Read]


def _clinic_rule(data: Data, at: str, reading: Reading, read: _Reader) -> ClinicRule | None:
    common = {
        "id": data["id"],
        "severity": Severity(data.get("severity", Severity.BLOCK)),
        "waiver_role": data.get("waiver_role"),
        "note": data.get("note"),
        "sources": reading.source_ids(data.get("sources", ()), f"{at}/sources"),
    }
    rule = reading.attempt(at, lambda: read(data, at, reading, common))
    if rule is None:
        return None
    meant = data.get("applies_to", {})
    tags, kinds = (
        tuple(word for _, word in present(meant.get(name, ()))) for name in ("tags", "kinds")
    )
    return ClinicRule(rule, StepsMeant(tags, kinds), data.get("enabled", True))


def _washout(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Washout | None:
    days = read_washout_days(data, at, reading)
    if any(days[name] is None for name in ("before", "after") if name in data):
        return None
    return Washout(agent=data["agent"], same_site=data.get("same_site", False), **days, **common)


def _readiness(data: Data, at: str, reading: Reading, common: dict[str, Any]) -> Readiness:  # noqa: ARG001
    return Readiness(findings=frozenset(word for _, word in present(data["findings"])), **common)


_READERS: dict[str, _Reader] = {
    "washouts": _washout,
    "readiness": _readiness,
    "gaps": read_gap_of_kinds,
}


def _refuse_doubles(clean: Data, reading: Reading) -> None:
    """One id names one rule, whatever its kind."""
    seen: dict[str, str] = {}
    for name in _READERS:
        for index, item in present(clean.get(name, ())):
            if seen.setdefault(item["id"], name) != name:
                text = f"'{item['id']}' occurs twice"
                reading.refuse(f"/{name}/{index}/id", "occurs-twice", text)


def clinic_rules_to_data(rules: ClinicRules) -> Written:
    """Plain data which reads back as these rules."""
    return {"format": FORMAT} | written(
        title=rules.title,
        washouts=_data_of(rules, Washout, washout_data),
        readiness=_data_of(rules, Readiness, readiness_data),
        gaps=_data_of(rules, MinGapOfKinds, gap_of_kinds_data),
        sources=[source_data(source) for source in rules.sources],
    )


def _data_of(rules: ClinicRules, kind: type[_Own], own: Callable[[_Own], Written]) -> list[Written]:
    return [
        {"id": clinic_rule.rule.id, **own(clinic_rule.rule), **_common_data(clinic_rule)}
        for clinic_rule in rules.rules
        if isinstance(clinic_rule.rule, kind)
    ]


def _common_data(clinic_rule: ClinicRule) -> Written:
    rule, meant = clinic_rule.rule, clinic_rule.meant
    data = written(
        applies_to=written(tags=list(meant.tags), kinds=list(meant.kinds)),
        severity=None if rule.severity is Severity.BLOCK else str(rule.severity),
        waiver_role=rule.waiver_role,
        note=rule.note,
        sources=list(rule.sources),
    )
    return data if clinic_rule.enabled else {**data, "enabled": False}


def clinic_rules_schema() -> Schema:
    """The JSON Schema (2020-12) of a clinic's rules."""
    return schema_of(CLINIC_RULES, "Regimen clinic rules", f"urn:regimen:clinic-rules:{FORMAT}")
