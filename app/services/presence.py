"""Whether a patient is here to get something new."""

from app.domain.errors import DomainError
from app.persistence.patients import PatientRecord


class PatientErased(DomainError):
    """A patient was erased, or merged into another, and gets nothing new."""


def present(patient: PatientRecord) -> PatientRecord:
    """The patient, who is here still. Raises PatientErased."""
    if patient.merged_into is not None:
        raise PatientErased("this patient was merged into another")
    if patient.erased_at is not None:
        raise PatientErased("this patient was erased")
    return patient
