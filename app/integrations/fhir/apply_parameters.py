"""What ``$apply`` is asked: https://hl7.org/fhir/R4/plandefinition-operation-apply.html

The standard's own parameters, as far as they mean something here, and ours: ``anchor``, ``choice``,
``timezone``, ``location``, ``laterality``, ``notBefore``, ``canonical`` and ``persist``.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from uuid import UUID

from app.integrations.fhir.action_tree import as_key
from app.integrations.fhir.findings import Data, Findings

_MANY = {"anchor", "choice", "identifier"}
_NOT_USED = (
    "encounter",
    "organization",
    "userType",
    "userLanguage",
    "userTaskContext",
    "setting",
    "settingContext",
)
_SIDES = ("left", "right", "bilateral")
_TYPES = {"anchor": "valueDate", "notBefore": "valueDate"}
MOST = 200


@dataclass(frozen=True, slots=True)
class AskedDay:
    """A day that is given: of an action, or of the plan as a whole; or from when until when."""

    at: str
    action: str | None
    on: date | datetime | None = None
    earliest: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class AskedChoice:
    """The value chosen for a parameter, or the part chosen of a group."""

    at: str
    name: str
    value: str | int


@dataclass(slots=True)
class Asked:
    """Everything that an application was asked for."""

    definition: Data | None = None
    canonical: str | None = None
    patient: UUID | tuple[str, str] | None = None
    days: list[AskedDay] = field(default_factory=list)
    choices: list[AskedChoice] = field(default_factory=list)
    time_zone: str | None = None
    location: UUID | None = None
    laterality: str | None = None
    practitioner: str | None = None
    not_before: date | None = None
    identifiers: list[tuple[str, str]] = field(default_factory=list)
    persist: bool = False


def parameters_of(params: Iterable[tuple[str, str]]) -> Data:
    """Parameters as they stand in an address: what is primitive, and nothing that has parts.

    https://hl7.org/fhir/R4/operations.html#request
    """
    listed: list[Data] = []
    for name, text in params:
        value: str | bool = {"true": True, "false": False}.get(text, text)
        type_ = "valueBoolean" if isinstance(value, bool) else _TYPES.get(name, "valueString")
        if type_ == "valueDate" and "T" in text:
            type_ = "valueDateTime"
        listed.append({"name": name, type_: value})
    return {"resourceType": "Parameters", "parameter": listed}


def read_parameters(body: Any, findings: Findings) -> Asked:
    """What a Parameters resource asks; whatever is not understood is refused."""
    asked, at = Asked(), "Parameters"
    if not isinstance(body, Mapping) or body.get("resourceType") != at:
        findings.refuse(at, "structure", "must be Parameters")
        return asked
    if body.keys() - {"resourceType", "id", "meta", "parameter"}:
        findings.refuse(at, "structure", "has an element that R4 does not know")
    parameters = findings.objects(body, "parameter", at)
    if len(parameters) > MOST:
        findings.refuse(f"{at}.parameter", "too-long", f"has more than {MOST} parameters")
        return asked
    seen: set[str] = set()
    for place, parameter in parameters:
        name = findings.text(parameter, "name", place)
        if name in seen and name not in _MANY:
            findings.refuse(place, "business-rule", "is given twice")
        elif name is not None and name in _READERS:
            _READERS[name](asked, place, parameter, findings)
            seen.add(name)
        else:
            _refuse(name, place, findings)
    if asked.patient is None and not findings.refused:
        findings.refuse(f"{at}.parameter", "required", "the parameter 'subject' is required")
    return asked


def _refuse(name: str | None, at: str, findings: Findings) -> None:
    if name in _NOT_USED:
        findings.refuse(at, "not-supported", f"'{name}' has no meaning here")
    else:
        known = ", ".join(_READERS)
        findings.refuse(at, "not-supported", f"is none of the parameters {known}")


def _value(data: Data, at: str, types: tuple[str, ...], findings: Findings) -> Any:
    """The value of a parameter, if it has one of these types and no other."""
    given = [name for name in data if name.startswith("value") or name in {"resource", "part"}]
    found = data.get(given[0]) if len(given) == 1 and given[0] in types else None
    if found is None or data.keys() - {"id", "extension", "name", *types}:
        findings.refuse(at, "structure", f"must have one of {', '.join(types)}, and nothing else")
        return None
    return found


def _text(data: Data, at: str, findings: Findings, *types: str) -> str | None:
    usual = ("valueString", "valueCode", "valueId", "valueUri", "valueCanonical")
    found = _value(data, at, (*usual, *types), findings)
    if found is None:
        return None
    if not isinstance(found, str) or not 0 < len(found) <= 500:
        findings.refuse(at, "value", "must be text of 1 to 500 characters")
        return None
    return found


def _reference(data: Data, at: str, type_: str, findings: Findings) -> str | None:
    """The id in a reference, or an identifier's system and value as ``system|value``."""
    if "valueReference" not in data:
        text = _text(data, at, findings, "valueReference")
    else:
        reference = _value(data, at, ("valueReference",), findings)
        text = reference.get("reference") if isinstance(reference, Mapping) else None
        if text is None and isinstance(reference, Mapping) and "identifier" in reference:
            pair = _identifier_in(reference["identifier"], at, findings)
            return None if pair is None else "|".join(pair)
    if not isinstance(text, str):
        findings.refuse(at, "value", f"must refer to a {type_}")
        return None
    search = f"{type_}?identifier="
    if text.startswith(search):
        return text.removeprefix(search)
    before, slash, id_ = text.rpartition("/")
    if slash and before.rpartition("/")[2] != type_:
        findings.refuse(at, "value", f"must refer to a {type_}")
        return None
    return id_


def _definition(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    resource = _value(data, at, ("resource",), findings)
    if isinstance(resource, Mapping) and resource.get("resourceType") == "PlanDefinition":
        asked.definition = resource
    elif resource is not None:
        findings.refuse(f"{at}.resource", "structure", "must be a PlanDefinition")


def _canonical(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    asked.canonical = _text(data, at, findings)


def _subject(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    found = _reference(data, at, "Patient", findings)
    if found is None:
        return
    system, bar, value = found.partition("|")
    if bar and system and value:
        asked.patient = (system, value)
        return
    asked.patient = _uuid(found, at, "Patient", findings)


def _uuid(text: str, at: str, type_: str, findings: Findings) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        findings.refuse(at, "not-found", f"there is no such {type_}")
        return None


def _location(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    found = _reference(data, at, "Location", findings)
    asked.location = None if found is None else _uuid(found, at, "Location", findings)


def _practitioner(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    found = _reference(data, at, "Practitioner", findings)
    if found is not None and len(found) > 200:
        findings.refuse(at, "too-long", "is longer than 200 characters")
    asked.practitioner = found


def _time_zone(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    asked.time_zone = _text(data, at, findings)


def _laterality(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    side = _text(data, at, findings)
    if side is not None and side not in _SIDES:
        findings.refuse(at, "code-invalid", f"must be one of {', '.join(_SIDES)}")
    asked.laterality = side


def _not_before(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    asked.not_before = _day(data, at, findings)


def _persist(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    value = _value(data, at, ("valueBoolean",), findings)
    if value is not None and not isinstance(value, bool):
        findings.refuse(at, "value", "must be true or false")
    asked.persist = value is True


def _identifier(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    pair = _identifier_in(_value(data, at, ("valueIdentifier",), findings), at, findings)
    if pair is not None:
        asked.identifiers.append(pair)


def _identifier_in(data: Any, at: str, findings: Findings) -> tuple[str, str] | None:
    pair = (data.get("system"), data.get("value")) if isinstance(data, Mapping) else (None, None)
    if not all(isinstance(one, str) and 0 < len(one) <= 200 for one in pair):
        findings.refuse(at, "value", "must have a system and a value of up to 200 characters")
        return None
    return str(pair[0]), str(pair[1])


def _anchor(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    if "part" not in data:
        asked.days.append(AskedDay(at, None, _moment(data, at, findings)))
        return
    parts = _parts(data, at, ("action", "date", "earliest", "until"), findings)
    action = None
    if "action" in parts:
        action = _text(parts["action"][1], parts["action"][0], findings)
    days = {
        name: _day(part, place, findings)
        for name, (place, part) in parts.items()
        if name in {"earliest", "until"}
    }
    earliest, until = days.get("earliest"), days.get("until")
    if earliest is not None and until is not None and until < earliest:
        findings.refuse(at, "value", "ends before it begins")
    on = _moment(parts["date"][1], parts["date"][0], findings) if "date" in parts else None
    if ("date" in parts) == ("earliest" in parts) or ("until" in parts and "date" in parts):
        text = "must have a date, or from which day on it may be and until when"
        findings.refuse(at, "business-rule", text)
        return
    asked.days.append(AskedDay(at, action, on, earliest, until))


def _choice(asked: Asked, at: str, data: Data, findings: Findings) -> None:
    parts = _parts(data, at, ("parameter", "value"), findings)
    if len(parts) < 2:
        findings.refuse(at, "required", "must have the parts parameter and value")
        return
    (named, parameter), (valued, value) = parts["parameter"], parts["value"]
    name = _text(parameter, named, findings)
    if "valueInteger" in value:
        chosen = _value(value, valued, ("valueInteger",), findings)
        if isinstance(chosen, bool) or not isinstance(chosen, int):
            findings.refuse(valued, "value", "must be a whole number")
            return
    else:
        chosen = _text(value, valued, findings, "valueInteger")
    if name is not None and chosen is not None:
        asked.choices.append(AskedChoice(at, as_key(name), chosen))


def _parts(
    data: Data, at: str, names: tuple[str, ...], findings: Findings
) -> dict[str, tuple[str, Data]]:
    _value(data, at, ("part",), findings)
    found: dict[str, tuple[str, Data]] = {}
    for place, part in findings.objects(data, "part", at):
        name = part.get("name")
        if name not in names or name in found:
            findings.refuse(place, "not-supported", f"must be one of {', '.join(names)}, once")
        else:
            found[name] = (place, part)
    return found


def _day(data: Data, at: str, findings: Findings) -> date | None:
    value = _value(data, at, ("valueDate",), findings)
    return None if value is None else _date(value, at, findings)


def _moment(data: Data, at: str, findings: Findings) -> date | datetime | None:
    """A day, or an instant with its offset."""
    value = _value(data, at, ("valueDate", "valueDateTime"), findings)
    if value is None or not (isinstance(value, str) and "T" in value):
        return None if value is None else _date(value, at, findings)
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or not 1900 <= moment.year <= 2200:
        findings.refuse(at, "value", "must be a day, or an instant with its offset, 1900 to 2200")
        return None
    return moment


def _date(value: Any, at: str, findings: Findings) -> date | None:
    try:
        found = date.fromisoformat(value) if isinstance(value, str) and len(value) == 10 else None
    except ValueError:
        found = None
    if found is None or not 1900 <= found.year <= 2200:
        findings.refuse(at, "value", "must be a whole day, 1900 to 2200")
        return None
    return found


_READERS: Mapping[str, Callable[[Asked, str, Data, Findings], None]] = {
    "planDefinition": _definition,
    "canonical": _canonical,
    "subject": _subject,
    "practitioner": _practitioner,
    "anchor": _anchor,
    "choice": _choice,
    "timezone": _time_zone,
    "location": _location,
    "laterality": _laterality,
    "notBefore": _not_before,
    "identifier": _identifier,
    "persist": _persist,
}
