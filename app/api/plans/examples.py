"""What is shown of plans in the published document: one plan, and what is answered of it."""

from typing import Any

from app.api.plans.asking import EXAMPLE

APPOINTMENT: dict[str, Any] = {
    "starts_at": "2027-02-02T16:00:00Z",
    "ends_at": "2027-02-02T16:45:00Z",
    "identifier": "B-1",
    "mode": "in_person",
    "status": "booked",
}
STEP: dict[str, Any] = {
    "id": "01920000-0000-7000-8000-000000000102",
    "key": "primer",
    "occurrence": 2,
    "ordinal": 1,
    "of": 2,
    "kind": "injection",
    "title": "Dextrose prolotherapy primer",
    "optional": True,
    "status": "planned",
    "tentative": False,
    "date": "2027-02-02",
    "end_date": None,
    "duration_minutes": 45,
    "modes": ["in_person"],
    "appointment": None,
    "window": {"earliest": "2027-01-12", "target": "2027-02-02", "latest": "2027-02-09"},
    "deadline": False,
    "window_state": "upcoming",
    "deviation_days": 0,
    "missed": [],
    "reasons": [{"code": "on_target", "text": "21 days before primer 2 on Tue 2027-02-23"}],
    "instructions": [
        {"date": "2027-02-02", "audience": "patient", "text": "Soreness for a few days is usual."}
    ],
    "allowed_changes": ["perform", "move", "pin", "book", "skip", "cancel"],
}

PLAN: dict[str, Any] = {
    "id": "01920000-0000-7000-8000-000000000100",
    "revision": 1,
    "status": "active",
    "protocol": {
        "key": "ankle-stem-cell-prp-full",
        "version": "1.0.0",
        "example": False,
    },
    "patient_id": "01920000-0000-7000-8000-000000000001",
    "location_id": "01920000-0000-7000-8000-000000000002",
    "time_zone": "America/Denver",
    "body_site": "ankle",
    "laterality": "right",
    "condition": None,
    "practitioner": None,
    "identifiers": [],
    "note": None,
    "anchor": {"step": "session", "date": "2027-03-10"},
    "parameters": {"primer_count": 2, "booster_timing": "six_weeks"},
    "chosen": {"booster_decision": "six_weeks", "booster": "six_weeks"},
    "steps": [STEP],
    "next_step": "01920000-0000-7000-8000-000000000102",
    "needs_attention": [],
    "breaches": [],
    "starts": [],
    "created_at": "2027-01-04T16:00:00Z",
    "updated_at": "2027-01-04T16:00:00Z",
}
MOVE: dict[str, Any] = {
    "step_id": "01920000-0000-7000-8000-000000000107",
    "step": "session",
    "from": "2027-03-10",
    "to": "2027-03-19",
    "reasons": [{"code": "asked", "text": "Fri 2027-03-19 was asked for"}],
}
DAYS: dict[str, Any] = {
    "days": [
        {"date": "2027-04-27", "cost": 124, "moves": []},
        {
            "date": "2027-04-28",
            "cost": 134,
            "moves": [
                {
                    "step_id": "01920000-0000-7000-8000-000000000117",
                    "step": "booster_nsaid_free",
                    "from": "2027-04-13",
                    "to": "2027-04-14",
                    "reasons": [
                        {"code": "on_target", "text": "14 days before booster on Wed 2027-04-28"}
                    ],
                }
            ],
        },
    ]
}
REFUSED_DAY: dict[str, Any] = {
    "bookable": False,
    "conflict": {
        "elements": [
            {"id": "pin:primer/1", "text": "primer 2 is asked for on Sun 2027-02-21"},
            {"id": "weekdays", "text": "the location is closed on Mondays, Saturdays, Sundays"},
        ]
    },
}
_NOT_LISTED = frozenset(
    {"time_zone", "identifiers", "note", "parameters", "chosen", "steps", "breaches", "starts"}
)
PAGE: dict[str, Any] = {
    "items": [
        {
            **{name: part for name, part in PLAN.items() if name not in _NOT_LISTED},
            "next_step": {name: STEP[name] for name in ("id", "key", "title", "date")},
        }
    ],
    "next": None,
}
PROPOSALS: dict[str, Any] = {
    "from": "2027-03-01",
    "until": "2027-04-30",
    "possible": 34,
    "proposals": [
        {
            "date": "2027-03-10",
            "cost": 124,
            "plan": {
                **PLAN,
                **dict.fromkeys(("id", "revision", "next_step", "created_at", "updated_at")),
                "steps": [{**STEP, "id": None, "allowed_changes": []}],
            },
            "request": EXAMPLE,
        }
    ],
}
