"""Change nothing, so that files of former versions are migrated: that tells SQLite's planner."""

from collections.abc import Sequence

revision: str = "f27a90c4d318"
down_revision: str | Sequence[str] | None = "e1c85d27f904"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Nothing: figures of the tables are written after every migration."""


def downgrade() -> None:
    """Nothing: no former version minds them."""
