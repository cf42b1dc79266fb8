"""Regimen: treatment-plan scheduling for regenerative medicine."""
