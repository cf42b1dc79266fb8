"""A clinic's own rules: their faults, and what they ask of a protocol's steps."""

from typing import Any

import pytest

from app.domain.documents import (
    ClinicRules,
    InvalidClinicRules,
    parse_clinic_rules,
    parse_protocol,
)
from app.domain.offsets import Offset
from app.domain.protocols import Protocol
from app.domain.rules import MinGapOfKinds, Readiness, Severity, Washout
from tests.domain.given_documents import Data, document, step


def rules(**members: Any) -> ClinicRules:
    return parse_clinic_rules({"format": 1} | members)


def washout(**members: Any) -> Data:
    usual = {"id": "steroid", "agent": "steroid", "before": "P28D", "applies_to": {"tags": ["prp"]}}
    return usual | members


def own_washout(**members: Any) -> Data:
    """A washout of the protocol's own."""
    usual = {"id": "own", "type": "washout", "agent": "steroid", "before": "P28D"}
    return usual | {"applies_to": ["session"]} | members


def protocol(*own: Data) -> Protocol:
    """A consultation, a PRP session and a call."""
    data = document(
        step("session", kind="procedure", tags=["prp"]),
        step("injection", kind="injection"),
        step("talk", kind="visit", tags=["education"]),
        rules=list(own),
    )
    return parse_protocol(data).protocol


def faults_of(data: Any) -> dict[str, str]:
    with pytest.raises(InvalidClinicRules) as caught:
        parse_clinic_rules(data)
    return {fault.pointer: fault.code for fault in caught.value.faults}


def test_no_rules_ask_nothing() -> None:
    assert rules().rules_for(protocol()) == ()


def test_a_washout_concerns_the_steps_with_its_tags() -> None:
    found = rules(washouts=[washout()]).rules_for(protocol())

    assert found == (
        Washout(
            id="clinic-steroid-before",
            agent="steroid",
            before=Offset(days=28),
            applies_to=("session",),
        ),
    )


def test_a_washout_before_and_after_is_two_rules() -> None:
    found = rules(washouts=[washout(after="P14D")]).rules_for(protocol())

    assert [rule.id for rule in found] == ["clinic-steroid-before", "clinic-steroid-after"]


def test_a_washout_after_alone_is_one_rule() -> None:
    after = {"id": "donation", "agent": "blood_donation", "after": "P14D"}

    (found,) = rules(washouts=[after]).rules_for(protocol())

    assert found.id == "clinic-donation-after"


def test_kinds_and_tags_both_choose_steps() -> None:
    chosen = {"kinds": ["injection"], "tags": ["prp"]}

    (found,) = rules(washouts=[washout(applies_to=chosen)]).rules_for(protocol())

    assert isinstance(found, Washout)
    assert found.applies_to == ("session", "injection")


def test_a_rule_for_no_steps_in_particular_concerns_every_treatment() -> None:
    checks = [{"id": "fever", "findings": ["fever"]}]

    (found,) = rules(readiness=checks).rules_for(protocol())

    assert found == Readiness(
        id="clinic-fever",
        findings=frozenset({"fever"}),
        applies_to=("session", "injection"),
    )


def test_a_rule_that_is_switched_off_asks_nothing() -> None:
    assert rules(washouts=[washout(enabled=False)]).rules_for(protocol()) == ()


def test_a_rule_for_steps_which_a_protocol_has_not_asks_nothing() -> None:
    other = {"tags": ["stem-cell"]}
    given = rules(
        washouts=[washout(applies_to=other)],
        readiness=[{"id": "fever", "findings": ["fever"], "applies_to": other}],
    )

    assert given.rules_for(protocol()) == ()


@pytest.mark.parametrize(
    "own, asked",
    [
        pytest.param(own_washout(), 0, id="the same"),
        pytest.param(own_washout(before="P90D"), 0, id="longer"),
        pytest.param(own_washout(before="P14D"), 1, id="shorter"),
        pytest.param(own_washout(severity="review"), 1, id="milder"),
        pytest.param(own_washout(same_site=True), 1, id="at one site only"),
        pytest.param(own_washout(agent="nsaid"), 1, id="of another agent"),
        pytest.param(own_washout(applies_to=["injection"]), 1, id="for another step"),
        pytest.param(own_washout(applies_to=[]), 0, id="for every treatment"),
        pytest.param(
            {"id": "o", "type": "order", "before": "talk", "after": "session"}, 1, id="of a kind"
        ),
    ],
)
def test_what_the_protocol_asks_itself_is_not_asked_twice(own: Data, asked: int) -> None:
    assert len(rules(washouts=[washout()]).rules_for(protocol(own))) == asked


def test_a_rule_of_the_protocol_that_holds_only_sometimes_covers_nothing() -> None:
    when = {"parameter": "p", "in": ["x"]}
    parameters = [{"key": "p", "title": "P", "type": "choice", "options": ["x", "y"]}]
    data = document(
        step("session", tags=["prp"]), rules=[own_washout(when=when)], parameters=parameters
    )

    assert len(rules(washouts=[washout()]).rules_for(parse_protocol(data).protocol)) == 1


@pytest.mark.parametrize(
    "own, left",
    [
        pytest.param(["fever", "cold"], ("injection",), id="covered"),
        pytest.param(["cold"], ("session", "injection"), id="another finding"),
    ],
)
def test_a_finding_which_the_protocol_looks_at_is_not_asked_twice(
    own: list[str], left: tuple[str, ...]
) -> None:
    readiness = {"id": "own", "type": "readiness", "findings": own, "applies_to": ["session"]}
    given = rules(readiness=[{"id": "fever", "findings": ["fever"]}])

    (found,) = given.rules_for(protocol(readiness))

    assert isinstance(found, Readiness)
    assert found.applies_to == left


def test_findings_that_the_protocol_looks_at_everywhere_are_left_to_it() -> None:
    readiness = {"id": "own", "type": "readiness", "findings": ["fever"]}
    given = rules(readiness=[{"id": "fever", "findings": ["fever"]}])

    assert given.rules_for(protocol(readiness)) == ()


@pytest.mark.parametrize(
    "own, asked",
    [
        pytest.param({}, 0, id="the same"),
        pytest.param({"offset": "P7D"}, 1, id="shorter"),
        pytest.param({"offset": "P1M"}, 1, id="shorter in February"),
        pytest.param({"offset": "P31D"}, 0, id="longer"),
        pytest.param({"kinds": ["injection"]}, 1, id="fewer kinds"),
        pytest.param({"scope": "plan"}, 1, id="this plan alone"),
        pytest.param({"same_site": True}, 1, id="at one site only"),
        pytest.param({"severity": "warn"}, 1, id="milder"),
    ],
)
def test_a_gap_which_the_protocol_keeps_is_not_asked_twice(own: Data, asked: int) -> None:
    gap: Data = {"kinds": ["injection", "procedure"], "offset": "P30D", "scope": "patient"}
    given = rules(gaps=[{"id": "gap", **gap}])

    found = given.rules_for(protocol({"id": "own", "type": "min_gap", **gap, **own}))

    assert len(found) == asked
    assert all(isinstance(rule, MinGapOfKinds) and rule.id == "clinic-gap" for rule in found)


def test_all_faults_of_rules_are_told_at_once() -> None:
    data = {
        "format": 1,
        "washouts": [
            washout(sources=["hearsay"]),
            washout(before="P20Y"),
            {"id": "x", "agent": "nsaid"},
        ],
        "readiness": [{"id": "steroid", "findings": []}, {"id": "steroid", "findings": ["fever"]}],
        "gaps": [{"id": "g", "kinds": ["visit"], "offset": "P1D", "exempt": []}],
        "colour": "red",
    }

    assert faults_of(data) == {
        "/colour": "unknown-field",
        "/washouts/0/sources/0": "unknown-source",
        "/washouts/1/before": "invalid-offset",
        "/washouts/1/id": "occurs-twice",
        "/washouts/2": "missing",
        "/readiness/0/findings": "too-few",
        "/readiness/1/id": "occurs-twice",
        "/gaps/0/exempt": "unknown-field",
    }


def test_rules_without_a_format_are_refused() -> None:
    assert faults_of({}) == {"/format": "missing"}


def test_severity_role_and_note_are_kept() -> None:
    given = rules(washouts=[washout(severity="review", waiver_role="physician", note="ask")])

    (found,) = given.rules_for(protocol())

    assert (found.severity, found.waiver_role, found.note) == (Severity.REVIEW, "physician", "ask")
