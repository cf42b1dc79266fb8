"""Protocols for tests of the API: small documents, stored, approved."""

from typing import Any

from tests.client import Answer, Client

Data = dict[str, Any]

SMALL: Data = {
    "format": 1,
    "key": "small",
    "version": "1.0.0",
    "title": "A small protocol",
    "evidence_note": "Clinic practice; there is no trial of it.",
    "anchor": "session",
    "steps": [
        {"key": "session", "kind": "procedure", "title": "Session"},
        {
            "key": "visit",
            "kind": "visit",
            "title": "Follow-up",
            "timings": [
                {
                    "relative_to": {"step": "session"},
                    "earliest": "P10D",
                    "target": "P14D",
                    "latest": "P18D",
                }
            ],
            "sources": {"timing": ["cfg"]},
        },
    ],
}
YAML = b"""
format: 1
key: small
version: 1.0.0
title: A small protocol
evidence_note: Clinic practice; there is no trial of it.
anchor: session
steps:
  - {key: session, kind: procedure, title: Session}
  - key: visit
    kind: visit
    title: Follow-up
    timings:
      - {relative_to: {step: session}, earliest: P10D, target: P14D, latest: P18D}
    sources: {timing: [cfg]}
"""
ADDRESS = "/v1/protocols/small/versions/1.0.0"


def visit(**members: Any) -> Data:
    """The small protocol with another follow-up."""
    return SMALL | {"steps": [SMALL["steps"][0], SMALL["steps"][1] | members]}


def bounds(earliest: str, target: str, latest: str) -> list[Data]:
    """The timings of a step that counts from the session."""
    reference = {"step": "session"}
    return [{"relative_to": reference, "earliest": earliest, "target": target, "latest": latest}]


def approval(version: Data, **members: Any) -> Data:
    """A whole approval of a version."""
    usual: Data = {
        "name": "Dr. Robin Vale",
        "credential": "MD",
        "content_hash": version["content_hash"],
        "evidence_note_read": True,
        "confirmed": [figure["id"] for figure in version["to_confirm"]],
    }
    return usual | members


async def store(api: Client, document: Data = SMALL) -> Data:
    """A stored draft."""
    answer = await api.post("/v1/protocols", json=document)
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


async def activate(api: Client, version: Data, **members: Any) -> Answer:
    """Approve a version."""
    address = f"/v1/protocols/{version['key']}/versions/{version['version']}/activate"
    return await api.post(address, json=approval(version, **members))


async def stored_and_active(api: Client, document: Data = SMALL) -> Data:
    """A stored and approved version."""
    answer = await activate(api, await store(api, document))
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def faults(answer: Answer) -> dict[str, str]:
    """Code of every fault by its pointer."""
    assert answer.status_code == 422, answer.text
    return {fault["pointer"]: fault["code"] for fault in answer.json()["errors"]}


def refused(answer: Answer) -> tuple[int, str]:
    """Status and kind of a refusal."""
    return answer.status_code, answer.json()["type"]
