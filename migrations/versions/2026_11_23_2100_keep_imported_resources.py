"""Keep the resource of another system that a protocol version was read from."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a4d09c6e7f21"
down_revision: str | Sequence[str] | None = "a4d17c5be902"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the column; no version was imported yet."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.add_column(sa.Column("imported", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Forget the resources: what they said of days is in the documents."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.drop_column("imported")
