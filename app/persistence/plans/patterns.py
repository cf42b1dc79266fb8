"""Rows of plans made after those of one before: only ids differ, and what is said of each alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from app.persistence.prepared import Process, insert_row
from app.persistence.tables import PlanRow, Row

Ordered = tuple[Any, ...]
ReadyRows = dict[type[Row], list[Ordered]]


@dataclass(frozen=True, slots=True)
class _Slots:
    """Where a row differs: columns that are one of the ids, texts which name some of them, and
    columns that have values of their own.
    """

    row: Ordered
    ids: tuple[tuple[int, int], ...]
    texts: tuple[int, ...]
    own: tuple[tuple[int, str], ...]


class RowPattern:
    """The rows of one plan as the driver takes them, to be made again for others like it.

    ``ids`` are those which were given to it alone. They are younger than everything that a client
    may have written, so that a text which has one of them got it from us.
    """

    def __init__(
        self, dialect: str, rows: ReadyRows, ids: Sequence[UUID], own: frozenset[str]
    ) -> None:
        self._dialect = dialect
        self._id_process = dict(insert_row(PlanRow, dialect).parameters)["id"]
        self._ids = [str(id_) for id_ in ids]
        self._own: dict[str, Process | None] = {}
        numbers = {self._as_stored(id_): number for number, id_ in enumerate(ids)}
        self._tables = {
            table: [self._slots(table, row, numbers, own) for row in of_table]
            for table, of_table in rows.items()
        }

    def rows(self, ids: Sequence[UUID], own: Mapping[str, Any]) -> ReadyRows:
        """The rows of another plan, with ids in the order of the first one's.

        ``own`` are its values of the columns that were named so. Raises UnstorableValue.
        """
        stored = [self._as_stored(id_) for id_ in ids]
        values = {
            name: own[name] if process is None else process(own[name])
            for name, process in self._own.items()
        }
        return {
            table: [self._filled(slots, ids, stored, values) for slots in of_table]
            for table, of_table in self._tables.items()
        }

    def renamed(self, text: str, ids: Sequence[UUID]) -> str:
        """A text about the first plan as it is said of another one."""
        for old, new in zip(self._ids, ids, strict=True):
            text = text.replace(old, str(new))
        return text

    def _as_stored(self, id_: UUID) -> object:
        return id_ if self._id_process is None else self._id_process(id_)

    def _slots(
        self, table: type[Row], row: Ordered, numbers: Mapping[object, int], own: frozenset[str]
    ) -> _Slots:
        parameters = insert_row(table, self._dialect).parameters
        self._own.update((name, process) for name, process in parameters if name in own)
        texts = (
            place
            for place, value in enumerate(row)
            if isinstance(value, str) and any(id_ in value for id_ in self._ids)
        )
        return _Slots(
            row,
            tuple(
                (place, numbers[value])
                for place, value in enumerate(row)
                if isinstance(value, str | UUID) and value in numbers
            ),
            tuple(texts),
            tuple((place, name) for place, (name, _) in enumerate(parameters) if name in own),
        )

    def _filled(
        self,
        slots: _Slots,
        ids: Sequence[UUID],
        stored: Sequence[object],
        own: Mapping[str, object],
    ) -> Ordered:
        row = list(slots.row)
        for place, number in slots.ids:
            row[place] = stored[number]
        for place, name in slots.own:
            row[place] = own[name]
        for place in slots.texts:
            row[place] = self.renamed(row[place], ids)
        return tuple(row)
