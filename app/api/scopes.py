"""Which scope each operation needs, in one table: what is not in it cannot be served."""

from collections.abc import Mapping
from types import MappingProxyType

from app.domain.permissions import Scope

# By operation id; None is open to everybody.
SCOPES: Mapping[str, Scope | None] = MappingProxyType(
    {
        "amend_plans": Scope.PLANS_WRITE,
        "cancel_batch": Scope.PLANS_WRITE,
        "change_plan": Scope.PLANS_WRITE,
        "count_worklist": Scope.PLANS_READ,
        "create_plan": Scope.PLANS_WRITE,
        "create_plans": Scope.PLANS_WRITE,
        "get_batch": Scope.PLANS_READ,
        "judge_step_day": Scope.PLANS_READ,
        "list_attention": Scope.PLANS_READ,
        "look_at_plan": Scope.PLANS_READ,
        "list_batch_items": Scope.PLANS_READ,
        "list_plans": Scope.PLANS_READ,
        "list_revisions": Scope.PLANS_READ,
        "list_step_days": Scope.PLANS_READ,
        "list_worklist": Scope.PLANS_READ,
        "preview_amendment": Scope.PLANS_READ,
        "preview_change": Scope.PLANS_READ,
        "preview_closure": Scope.PLANS_READ,
        "preview_plan": Scope.PLANS_READ,
        "propose_plans": Scope.PLANS_READ,
        "read_plan": Scope.PLANS_READ,
        "read_revision": Scope.PLANS_READ,
        "add_absence": Scope.PATIENTS_WRITE,
        "change_patient": Scope.PATIENTS_WRITE,
        "erase_patient": Scope.PATIENTS_ERASE,
        "get_patient": Scope.PATIENTS_READ,
        "list_absences": Scope.PATIENTS_READ,
        "list_events": Scope.PATIENTS_READ,
        "list_patients": Scope.PATIENTS_READ,
        "list_restrictions": Scope.PATIENTS_READ,
        "merge_patient": Scope.PATIENTS_WRITE,
        "remove_absence": Scope.PATIENTS_WRITE,
        "report_event": Scope.PATIENTS_WRITE,
        "search_patients": Scope.PATIENTS_READ,
        "upsert_patient": Scope.PATIENTS_WRITE,
        "withdraw_event": Scope.PATIENTS_WRITE,
        "activate_version": Scope.PROTOCOLS_APPROVE,
        "check_protocol": Scope.PROTOCOLS_READ,
        "compare_versions": Scope.PROTOCOLS_READ,
        "create_protocol": Scope.PROTOCOLS_WRITE,
        "create_version": Scope.PROTOCOLS_WRITE,
        "edit_version": Scope.PROTOCOLS_WRITE,
        "get_protocol": Scope.PROTOCOLS_READ,
        "get_protocol_schema": Scope.PROTOCOLS_READ,
        "get_version": Scope.PROTOCOLS_READ,
        "install_library": Scope.PROTOCOLS_WRITE,
        "list_protocols": Scope.PROTOCOLS_READ,
        "list_versions": Scope.PROTOCOLS_READ,
        "retire_version": Scope.PROTOCOLS_APPROVE,
        "change_location": Scope.CLINIC_WRITE,
        "create_closure": Scope.CLINIC_WRITE,
        "create_location": Scope.CLINIC_WRITE,
        "delete_closure": Scope.CLINIC_WRITE,
        "get_clinic_rules": Scope.CLINIC_READ,
        "get_location": Scope.CLINIC_READ,
        "list_closures": Scope.CLINIC_READ,
        "list_locations": Scope.CLINIC_READ,
        "read_clock": Scope.CLINIC_READ,
        "save_clinic_rules": Scope.CLINIC_WRITE,
        "set_clock": Scope.CLINIC_WRITE,
        "read_events": Scope.EVENTS_READ,
        "change_webhook": Scope.WEBHOOKS,
        "create_webhook": Scope.WEBHOOKS,
        "delete_webhook": Scope.WEBHOOKS,
        "get_delivery": Scope.WEBHOOKS,
        "get_webhook": Scope.WEBHOOKS,
        "list_deliveries": Scope.WEBHOOKS,
        "list_webhooks": Scope.WEBHOOKS,
        "read_webhook_secret": Scope.WEBHOOKS,
        "replay_deliveries": Scope.WEBHOOKS,
        "replay_delivery": Scope.WEBHOOKS,
        "rotate_webhook_secret": Scope.WEBHOOKS,
        "test_webhook": Scope.WEBHOOKS,
        "create_key": Scope.ADMIN,
        "list_keys": Scope.ADMIN,
        "revoke_key": Scope.ADMIN,
        "rotate_key": Scope.ADMIN,
        "check_readiness": None,
        "read_liveness": None,
    }
)


def scope_of(operation_id: str | None) -> Scope | None:
    """The scope that an operation needs. Raises LookupError for one that was forgotten."""
    if operation_id is None or operation_id not in SCOPES:
        raise LookupError(f"operation {operation_id} has no scope: name it in app/api/scopes.py")
    return SCOPES[operation_id]
