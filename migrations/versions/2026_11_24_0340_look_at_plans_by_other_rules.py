"""Let a batch look at plans by other rules of the clinic."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "d47a90c6e1b3"
down_revision: str | Sequence[str] | None = "9d3e5b7a1c42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Allow the kind."""
    with op.batch_alter_table("batches") as batches:
        batches.drop_constraint(op.f("ck_batches_kind"), type_="check")
        batches.create_check_constraint(
            op.f("ck_batches_kind"), "kind IN ('closure', 'amendment', 'rules')"
        )


def downgrade() -> None:
    """Forget the batches of this kind: the plans they flagged stay so."""
    batches = sa.table("batches", sa.column("clinic_id"), sa.column("id"), sa.column("kind"))
    items = sa.table("batch_items", sa.column("clinic_id"), sa.column("batch_id"))
    of_rules = sa.select(batches.c.id).where(
        batches.c.kind == "rules", batches.c.clinic_id == items.c.clinic_id
    )
    op.execute(items.delete().where(items.c.batch_id.in_(of_rules)))
    op.execute(batches.delete().where(batches.c.kind == "rules"))
    with op.batch_alter_table("batches") as table:
        table.drop_constraint(op.f("ck_batches_kind"), type_="check")
        table.create_check_constraint(op.f("ck_batches_kind"), "kind IN ('closure', 'amendment')")
