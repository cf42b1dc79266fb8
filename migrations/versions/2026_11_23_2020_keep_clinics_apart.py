"""Keep clinics apart by row-level security on PostgreSQL, for the tables' owner too."""

from collections.abc import Sequence

from alembic import op

revision: str = "f0c6a91e38d5"
down_revision: str | Sequence[str] | None = "c7e2a94d1f36"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

TABLES = (
    "api_keys",
    "batch_items",
    "batches",
    "calendars",
    "clinic_rules",
    "clinics",
    "closures",
    "deliveries",
    "event_counters",
    "events",
    "idempotency_keys",
    "locations",
    "oauth_assertions",
    "oauth_clients",
    "patient_absences",
    "patient_events",
    "patient_identifiers",
    "patients",
    "plan_identifiers",
    "plan_revisions",
    "planned_steps",
    "plans",
    "protocol_versions",
    "protocols",
    "webhooks",
)
# Where a worker looks for what waits in any clinic; and whether there is any caller.
OVERLOOKED = (
    "api_keys",
    "batch_items",
    "batches",
    "clinics",
    "deliveries",
    "event_counters",
    "locations",
    "oauth_clients",
    "webhooks",
)

OWN = "clinic_id = NULLIF(current_setting('regimen.clinic', true), '')::uuid"
MIGRATING = "current_setting('regimen.migrating', true) = 'on'"
OVERLOOKS = "current_setting('regimen.overlooks', true) = 'on'"


def upgrade() -> None:
    """Show and take rows of the clinic only that a connection says it is for."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in TABLES:
        op.execute(f"CREATE POLICY own_clinic ON {table} USING ({OWN}) WITH CHECK ({OWN})")
        op.execute(
            f"CREATE POLICY migrating ON {table} TO CURRENT_USER"
            f" USING ({MIGRATING}) WITH CHECK ({MIGRATING})"
        )
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    for table in OVERLOOKED:
        op.execute(f"CREATE POLICY overlooking ON {table} FOR SELECT USING ({OVERLOOKS})")


def downgrade() -> None:
    """Show every row to everybody who may read the table."""
    if op.get_bind().dialect.name != "postgresql":
        return
    for table in OVERLOOKED:
        op.execute(f"DROP POLICY overlooking ON {table}")
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")
        op.execute(f"DROP POLICY migrating ON {table}")
        op.execute(f"DROP POLICY own_clinic ON {table}")
