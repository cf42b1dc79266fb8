"""The built-in protocols: sound, sourced, faithful to the drafts, and right in the told stories."""

from dataclasses import replace
from datetime import date
from importlib.resources import files

import pytest
from jsonschema import Draft202012Validator

from app.api.yaml_documents import read_yaml
from app.domain.calendars import Calendar
from app.domain.checks import check_document, simulate_start_days
from app.domain.documents import (
    ProtocolDocument,
    clinic_rules_schema,
    clinic_rules_to_data,
    document_to_data,
    expand,
    parse_clinic_rules,
    parse_protocol,
    protocol_schema,
)
from app.domain.documents.figures import figures, to_confirm
from app.domain.protocols import Step, StepKind
from app.services.library import (
    library_clinic_rules,
    library_keys,
    library_parts,
    library_protocol,
    library_protocols,
)
from tests.library.drafts import BILATERAL, DRAFTS

MONDAY_TO_FRIDAY = Calendar(frozenset({1, 2, 3, 4, 5}))
PROTOCOLS = library_protocols()
each_protocol = pytest.mark.parametrize("document", PROTOCOLS, ids=lambda document: document.key)


def file_data(name: str) -> object:
    """A file of the library, read as the API reads YAML from anyone."""
    return read_yaml(files("app.library").joinpath(f"{name}.yaml").read_bytes())


def test_the_library_has_ten_protocols_and_two_modules() -> None:
    assert library_keys() == tuple(sorted([*DRAFTS, BILATERAL[0]]))


@each_protocol
def test_a_protocol_has_no_faults_and_nothing_doubtful(document: ProtocolDocument) -> None:
    found = check_document(document)

    assert found.faults == ()
    assert found.warnings == ()


@pytest.mark.long
@each_protocol
def test_every_start_day_of_a_year_works(document: ProtocolDocument) -> None:
    found = simulate_start_days(document.protocol, MONDAY_TO_FRIDAY, date(2027, 1, 1))

    assert found.failing == 0


@each_protocol
def test_a_protocol_is_an_example_with_an_evidence_note(document: ProtocolDocument) -> None:
    assert document.example
    assert document.evidence_note


@each_protocol
def test_every_figure_names_its_source_and_defaults_are_marked(document: ProtocolDocument) -> None:
    assert all(figure.sources for figure in figures(document))
    assert to_confirm(document)


@each_protocol
def test_every_source_says_where_it_is_and_what_was_read(document: ProtocolDocument) -> None:
    assert document.sources
    assert all(source.url and source.seen for source in document.sources)


@each_protocol
def test_a_file_keeps_to_the_published_schema(document: ProtocolDocument) -> None:
    Draft202012Validator(protocol_schema()).validate(file_data(document.key))


@each_protocol
def test_a_file_is_read_alike_by_the_library_and_the_api(document: ProtocolDocument) -> None:
    data = file_data(document.key)

    assert expand(data, library_parts(data)).document == document


@each_protocol
def test_a_protocol_is_written_back_without_loss(document: ProtocolDocument) -> None:
    alone = replace(document, written_as=None)

    assert parse_protocol(document_to_data(document)) == alone
    if document.written_as is not None:
        assert document.written_as.data == file_data(document.key)


def test_mortons_ladder_keeps_its_decisions() -> None:
    protocol = library_protocol("mortons-neuroma-ladder").protocol

    decisions = [step.key for step in protocol.steps if step.kind is StepKind.DECISION]
    waiting = {step.key for step in protocol.steps if step.on_decision}

    assert decisions == ["decide_1", "decide_2", "decide_3", "surgery_consult"]
    assert waiting == _added(protocol.steps)


def _added(steps: tuple[Step, ...]) -> set[str]:
    effects = (effect for step in steps for choice in step.choices for effect in choice.effects)
    waiting = {step.key for step in steps if step.on_decision}
    return {key for effect in effects if effect.type == "add" for key in effect.steps} & waiting


def test_the_clinic_rules_keep_to_their_schema_and_read_alike() -> None:
    data = file_data("clinic-rules")

    Draft202012Validator(clinic_rules_schema()).validate(data)
    assert parse_clinic_rules(data) == library_clinic_rules()
    assert (
        parse_clinic_rules(clinic_rules_to_data(library_clinic_rules())) == library_clinic_rules()
    )


@each_protocol
def test_clinic_rules_bring_nothing_that_the_protocol_asks_itself(
    document: ProtocolDocument,
) -> None:
    own = {rule.id for rule in document.protocol.rules}

    found = library_clinic_rules().rules_for(document.protocol)

    assert all(rule.id.startswith("clinic-") and rule.id not in own for rule in found)
    assert len({rule.id for rule in found}) == len(found)
    assert not any(getattr(rule, "applies_to", ("x",)) == () for rule in found)
