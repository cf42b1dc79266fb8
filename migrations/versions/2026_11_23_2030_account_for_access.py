"""Account for access: what waits, the chain of batches, and where each patient is in it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a4d17c5be902"
down_revision: str | Sequence[str] | None = "f0c6a91e38d5"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
TABLES = ("access_chains", "access_waiting", "access_batches", "access_patients")

OWN = "clinic_id = NULLIF(current_setting('regimen.clinic', true), '')::uuid"
MIGRATING = "current_setting('regimen.migrating', true) = 'on'"


def upgrade() -> None:
    """Create the tables; on PostgreSQL each clinic sees its own rows only."""
    op.create_table(
        "access_chains",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("first_number", sa.BigInteger(), nullable=False),
        sa.Column("first_hash", sa.Text(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.Column("last_hash", sa.Text(), nullable=False),
        _of_clinic("access_chains"),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_access_chains")),
    )
    op.create_table(
        "access_waiting",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("access", sa.JSON(), nullable=False),
        _of_clinic("access_waiting"),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_access_waiting")),
    )
    op.create_table(
        "access_batches",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_at", INSTANT, nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("previous_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column("accesses", sa.Text(), nullable=False),
        _of_clinic("access_batches"),
        sa.PrimaryKeyConstraint("clinic_id", "number", name=op.f("pk_access_batches")),
    )
    op.create_index("ix_access_batches_clinic_id_at", "access_batches", ["clinic_id", "at"])
    op.create_table(
        "access_patients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "number"],
            ["access_batches.clinic_id", "access_batches.number"],
            name=op.f("fk_access_patients_clinic_id_number"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "patient_id", "number", name=op.f("pk_access_patients")
        ),
    )
    op.create_index(
        "ix_access_patients_clinic_id_number", "access_patients", ["clinic_id", "number"]
    )
    if op.get_bind().dialect.name == "postgresql":
        _keep_clinics_apart()


def downgrade() -> None:
    """Drop them."""
    for table in reversed(TABLES):
        op.drop_table(table)


def _of_clinic(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["clinic_id"], ["clinics.clinic_id"], name=op.f(f"fk_{table}_clinic_id")
    )


def _keep_clinics_apart() -> None:
    for table in TABLES:
        op.execute(f"CREATE POLICY own_clinic ON {table} USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(
            f"CREATE POLICY migrating ON {table} TO CURRENT_USER"
            f" USING ({MIGRATING}) WITH CHECK ({MIGRATING})"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
