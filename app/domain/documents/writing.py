"""What every writer of a document shares: members that say nothing are left out."""

from collections.abc import Iterable
from typing import Any

from app.domain.offsets import Offset
from app.domain.protocols import FigureSources
from app.domain.rules import Spread

Written = dict[str, Any]


def written(**members: Any) -> Written:
    """An object without empty members: ``None``, false, empty lists and objects; 0 is a value.

    A name that is a word of Python is given with an underscore: ``from_``.
    """
    return {
        name.rstrip("_"): value
        for name, value in members.items()
        if value is not None and value is not False and value not in ([], {})
    }


def offset_text(offset: Offset | None) -> str | None:
    """An offset as it is written."""
    return None if offset is None else str(offset)


def spread_data(spread: Spread | None) -> Written | None:
    """A spread as it is written."""
    return None if spread is None else {"min": str(spread.least), "max": str(spread.most)}


def sources_data(sources: FigureSources) -> Written:
    """The sources of figures as they are written."""
    return {figure: list(ids) for figure, ids in sources}


def unless(usual: object, value: Any) -> Any:
    """The value, ``None`` when it is what is meant anyway."""
    return None if value == usual else value


def items(values: Iterable[Any]) -> list[Any]:
    """A list of plain values; members of enumerations as their words."""
    return [str(value) if isinstance(value, str) else value for value in values]
