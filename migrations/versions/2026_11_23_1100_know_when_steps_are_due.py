"""Know between which days steps are due, and index the worklist by them."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c3a8d4f16e29"
down_revision: str | Sequence[str] | None = "7e41c9d2b0f6"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OF_LIVING_PLAN = (
    "plan_status IN ('active', 'on_hold') AND kind <> 'restriction' AND day IS NOT NULL"
)
WAITING = f"status IN ('planned', 'booked', 'missed') AND {OF_LIVING_PLAN}"
DONE = f"status = 'performed' AND {OF_LIVING_PLAN}"
STRAYS = f"{WAITING} AND (day < window_earliest OR day > window_latest)"
STRAY = f"{WAITING} AND (day < due_from OR day > due_until)"
LOOSE = f"{WAITING} AND loose"
BY_DAY = ["day", "due_until", "id", "due_from"]
BEFORE = {
    "ix_planned_steps_worklist": (WAITING, ["day", "id"]),
    "ix_planned_steps_worklist_location": (WAITING, ["location_id", "day", "id"]),
    "ix_planned_steps_worklist_practitioner": (WAITING, ["practitioner", "day", "id"]),
    "ix_planned_steps_worklist_strays": (STRAYS, ["day", "id"]),
    "ix_planned_steps_worklist_done": (DONE, ["day", "id"]),
}
AFTER = {
    "ix_planned_steps_worklist": (WAITING, BY_DAY),
    "ix_planned_steps_worklist_location": (WAITING, ["location_id", *BY_DAY]),
    "ix_planned_steps_worklist_practitioner": (WAITING, ["practitioner", *BY_DAY]),
    "ix_planned_steps_worklist_stray": (STRAY, BY_DAY),
    "ix_planned_steps_worklist_loose": (LOOSE, BY_DAY),
    "ix_planned_steps_worklist_loose_location": (LOOSE, ["location_id", *BY_DAY]),
    "ix_planned_steps_worklist_loose_practitioner": (LOOSE, ["practitioner", *BY_DAY]),
    "ix_planned_steps_worklist_done": (DONE, BY_DAY),
}


def upgrade() -> None:
    """Add the days, at first without bounds, and other indexes."""
    drop_indexes(BEFORE)
    with op.batch_alter_table("planned_steps") as table:
        table.add_column(
            sa.Column("due_from", sa.Date(), nullable=False, server_default="1900-01-01")
        )
        table.add_column(
            sa.Column("due_until", sa.Date(), nullable=False, server_default="2200-12-31")
        )
        table.add_column(sa.Column("loose", sa.Boolean(), nullable=False, server_default=sa.true()))
    create_indexes(AFTER)


def downgrade() -> None:
    """Take them away."""
    drop_indexes(AFTER)
    with op.batch_alter_table("planned_steps") as table:
        for column in ("loose", "due_until", "due_from"):
            table.drop_column(column)
    create_indexes(BEFORE)


def create_indexes(indexes: dict[str, tuple[str, list[str]]]) -> None:
    """Index some of the steps."""
    for name, (condition, columns) in indexes.items():
        where = sa.text(condition)
        op.create_index(
            name,
            "planned_steps",
            ["clinic_id", *columns],
            sqlite_where=where,
            postgresql_where=where,
        )


def drop_indexes(indexes: dict[str, tuple[str, list[str]]]) -> None:
    """Drop them."""
    for name in indexes:
        op.drop_index(name, table_name="planned_steps")
