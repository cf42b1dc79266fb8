"""Let whoever may not look over clinics count what waits in them; narrow who looks to what waits.

`migrate` names whom row-level security lets look (see `migrations/env.py`).
"""

from collections.abc import Sequence

from alembic import op

revision: str = "9d3e5b7a1c42"
down_revision: str | Sequence[str] | None = "b81f3c5d9e26"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

# On PostgreSQL a view sees what its owner sees, who owns the tables, too.
VIEWS = {
    "waiting_work": """
        SELECT
            (SELECT count(*) FROM batches
                JOIN batch_items ON batch_items.clinic_id = batches.clinic_id
                    AND batch_items.batch_id = batches.id
                WHERE batches.status = 'running' AND batch_items.status = 'waiting') AS plans,
            count(*) AS deliveries,
            min(deliveries.queued_at) AS oldest,
            (SELECT count(*) FROM webhooks
                WHERE enabled AND failing_since IS NOT NULL) AS failing
        FROM deliveries
            JOIN webhooks ON webhooks.clinic_id = deliveries.clinic_id
                AND webhooks.id = deliveries.webhook_id
        WHERE deliveries.status = 'waiting' AND webhooks.enabled
    """,
    "callers": """
        SELECT EXISTS (SELECT 1 FROM api_keys) OR EXISTS (SELECT 1 FROM oauth_clients) AS known
    """,
}
OVERLOOKS = "current_setting('regimen.overlooks', true) = 'on'"
NARROWED = {
    "batches": "status = 'running'",
    "deliveries": "status = 'waiting'",
    "webhooks": "enabled",
}


def upgrade() -> None:
    """Make the views; what is narrowed is what the version before asks for, too."""
    for name, query in VIEWS.items():
        op.execute(f"CREATE VIEW {name} AS {query}")
    if op.get_bind().dialect.name == "postgresql":
        for table, waits in NARROWED.items():
            op.execute(f"ALTER POLICY overlooking ON {table} USING ({OVERLOOKS} AND {waits})")


def downgrade() -> None:
    """Show whoever looks over clinics whole tables again."""
    if op.get_bind().dialect.name == "postgresql":
        for table in NARROWED:
            op.execute(f"ALTER POLICY overlooking ON {table} USING ({OVERLOOKS})")
    for name in VIEWS:
        op.execute(f"DROP VIEW {name}")
