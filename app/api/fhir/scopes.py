"""What each interaction needs of a caller, and SMART scopes, which open single resources.

https://hl7.org/fhir/smart-app-launch/STU2/scopes-and-launch-context.html; version 1 of the scopes
(``system/CarePlan.read``) is taken, too.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from types import MappingProxyType

from app.api.refusals import ScopeMissing
from app.domain.errors import DomainError
from app.domain.permissions import Grant, Scope

# By resource type: what reading and searching, creating, and updating need. The one table of the
# FHIR face, as ``SCOPES`` is that of the native operations.
_READ, _CREATE, _UPDATE = "rs", "c", "u"
_NEEDS: Mapping[str, Mapping[str, Scope]] = {
    "ActivityDefinition": {_READ: Scope.PROTOCOLS_READ, "cu": Scope.PROTOCOLS_WRITE},
    "Appointment": {_READ: Scope.PLANS_READ, _UPDATE: Scope.PLANS_WRITE},
    "AuditEvent": {_READ: Scope.AUDIT_READ},
    "CarePlan": {_READ: Scope.PLANS_READ, _CREATE: Scope.PLANS_WRITE},
    "Encounter": {_READ: Scope.PLANS_READ, "cu": Scope.PLANS_WRITE},
    "Location": {_READ: Scope.CLINIC_READ},
    "Patient": {_READ: Scope.PATIENTS_READ, _CREATE: Scope.PATIENTS_WRITE},
    "PlanDefinition": {_READ: Scope.PROTOCOLS_READ, "cu": Scope.PROTOCOLS_WRITE},
    "Procedure": {_READ: Scope.PLANS_READ, "cu": Scope.PLANS_WRITE},
    "Provenance": {_READ: Scope.PLANS_READ},
    "RequestGroup": {_READ: Scope.PLANS_READ},
    "ServiceRequest": {_READ: Scope.PLANS_READ, _UPDATE: Scope.PLANS_WRITE},
    "Subscription": {_READ + _CREATE + _UPDATE + "d": Scope.WEBHOOKS},
    "Task": {_READ: Scope.PLANS_READ},
}
# As ``CarePlan.r``: the type and the letter of SMART's interactions c, r, u, d, s.
RIGHTS: Mapping[str, Scope] = MappingProxyType(
    {
        f"{type_}.{letter}": scope
        for type_, needs in _NEEDS.items()
        for letters, scope in needs.items()
        for letter in letters
    }
)

_SMART = re.compile(r"(system|user|patient)/([A-Za-z]+|\*)\.(read|write|\*|(?=.)c?r?u?d?s?)")
_FIRST_VERSION: Mapping[str, str] = {"read": "rs", "write": "cud", "*": "cruds"}


class UnknownScope(DomainError):
    """A scope that is not one of SMART's, or opens nothing here."""


def require_right(right: str | None, grant: Grant) -> None:
    """Raise ScopeMissing unless the caller may do this with such a resource."""
    if right is not None and RIGHTS[right] not in grant.scopes and right not in grant.resources:
        raise ScopeMissing(f"this needs the scope {RIGHTS[right]} or system/{right}")


def is_smart(scope: str) -> bool:
    """Whether a scope is written as SMART's are."""
    return "/" in scope


def rights_in(scope: str, *, level: str) -> frozenset[str]:
    """What a SMART scope of a level, such as ``system``, would open. Raises UnknownScope."""
    level_, type_, letters = _parts(scope)
    if level_ != level:
        return frozenset()
    found = (right.split(".") for right in RIGHTS)
    return frozenset(f"{t}.{one}" for t, one in found if type_ in {t, "*"} and one in letters)


def permitted(rights: Iterable[str], scopes: Collection[Scope]) -> frozenset[str]:
    """Of these rights those for which somebody has the scope."""
    return frozenset(right for right in rights if RIGHTS.get(right) in scopes)


def told(scope: str, rights: Collection[str]) -> Iterable[str]:
    """A SMART scope as it was granted: as asked for, or only what of it is open."""
    _, type_, letters = _parts(scope)
    if {f"{type_}.{letter}" for letter in letters} <= set(rights):
        return [scope]
    return written(rights)


def written(rights: Collection[str]) -> list[str]:
    """These rights as scopes, one for each type of resource."""
    letters: dict[str, str] = {}
    for letter in "cruds":
        for right in sorted(rights):
            if right.endswith(f".{letter}"):
                type_ = right.partition(".")[0]
                letters[type_] = letters.get(type_, "") + letter
    return [f"system/{type_}.{found}" for type_, found in sorted(letters.items())]


def offered() -> list[str]:
    """The scopes that a client may ask for."""
    return written(RIGHTS)


def _parts(scope: str) -> tuple[str, str, str]:
    found = _SMART.fullmatch(scope)
    if found is None:
        raise UnknownScope("the scope is not one of SMART's")
    level, type_, interactions = found.groups()
    return level, type_, _FIRST_VERSION.get(interactions, interactions)
