"""Index what strayed from its window by location and practitioner: these indexes are all but empty.

Without them such steps are looked for among all that wait there.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c9f4a1e07d35"
down_revision: str | Sequence[str] | None = "b7e2c5d81f46"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

STRAY = (
    "status IN ('planned', 'booked', 'missed') AND plan_status IN ('active', 'on_hold')"
    " AND kind <> 'restriction' AND day IS NOT NULL AND (day < due_from OR day > due_until)"
)
INDEXES = {
    "ix_planned_steps_worklist_stray_location": "location_id",
    "ix_planned_steps_worklist_stray_practitioner": "practitioner",
}


def upgrade() -> None:
    """Add the indexes."""
    where = sa.text(STRAY)
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
