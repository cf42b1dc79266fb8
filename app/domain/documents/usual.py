"""What is meant where a document does not say: importance, and whether an open day is needed."""

from app.domain.protocols import StepKind

_REMOTE = {"phone", "questionnaire"}
_IMPORTANCE = {
    StepKind.PROCEDURE: 10,
    StepKind.INJECTION: 10,
    StepKind.DECISION: 5,
    StepKind.CALL: 1,
}


def usual_importance(kind: StepKind, modes: tuple[str, ...]) -> int:
    """What a day off the target costs: a late treatment more than a late call."""
    if kind in _IMPORTANCE:
        return _IMPORTANCE[kind]
    return 1 if modes and _REMOTE.issuperset(modes) else 3


def usual_any_day(kind: StepKind, has_span: bool, modes: tuple[str, ...]) -> bool:  # noqa: FBT001
    """Restrictions, spans and questionnaires need no open day."""
    return kind is StepKind.RESTRICTION or has_span or set(modes) == {"questionnaire"}
