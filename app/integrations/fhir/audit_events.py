"""Who saw or changed what, as FHIR has it: https://hl7.org/fhir/R4/auditevent.html"""

from app.domain.access import Access
from app.integrations.fhir.elements import OWN, Data, instant, meta, without_empty

_TYPES = "http://terminology.hl7.org/CodeSystem/audit-event-type"
_ROLES = "http://terminology.hl7.org/CodeSystem/object-role"
_ACTIONS = (("create", "C"), ("erase", "D"), ("delete", "D"))


def audit_event(id_: str, access: Access) -> Data:
    """One access: by whom, by which operation, and whose data it was, if anybody's."""
    others = [one for one in access.ids if one not in access.patients]
    patient = {"system": _ROLES, "code": "1"}
    return without_empty(
        {
            "resourceType": "AuditEvent",
            "id": id_,
            "meta": meta(1, access.at),
            "type": {"system": _TYPES, "code": "rest"},
            "subtype": [{"system": f"{OWN}:operation", "code": access.operation}],
            "action": _action(access),
            "recorded": instant(access.at),
            "outcome": "0",
            "agent": [{"who": {"display": access.credential}, "requestor": True}],
            "source": {"observer": {"display": "Regimen"}},
            "entity": [
                *(
                    {"what": {"reference": f"Patient/{id_}"}, "role": patient}
                    for id_ in access.patients
                ),
                *(
                    {"what": {"identifier": {"system": f"{OWN}:id", "value": id_}}}
                    for id_ in others
                ),
            ],
        }
    )


def _action(access: Access) -> str:
    """What was done, by the letters of CRUD."""
    if not access.stored:
        return "R"
    return next((letter for name, letter in _ACTIONS if name in access.operation), "U")
