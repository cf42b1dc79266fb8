"""Documents that include others, for tests."""

from typing import Any

import pytest

from app.domain.documents import Expanded, InvalidProtocol, expand, parse_protocol
from app.domain.protocols import Step
from tests.domain.given_documents import Data, document

NAME = {"protocol": "small", "version": "1.0.0"}


def whole(*includes: Data, steps: list[Data] | None = None, **members: Any) -> Data:
    """A document that includes others."""
    data = document(*(steps or []), key="whole", include=list(includes), **members)
    if steps is None:
        del data["steps"]
        del data["anchor"]
    return data | members


def part(key: str = "a", **members: Any) -> Data:
    """An include of the small protocol."""
    return {"key": key} | NAME | members


def expanded(data: Data, *parts: Data) -> Expanded:
    """A document with these protocols to include."""
    known = [parse_protocol(one) for one in parts]
    return expand(data, {(one.key, one.version): one for one in known})


def steps_of(data: Data, *parts: Data) -> dict[str, Step]:
    """The steps of the flat document by their keys."""
    return {one.key: one for one in expanded(data, *parts).document.protocol.steps}


def faults_of(data: Data, *parts: Data) -> dict[str, str]:
    """The code of each fault by its pointer."""
    with pytest.raises(InvalidProtocol) as caught:
        expanded(data, *parts)
    return {fault.pointer: fault.code for fault in caught.value.faults}
