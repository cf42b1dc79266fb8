"""Remember which steps were announced as due or overdue, and until which day each location."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "7e41c9d2b0f6"
down_revision: str | Sequence[str] | None = "5d0b3f7a92c1"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Add both columns; nothing is announced yet."""
    with op.batch_alter_table("planned_steps") as steps:
        steps.add_column(sa.Column("announced", sa.Text(), nullable=True))
        steps.create_check_constraint(
            op.f("ck_planned_steps_announced"), "announced IN ('due', 'overdue')"
        )
    with op.batch_alter_table("locations") as locations:
        locations.add_column(sa.Column("announced_on", sa.Date(), nullable=True))


def downgrade() -> None:
    """Forget what was announced."""
    with op.batch_alter_table("locations") as locations:
        locations.drop_column("announced_on")
    with op.batch_alter_table("planned_steps") as steps:
        steps.drop_constraint(op.f("ck_planned_steps_announced"), type_="check")
        steps.drop_column("announced")
