"""Plain data goes into an extension and comes back; what is none is refused."""

from typing import Any

import pytest

from app.integrations.fhir.nested_extensions import NotPlainData, from_extension, to_extension


@pytest.mark.parametrize(
    "data",
    [
        True,
        0,
        "text",
        [],
        {},
        [[], {}, [1, False]],
        {"a": {"b": [{"c": "d"}]}, "e": {}},
    ],
)
def test_plain_data_comes_back_as_it_was(data: Any) -> None:
    assert from_extension(to_extension("urn:x", data)) == data


def nested(levels: int) -> Any:
    """A list in a list, so many times."""
    data: Any = 1
    for _ in range(levels):
        data = [data]
    return data


@pytest.mark.parametrize(
    "extension",
    [
        pytest.param("text", id="no extension"),
        pytest.param({"url": "x", "valueDecimal": 1.5}, id="a fraction"),
        pytest.param({"url": "x", "valueInteger": True}, id="a truth for a number"),
        pytest.param({"url": "x", "extension": ["text"]}, id="a member that is none"),
        pytest.param(
            {"url": "x", "extension": [{"url": "a", "valueInteger": 1}] * 2}, id="a name twice"
        ),
        pytest.param(to_extension("x", nested(17)), id="too deep"),
    ],
)
def test_what_is_no_plain_data_is_refused(extension: Any) -> None:
    with pytest.raises(NotPlainData):
        from_extension(extension)


def test_data_may_be_sixteen_levels_deep() -> None:
    assert from_extension(to_extension("x", nested(16))) == nested(16)
