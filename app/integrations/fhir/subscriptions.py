"""Webhooks as FHIR has them: https://hl7.org/fhir/R4/subscription.html

A subscription is a webhook that is sent what concerns one type of resource. Messages are those of
every webhook: ids and codes, signed; who is sent one reads the resource.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from app.domain.errors import Fault
from app.integrations.fhir.elements import Data, instant, meta, without_empty
from app.persistence.webhooks import WebhookRecord

_STEPS = (
    *("step_added", "step_removed", "step_moved", "step_booked", "step_unbooked"),
    *("step_performed", "step_missed", "step_skipped", "step_cancelled", "step_restored"),
    "step_corrected",
)
_PLANS = (
    *("plan_created", "plan_changed", "plan_activated", "plan_held", "plan_resumed"),
    *("plan_completed", "plan_revoked", "plan_amended"),
)
# What may be subscribed to, and which events tell of it; each has events of its own.
CRITERIA: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "Appointment": frozenset({"plan_created", *_STEPS}),
        "CarePlan": frozenset({*_PLANS, *_STEPS, "decision_taken"}),
        "Patient": frozenset(
            {"patient_added", "patient_changed", "patient_merged", "patient_erased"}
        ),
        "Procedure": frozenset({"step_performed", "step_corrected"}),
        "ServiceRequest": frozenset({*_PLANS, *_STEPS}),
        "Task": frozenset(
            {"decision_due", "decision_taken", "breach_found", "breach_cleared", "step_missed"}
        ),
    }
)
READ = frozenset({"resourceType", "id", "meta", "text", "status", "reason", "criteria", "channel"})
_CHANNEL = frozenset({"type", "endpoint"})


def criteria_of(webhook: WebhookRecord) -> str | None:
    """What a webhook is subscribed to; None where it is no subscription."""
    types = frozenset(webhook.event_types or ())
    return next((criteria for criteria, known in CRITERIA.items() if known == types), None)


def subscription(webhook: WebhookRecord) -> Data | None:
    """A webhook as a subscription; None where it is sent something else."""
    criteria = criteria_of(webhook)
    if criteria is None:
        return None
    is_broken = webhook.disabled_because == "failing"
    return without_empty(
        {
            "resourceType": "Subscription",
            "id": str(webhook.id),
            "meta": meta(webhook.revision, webhook.updated_at),
            "status": "active" if webhook.enabled else "error" if is_broken else "off",
            "reason": webhook.title or criteria,
            "criteria": criteria,
            "error": _error(webhook),
            "channel": {"type": "rest-hook", "endpoint": webhook.url},
        }
    )


def _error(webhook: WebhookRecord) -> str | None:
    if webhook.disabled_because == "gone":
        return "the endpoint answered that it wants no more (410)"
    failing = webhook.failing_since
    return None if failing is None else f"nothing arrived since {instant(failing)}"


def native_webhook(resource: Mapping[str, Any]) -> tuple[Data, list[Fault]]:
    """The body of a native request for this subscription, and what is wrong with the resource."""
    channel = resource.get("channel", {})
    faults = [
        Fault(f"Subscription.channel.{name}", "not-supported", "is not supported")
        for name in sorted(channel.keys() - _CHANNEL)
    ]
    if "end" in resource:
        faults.append(Fault("Subscription.end", "not-supported", "is not supported"))
    if channel.get("type") != "rest-hook":
        faults.append(Fault("Subscription.channel.type", "not-allowed", "must be rest-hook"))
    if "endpoint" not in channel:
        faults.append(Fault("Subscription.channel.endpoint", "missing", "is required"))
    criteria = str(resource.get("criteria", "")).rstrip("?")
    if criteria not in CRITERIA:
        text = f"must be one of {', '.join(CRITERIA)}, without parameters"
        faults.append(Fault("Subscription.criteria", "not-supported", text))
    if resource.get("status") not in {"requested", "active", "off"}:
        text = "must be one of requested, active, off"
        faults.append(Fault("Subscription.status", "not-allowed", text))
    body = {
        "url": channel.get("endpoint"),
        "title": resource.get("reason"),
        "event_types": sorted(CRITERIA.get(criteria, ())),
        "enabled": resource.get("status") != "off",
    }
    return body, faults
