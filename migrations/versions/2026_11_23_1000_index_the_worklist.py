"""Index what waits in living plans, and events by patient."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5c1f0b7e9a42"
down_revision: str | Sequence[str] | None = "81cf63c23aa5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

PLAN_STATUSES = (
    "plan_status IN ('draft', 'active', 'on_hold', 'completed', 'revoked', 'entered_in_error')"
)
WAITED = "status IN ('planned', 'booked')"
OF_LIVING_PLAN = (
    "plan_status IN ('active', 'on_hold') AND kind <> 'restriction' AND day IS NOT NULL"
)
WAITING = f"status IN ('planned', 'booked', 'missed') AND {OF_LIVING_PLAN}"
DONE = f"status = 'performed' AND {OF_LIVING_PLAN}"
STRAY = f"{WAITING} AND (day < window_earliest OR day > window_latest)"
INDEXES = {
    "ix_planned_steps_worklist": (WAITING, ["day", "id"]),
    "ix_planned_steps_worklist_location": (WAITING, ["location_id", "day", "id"]),
    "ix_planned_steps_worklist_practitioner": (WAITING, ["practitioner", "day", "id"]),
    "ix_planned_steps_worklist_strays": (STRAY, ["day", "id"]),
    "ix_planned_steps_worklist_done": (DONE, ["day", "id"]),
}


def upgrade() -> None:
    """Add the plan's status to its steps, and the indexes."""
    op.drop_index("ix_planned_steps_worklist", table_name="planned_steps")
    with op.batch_alter_table("planned_steps") as table:
        table.add_column(
            sa.Column("plan_status", sa.Text(), nullable=False, server_default="active")
        )
        table.create_check_constraint(op.f("ck_planned_steps_plan_status"), PLAN_STATUSES)
    for name, (condition, columns) in INDEXES.items():
        create_index(name, condition, columns)
    op.create_index(
        op.f("ix_events_clinic_id_patient_id_number"),
        "events",
        ["clinic_id", "patient_id", "number"],
    )


def downgrade() -> None:
    """Take them away."""
    op.drop_index(op.f("ix_events_clinic_id_patient_id_number"), table_name="events")
    for name in INDEXES:
        op.drop_index(name, table_name="planned_steps")
    with op.batch_alter_table("planned_steps") as table:
        table.drop_constraint(op.f("ck_planned_steps_plan_status"), type_="check")
        table.drop_column("plan_status")
    create_index("ix_planned_steps_worklist", WAITED, ["day", "id"])


def create_index(name: str, condition: str, columns: list[str]) -> None:
    """Index some of the steps."""
    where = sa.text(condition)
    op.create_index(
        name,
        "planned_steps",
        ["clinic_id", *columns],
        sqlite_where=where,
        postgresql_where=where,
    )
