"""Add calendar feeds, and an index of steps that are called off."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "c7e2a94d1f36"
down_revision: str | Sequence[str] | None = "b7d21f64c0a8"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
CALLED_OFF = sa.text(
    "status IN ('cancelled', 'skipped') AND kind <> 'restriction' AND day IS NOT NULL"
)


def upgrade() -> None:
    """Create the table and the index."""
    op.create_table(
        "calendars",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=True),
        sa.Column("practitioner", sa.Text(), nullable=True),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("titles", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint("titles IN ('kinds', 'steps')", name=op.f("ck_calendars_titles")),
        sa.CheckConstraint(
            "(CASE WHEN plan_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN patient_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN location_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN practitioner IS NULL THEN 0 ELSE 1 END) = 1",
            name=op.f("ck_calendars_of_one_thing"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_calendars_clinic_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id"],
            ["plans.clinic_id", "plans.id"],
            name=op.f("fk_calendars_clinic_id_plan_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_calendars_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "location_id"],
            ["locations.clinic_id", "locations.id"],
            name=op.f("fk_calendars_clinic_id_location_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_calendars")),
        sa.UniqueConstraint(
            "clinic_id", "token_hash", name=op.f("uq_calendars_clinic_id_token_hash")
        ),
    )
    op.create_index("ix_calendars_clinic_id_plan_id", "calendars", ["clinic_id", "plan_id"])
    op.create_index("ix_calendars_clinic_id_patient_id", "calendars", ["clinic_id", "patient_id"])
    op.create_index(
        "ix_planned_steps_called_off",
        "planned_steps",
        ["clinic_id", "day", "id"],
        sqlite_where=CALLED_OFF,
        postgresql_where=CALLED_OFF,
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index("ix_planned_steps_called_off", "planned_steps")
    op.drop_table("calendars")
