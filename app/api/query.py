"""The query parameters that an operation knows; others are refused."""

from collections.abc import Mapping
from typing import get_origin

from fastapi import Request
from fastapi.dependencies.models import Dependant

from app.api import refusals
from app.api.documents import pointer_to
from app.domain.errors import Fault


def parameters_of(dependant: Dependant) -> dict[str, bool]:
    """The query parameters that are known, and whether they may be repeated."""
    found = {
        field.alias: get_origin(field.field_info.annotation) in {list, tuple, set}
        for field in dependant.query_params
    }
    for below in dependant.dependencies:
        found |= parameters_of(below)
    return found


def check_query(request: Request, known: Mapping[str, bool]) -> None:
    """Refuse what a filter's typing error would silently leave out."""
    faults, seen = [], set()
    for name, _ in request.query_params.multi_items():
        where = pointer_to("", name).removeprefix("/")
        if name not in known:
            faults.append(Fault(where, "unknown-parameter", "is not a known parameter"))
        elif name in seen and not known[name]:
            faults.append(Fault(where, "repeated-parameter", "is given more than once"))
        seen.add(name)
    if faults:
        raise refusals.FieldsRefused(tuple(faults))
