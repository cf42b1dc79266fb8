"""Add work over many plans: batches and their items."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "5d0b3f7a92c1"
down_revision: str | Sequence[str] | None = "a9d3e60c1b57"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True)


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "batches",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("request", DOCUMENT, nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.CheckConstraint("kind IN ('closure', 'amendment')", name=op.f("ck_batches_kind")),
        sa.CheckConstraint(
            "status IN ('running', 'done', 'cancelled')", name=op.f("ck_batches_status")
        ),
        sa.CheckConstraint("total >= 0", name=op.f("ck_batches_total")),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_batches_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_batches")),
    )
    op.create_index(
        "ix_batches_running",
        "batches",
        ["clinic_id", "id"],
        sqlite_where=sa.text("status = 'running'"),
        postgresql_where=sa.text("status = 'running'"),
    )
    op.create_table(
        "batch_items",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("batch_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("result", DOCUMENT, nullable=False),
        sa.Column("done_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'changed', 'unchanged', 'conflict', 'failed', 'cancelled')",
            name=op.f("ck_batch_items_status"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "batch_id"],
            ["batches.clinic_id", "batches.id"],
            name=op.f("fk_batch_items_clinic_id_batch_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id"],
            ["plans.clinic_id", "plans.id"],
            name=op.f("fk_batch_items_clinic_id_plan_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "batch_id", "plan_id", name=op.f("pk_batch_items")),
    )
    op.create_index("ix_batch_items_clinic_id_plan_id", "batch_items", ["clinic_id", "plan_id"])
    op.create_index(
        "ix_batch_items_waiting",
        "batch_items",
        ["clinic_id", "batch_id", "plan_id"],
        sqlite_where=sa.text("status = 'waiting'"),
        postgresql_where=sa.text("status = 'waiting'"),
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("batch_items")
    op.drop_table("batches")
