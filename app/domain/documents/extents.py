"""How many occurrences each step of a document may have, before anything is expanded."""

from collections.abc import Mapping
from typing import Any

from app.domain.documents.reading import Data, Extent, present
from app.domain.protocols import Parameter

Parameters = Mapping[str, Parameter | None]


def extents_of(raw_steps: Any, steps: list[Data], parameters: Parameters) -> dict[str, Extent]:
    """The occurrences of every step; one that could not be read is known by its key only."""
    known = {key: Extent(open=True) for key in _keys_in(raw_steps)}
    for step in steps:
        known[step["key"]] = _extent(step, parameters)
    return known


def _keys_in(raw_steps: Any) -> list[str]:
    if not isinstance(raw_steps, list):
        return []
    keys = (step.get("key") for step in raw_steps if isinstance(step, Mapping))
    return [key for key in keys if isinstance(key, str)]


def _extent(step: Data, parameters: Parameters) -> Extent:
    has_span = "span" in step
    if "timepoints" in step:
        keys = frozenset(point["key"] for _, point in present(step["timepoints"]))
        return Extent(timepoints=keys, has_span=has_span)
    if "repeat" not in step:
        return Extent(has_span=has_span)
    most = _most(step["repeat"]["count"], parameters)
    return Extent(open=True) if most is None else Extent(most, has_span=has_span)


def _most(count: Data | int, parameters: Parameters) -> int | None:
    if isinstance(count, int):
        return count
    parameter = parameters.get(count.get("parameter", ""))
    by_value = [number for number in count.get("by_value", {}).values() if number is not None]
    if "max" in count:
        return int(count["max"])
    if by_value:
        return int(max(by_value))
    if parameter is not None and parameter.maximum is not None:
        return max(0, parameter.maximum - int(count.get("less", 0)))
    return int(count["default"]) if "default" in count else None


def occurrences_of(extent: Extent) -> int:
    """How many a step may have at most."""
    if extent.timepoints:
        return len(extent.timepoints)
    return 1 if extent.most is None else extent.most
