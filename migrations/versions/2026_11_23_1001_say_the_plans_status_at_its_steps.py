"""Write the status of each plan to its steps."""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "a9d3e60c1b57"
down_revision: str | Sequence[str] | None = "5c1f0b7e9a42"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    """Where it is not the default."""
    plans = sa.table(
        "plans", sa.column("clinic_id"), sa.column("id"), sa.column("status", sa.Text())
    )
    steps = sa.table(
        "planned_steps",
        sa.column("clinic_id"),
        sa.column("plan_id"),
        sa.column("plan_status", sa.Text()),
    )
    of_plan = sa.and_(plans.c.clinic_id == steps.c.clinic_id, plans.c.id == steps.c.plan_id)
    status = sa.select(plans.c.status).where(of_plan).scalar_subquery()
    differs = sa.exists().where(of_plan, plans.c.status != steps.c.plan_status)
    op.execute(sa.update(steps).where(differs).values(plan_status=status))


def downgrade() -> None:
    """The column goes with the migration before."""
