"""Patients as FHIR has them: https://hl7.org/fhir/R4/patient.html"""

from app.integrations.fhir.elements import Data, meta, without_empty
from app.persistence.patients import Identifier, PatientRecord


def patient_resource(patient: PatientRecord) -> Data:
    """A patient, as little as is known; one that was merged says into whom."""
    merged = patient.merged_into
    return without_empty(
        {
            "resourceType": "Patient",
            "id": str(patient.id),
            "meta": meta(patient.revision, patient.updated_at),
            "identifier": [identifier_data(one) for one in patient.identifiers],
            "active": patient.is_present,
            "name": [] if patient.name is None else [{"text": patient.name}],
            "birthDate": None if patient.birth_date is None else patient.birth_date.isoformat(),
            "link": []
            if merged is None
            else [{"other": {"reference": f"Patient/{merged}"}, "type": "replaced-by"}],
        }
    )


def identifier_data(identifier: Identifier) -> Data:
    """What another system calls something."""
    return {"system": identifier.system, "value": identifier.value}
