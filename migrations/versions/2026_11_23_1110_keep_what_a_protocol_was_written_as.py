"""Keep what a protocol version that includes others was written as, beside what became of it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "3c8e5a17d9b4"
down_revision: str | Sequence[str] | None = "e80b5a7d2c13"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the column; no version includes another yet."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.add_column(sa.Column("written_as", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Forget it: the versions stay as they are, with what they include."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.drop_column("written_as")
