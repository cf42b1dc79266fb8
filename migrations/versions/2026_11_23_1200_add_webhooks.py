"""Add webhooks and their deliveries."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b3c81f5e7d20"
down_revision: str | Sequence[str] | None = "3c8e5a17d9b4"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True)
WAITING = sa.text("status = 'waiting'")
NEXT = sa.text("next_at IS NOT NULL")


def upgrade() -> None:
    """Create both tables."""
    op.create_table(
        "webhooks",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=True),
        sa.Column("event_types", DOCUMENT, nullable=True),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_because", sa.Text(), nullable=True),
        sa.Column("failing_since", INSTANT, nullable=True),
        sa.Column("queued_until", sa.BigInteger(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("former_salt", sa.LargeBinary(), nullable=True),
        sa.Column("former_until", INSTANT, nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "disabled_because IN ('by_hand', 'failing', 'gone')",
            name=op.f("ck_webhooks_disabled_because"),
        ),
        sa.CheckConstraint(
            "enabled <> (disabled_because IS NOT NULL)",
            name=op.f("ck_webhooks_disabled_for_a_reason"),
        ),
        sa.CheckConstraint(
            "(former_salt IS NULL) = (former_until IS NULL)",
            name=op.f("ck_webhooks_former_salt_has_an_end"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_webhooks_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_webhooks")),
    )
    op.create_table(
        "deliveries",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("webhook_id", sa.Uuid(), nullable=False),
        sa.Column("event_number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", INSTANT, nullable=True),
        sa.Column("log", DOCUMENT, nullable=False),
        sa.Column("queued_at", INSTANT, nullable=False),
        sa.Column("finished_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "status IN ('waiting', 'delivered', 'dead')", name=op.f("ck_deliveries_status")
        ),
        sa.CheckConstraint(
            "next_at IS NULL OR status = 'waiting'",
            name=op.f("ck_deliveries_waits_for_a_time"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "webhook_id"],
            ["webhooks.clinic_id", "webhooks.id"],
            name=op.f("fk_deliveries_clinic_id_webhook_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "event_number"],
            ["events.clinic_id", "events.number"],
            name=op.f("fk_deliveries_clinic_id_event_number"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "webhook_id", "event_number", name=op.f("pk_deliveries")
        ),
    )
    op.create_index(
        "ix_deliveries_clinic_id_webhook_id_status_event_number",
        "deliveries",
        ["clinic_id", "webhook_id", "status", "event_number"],
    )
    op.create_index(
        "ix_deliveries_in_order",
        "deliveries",
        ["clinic_id", "webhook_id", "subject_id", "event_number"],
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_index(
        "ix_deliveries_next",
        "deliveries",
        ["clinic_id", "webhook_id", "next_at", "event_number"],
        sqlite_where=NEXT,
        postgresql_where=NEXT,
    )


def downgrade() -> None:
    """Drop both tables."""
    op.drop_table("deliveries")
    op.drop_table("webhooks")
