"""What was understood of a foreign resource: a finding per element, by its expression."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Data = Mapping[str, Any]

# More than this of what is wrong helps nobody.
MAX_REFUSED = 100


class Verdict(StrEnum):
    """What became of an element.

    ``understood``: it is part of the protocol. ``kept``: it says nothing about days; it stays with
    the resource as it was sent. ``refused``: it would change what is planned and cannot be
    honoured, so that nothing is taken.
    """

    UNDERSTOOD = "understood"
    KEPT = "kept"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Finding:
    """One element: where it is, what became of it, an issue type of FHIR, and why in words."""

    expression: str
    verdict: Verdict
    code: str
    text: str


@dataclass(slots=True)
class Findings:
    """Collects what is found; the first refusals are enough."""

    found: list[Finding] = field(default_factory=list)
    _refused: set[str] = field(default_factory=set)

    def understood(self, at: str, text: str = "is part of the protocol") -> None:
        """Note an element that became part of the protocol."""
        self.found.append(Finding(at, Verdict.UNDERSTOOD, "informational", text))

    def kept(self, at: str, text: str, code: str = "informational") -> None:
        """Note an element that stays with the resource and has no meaning for days."""
        self.found.append(Finding(at, Verdict.KEPT, code, text))

    def refuse(self, at: str, code: str, text: str) -> None:
        """Note an element that cannot be honoured."""
        if at not in self._refused and len(self._refused) < MAX_REFUSED:
            self.found.append(Finding(at, Verdict.REFUSED, code, text))
        self._refused.add(at)

    @property
    def places_refused(self) -> int:
        """At how many places something was refused."""
        return len(self._refused)

    @property
    def refused(self) -> tuple[Finding, ...]:
        """What was refused."""
        return tuple(one for one in self.found if one.verdict is Verdict.REFUSED)

    def objects(self, data: Data, name: str, at: str) -> list[tuple[str, Data]]:
        """The objects of a list with their expressions; whatever is none is refused."""
        if name not in data:
            return []
        place, value = f"{at}.{name}", data[name]
        if not isinstance(value, list) or not value:
            self.refuse(place, "structure", "must be a list that is not empty")
            return []
        return list(self._objects(value, place))

    def _objects(self, value: list[Any], place: str) -> Iterator[tuple[str, Data]]:
        for index, item in enumerate(value):
            if isinstance(item, Mapping):
                yield f"{place}[{index}]", item
            else:
                self.refuse(f"{place}[{index}]", "structure", "must be an object")

    def text(self, data: Data, name: str, at: str) -> str | None:
        """A text that is not blank, if there is one."""
        value = data.get(name)
        if value is None and name not in data:
            return None
        if not isinstance(value, str) or not value.strip():
            self.refuse(f"{at}.{name}", "structure", "must be text that is not blank")
            return None
        return value

    def word(self, data: Data, name: str, at: str, words: tuple[str, ...]) -> str | None:
        """One of the codes of a required binding, if there is one."""
        value = self.text(data, name, at)
        if value is not None and value not in words:
            self.refuse(f"{at}.{name}", "code-invalid", f"must be one of {', '.join(words)}")
            return None
        return value
