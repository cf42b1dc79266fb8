"""ETags and what a change was based on."""

from datetime import date

import pytest
from starlette.responses import Response

from app.api.etags import etag, is_unchanged, not_modified, revision_in
from app.api.refusals import IfMatchRefused, PreconditionMissing


def test_a_tag_has_the_revision_and_the_local_day() -> None:
    assert etag(3, date(2027, 3, 10)) == '"3.2027-03-10"'
    assert etag(3, date(2027, 3, 10), 2) == '"3.2027-03-10.2"'


def test_a_thing_without_states_is_tagged_by_its_revision() -> None:
    assert etag(3) == '"3"'


@pytest.mark.parametrize(
    "tag",
    [
        pytest.param('"12.2027-03-10"', id="of a thing with states"),
        pytest.param('"12.2027-03-10.3"', id="of one that is flagged"),
        pytest.param('"12"', id="of a thing without"),
        pytest.param('W/"12.2027-03-10"', id="made weak by a proxy"),
        pytest.param(' "12" ', id="with blanks around"),
    ],
)
def test_a_change_is_based_on_the_revision_in_the_tag(tag: str) -> None:
    assert revision_in(tag) == 12


def test_a_tag_of_yesterday_names_the_same_revision() -> None:
    assert revision_in('"3.2027-03-09"') == revision_in('"3.2027-03-10"')


@pytest.mark.parametrize(
    "tag", ["*", "12", '"01"', '"x"', '"1", "2"', '"1.2027"', '"9999999999"', ""]
)
def test_anything_else_is_not_a_tag_of_ours(tag: str) -> None:
    with pytest.raises(IfMatchRefused):
        revision_in(tag)


def test_a_change_without_a_tag_is_refused() -> None:
    with pytest.raises(PreconditionMissing):
        revision_in(None)


@pytest.mark.parametrize(
    "if_none_match, unchanged",
    [
        pytest.param('"3.2027-03-10"', True, id="same"),
        pytest.param('W/"3.2027-03-10"', True, id="same, weak"),
        pytest.param('"1", "3.2027-03-10"', True, id="one of several"),
        pytest.param("*", True, id="any"),
        pytest.param('"3.2027-03-09"', False, id="same revision, another day"),
        pytest.param("", False, id="nothing"),
    ],
)
def test_what_the_client_has_is_compared(*, if_none_match: str, unchanged: bool) -> None:
    answer = Response("{}", headers={"ETag": etag(3, date(2027, 3, 10))})

    assert is_unchanged(answer, if_none_match) is unchanged


def test_an_answer_without_a_tag_is_always_sent() -> None:
    assert not is_unchanged(Response("{}"), "*")


def test_not_modified_keeps_the_tag_and_drops_the_body() -> None:
    answer = not_modified(Response("{}", headers={"ETag": '"3"', "X-Other": "y"}))

    assert (answer.status_code, answer.body) == (304, b"")
    assert answer.headers["etag"] == '"3"'
    assert "x-other" not in answer.headers
