"""Applicability conditions in FHIRPath, evaluated over a patient in a bounded way.

https://hl7.org/fhirpath/N1/. Only what cannot run long is evaluated: no expression is large, goes
through lists within lists within lists, or matches patterns. ``today()`` and ``now()`` are the
clinic's. The library is loaded by the first condition.
"""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from app.domain.errors import DomainError

MOST_TOKENS = 200
MOST_NESTED = 12
MOST_CRITERIA = 2
_TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<text>'(?:[^'\\]|\\.)*')
    |(?P<date>@[0-9T:.Z+-]+)
    |(?P<number>[0-9]+(?:\.[0-9]+)?)
    |(?P<variable>%[A-Za-z_][A-Za-z0-9_-]*)
    |(?P<name>\$this|[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign><=|>=|!=|!~|[-+*/=~<>|&.,()\[\]])""",
    re.VERBOSE,
)
_WITH_CRITERIA = frozenset({"where", "exists", "all"})
_FUNCTIONS = _WITH_CRITERIA | {
    "anyTrue",
    "allTrue",
    "contains",
    "count",
    "distinct",
    "empty",
    "endsWith",
    "first",
    "hasValue",
    "iif",
    "is",
    "isDistinct",
    "last",
    "length",
    "lower",
    "not",
    "now",
    "ofType",
    "single",
    "startsWith",
    "today",
    "toInteger",
    "toString",
    "upper",
}
_OPERATORS = frozenset({"and", "or", "xor", "implies", "in", "contains", "is", "as", "div", "mod"})


class ConditionNotEvaluated(DomainError):
    """An expression is not FHIRPath, or more of it than is evaluated."""


def condition_holds(expression: str, patient: Mapping[str, Any], now: datetime) -> bool:
    """Whether an expression is true of a patient; of what is not known it is not.

    ``now`` is the clinic's time. Raises ConditionNotEvaluated.
    """
    from fhirpathpy import evaluate
    from fhirpathpy.models import models

    safe, resource = _checked(expression, now), dict(patient)
    variables = {"resource": resource, "context": resource}
    try:
        _refuse_faults(safe)
        found = evaluate(resource, safe, variables, models["r4"])
    except Exception as error:
        raise ConditionNotEvaluated("cannot be evaluated") from error
    if not found:
        return False
    if found in ([True], [False]):
        return bool(found[0])
    raise ConditionNotEvaluated("is not a question with yes or no for an answer")


def _refuse_faults(expression: str) -> None:
    """Raise what the library's own reading passes over: faults of syntax, and what follows."""
    from antlr4 import CommonTokenStream, InputStream
    from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
    from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

    lexer = FHIRPathLexer(InputStream(expression))
    parser: Any = FHIRPathParser(CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
    parser.entireExpression()
    if parser.getNumberOfSyntaxErrors():
        raise ConditionNotEvaluated("is no expression")


def _checked(expression: str, now: datetime) -> str:
    """The expression with the clinic's time in it, if all of it is allowed."""
    tokens = list(_tokens(expression))
    if not 0 < len(tokens) <= MOST_TOKENS:
        raise ConditionNotEvaluated(f"has none or more than {MOST_TOKENS} words and signs")
    _refuse_functions(tokens)
    _refuse_depth(tokens)
    instants = {
        ("today", "(", ")"): f"@{now.date().isoformat()}",
        ("now", "(", ")"): f"@{now.isoformat(timespec='milliseconds')}",
    }
    written: list[str] = []
    for token in tokens:
        written.append(token)
        instant = instants.get(tuple(written[-3:]))  # type: ignore[arg-type] # or shorter
        if instant is not None:
            written[-3:] = [instant]
    return " ".join(written)


def _tokens(expression: str) -> Iterator[str]:
    place = 0
    while place < len(expression):
        found = _TOKEN.match(expression, place)
        if found is None:
            raise ConditionNotEvaluated("has a sign that no expression has")
        place = found.end()
        if found["variable"] not in {None, "%resource", "%context"}:
            raise ConditionNotEvaluated("has a variable that is not known")
        if found["space"] is None:
            yield found.group()


def _refuse_functions(tokens: list[str]) -> None:
    for name, following in zip(tokens, [*tokens[1:], ""], strict=True):
        is_word = name[0].isalpha()
        if following == "(" and is_word and name not in _FUNCTIONS | _OPERATORS:
            raise ConditionNotEvaluated("has a function that is not evaluated")


def _refuse_depth(tokens: list[str]) -> None:
    opened: list[bool] = []
    for before, token, after in zip(["", *tokens], tokens, [*tokens[1:], ""], strict=False):
        if token in {"(", "["}:
            opened.append(before in _WITH_CRITERIA and after != ")")
        elif token in {")", "]"} and opened:
            opened.pop()
        if len(opened) > MOST_NESTED or sum(opened) > MOST_CRITERIA:
            raise ConditionNotEvaluated("is nested too deep")
