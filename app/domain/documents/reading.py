"""What every reader of a document shares: what is known by name, the report, attempts to build."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from app.domain.documents.shapes import Report
from app.domain.documents.vocabulary import CLINIC_DEFAULT
from app.domain.errors import DomainError
from app.domain.offsets import InvalidOffset, MonthEnd, Offset
from app.domain.protocols import Condition, FigureSources, Nth, Parameter
from app.domain.rules import Spread

Data = Mapping[str, Any]
Built = TypeVar("Built")


@dataclass(frozen=True, slots=True)
class Extent:
    """The occurrences a step may have: its greatest count, or the keys of its timepoints.

    A step that could not be read is ``open``: then nothing is said against its occurrences.
    """

    most: int | None = None
    timepoints: frozenset[str] = frozenset()
    has_span: bool = False
    open: bool = False


@dataclass(frozen=True, slots=True)
class Reading:
    """A document being read: what it names, and the report of its faults.

    A parameter that could not be read is ``None``: its key is known, its values are not.
    """

    report: Report
    steps: Mapping[str, Extent]
    parameters: Mapping[str, Parameter | None]
    sources: frozenset[str]
    month_end: MonthEnd

    def refuse(self, at: str, code: str, text: str) -> Any:
        """Note one fault; nothing is left of the value."""
        return self.report.refuse(at, code, text)

    def attempt(self, at: str, build: Callable[[], Built]) -> Built | None:
        """Build a value; what it refuses is a fault at this place."""
        try:
            return build()
        except InvalidOffset as error:
            self.report.refuse(at, "invalid-offset", str(error))
        except DomainError as error:
            self.report.refuse(at, "not-valid", str(error))
        return None

    def offset(self, data: Data, name: str, at: str, *, is_age: bool = False) -> Offset | None:
        """The offset under this name, if there is a valid one; an age may be longer."""
        if name not in data:
            return None
        return self.attempt(f"{at}/{name}", lambda: Offset.parse(data[name], is_age=is_age))

    def spread(self, data: Data, name: str, at: str) -> Spread | None:
        """The least and most value seen under this name."""
        if name not in data:
            return None
        place = f"{at}/{name}"
        least = self.offset(data[name], "min", place)
        most = self.offset(data[name], "max", place)
        if least is None or most is None:
            return None
        if least.longest_days > most.longest_days:
            self.report.refuse(place, "runs-backwards", "min is longer than max")
        return Spread(least, most)

    def known_step(self, key: str, at: str) -> bool:
        """Whether there is such a step; if not, that is a fault."""
        if key not in self.steps:
            self.report.refuse(at, "unknown-step", f"there is no step '{key}'")
        return key in self.steps

    def known_steps(self, data: Data, name: str, at: str) -> tuple[str, ...]:
        """The keys of steps in a list."""
        keys = present(data.get(name, ()))
        for index, key in keys:
            self.known_step(key, f"{at}/{name}/{index}")
        return tuple(key for _, key in keys)

    def known_occurrence(self, step: str, occurrence: int | str | None, at: str) -> bool:
        """Whether a step may have this occurrence; if not, that is a fault."""
        extent = self.steps[step]
        if occurrence is None or extent.open:
            return True
        text = _missing_occurrence(step, occurrence, extent)
        if text is not None:
            self.report.refuse(at, "unknown-occurrence", text)
        return text is None

    def known_parameter(self, key: str, at: str) -> bool:
        """Whether there is such a parameter; if not, that is a fault."""
        if key not in self.parameters:
            self.report.refuse(at, "unknown-parameter", f"there is no parameter '{key}'")
        return key in self.parameters

    def known_value(self, parameter: str, value: str | int, at: str) -> bool:
        """Whether the parameter takes this value; if not, that is a fault."""
        known = self.parameters.get(parameter)
        if known is None or known.accepts(value):
            return True
        text = f"parameter '{parameter}' does not take this value"
        return bool(self.report.refuse(at, "unknown-value", text))

    def condition(self, data: Data | None, at: str) -> Condition | None:
        """A condition on a parameter."""
        if data is None:
            return None
        parameter = data["parameter"]
        values = present(data.get("in", ()))
        minimum = data.get("min")
        if self.known_parameter(parameter, f"{at}/parameter"):
            for index, value in values:
                self.known_value(parameter, value, f"{at}/in/{index}")
            if minimum is not None:
                self.known_value(parameter, minimum, f"{at}/min")
        return Condition(parameter, tuple(value for _, value in values), minimum)

    def source_ids(self, ids: Any, at: str) -> tuple[str, ...]:
        """Ids of sources; each must be in the document's list, or mark a clinic's default."""
        for index, source in present(ids):
            if source != CLINIC_DEFAULT and source not in self.sources:
                text = f"there is no source '{source}'"
                self.report.refuse(f"{at}/{index}", "unknown-source", text)
        return tuple(source for _, source in present(ids))

    def figure_sources(self, data: Data | None, at: str) -> FigureSources:
        """The ids of sources by figure."""
        return tuple(
            (figure, self.source_ids(ids, f"{at}/{figure}")) for figure, ids in (data or {}).items()
        )


def present(items: Any) -> list[tuple[int, Any]]:
    """The items that could be read, with their places."""
    return [(index, item) for index, item in enumerate(items) if item is not None]


def keyed(items: Any, at: str, reading: Reading, key: str = "key") -> Iterator[tuple[str, Any]]:
    """The readable items of a list with their pointers; a key that occurs twice is a fault."""
    seen: set[str] = set()
    for index, item in present(items):
        if item[key] in seen:
            text = f"'{item[key]}' occurs twice"
            reading.refuse(f"{at}/{index}/{key}", "occurs-twice", text)
        seen.add(item[key])
        yield f"{at}/{index}", item


def _missing_occurrence(step: str, occurrence: int | str, extent: Extent) -> str | None:
    nth = occurrence in tuple(Nth)
    if extent.timepoints:
        found = nth or occurrence in extent.timepoints
        return None if found else f"step '{step}' has no timepoint '{occurrence}'"
    if extent.most is None:
        return f"step '{step}' happens once"
    if isinstance(occurrence, int):
        found = occurrence <= extent.most
        return None if found else f"step '{step}' happens at most {extent.most} times"
    return None if nth else f"step '{step}' has no timepoints"
