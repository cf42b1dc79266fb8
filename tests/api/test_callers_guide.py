"""The guide's page on callers: its table of roles is the one that holds."""

import re
from pathlib import Path

from app.api import docs
from app.domain.permissions import GRANTS, SCOPE_TEXTS, Right, Role, Scope

PAGE = Path(docs.__file__).with_name("guide").joinpath("callers.md").read_text("utf-8")
ROWS = [
    [cell.strip(" `") for cell in line.strip("|").split("|")]
    for line in PAGE.splitlines()
    if line.startswith("| ")
]


def test_the_table_says_which_role_has_which_scope() -> None:
    roles = [Role(name) for name in ROWS[0][2:]]
    told = {
        Scope(row[0]): {role for role, cell in zip(roles, row[2:], strict=True) if cell == "yes"}
        for row in ROWS[1:]
        if row[0] != "–"
    }

    assert set(roles) == set(Role)
    assert told == {
        scope: {role for role in Role if scope in GRANTS[role].scopes} for scope in Scope
    }


def test_the_table_says_who_decides_approves_and_waives() -> None:
    roles = [Role(name) for name in ROWS[0][2:]]
    told = [
        {role for role, cell in zip(roles, row[2:], strict=True) if cell == "yes"}
        for row in ROWS
        if row[0] == "–"
    ]

    assert told == [
        {role for role in Role if GRANTS[role].may(Right.DECIDE)},
        {role for role in Role if GRANTS[role].may(Right.APPROVE)},
        {role for role in Role if GRANTS[role].may_waive_as("physician")},
    ]


def test_every_setting_of_an_issuer_is_told() -> None:
    named = set(re.findall(r"REGIMEN_ISSUER\w*|REGIMEN_PUBLIC_URL", PAGE))

    assert len(named) == 7
    assert set(SCOPE_TEXTS) == set(Scope)
