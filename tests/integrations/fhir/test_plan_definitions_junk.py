"""Junk anywhere in a PlanDefinition: it is read or refused, and nothing else happens."""

import json
from copy import deepcopy
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from app.integrations.fhir.apply_parameters import read_parameters
from app.integrations.fhir.findings import Findings
from app.integrations.fhir.plan_definitions import plan_definition_of, read_sent
from app.services.library import library_protocol

FULL = plan_definition_of(library_protocol("custom-orthotics"))
_JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**20), 10**20),
    st.floats(),
    st.sampled_from(["", " ", "after", "#", "P1D", "\x00", "x" * 3000, "http://snomed.info/sct"]),
    st.just([]),
    st.just({}),
    st.just([{}]),
    st.just([[1]]),
    st.just({"url": "urn:regimen:fhir:step", "valueString": "x"}),
)


def _places(value: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [place] if place else []
    members = value.items() if isinstance(value, dict) else enumerate(value)
    for name, member in members:
        if isinstance(member, dict | list):
            found += _places(member, (*place, name))
        else:
            found.append((*place, name))
    return found


_FULL_PLACES = _places(FULL)


_PARAMETERS = st.recursive(
    _JUNK,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                ["name", "part", "valueString", "valueDate", "valueReference", "resource", "id"]
            ),
            st.one_of(inner, st.sampled_from(["anchor", "choice", "subject", "date", "value"])),
            max_size=4,
        ),
    ),
    max_leaves=12,
)


@given(st.lists(_PARAMETERS, max_size=4))
def test_whatever_apply_is_asked_it_is_read_or_refused(parameters: list[Any]) -> None:
    findings = Findings()

    asked = read_parameters({"resourceType": "Parameters", "parameter": parameters}, findings)

    assert findings.refused or asked.patient is not None


@given(st.lists(st.tuples(st.sampled_from(_FULL_PLACES), _JUNK), min_size=1, max_size=3))
def test_whatever_is_put_into_a_resource_it_is_read_or_refused(
    changes: list[tuple[tuple[Any, ...], Any]],
) -> None:
    resource: Any = deepcopy(FULL)
    for place, junk in changes:
        parent = resource
        for name in place[:-1]:
            try:
                parent = parent[name]
            except (KeyError, IndexError, TypeError):
                break
        else:
            if isinstance(parent, dict) or (isinstance(parent, list) and place[-1] < len(parent)):
                parent[place[-1]] = junk

    read = read_sent(resource)

    assert (read.document is None) == bool(read.refused)
    json.dumps([(one.expression, one.code, one.text) for one in read.findings])
