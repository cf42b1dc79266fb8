"""The table of roles: who reads, who writes, who decides, and what a key may have of it."""

import pytest

from app.domain.permissions import (
    GRANTS,
    NOTHING,
    UNRESTRICTED,
    NotPermitted,
    Right,
    Role,
    Scope,
    granted,
    refuse_more_than,
)


def test_who_reads_only_changes_nothing() -> None:
    grant = GRANTS[Role.READ_ONLY]

    assert all(scope.endswith(":read") for scope in grant.scopes)
    assert not any(grant.may(right) for right in Right)


def test_only_an_approver_approves() -> None:
    may = {role for role, grant in GRANTS.items() if grant.may(Right.APPROVE)}

    assert may == {Role.APPROVER}
    assert may == {r for r, grant in GRANTS.items() if Scope.PROTOCOLS_APPROVE in grant.scopes}


def test_clinicians_decide_and_the_front_desk_does_not() -> None:
    may = {role for role, grant in GRANTS.items() if grant.may(Right.DECIDE)}

    assert may == {Role.CLINICIAN, Role.APPROVER}


@pytest.mark.parametrize(
    "role, named, may",
    [
        (Role.CLINICIAN, "physician", True),
        (Role.CLINICIAN, "manager", False),
        (Role.APPROVER, "manager", True),
        (Role.FRONT_DESK, "physician", False),
        (Role.ADMIN, "physician", False),
        (Role.INTEGRATION, "physician", False),
    ],
)
def test_a_rule_is_set_aside_in_the_name_of_whom_it_names(
    role: Role, named: str, may: bool
) -> None:
    assert GRANTS[role].may_waive_as(named) is may


def test_who_administers_changes_no_plan() -> None:
    assert Scope.PLANS_WRITE not in GRANTS[Role.ADMIN].scopes


def test_a_key_may_have_less_than_its_role() -> None:
    some = granted(Role.CLINICIAN, [Scope.PLANS_READ, Scope.ADMIN])

    assert some.scopes == {Scope.PLANS_READ}
    assert some.may(Right.DECIDE)
    assert granted(Role.CLINICIAN) is GRANTS[Role.CLINICIAN]


def test_a_key_may_not_have_more_than_its_role() -> None:
    refuse_more_than(Role.FRONT_DESK, [Scope.PLANS_READ])
    refuse_more_than(Role.FRONT_DESK, None)

    with pytest.raises(NotPermitted, match="'front-desk' does not have admin, metrics"):
        refuse_more_than(Role.FRONT_DESK, [Scope.ADMIN, Scope.METRICS_READ, Scope.PLANS_READ])


def test_the_service_itself_is_not_restricted() -> None:
    assert all(UNRESTRICTED.may(right) for right in Right)
    assert UNRESTRICTED.may_waive_as("anybody")
    assert not any(NOTHING.may(right) for right in Right)
