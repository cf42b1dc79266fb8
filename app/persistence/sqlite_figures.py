"""What SQLite's planner is told of the tables: the figures of a clinic of some years.

Without figures it supposes that few rows belong to a clinic, and takes whatever index begins with
the clinic for a good one. Those that ANALYZE finds change with the rows, and the plans with them;
these are the same in every file, as https://sqlite.org/lang_analyze.html advises.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import Connection, text

ROWS = 10_000
ROWS_OF: dict[str, int] = {
    "access_patients": 200_000,
    "access_batches": 50_000,
    "clinics": 1,
    "deliveries": 100_000,
    "events": 100_000,
    "locations": 5,
    "plan_revisions": 40_000,
    "planned_steps": 100_000,
    "protocols": 20,
    "protocol_versions": 50,
    "webhooks": 5,
}
# An index of some rows only holds one of so many.
PART = 20
# How many different values a column has; of other columns nearly each row has its own.
VALUES_OF: dict[str, int] = {
    "batch_id": 100,
    "clinic_id": 1,
    "day": 700,
    "due_from": 700,
    "due_until": 700,
    "end_day": 700,
    "first_day": 300,
    "last_day": 300,
    "location_id": 5,
    "merged_into": 1,
    "needs_attention": 2,
    "patient_id": 5_000,
    "plan_id": 10_000,
    "practitioner": 20,
    "protocol_key": 20,
    "protocol_version": 3,
    "status": 5,
    "system": 3,
    "webhook_id": 5,
}

_TABLES = text("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite%'")
_INDEXES = text('SELECT name, "unique", partial FROM pragma_index_list(:table)')
_COLUMNS = text("SELECT name FROM pragma_index_info(:index) ORDER BY seqno")
_FIGURES = text("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (:table, :index, :figures)")


def tell_planner(connection: Connection) -> None:
    """Write the figures of every index there is; connections opened later go by them."""
    connection.execute(text("ANALYZE sqlite_schema"))
    connection.execute(text("DELETE FROM sqlite_stat1"))
    for table in connection.execute(_TABLES).scalars().all():
        for index, unique, partial in connection.execute(_INDEXES, {"table": table}).all():
            columns = connection.execute(_COLUMNS, {"index": index}).scalars().all()
            rows = ROWS_OF.get(table, ROWS) // (PART if partial else 1)
            figures = [rows, *_alike(rows, columns)]
            if unique:
                figures[-1] = 1
            told = {"table": table, "index": index, "figures": " ".join(map(str, figures))}
            connection.execute(_FIGURES, told)


def _alike(rows: int, columns: Sequence[str]) -> Iterator[int]:
    """How many rows have the same first column, the same first two, and so on."""
    for column in columns:
        rows = max(1, rows // VALUES_OF.get(column, rows))
        yield rows
