"""Write the days between which steps are due."""

from collections.abc import Sequence

from alembic import op

revision: str = "e80b5a7d2c13"
down_revision: str | Sequence[str] | None = "c3a8d4f16e29"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# The text of a day on SQLite; a day and a number of days make a day on PostgreSQL.
LATER = {"sqlite": "date({0}, '{1} days')", "postgresql": "({0} + {1})"}


def upgrade() -> None:
    """Without timings a step is due on its day; while its plan is on hold it stays due."""
    op.execute(
        "UPDATE planned_steps SET"
        " due_from = CASE WHEN window_target IS NULL THEN day"
        " ELSE coalesce(window_earliest, '1900-01-01') END,"
        " due_until = CASE WHEN plan_status = 'on_hold' THEN '2200-12-31'"
        " WHEN window_target IS NULL THEN day"
        " ELSE coalesce(window_latest, '2200-12-31') END"
        " WHERE day IS NOT NULL"
    )
    later = LATER[op.get_bind().dialect.name]
    op.execute(
        "UPDATE planned_steps SET loose = false"  # noqa: S608 - all of it is written above
        f" WHERE due_from >= {later.format('day', -31)} AND due_until <= {later.format('day', 31)}"
    )


def downgrade() -> None:
    """The columns go with the migration before."""
