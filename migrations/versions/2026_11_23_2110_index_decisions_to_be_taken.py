"""Index the decisions that wait, which are few among the steps of a location or practitioner."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b7e2c5d81f46"
down_revision: str | Sequence[str] | None = "a4d09c6e7f21"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

UNDECIDED = (
    "status IN ('planned', 'booked', 'missed') AND plan_status IN ('active', 'on_hold')"
    " AND kind <> 'restriction' AND day IS NOT NULL AND kind = 'decision'"
)
INDEXES = {
    "ix_planned_steps_worklist_undecided_location": "location_id",
    "ix_planned_steps_worklist_undecided_practitioner": "practitioner",
}


def upgrade() -> None:
    """Add the indexes."""
    where = sa.text(UNDECIDED)
    for name, column in INDEXES.items():
        op.create_index(
            name,
            "planned_steps",
            ["clinic_id", column, "day", "due_until", "id", "due_from"],
            sqlite_where=where,
            postgresql_where=where,
        )


def downgrade() -> None:
    """Drop them."""
    for name in INDEXES:
        op.drop_index(name, table_name="planned_steps")
