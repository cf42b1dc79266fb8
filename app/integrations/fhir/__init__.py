"""Pure mapping between the domain and FHIR R4 resources as plain dicts; no HTTP, no storage."""
