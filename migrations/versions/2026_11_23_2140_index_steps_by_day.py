"""Index steps by the days they have and may have, whatever became of them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "e1c85d27f904"
down_revision: str | Sequence[str] | None = "d6b40e93a7c1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INDEXES = {
    "ix_planned_steps_clinic_id_day_id": ["clinic_id", "day", "id"],
    "ix_planned_steps_clinic_id_due_until_due_from_id": [
        *("clinic_id", "due_until", "due_from", "id")
    ],
}
SPANS = "ix_planned_steps_untimed_spans"
IS_UNTIMED_SPAN = sa.text("end_day IS NOT NULL AND window_target IS NULL")


def upgrade() -> None:
    """Add the indexes."""
    for name, columns in INDEXES.items():
        op.create_index(name, "planned_steps", columns)
    op.create_index(
        SPANS,
        "planned_steps",
        ["clinic_id", "end_day"],
        sqlite_where=IS_UNTIMED_SPAN,
        postgresql_where=IS_UNTIMED_SPAN,
    )


def downgrade() -> None:
    """Drop them."""
    for name in (*INDEXES, SPANS):
        op.drop_index(name, table_name="planned_steps")
