"""Patients over FHIR: https://hl7.org/fhir/R4/patient.html"""

from app.api.fhir.interactions import Answer, Ask, Face, Found, Resource
from app.api.fhir.queries import Parameter, Query, page_of
from app.api.fhir.reading import own_id
from app.api.fhir.writing import native, outcome_of_change, refuse, resource_in
from app.api.patients import PatientIn
from app.integrations.fhir.patient_reading import left_out, native_patient
from app.integrations.fhir.patients import patient_resource
from app.services import patients
from app.services.patients import PatientNotFound, PatientSearch


async def read(ask: Ask) -> Resource:
    """One patient."""
    patient_id = own_id(ask.id, PatientNotFound("no such patient"))
    return patient_resource(await patients.get_patient(ask.ctx, patient_id))


async def vread(ask: Ask) -> Resource:
    """The same at one revision; earlier ones are not kept."""
    found = await read(ask)
    if found["meta"]["versionId"] != ask.version:
        raise PatientNotFound("that revision is not kept")
    return found


async def create(ask: Ask) -> Answer:
    """Add a patient."""
    resource = await resource_in(ask, "Patient")
    body, faults = native_patient(resource)
    refuse(faults)
    added = await patients.add_patient(ask.ctx, native(PatientIn, body, "Patient").to_domain())
    return Answer(
        resource=patient_resource(added),
        status=201,
        location=f"Patient/{added.id}/_history/{added.revision}",
        outcome=outcome_of_change(None, left_out(resource)),
    )


async def search(ask: Ask, query: Query) -> Found:
    """Patients by what other systems call them, by name or birth date."""
    wanted = PatientSearch(
        ids=query.ids("_id"),
        identifiers=query.tokens("identifier"),
        names=query.criteria.get("name", ()),
        born=query.days("birthdate"),
        has_identifier=query.has("identifier"),
        has_name=query.has("name"),
        has_birth_date=query.has("birthdate"),
        updated=query.instants("_lastUpdated"),
    )
    found = await patients.find_patients(ask.ctx, wanted, page_of(query))
    items = tuple(patient_resource(one) for one in found.items)
    return Found(items=items, next=found.next, total=found.total)


FACE = Face(
    type="Patient",
    text="As little of a patient as scheduling needs: identifiers, name and birth date.",
    summary=frozenset({"identifier", "active", "name", "birthDate", "link"}),
    parameters=(
        Parameter("identifier", "token", "What another system calls the patient.", optional=True),
        Parameter(
            "name", "string", "A part of the name; case and accents do not matter.", optional=True
        ),
        Parameter("birthdate", "date", "The birth date.", optional=True),
    ),
    sorts=("_id", "_lastUpdated"),
    read=read,
    vread=vread,
    search=search,
    create=create,
    conditional_create=True,
)
