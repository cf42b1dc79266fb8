"""Strict reading of JSON and YAML text."""

import json
from typing import Any

import pytest

from app.api.documents import MalformedDocument, read_json
from app.api.yaml_documents import read_yaml

DEEPEST = "[" * 32 + "]" * 32
TOO_DEEP = "[" * 33 + "]" * 33
YAML = """
no: no
on: on
time: 12:30
day: 2027-03-10
offset: -P3W
octal: 0o7
leading_zero: 012
grouped: 1_000
infinite: .inf
quoted: "1"
whole: -12
half: 0.5
large: 1e3
truth: true
nothing: null
tilde: ~
empty:
folded: >
  two
  lines
list: [1, yes]
"""


def faults(read: Any, text: str | bytes) -> list[tuple[str, str]]:
    """Pointer and code of every fault."""
    with pytest.raises(MalformedDocument) as refused:
        read(text if isinstance(text, bytes) else text.encode())
    return [(fault.pointer, fault.code) for fault in refused.value.faults]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('{"a": [1, 2.5, true, null, "b"]}', id="every kind of value"),
        pytest.param('"2027-03-10 café 😀"', id="text of all planes"),
        pytest.param('"\\ud83d\\ude00"', id="an escaped pair of surrogates"),
        pytest.param('"line\\nline\\ttab"', id="line breaks and tabs"),
        pytest.param('"back\\\\bslash"', id="an escaped backslash before b"),
        pytest.param('"12345678901234567890123"', id="many digits in text"),
        pytest.param("[1234567890123456789, -1234567890123456789]", id="19 digits"),
        pytest.param(DEEPEST, id="32 levels"),
        pytest.param('"' + "[" * 50 + '"', id="brackets in text"),
        pytest.param('"' + '\\"[' * 50 + '"', id="quotes and brackets in text"),
    ],
)
def test_ordinary_json_is_read_as_ever(text: str) -> None:
    assert read_json(text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param('{"a": 1, "a": 2}', [("/a", "duplicate-key")], id="duplicate key"),
        pytest.param(
            '{"a": {"b": [1, {"c": NaN}], "d": -Infinity}}',
            [("/a/b/1/c", "not-a-number"), ("/a/d", "not-a-number")],
            id="not a number, infinity",
        ),
        pytest.param("[1e999]", [("/0", "not-a-number")], id="a number beyond all floats"),
        pytest.param("[12345678901234567890]", [("/0", "number-too-long")], id="20 digits"),
        pytest.param(
            "[0.12345678901234567890]", [("/0", "number-too-long")], id="20 digits after the point"
        ),
        pytest.param("9" * 5000, [("", "number-too-long")], id="5000 digits"),
        pytest.param('["\\u0000"]', [("/0", "invalid-character")], id="escaped NUL"),
        pytest.param('["a\\r\\n"]', [("/0", "invalid-character")], id="carriage return"),
        pytest.param('["\\b"]', [("/0", "invalid-character")], id="backspace"),
        pytest.param('["\\u0085"]', [("/0", "invalid-character")], id="escaped C1 control"),
        pytest.param('["\x85"]', [("/0", "invalid-character")], id="raw C1 control"),
        pytest.param('["\x7f"]', [("/0", "invalid-character")], id="delete"),
        pytest.param('["\\ud800"]', [("/0", "invalid-character")], id="lone surrogate"),
        pytest.param('["\\udc00\\ud800"]', [("/0", "invalid-character")], id="swapped surrogates"),
        pytest.param('["a\u202eb"]', [("/0", "invalid-character")], id="text direction override"),
        pytest.param('{"\\u0000": 1}', [("", "invalid-character")], id="NUL in a key"),
        pytest.param('["\x00"]', [("", "invalid-json")], id="raw NUL"),
        pytest.param(TOO_DEEP, [("", "too-deep")], id="33 levels"),
        pytest.param('{"a":' * 33 + "1" + "}" * 33, [("", "too-deep")], id="33 objects"),
        pytest.param("[" * 200_000, [("", "too-deep")], id="a wall of brackets"),
        pytest.param(
            "[" * 33 + '"' + '\\"' * 500_000, [("", "too-deep")], id="a wall of escaped quotes"
        ),
        pytest.param('"' + '\\"' * 500_000 + "[" * 33, [("", "invalid-json")], id="an open text"),
        pytest.param("", [("", "invalid-json")], id="nothing"),
        pytest.param("{'a': 1}", [("", "invalid-json")], id="single quotes"),
        pytest.param('{"a": 1} x', [("", "invalid-json")], id="something after the end"),
        pytest.param(b'"\xff"', [("", "not-utf-8")], id="not UTF-8"),
        pytest.param('{"a": 1}'.encode("utf-16"), [("", "not-utf-8")], id="UTF-16"),
        pytest.param(b"\xef\xbb\xbf{}", [("", "byte-order-mark")], id="byte order mark"),
        pytest.param(b'"\xed\xa0\x80"', [("", "not-utf-8")], id="surrogate encoded as UTF-8"),
    ],
)
def test_what_parsers_let_through_is_refused(
    text: str | bytes, expected: list[tuple[str, str]]
) -> None:
    assert faults(read_json, text) == expected


def test_a_key_that_may_be_a_persons_name_is_not_repeated() -> None:
    assert faults(read_json, '{"Jane Doe": 1, "Jane Doe": 2}') == [("", "duplicate-key")]


def test_no_more_than_twenty_faults_are_told() -> None:
    assert len(faults(read_json, "[" + "NaN," * 1000 + "1]")) == 20


def test_yaml_words_stay_text_but_numbers_and_truth_do_not() -> None:
    assert read_yaml(YAML.encode()) == {
        "no": "no",
        "on": "on",
        "time": "12:30",
        "day": "2027-03-10",
        "offset": "-P3W",
        "octal": "0o7",
        "leading_zero": "012",
        "grouped": "1_000",
        "infinite": ".inf",
        "quoted": "1",
        "whole": -12,
        "half": 0.5,
        "large": 1000.0,
        "truth": True,
        "nothing": None,
        "tilde": None,
        "empty": None,
        "folded": "two lines\n",
        "list": [1, "yes"],
    }


@pytest.mark.parametrize(
    "text, expected",
    [
        pytest.param("a: &x 1", [("/a", "anchor")], id="anchor"),
        pytest.param("a: [*x]", [("/a/0", "alias")], id="alias"),
        pytest.param("a: !!python/object:os.system x", [("/a", "tag")], id="tag"),
        pytest.param("a: ! x", [("/a", "tag")], id="non-specific tag"),
        pytest.param(
            "a: {b: 1, b: 2}\nc: 1\nc: 2",
            [("/a/b", "duplicate-key"), ("/c", "duplicate-key")],
            id="duplicate keys",
        ),
        pytest.param("? [a]\n: 1", [("", "invalid-key")], id="a list as a key"),
        pytest.param("a: 12345678901234567890", [("/a", "number-too-long")], id="20 digits"),
        pytest.param("a: 1e999", [("/a", "not-a-number")], id="a number beyond all floats"),
        pytest.param('a: "\\0"', [("/a", "invalid-character")], id="NUL"),
        pytest.param('a: "\\ud800"', [("", "invalid-yaml")], id="lone surrogate"),
        pytest.param("a: [", [("", "invalid-yaml")], id="unfinished"),
        pytest.param("a: \x00", [("", "invalid-yaml")], id="raw NUL"),
        pytest.param("a: 1\n---\nb: 2", [("", "many-documents")], id="two documents"),
        pytest.param("[" * 33, [("/0" * 32, "too-deep")], id="33 levels"),
        pytest.param(b"a: \xff", [("", "not-utf-8")], id="not UTF-8"),
    ],
)
def test_what_yaml_can_do_beyond_data_is_refused(
    text: str | bytes, expected: list[tuple[str, str]]
) -> None:
    assert faults(read_yaml, text) == expected


def test_yaml_keys_are_always_text() -> None:
    assert read_yaml(b"1: a\ntrue: b\n<<: c") == {"1": "a", "true": "b", "<<": "c"}


def test_empty_yaml_is_nothing() -> None:
    assert read_yaml(b"") is None
