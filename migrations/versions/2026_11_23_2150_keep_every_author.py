"""Keep everybody who wrote into a protocol version: none of them may approve it."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "b81f3c5d9e26"
down_revision: str | Sequence[str] | None = "e1c85d27f904"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add the column; of versions that there are, only who wrote last is known."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.add_column(sa.Column("authors", sa.JSON(none_as_null=True), nullable=True))


def downgrade() -> None:
    """Forget all but who wrote last."""
    with op.batch_alter_table("protocol_versions") as versions:
        versions.drop_column("authors")
