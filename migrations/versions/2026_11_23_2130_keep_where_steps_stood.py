"""Keep where steps stood that people no longer work on there, for their calendars."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "d6b40e93a7c1"
down_revision: str | Sequence[str] | None = "c9f4a1e07d35"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

KINDS = (
    "kind IN ('injection', 'procedure', 'visit', 'call', 'rehab', 'device-fitting', 'assessment',"
    " 'decision', 'restriction')"
)
INDEXED = ("location_id", "practitioner")

OWN = "clinic_id = NULLIF(current_setting('regimen.clinic', true), '')::uuid"
MIGRATING = "current_setting('regimen.migrating', true) = 'on'"


def upgrade() -> None:
    """Create the table; what went before stays unknown."""
    op.create_table(
        "former_steps",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("step_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner", sa.Text(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("of_count", sa.Integer(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("end_day", sa.Date(), nullable=True),
        sa.Column("appointment", sa.JSON(none_as_null=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('performed', 'cancelled')", name=op.f("ck_former_steps_status")
        ),
        sa.CheckConstraint(KINDS, name=op.f("ck_former_steps_kind")),
        sa.CheckConstraint("day <= end_day", name=op.f("ck_former_steps_day_not_after_end_day")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id", "revision"],
            ["plan_revisions.clinic_id", "plan_revisions.plan_id", "plan_revisions.revision"],
            name=op.f("fk_former_steps_clinic_id_plan_id_revision"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "location_id"],
            ["locations.clinic_id", "locations.id"],
            name=op.f("fk_former_steps_clinic_id_location_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "plan_id", "revision", "step_id", name=op.f("pk_former_steps")
        ),
    )
    for column in INDEXED:
        op.create_index(
            f"ix_former_steps_clinic_id_{column}_day", "former_steps", ["clinic_id", column, "day"]
        )
    if op.get_bind().dialect.name == "postgresql":
        _keep_clinics_apart()


def downgrade() -> None:
    """Drop it: such steps are gone from the calendars then."""
    op.drop_table("former_steps")


def _keep_clinics_apart() -> None:
    op.execute(f"CREATE POLICY own_clinic ON former_steps USING ({OWN}) WITH CHECK ({OWN})")
    op.execute(
        f"CREATE POLICY migrating ON former_steps TO CURRENT_USER"
        f" USING ({MIGRATING}) WITH CHECK ({MIGRATING})"
    )
    op.execute("ALTER TABLE former_steps ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE former_steps FORCE ROW LEVEL SECURITY")
