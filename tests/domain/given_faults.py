"""Reads documents that cannot be read, for the tests of their faults."""

from typing import Any

import pytest

from app.domain.documents import InvalidProtocol, parse_protocol


def faults_of(data: Any) -> dict[str, str]:
    """The code of each fault by its pointer."""
    with pytest.raises(InvalidProtocol) as caught:
        parse_protocol(data)
    return {fault.pointer: fault.code for fault in caught.value.faults}


def text_of(data: Any) -> str:
    """All faults in words."""
    with pytest.raises(InvalidProtocol) as caught:
        parse_protocol(data)
    return "; ".join(fault.text for fault in caught.value.faults)
