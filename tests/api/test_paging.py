"""Cursors: taken back only by the list that gave them out."""

import pytest

from app.api.paging import binding_of, opened, signed
from app.api.refusals import CursorRefused

SECRET = b"a secret of the tests"
BINDING = binding_of("clinic-1", "/v1/plans", [("status", "active"), ("limit", "2")])


def test_a_cursor_comes_back_as_the_key_it_was_made_of() -> None:
    cursor = signed(("2027-03-10", 7, "id"), BINDING, SECRET)

    assert opened(cursor, BINDING, SECRET) == ("2027-03-10", 7, "id")


def test_a_cursor_can_stand_in_an_address_as_it_is() -> None:
    cursor = signed(("ü/+ ?",), BINDING, SECRET)

    assert cursor.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize(
    "clinic, path, filters",
    [
        pytest.param("clinic-2", "/v1/plans", [("status", "active")], id="another clinic"),
        pytest.param("clinic-1", "/v1/patients", [("status", "active")], id="another list"),
        pytest.param("clinic-1", "/v1/plans", [("status", "draft")], id="another filter"),
        pytest.param("clinic-1", "/v1/plans", [], id="no filter"),
    ],
)
def test_a_cursor_is_refused_elsewhere(
    clinic: str, path: str, filters: list[tuple[str, str]]
) -> None:
    cursor = signed(("id",), BINDING, SECRET)

    with pytest.raises(CursorRefused):
        opened(cursor, binding_of(clinic, path, filters), SECRET)


def test_the_size_of_a_page_may_change_on_the_way() -> None:
    cursor = signed(("id",), BINDING, SECRET)
    other = binding_of("clinic-1", "/v1/plans", [("limit", "50"), ("status", "active")])

    assert opened(cursor, other, SECRET) == ("id",)


@pytest.mark.parametrize(
    "cursor",
    [
        pytest.param("", id="empty"),
        pytest.param("a", id="one character"),
        pytest.param("%%%", id="not base64"),
        pytest.param("é", id="not ASCII"),
        pytest.param("AAAAAAAAAAAAAAAAAAAAAAAAAAAA", id="made up"),
        pytest.param(signed(("id",), BINDING, b"another secret"), id="signed by somebody else"),
        pytest.param(signed(("id",), BINDING, SECRET)[:-2], id="cut short"),
    ],
)
def test_what_was_not_given_out_is_refused(cursor: str) -> None:
    with pytest.raises(CursorRefused):
        opened(cursor, BINDING, SECRET)
