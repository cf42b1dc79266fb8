"""Makes a part of a whole from a protocol that is included: its keys, places and parameters."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from app.domain.documents.grammar import PARAMETER
from app.domain.documents.protocol_writing import document_to_data
from app.domain.documents.protocols import ProtocolDocument
from app.domain.documents.reading import Data
from app.domain.documents.renaming import renamed
from app.domain.documents.rule_grammar import RULE
from app.domain.documents.shapes import Name, Report
from app.domain.documents.step_grammar import STEP
from app.domain.documents.vocabulary import CLINIC_DEFAULT
from app.domain.offsets import MonthEnd
from app.domain.protocols import OutsideEvent, Protocol, Step, StepKind, StepReference

_LONGEST_KEY = 64
_TREATMENTS = {StepKind.INJECTION, StepKind.PROCEDURE}


@dataclass(frozen=True, slots=True)
class Part:
    """What an included protocol brings along, under its new names.

    ``placed`` are the places within its anchor which the include wrote, with its places there.
    """

    at: str
    key: str
    document: ProtocolDocument
    anchor: str | None
    lists: dict[str, list[Data]]
    placed: tuple[tuple[str, str], ...]

    @property
    def step_keys(self) -> tuple[str, ...]:
        """The steps it brings along."""
        return tuple(step["key"] for step in self.lists["steps"])


def part_of(
    at: str, include: Data, document: ProtocolDocument, month_end: str | None, report: Report
) -> Part:
    """The part which an include at this place makes of a document; its faults are noted."""
    taking = _Taking(include, document)
    for place, code, text in taking.faults():
        report.refuse(at + place, code, text)
    if document.protocol.month_end is not MonthEnd(month_end or MonthEnd.CLAMP):
        text = "its months end in another way than those of this protocol"
        report.refuse(at, "clash", text)
    return taking.part(at)


class _Taking:
    """One include, being made a part."""

    def __init__(self, include: Data, document: ProtocolDocument) -> None:
        self._include, self._document = include, document
        self._key: str = include["key"]
        self._title: str | None = include.get("title")
        self._share: Data = include.get("share", {})
        self._left_out: list[str] = include.get("leave_out", [])
        self._values: Data = include.get("parameters", {})
        self._events: Data = include.get("events", {})
        self._gone = _gone(document.protocol, set(self._left_out), set(self._share))

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Place, code and text of whatever is named and not there, or cannot be."""
        protocol = self._document.protocol
        steps = {step.key for step in protocol.steps}
        rules = {rule.id for rule in protocol.rules}
        parameters = {parameter.key for parameter in protocol.parameters}
        for key in self._share:
            if key not in steps:
                yield f"/share/{key}", "unknown-step", f"the part has no step '{key}'"
        for index, key in enumerate(self._left_out):
            if key not in steps | rules:
                text = f"the part has no step or rule '{key}'"
                yield f"/leave_out/{index}", "unknown-step", text
        yield from self._value_faults()
        yield from self._event_faults()
        longest = max(map(len, steps | rules | parameters))
        if len(self._key) + 1 + longest > _LONGEST_KEY:
            text = f"with the keys of the part it has more than {_LONGEST_KEY} characters"
            yield "/key", "too-long", text
        placing = next((name for name in ("timings", "alternatives") if name in self._include), "")
        if placing and protocol.anchor in {None, *self._share, *self._gone}:
            text = "the part has no anchor of its own which could be placed"
            yield f"/{placing}", "not-allowed", text

    def _value_faults(self) -> Iterator[tuple[str, str, str]]:
        known = {parameter.key: parameter for parameter in self._document.protocol.parameters}
        for key, value in self._values.items():
            if key not in known:
                text = f"the part has no parameter '{key}'"
                yield f"/parameters/{key}", "unknown-parameter", text
            elif not isinstance(value, dict) and not known[key].accepts(value):
                text = f"parameter '{key}' does not take this value"
                yield f"/parameters/{key}", "unknown-value", text

    def _event_faults(self) -> Iterator[tuple[str, str, str]]:
        steps = self._document.protocol.steps
        references = [timing.reference for step in steps for timing in step.every_timing]
        known = {one.name for one in references if isinstance(one, OutsideEvent)}
        for name in self._events:
            if name not in known:
                yield f"/events/{name}", "unknown-event", f"the part has no event '{name}'"

    def part(self, at: str) -> Part:
        """The part, as if it had no faults."""
        data = document_to_data(self._document)
        anchor = self._document.protocol.anchor
        placed: list[tuple[str, str]] = []
        steps = []
        for step in data["steps"]:
            if step["key"] in self._share or step["key"] in self._gone:
                continue
            new = self._step(step)
            if step["key"] == anchor:
                placed += self._place(new)
            steps.append(new)
        lists = {
            "parameters": list(self._parameters(data)),
            "steps": steps,
            "rules": list(self._rules(data)),
            "outcome_sets": data.get("outcome_sets", []),
            "sources": data.get("sources", []),
        }
        name = None if anchor is None else f"{self._key}_{anchor}"
        return Part(at, self._key, self._document, name, lists, tuple(placed))

    def _rename(self, name: Name, key: str) -> tuple[str, ...]:
        if name.of == "step" and key in self._share:
            return (self._share[key],)
        if name.of == "step" and key in self._gone:
            return ()
        value = self._values.get(key) if name.of == "parameter" else None
        return (value["parameter"],) if isinstance(value, dict) else (f"{self._key}_{key}",)

    def _titled(self, item: dict[str, Any]) -> dict[str, Any]:
        if self._title is None or "title" not in item:
            return item
        return item | {"title": f"{self._title}: {item['title']}"}

    def _step(self, step: Data) -> dict[str, Any]:
        new = self._titled(self._counted(renamed(STEP, step, self._rename)))
        if "timepoints" in new:
            new["timepoints"] = [self._titled(point) for point in new["timepoints"]]
        if "side" in self._include:
            new.setdefault("side", self._include["side"])
        return new

    def _counted(self, value: Any) -> Any:
        """The same counted from steps of the whole which are the part's outside events."""
        if isinstance(value, list):
            return [self._counted(item) for item in value]
        if not isinstance(value, dict):
            return value
        if value.keys() == {"event"} and value["event"] in self._events:
            return self._events[value["event"]]
        return {name: self._counted(member) for name, member in value.items()}

    def _place(self, anchor: dict[str, Any]) -> Iterator[tuple[str, str]]:
        """Add what the include says of the anchor; gives the places, there and in the include."""
        own = anchor.get("timings", [])
        if "timings" in self._include:
            added = self._include["timings"]
            anchor["timings"] = [*own, *added]
            yield from ((f"timings/{len(own) + i}", f"timings/{i}") for i in range(len(added)))
        if "alternatives" in self._include:
            anchor["alternatives"] = self._include["alternatives"]
            yield "alternatives", "alternatives"
        if "sources" in self._include:
            anchor["sources"] = anchor.get("sources", {}) | self._include["sources"]
            yield from ((f"sources/{name}",) * 2 for name in self._include["sources"])

    def _rules(self, data: Data) -> Iterator[Data]:
        """Rules of every treatment are those of the part's own; without steps they go."""
        for rule in data.get("rules", ()):
            if rule["id"] in self._left_out:
                continue
            of_treatments = rule["type"] in {"washout", "readiness"}
            if of_treatments and "applies_to" not in rule:
                rule["applies_to"] = self._treatments()
            new = renamed(RULE, rule, self._rename)
            if new is not None and (new.get("applies_to") or not of_treatments):
                yield new

    def _treatments(self) -> list[str]:
        steps = self._document.protocol.steps
        return [step.key for step in steps if step.kind in _TREATMENTS]

    def _parameters(self, data: Data) -> Iterator[Data]:
        for parameter in data.get("parameters", ()):
            value = self._values.get(parameter["key"])
            if isinstance(value, dict):
                continue
            new = self._titled(renamed(PARAMETER, parameter, self._rename))
            if value is not None:
                if value != new.get("default"):
                    # Nobody's figure but this clinic's.
                    new["sources"] = new.get("sources", {}) | {"default": [CLINIC_DEFAULT]}
                new |= {"default": value, "fixed": True}
            yield new


def _gone(protocol: Protocol, left_out: set[str], shared: set[str]) -> set[str]:
    """The steps that are not taken: those left out, and what counts from one of them."""
    gone = left_out & {step.key for step in protocol.steps}
    while True:
        more = {
            step.key
            for step in protocol.steps
            if step.key not in gone | shared and gone & _counted_from(step)
        }
        if not more:
            return gone
        gone |= more


def _counted_from(step: Step) -> set[str]:
    references = (timing.reference for timing in step.every_timing)
    return {one.step for one in references if isinstance(one, StepReference)}
