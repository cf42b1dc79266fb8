"""Create all tables, with one clinic in them."""

from collections.abc import Sequence
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision: str = "81cf63c23aa5"
down_revision: str | Sequence[str] | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


# Aware on PostgreSQL; on SQLite text of one width, in UTC, that sorts by time.
INSTANT = sa.DateTime(timezone=True).with_variant(sa.String(27), "sqlite")
DOCUMENT = sa.JSON(none_as_null=True)

# The clinic to which everything belongs until callers are told apart.
DEFAULT_CLINIC = UUID("01938a5e-0000-7000-8000-000000000001")
NOW = {
    "postgresql": "now()",
    "sqlite": "strftime('%Y-%m-%dT%H:%M:%f000Z', 'now')",
}


def upgrade() -> None:
    """Create all tables and the default clinic."""
    op.create_table(
        "clinics",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sandbox", sa.Boolean(), nullable=False),
        sa.Column("clock_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "sandbox OR clock_at IS NULL", name=op.f("ck_clinics_clock_only_in_sandbox")
        ),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_clinics")),
    )
    op.create_table(
        "clinic_rules",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("document", DOCUMENT, nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_clinic_rules_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_clinic_rules")),
    )
    op.create_table(
        "event_counters",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("last_number", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_event_counters_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", name=op.f("pk_event_counters")),
    )
    op.create_table(
        "events",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=True),
        sa.Column("patient_id", sa.Uuid(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=True),
        sa.Column("data", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_events_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "number", name=op.f("pk_events")),
        sa.UniqueConstraint("clinic_id", "id", name=op.f("uq_events_clinic_id_id")),
    )
    op.create_index(
        "ix_events_clinic_id_plan_id_number",
        "events",
        ["clinic_id", "plan_id", "number"],
        unique=False,
    )

    op.create_table(
        "idempotency_keys",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("status_code", sa.Integer(), nullable=True),
        sa.Column("headers", DOCUMENT, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_idempotency_keys_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "key", name=op.f("pk_idempotency_keys")),
    )
    op.create_index(
        "ix_idempotency_keys_clinic_id_created_at",
        "idempotency_keys",
        ["clinic_id", "created_at"],
        unique=False,
    )

    op.create_table(
        "locations",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("time_zone", sa.Text(), nullable=False),
        sa.Column("open_weekdays", DOCUMENT, nullable=False),
        sa.Column("hours", DOCUMENT, nullable=True),
        sa.Column("notice_days", sa.Integer(), nullable=False),
        sa.Column("holiday_country", sa.Text(), nullable=True),
        sa.Column("holiday_subdivision", sa.Text(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.CheckConstraint("notice_days BETWEEN 0 AND 366", name=op.f("ck_locations_notice_days")),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_locations_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_locations")),
    )
    op.create_table(
        "patients",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("name_folded", sa.Text(), nullable=True),
        sa.Column("birth_date", sa.Date(), nullable=True),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("merged_into", sa.Uuid(), nullable=True),
        sa.Column("erased_at", INSTANT, nullable=True),
        sa.CheckConstraint("merged_into <> id", name=op.f("ck_patients_merged_into_another")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "merged_into"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patients_clinic_id_merged_into"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_patients_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_patients")),
    )
    op.create_index(
        "ix_patients_clinic_id_merged_into",
        "patients",
        ["clinic_id", "merged_into"],
        unique=False,
    )

    op.create_table(
        "protocols",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id"], ["clinics.clinic_id"], name=op.f("fk_protocols_clinic_id")
        ),
        sa.PrimaryKeyConstraint("clinic_id", "key", name=op.f("pk_protocols")),
    )
    op.create_table(
        "closures",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("holiday", sa.Boolean(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "first_day <= last_day", name=op.f("ck_closures_first_day_not_after_last_day")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "location_id"],
            ["locations.clinic_id", "locations.id"],
            name=op.f("fk_closures_clinic_id_location_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_closures")),
        sa.UniqueConstraint(
            "clinic_id", "location_id", "key", name=op.f("uq_closures_clinic_id_location_id_key")
        ),
    )
    op.create_index(
        "ix_closures_clinic_id_location_id_last_day",
        "closures",
        ["clinic_id", "location_id", "last_day"],
        unique=False,
    )

    op.create_table(
        "patient_absences",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.CheckConstraint(
            "first_day <= last_day", name=op.f("ck_patient_absences_first_day_not_after_last_day")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_absences_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_patient_absences")),
    )
    op.create_index(
        "ix_patient_absences_clinic_id_patient_id_first_day",
        "patient_absences",
        ["clinic_id", "patient_id", "first_day"],
        unique=False,
    )

    op.create_table(
        "patient_events",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("finding", sa.Text(), nullable=True),
        sa.Column("on_day", sa.Date(), nullable=False),
        sa.Column("cleared_on", sa.Date(), nullable=True),
        sa.Column("body_site", sa.Text(), nullable=True),
        sa.Column("laterality", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("withdrawn_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "laterality IN ('left', 'right', 'bilateral')",
            name=op.f("ck_patient_events_laterality"),
        ),
        sa.CheckConstraint(
            "(agent IS NULL) <> (finding IS NULL)", name=op.f("ck_patient_events_agent_or_finding")
        ),
        sa.CheckConstraint(
            "on_day <= cleared_on", name=op.f("ck_patient_events_on_day_not_after_cleared_on")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_events_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_patient_events")),
    )
    op.create_index(
        "ix_patient_events_clinic_id_patient_id_on_day",
        "patient_events",
        ["clinic_id", "patient_id", "on_day"],
        unique=False,
    )

    op.create_table(
        "patient_identifiers",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_patient_identifiers_clinic_id_patient_id"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "system", "value", name=op.f("pk_patient_identifiers")
        ),
    )
    op.create_index(
        "ix_patient_identifiers_clinic_id_patient_id",
        "patient_identifiers",
        ["clinic_id", "patient_id"],
        unique=False,
    )

    op.create_table(
        "protocol_versions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("protocol_key", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("example", sa.Boolean(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("document", DOCUMENT, nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("activated_at", INSTANT, nullable=True),
        sa.Column("approval", DOCUMENT, nullable=True),
        sa.Column("retired_at", INSTANT, nullable=True),
        sa.CheckConstraint(
            "status <> 'active' OR (activated_at IS NOT NULL AND approval IS NOT NULL)",
            name=op.f("ck_protocol_versions_active_is_approved"),
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'retired')", name=op.f("ck_protocol_versions_status")
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "protocol_key"],
            ["protocols.clinic_id", "protocols.key"],
            name=op.f("fk_protocol_versions_clinic_id_protocol_key"),
        ),
        sa.PrimaryKeyConstraint(
            "clinic_id", "protocol_key", "version", name=op.f("pk_protocol_versions")
        ),
    )
    op.create_index(
        "uq_protocol_versions_active",
        "protocol_versions",
        ["clinic_id", "protocol_key"],
        unique=True,
        sqlite_where=sa.text("status = 'active'"),
        postgresql_where=sa.text("status = 'active'"),
    )

    op.create_table(
        "plans",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("protocol_key", sa.Text(), nullable=False),
        sa.Column("protocol_version", sa.Text(), nullable=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("body_site", sa.Text(), nullable=True),
        sa.Column("laterality", sa.Text(), nullable=True),
        sa.Column("condition", sa.Text(), nullable=True),
        sa.Column("practitioner", sa.Text(), nullable=True),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("anchor", DOCUMENT, nullable=True),
        sa.Column("state", DOCUMENT, nullable=False),
        sa.Column("chosen", DOCUMENT, nullable=False),
        sa.Column("breaches", DOCUMENT, nullable=False),
        sa.Column("attention", DOCUMENT, nullable=False),
        sa.Column("needs_attention", sa.Boolean(), nullable=False),
        sa.Column("next_step_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("updated_at", INSTANT, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "laterality IN ('left', 'right', 'bilateral')", name=op.f("ck_plans_laterality")
        ),
        sa.CheckConstraint(
            "status IN ('draft', 'active', 'on_hold', 'completed', 'revoked', 'entered_in_error')",
            name=op.f("ck_plans_status"),
        ),
        sa.CheckConstraint("revision >= 1", name=op.f("ck_plans_revision")),
        sa.ForeignKeyConstraint(
            ["clinic_id", "location_id"],
            ["locations.clinic_id", "locations.id"],
            name=op.f("fk_plans_clinic_id_location_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "patient_id"],
            ["patients.clinic_id", "patients.id"],
            name=op.f("fk_plans_clinic_id_patient_id"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "protocol_key", "protocol_version"],
            [
                "protocol_versions.clinic_id",
                "protocol_versions.protocol_key",
                "protocol_versions.version",
            ],
            name=op.f("fk_plans_clinic_id_protocol_key_protocol_version"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_plans")),
    )
    op.create_index(
        "ix_plans_attention",
        "plans",
        ["clinic_id", "id"],
        unique=False,
        sqlite_where=sa.text("needs_attention"),
        postgresql_where=sa.text("needs_attention"),
    )
    op.create_index(
        "ix_plans_clinic_id_location_id_id",
        "plans",
        ["clinic_id", "location_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_plans_clinic_id_patient_id_id",
        "plans",
        ["clinic_id", "patient_id", "id"],
        unique=False,
    )
    op.create_index(
        "ix_plans_clinic_id_protocol_key_protocol_version_id",
        "plans",
        ["clinic_id", "protocol_key", "protocol_version", "id"],
        unique=False,
    )

    op.create_table(
        "plan_identifiers",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id"],
            ["plans.clinic_id", "plans.id"],
            name=op.f("fk_plan_identifiers_clinic_id_plan_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "system", "value", name=op.f("pk_plan_identifiers")),
    )
    op.create_index(
        "ix_plan_identifiers_clinic_id_plan_id",
        "plan_identifiers",
        ["clinic_id", "plan_id"],
        unique=False,
    )

    op.create_table(
        "plan_revisions",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("at", INSTANT, nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("change", DOCUMENT, nullable=True),
        sa.Column("moves", DOCUMENT, nullable=False),
        sa.Column("snapshot", DOCUMENT, nullable=False),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id"],
            ["plans.clinic_id", "plans.id"],
            name=op.f("fk_plan_revisions_clinic_id_plan_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "plan_id", "revision", name=op.f("pk_plan_revisions")),
    )
    op.create_table(
        "planned_steps",
        sa.Column("clinic_id", sa.Uuid(), nullable=False),
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("plan_id", sa.Uuid(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("occurrence", sa.Text(), nullable=True),
        sa.Column("ordinal", sa.Integer(), nullable=True),
        sa.Column("of_count", sa.Integer(), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("agent", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("tentative", sa.Boolean(), nullable=False),
        sa.Column("optional", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=True),
        sa.Column("end_day", sa.Date(), nullable=True),
        sa.Column("window_earliest", sa.Date(), nullable=True),
        sa.Column("window_target", sa.Date(), nullable=True),
        sa.Column("window_latest", sa.Date(), nullable=True),
        sa.Column("deadline", sa.Boolean(), nullable=False),
        sa.Column("deviation_days", sa.Integer(), nullable=True),
        sa.Column("duration_minutes", sa.Integer(), nullable=True),
        sa.Column("modes", DOCUMENT, nullable=False),
        sa.Column("reasons", DOCUMENT, nullable=False),
        sa.Column("instructions", DOCUMENT, nullable=False),
        sa.Column("appointment", DOCUMENT, nullable=True),
        sa.Column("location_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "kind IN ('injection', 'procedure', 'visit', 'call', 'rehab', 'device-fitting', 'assessment', 'decision', 'restriction')",
            name=op.f("ck_planned_steps_kind"),
        ),
        sa.CheckConstraint(
            "status IN ('proposed', 'planned', 'booked', 'performed', 'missed', 'skipped', 'cancelled', 'entered_in_error')",
            name=op.f("ck_planned_steps_status"),
        ),
        sa.CheckConstraint("day <= end_day", name=op.f("ck_planned_steps_day_not_after_end_day")),
        sa.CheckConstraint(
            "window_earliest <= window_target",
            name=op.f("ck_planned_steps_window_earliest_not_after_window_target"),
        ),
        sa.CheckConstraint(
            "window_target <= window_latest",
            name=op.f("ck_planned_steps_window_target_not_after_window_latest"),
        ),
        sa.ForeignKeyConstraint(
            ["clinic_id", "plan_id"],
            ["plans.clinic_id", "plans.id"],
            name=op.f("fk_planned_steps_clinic_id_plan_id"),
        ),
        sa.PrimaryKeyConstraint("clinic_id", "id", name=op.f("pk_planned_steps")),
        sa.UniqueConstraint(
            "clinic_id",
            "plan_id",
            "position",
            name=op.f("uq_planned_steps_clinic_id_plan_id_position"),
        ),
    )
    op.create_index(
        "ix_planned_steps_worklist",
        "planned_steps",
        ["clinic_id", "day", "id"],
        unique=False,
        sqlite_where=sa.text("status IN ('planned', 'booked')"),
        postgresql_where=sa.text("status IN ('planned', 'booked')"),
    )
    dialect = op.get_bind().dialect.name
    clinics = sa.table(
        "clinics",
        sa.column("clinic_id", sa.Uuid()),
        sa.column("name", sa.Text()),
        sa.column("sandbox", sa.Boolean()),
        sa.column("created_at"),
    )
    op.execute(
        clinics.insert().values(
            clinic_id=DEFAULT_CLINIC,
            name="Default clinic",
            sandbox=False,
            created_at=sa.text(NOW[dialect]),
        )
    )


def downgrade() -> None:
    """Drop all tables, their indexes with them."""
    op.drop_table("planned_steps")
    op.drop_table("plan_revisions")
    op.drop_table("plan_identifiers")
    op.drop_table("plans")
    op.drop_table("protocol_versions")
    op.drop_table("patient_identifiers")
    op.drop_table("patient_events")
    op.drop_table("patient_absences")
    op.drop_table("closures")
    op.drop_table("protocols")
    op.drop_table("patients")
    op.drop_table("locations")
    op.drop_table("idempotency_keys")
    op.drop_table("events")
    op.drop_table("event_counters")
    op.drop_table("clinic_rules")
    op.drop_table("clinics")
