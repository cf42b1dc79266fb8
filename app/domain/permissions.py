"""Who may do what: every scope, every right and every role, in one table."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from uuid import UUID

from app.domain.errors import DomainError


class NotPermitted(DomainError):
    """The caller's role does not allow it."""


class Scope(StrEnum):
    """What an operation needs of its caller; each operation needs exactly one."""

    PLANS_READ = "plans:read"
    PLANS_WRITE = "plans:write"
    PATIENTS_READ = "patients:read"
    PATIENTS_WRITE = "patients:write"
    PATIENTS_ERASE = "patients:erase"
    PROTOCOLS_READ = "protocols:read"
    PROTOCOLS_WRITE = "protocols:write"
    PROTOCOLS_APPROVE = "protocols:approve"
    CLINIC_READ = "clinic:read"
    CLINIC_WRITE = "clinic:write"
    EVENTS_READ = "events:read"
    AUDIT_READ = "audit:read"
    METRICS_READ = "metrics:read"
    WEBHOOKS = "webhooks"
    ADMIN = "admin"


SCOPE_TEXTS: Mapping[Scope, str] = MappingProxyType(
    {
        Scope.PLANS_READ: "Read plans and the worklist, and try out what would be.",
        Scope.PLANS_WRITE: "Make and change plans.",
        Scope.PATIENTS_READ: "Read patients and what is reported of them.",
        Scope.PATIENTS_WRITE: "Make and change patients, report events and absences.",
        Scope.PATIENTS_ERASE: "Erase a patient.",
        Scope.PROTOCOLS_READ: "Read and check protocols.",
        Scope.PROTOCOLS_WRITE: "Write drafts of protocols.",
        Scope.PROTOCOLS_APPROVE: "Approve and retire versions of protocols.",
        Scope.CLINIC_READ: "Read locations, closures, rules and the clock.",
        Scope.CLINIC_WRITE: "Change locations, closures, rules and a sandbox's clock.",
        Scope.EVENTS_READ: "Read what happened.",
        Scope.AUDIT_READ: "Read who saw what.",
        Scope.METRICS_READ: "Read figures of the service.",
        Scope.WEBHOOKS: "Set up webhooks and look at their deliveries.",
        Scope.ADMIN: "Make, rotate and revoke keys.",
    }
)


class Role(StrEnum):
    """What a caller is to the clinic."""

    FRONT_DESK = "front-desk"
    CLINICIAN = "clinician"
    APPROVER = "approver"
    READ_ONLY = "read-only"
    INTEGRATION = "integration"
    ADMIN = "admin"


class Right(StrEnum):
    """What a scope is not enough for: it depends on what exactly is asked."""

    DECIDE = "decide"
    """Take a decision of a plan, such as whether there is a booster."""
    APPROVE = "approve"
    """Let plans be made by a protocol version which somebody else wrote."""


# Stands for every role that a protocol may name.
ANYBODY = "*"


@dataclass(frozen=True, slots=True)
class Grant:
    """What a role may do.

    ``waives`` are the roles, as protocols name them, in whose name it may set a rule aside.
    """

    scopes: frozenset[Scope] = frozenset()
    rights: frozenset[Right] = frozenset()
    waives: frozenset[str] = frozenset()
    resources: frozenset[str] = frozenset()
    """What of the FHIR face is open to it beside, as ``CarePlan.r``."""
    unrestricted: bool = False
    """Nobody in particular acts: the service itself, or whoever tries it out on one machine."""

    def may(self, right: Right) -> bool:
        """Whether it has a right."""
        return self.unrestricted or right in self.rights

    def may_waive_as(self, role: str) -> bool:
        """Whether it may set aside what a protocol leaves to this role."""
        return self.unrestricted or role in self.waives or ANYBODY in self.waives


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls: the clinic, the name that history and events show, and what it may do."""

    clinic_id: UUID
    actor: str
    grant: Grant


NOTHING = Grant()
UNRESTRICTED = Grant(scopes=frozenset(Scope), unrestricted=True)

_READS = frozenset(
    {
        Scope.PLANS_READ,
        Scope.PATIENTS_READ,
        Scope.PROTOCOLS_READ,
        Scope.CLINIC_READ,
        Scope.EVENTS_READ,
    }
)
_DAILY = _READS | {Scope.PLANS_WRITE, Scope.PATIENTS_WRITE}
_PHYSICIAN = frozenset({"clinician", "physician"})

# The one table of roles.
GRANTS: Mapping[Role, Grant] = MappingProxyType(
    {
        Role.READ_ONLY: Grant(_READS),
        Role.FRONT_DESK: Grant(_DAILY),
        Role.INTEGRATION: Grant(_DAILY | {Scope.WEBHOOKS}),
        Role.CLINICIAN: Grant(
            _DAILY | {Scope.PROTOCOLS_WRITE, Scope.CLINIC_WRITE},
            frozenset({Right.DECIDE}),
            _PHYSICIAN,
        ),
        Role.APPROVER: Grant(
            _DAILY
            | {
                Scope.PATIENTS_ERASE,
                Scope.PROTOCOLS_WRITE,
                Scope.PROTOCOLS_APPROVE,
                Scope.CLINIC_WRITE,
            },
            frozenset({Right.DECIDE, Right.APPROVE}),
            frozenset({ANYBODY}),
        ),
        Role.ADMIN: Grant(
            _READS
            | {
                Scope.PATIENTS_ERASE,
                Scope.CLINIC_WRITE,
                Scope.PROTOCOLS_WRITE,
                Scope.AUDIT_READ,
                Scope.METRICS_READ,
                Scope.WEBHOOKS,
                Scope.ADMIN,
            }
        ),
    }
)


def granted(
    role: Role, scopes: Iterable[Scope] | None = None, resources: frozenset[str] = frozenset()
) -> Grant:
    """What a role may do, or of it only what these scopes and resources cover."""
    whole = GRANTS[role]
    if scopes is None:
        return whole
    return Grant(whole.scopes & frozenset(scopes), whole.rights, whole.waives, resources)


def refuse_more_than(role: Role, scopes: Iterable[Scope] | None) -> None:
    """Raise NotPermitted for scopes that a role does not have."""
    more = sorted(set(scopes or ()) - GRANTS[role].scopes)
    if more:
        raise NotPermitted(f"role '{role}' does not have {', '.join(more)}")
