"""JSON Patch (RFC 6902) on resources: add, replace, remove and test; nothing moves or copies."""

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

from app.api.refusals import ResourceRefused
from app.domain.errors import Fault

MOST = 50

Data = dict[str, Any]


def patched(resource: Data, operations: Any) -> Data:
    """The resource after these operations, all or none. Raises ResourceRefused."""
    if not isinstance(operations, list) or not 1 <= len(operations) <= MOST:
        raise _refused("", f"must be a list of 1 to {MOST} operations")
    result = deepcopy(resource)
    for place, operation in enumerate(operations):
        at = f"/{place}"
        if not isinstance(operation, dict) or operation.get("op") not in [*_OPERATIONS]:
            raise _refused(f"{at}/op", f"must be one of {', '.join(_OPERATIONS)}")
        path = operation.get("path")
        if not isinstance(path, str) or not path.startswith("/"):
            raise _refused(f"{at}/path", "must be a JSON pointer")
        if operation["op"] != "remove" and "value" not in operation:
            raise _refused(f"{at}/value", "is required")
        *way, last = [part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/")]
        try:
            holder: Any = result
            for part in way:
                holder = holder[_index(holder, part)]
            _OPERATIONS[operation["op"]](holder, last, operation.get("value"))
        except (KeyError, IndexError, TypeError, ValueError, OverflowError):
            raise _refused(f"{at}/path", "is not there, or not as expected") from None
    return result


def _index(holder: Any, part: str) -> Any:
    """A member's name, or a place in a list. Raises ValueError."""
    if not isinstance(holder, list):
        return part
    if not (part.isascii() and part.isdecimal()):
        raise ValueError
    return int(part)


def _add(holder: Any, last: str, value: Any) -> None:
    if isinstance(holder, list):
        place = len(holder) if last == "-" else _index(holder, last)
        if place > len(holder):
            raise IndexError
        holder.insert(place, value)
    else:
        holder[last] = value


def _replace(holder: Any, last: str, value: Any) -> None:
    key = _index(holder, last)
    holder[key]  # what is not there is not replaced
    holder[key] = value


def _remove(holder: Any, last: str, value: Any) -> None:
    del holder[_index(holder, last)]


def _test(holder: Any, last: str, value: Any) -> None:
    if holder[_index(holder, last)] != value:
        raise ValueError


_OPERATIONS: Mapping[str, Callable[[Any, str, Any], None]] = {
    "add": _add,
    "remove": _remove,
    "replace": _replace,
    "test": _test,
}


def _refused(pointer: str, text: str) -> ResourceRefused:
    return ResourceRefused((Fault(pointer, "structure", text),))
