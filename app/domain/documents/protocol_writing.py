"""Writes whole protocol documents as plain data, and names their content by a hash."""

import hashlib
import json
from typing import Any

from app.domain.documents.grammar import FORMAT, WRITTEN, schema_of
from app.domain.documents.protocols import (
    BodySite,
    Coding,
    OutcomeSet,
    ProtocolDocument,
    Source,
    TreatedCondition,
    WrittenAs,
)
from app.domain.documents.rule_writing import rule_data
from app.domain.documents.step_writing import step_data
from app.domain.documents.writing import Written, items, sources_data, unless, written
from app.domain.offsets import MonthEnd
from app.domain.protocols import Parameter, Protocol


def document_to_data(document: ProtocolDocument) -> Written:
    """Plain data which reads back as this document; what is meant anyway is left out."""
    protocol, usual = document.protocol, Protocol(steps=())
    month_end = unless(MonthEnd.CLAMP, protocol.month_end)
    sides = document.laterality
    return {"format": FORMAT} | written(
        key=document.key,
        version=document.version,
        title=document.title,
        summary=document.summary,
        evidence_note=document.evidence_note,
        example=document.example,
        condition=_condition_data(document.condition),
        body_site=_site_data(document.body_site),
        laterality=sides and {"required": sides.required, "allowed": items(sides.allowed)},
        anchor=protocol.anchor,
        month_end=None if month_end is None else str(month_end),
        max_widening_days=unless(usual.max_widening_days, protocol.max_widening_days),
        drift_tolerance=unless(usual.drift_tolerance, protocol.drift_tolerance),
        parameters=[_parameter_data(parameter) for parameter in protocol.parameters],
        steps=[step_data(step) for step in protocol.steps],
        rules=[rule_data(rule) for rule in protocol.rules],
        outcome_sets=[_outcome_set_data(outcomes) for outcomes in document.outcome_sets],
        sources=[source_data(source) for source in document.sources],
    )


def written_as_data(origin: WrittenAs) -> Written:
    """What a document was written as, and what it included."""
    included = [
        {
            "key": part.key,
            "protocol": part.protocol,
            "version": part.version,
            "content_hash": part.content_hash,
        }
        for part in origin.included
    ]
    return {"document": dict(origin.data), "included": included}


def content_hash(document: ProtocolDocument) -> str:
    """A name (SHA-256) of everything the document says, whatever the order of its keys.

    Where it includes others, of what was written and of what became of it.
    """
    data = document_to_data(document)
    if document.written_as is not None:
        data["written_as"] = written_as_data(document.written_as)
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def protocol_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of protocol documents."""
    return schema_of(WRITTEN, "Regimen protocol", f"urn:regimen:protocol:{FORMAT}")


def source_data(source: Source) -> Written:
    """One source."""
    return written(
        id=source.id, kind=source.kind, title=source.title, url=source.url, seen=source.seen
    )


def _condition_data(condition: TreatedCondition | None) -> Written | None:
    if condition is None:
        return None
    return written(text=condition.text, codings=_codings_data(condition.codings))


def _site_data(site: BodySite | None) -> Written | None:
    if site is None:
        return None
    return written(key=site.key, text=site.text, codings=_codings_data(site.codings))


def _codings_data(codings: tuple[Coding, ...]) -> list[Written]:
    return [
        written(
            system=coding.system,
            code=coding.code,
            display=coding.display,
            laterality=coding.laterality,
            note=coding.note,
        )
        for coding in codings
    ]


def _outcome_set_data(outcomes: OutcomeSet) -> Written:
    return written(
        key=outcomes.key,
        measures=list(outcomes.measures),
        codings=_codings_data(outcomes.codings),
        sources=list(outcomes.sources),
    )


def _parameter_data(parameter: Parameter) -> Written:
    return written(
        key=parameter.key,
        title=parameter.title,
        type=str(parameter.type),
        min=parameter.minimum,
        default=parameter.default,
        max=parameter.maximum,
        options=list(parameter.options),
        fixed=parameter.fixed,
        sources=sources_data(parameter.sources),
    )
