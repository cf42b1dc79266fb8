"""Know callers by keys and clients, and who wrote what a protocol version says."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b7d21f64c0a8"
down_revision: str | Sequence[str] | None = "b3c81f5e7d20"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True)
ROLES = "role IN ('front-desk', 'clinician', 'approver', 'read-only', 'integration', 'admin')"


def upgrade() -> None:
    """Create the tables; whoever wrote what is there already is not known."""
    _create_api_keys()
    _create_clients()
    with op.batch_alter_table("protocol_versions") as versions:
        versions.add_column(sa.Column("written_by", sa.Text(), nullable=True))


def downgrade() -> None:
    """Forget all callers."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.drop_column("written_by")
    op.drop_table("oauth_assertions")
    op.drop_table("oauth_clients")
    op.drop_table("api_keys")


def _create_api_keys() -> None:
    op.create_table(
        "api_keys",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.Column("rotated_from", sa.Uuid(), nullable=True),
        sa.CheckConstraint(ROLES, name=op.f("ck_api_keys_role")),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_api_keys_clinic_id")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "rotated_from"],
            ["api_keys.clinic_id", "api_keys.id"],
            name=op.f("fk_api_keys_clinic_id_rotated_from"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_api_keys")),
        sa.UniqueConstraint("clinic_id", "prefix", name=op.f("uq_api_keys_clinic_id_prefix")),
        sa.UniqueConstraint(
            "clinic_id", "rotated_from", name=op.f("uq_api_keys_clinic_id_rotated_from")
        ),
    )
    op.create_index(
        "uq_api_keys_first_of_name",
        "api_keys",
        ["clinic_id", "name"],
        unique=True,
        sqlite_where=sa.text("rotated_from IS NULL"),
        postgresql_where=sa.text("rotated_from IS NULL"),
    )


def _create_clients() -> None:
    op.create_table(
        "oauth_clients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("scopes", DOCUMENT, nullable=True),
        sa.Column("jwks", DOCUMENT, nullable=True),
        sa.Column("jwks_url", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.CheckConstraint(ROLES, name=op.f("ck_oauth_clients_role")),
        sa.CheckConstraint(
            "(jwks IS NULL) <> (jwks_url IS NULL)",
            name=op.f("ck_oauth_clients_jwks_by_value_or_url"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_oauth_clients_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_oauth_clients")),
        sa.UniqueConstraint("clinic_id", "name", name=op.f("uq_oauth_clients_clinic_id_name")),
    )
    op.create_table(
        "oauth_assertions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("client_id", sa.Uuid(), nullable=False),
        sa.Column("jti_hash", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "client_id"],
            ["oauth_clients.clinic_id", "oauth_clients.id"],
            name=op.f("fk_oauth_assertions_clinic_id_client_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "client_id", "jti_hash", name=op.f("pk_oauth_assertions")
        ),
    )
    op.create_index(
        "ix_oauth_assertions_clinic_id_expires_at",
        "oauth_assertions",
        ["clinic_id", "expires_at"],
    )
