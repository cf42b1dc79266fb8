"""The FHIR R4 face (https://hl7.org/fhir/R4): a router of its own over the same use-cases."""
