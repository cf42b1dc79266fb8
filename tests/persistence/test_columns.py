"""Both databases give back what was stored, or refuse it alike."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from app.persistence.clinics import DEFAULT_CLINIC_ID, ClinicRepository, ClinicRulesRepository
from app.persistence.columns import Line, Prose, UnstorableValue, encode_json
from app.persistence.database import Database
from app.persistence.protocols import ProtocolRepository
from app.persistence.tables import ProtocolRow
from tests.persistence.given import NOW, uid

DENVER = timezone(timedelta(hours=-7))


async def test_an_instant_comes_back_in_utc(database: Database) -> None:
    nine_in_denver = datetime(2027, 3, 1, 9, 0, 0, 123456, tzinfo=DENVER)

    async with database.writing(uid(1)) as connection:
        await ClinicRepository(connection, uid(1)).add("x", sandbox=False, now=nine_in_denver)
        stored = (await ClinicRepository(connection, uid(1)).get()).created_at

    assert stored == nine_in_denver
    assert stored.tzinfo is UTC


async def test_a_naive_time_is_refused(database: Database) -> None:
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        with pytest.raises(UnstorableValue, match="offset"):
            await ClinicRepository(connection, uid(1)).add(
                "x",
                sandbox=False,
                now=datetime(2027, 3, 1, 9),  # noqa: DTZ001 # what is tested
            )


async def test_instants_sort_by_time_whatever_their_offset(database: Database) -> None:
    instants = [
        datetime(2027, 3, 1, 9, tzinfo=DENVER),
        datetime(2027, 3, 1, 15, 59, 59, 999999, tzinfo=UTC),
        datetime(2027, 3, 1, 16, 0, 0, 1, tzinfo=UTC),
        datetime(1900, 1, 1, tzinfo=UTC),
    ]
    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        for number, instant in enumerate(instants):
            protocols = ProtocolRepository(connection, DEFAULT_CLINIC_ID)
            await protocols.add(f"protocol-{number}", "Title", now=instant)

        found = await connection.execute(
            select(ProtocolRow.created_at).order_by(ProtocolRow.created_at)
        )

    assert list(found.scalars()) == sorted(instants)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a\x00", id="nul"),
        pytest.param("a\x1b[2J", id="escape"),
        pytest.param("a\x7f", id="delete"),
        pytest.param("a\x85", id="c1"),
        pytest.param("\ud800", id="lone surrogate"),
        pytest.param("a\u202eb", id="override"),
        pytest.param("a\u2066b", id="isolate"),
    ],
)
def test_text_that_cannot_be_kept_or_read_is_refused(text: str) -> None:
    for type_ in (Line(), Prose()):
        with pytest.raises(UnstorableValue, match="control character"):
            type_.check(text)
    with pytest.raises(UnstorableValue, match="control character"):
        encode_json({"a": [text]})
    with pytest.raises(UnstorableValue, match="control character"):
        encode_json({text: 1})


def test_a_line_has_no_line_feed_and_prose_may() -> None:
    Prose().check("one\n\ttwo")

    assert encode_json("one\n\ttwo") == '"one\\n\\ttwo"'
    with pytest.raises(UnstorableValue):
        Line().check("one\ntwo")


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_numbers_that_json_does_not_know_are_refused(number: float) -> None:
    with pytest.raises(UnstorableValue, match="number"):
        encode_json([number])


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=20))
def test_a_document_is_refused_exactly_when_prose_is(text: str) -> None:
    def refuses(check: Callable[[str], object]) -> bool:
        try:
            check(text)
        except UnstorableValue:
            return True
        return False

    assert refuses(encode_json) == refuses(Prose().check)


async def test_documents_keep_their_order_and_what_looks_like_an_escape(
    database: Database,
) -> None:
    document = {"zebra": 1, "ant": {"b": None, "a": [True, 1.5, "\\u0000 \\\\n"]}}

    async with database.writing(DEFAULT_CLINIC_ID) as connection:
        await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).save(
            document, revision=0, now=NOW
        )
        stored = (await ClinicRulesRepository(connection, DEFAULT_CLINIC_ID).get()).document

    assert stored == document
    assert list(stored) == ["zebra", "ant"]


async def test_an_absent_instant_stays_absent(database: Database) -> None:
    async with database.reading(DEFAULT_CLINIC_ID) as connection:
        clinic = await ClinicRepository(connection, DEFAULT_CLINIC_ID).get()

    assert clinic.clock_at is None
