"""Addresses of next pages: what was asked for and where to go on, sealed.

Sealing is loaded by the first page that has a next one.
"""

import json
from typing import Any
from uuid import UUID

from app.api.refusals import CursorRefused

CURSOR = "_cursor"
State = tuple[list[tuple[str, str]], tuple[str | int, ...]]


def given_out(clinic_id: UUID, path: str, state: State, secret: bytes) -> str:
    """A cursor that only this clinic's same address takes back."""
    from app.integrations.tokens import sealed

    return sealed(json.dumps([str(clinic_id), path, *state]).encode(), secret)


def taken_back(cursor: str, clinic_id: UUID, path: str, secret: bytes) -> State:
    """What was asked for, and the key to go on from. Raises CursorRefused."""
    from app.integrations.tokens import InvalidToken, unsealed

    try:
        content: list[Any] = json.loads(unsealed(cursor, secret))
    except InvalidToken:
        content = ["", "", [], []]
    of_clinic, of_path, shown, key = content
    if (of_clinic, of_path) != (str(clinic_id), path):
        raise CursorRefused("the cursor was not given out for this search")
    return [(name, value) for name, value in shown], tuple(key)
