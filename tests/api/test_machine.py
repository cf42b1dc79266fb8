"""A plan lived at random beside a plain model, on both databases at once: no difference, ever."""

import os
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.api.given_lives import Life, named, worked_on
from tests.api.given_machine import ENDED, MONDAY, Told, World, day_after
from tests.api.given_plans import Data, good, steps_of

pytestmark = [pytest.mark.long, pytest.mark.deep]

DEEP = os.environ.get("HYPOTHESIS_PROFILE") == "deep"
RUNS, STEPS = (200, 50) if DEEP else (7, 16)
OPEN = {"proposed", "planned", "booked", "missed"}
FIRM = {"planned", "booked"}
NO_OPEN_DAY = {"nsaid_free", "booster_nsaid_free", "followup/m12"}

picks = st.integers(0, 40)
few_days = st.integers(-9, 9)


class Lives(Life):
    """What may happen to a plan, and what must hold whatever has."""

    @initialize(
        status=st.sampled_from(["active", "active", "draft"]),
        primers=st.integers(0, 3),
        absent=st.booleans(),
    )
    def make(self, status: str, primers: int, absent: bool) -> None:
        """A plan in January for a session in March."""
        self.today = MONDAY.isoformat()
        self.set_clocks()
        body: Data = {
            "protocol": {"key": "small-ankle"},
            "anchor": {"date": "2027-03-10"},
            "parameters": {"primer_count": primers},
            "laterality": "right",
            "status": status,
            "unavailable": [{"from": "2027-02-10", "to": "2027-02-20"}] if absent else [],
        }
        plans = [world.begin(body) for world in self.worlds]
        self.first_status = status
        self.posts, self.corrected = [], set()
        self.absences = [("2027-02-10", "2027-02-20")] if absent else []
        self.open_always = False
        self.read, self.read_on = [plans[0]], [self.today]
        self.told = Told(status)

    @rule(days=st.integers(1, 21))
    def days_pass(self, days: int) -> None:
        """The clock goes on; nobody posts anything."""
        self.today = day_after(self.today, days)
        self.set_clocks()
        plan = self.everywhere(lambda world: world.ask("GET")).json()
        assert plan["revision"] == self.plan["revision"]
        assert {n: s["date"] for n, s in steps_of(plan).items()} == {
            n: s["date"] for n, s in self.steps.items()
        }
        if plan["status"] == "on_hold":
            assert "overdue" not in {step["window_state"] for step in plan["steps"]}

    @rule(pick=picks, ago=st.integers(-1, 5))
    def somebody_did_it(self, pick: int, ago: int) -> None:
        """A step was done some days ago, or by mistake tomorrow."""
        self.post({"type": "perform", "step": self.step(pick), "on": day_after(self.today, -ago)})

    @rule()
    def the_next_step_is_done_as_planned(self) -> None:
        """What is due first is done on its day."""
        due = [
            (step["date"], name)
            for name, step in self.steps.items()
            if step["status"] in OPEN and step["date"] and step["date"] <= self.today
        ]
        if due:
            day, name = min(due)
            self.post({"type": "perform", "step": name, "on": day})

    @rule(pick=picks)
    def nobody_came(self, pick: int) -> None:
        """A step whose day has come was missed."""
        name = self.step(pick)
        planned = self.steps[name]["date"]
        if planned is not None and planned <= self.today:
            self.post({"type": "miss", "step": name, "on": planned})

    @rule(type_=st.sampled_from(["move", "pin", "book"]), pick=picks, days=few_days)
    def another_day_is_wanted(self, type_: str, pick: int, days: int) -> None:
        """A person wants a step some days sooner or later."""
        name = self.step(pick)
        day = day_after(self.steps[name]["date"] or self.today, days)
        if self.steps[name]["reasons"][0]["code"] == "decided":
            return
        if type_ == "book":
            hours = {"starts_at": f"{day}T09:00:00-07:00", "ends_at": f"{day}T10:00:00-07:00"}
            self.post({"type": "book", "step": name, **hours})
        else:
            self.post({"type": type_, "step": name, "to": day})

    @rule(
        type_=st.sampled_from(["skip", "cancel", "restore", "unpin", "unbook"]),
        pick=picks,
    )
    def it_is_wanted_or_not(self, type_: str, pick: int) -> None:
        """A step is left out or taken in again, its day freed or its booking given back."""
        name = self.step(pick)
        if self.steps[name]["reasons"][0]["code"] != "decided":
            self.post({"type": type_, "step": name})

    @rule(to=st.none() | st.integers(-20, 40))
    def the_session_is_moved(self, to: int | None) -> None:
        """To some days from where it is, or away without a date."""
        now = self.steps["session"]["date"] or self.today
        self.post({"type": "move_anchor", "to": None if to is None else day_after(now, to)})

    @rule(count=st.integers(0, 3))
    def the_number_of_primers_is_set(self, count: int) -> None:
        """More or fewer, at the far end."""
        self.post({"type": "set_parameter", "key": "primer_count", "value": count})

    @precondition(lambda self: "booster_decision" in self.steps)
    @rule(
        choice=st.sampled_from(["booster_six_weeks", "booster_eight_weeks", "no_booster"]),
        shift=st.sampled_from([None, "P1W"]),
    )
    def the_booster_is_decided(self, choice: str, shift: str | None) -> None:
        """Six weeks, eight weeks or none; what is kept may be put off."""
        change: Data = {"type": "decide", "step": "booster_decision", "choice": choice}
        if shift is not None and choice != "no_booster":
            change["shift"] = shift
        self.post(change)

    @rule(
        what=st.sampled_from(
            [{"agent": "nsaid"}, {"agent": "corticosteroid_injection"}, {"finding": "fever"}]
        ),
        ago=st.integers(0, 20),
        side=st.sampled_from(["left", "right"]),
    )
    def something_is_reported(self, what: Data, ago: int, side: str) -> None:
        """An agent or a finding, perhaps on the other side."""
        on = day_after(self.today, -ago)
        self.post({"type": "report", **what, "on": on, "laterality": side, "body_site": "ankle"})

    @rule(ahead=st.integers(0, 60), days=st.integers(0, 9))
    def the_patient_is_away(self, ahead: int, days: int) -> None:
        """Some days from now."""
        first = day_after(self.today, ahead)
        self.post({"type": "unavailable", "from": first, "to": day_after(first, days)})

    @precondition(lambda self: self.plan["breaches"])
    @rule(pick=picks)
    def a_breach_is_acknowledged(self, pick: int) -> None:
        """A person has seen it."""
        breach = self.plan["breaches"][pick % len(self.plan["breaches"])]
        if self.plan["status"] not in ENDED:
            self.post({"type": "acknowledge", "breach": breach["id"], "text": breach["text"]})

    @rule(type_=st.sampled_from(["activate", "hold", "hold", "resume", "resume", "complete"]))
    def the_plan_as_a_whole(self, type_: str) -> None:
        """It is activated, held, resumed or completed."""
        self.post({"type": type_})

    @rule(back=st.integers(1, 6), pick=picks)
    def a_change_was_an_error(self, back: int, pick: int) -> None:
        """One of the last changes is taken back."""
        made = [id_ for _, changes in self.posts[-back:] for id_, _ in changes]
        if made:
            revision, number = made[pick % len(made)].split("/")
            place = (int(revision), int(number))
            if named(*place) in self.corrected:
                return
            self.post({"type": "correct", "place": place})

    @rule(first=picks, second=picks, days=few_days)
    def two_things_at_once(self, first: int, second: int, days: int) -> None:
        """Both or none."""
        one, other = self.step(first), self.step(second)
        day = day_after(self.steps[other]["date"] or self.today, days)
        if one == other or "decided" in {self.steps[n]["reasons"][0]["code"] for n in (one, other)}:
            return
        if one == "session" or other == "session":
            return
        self.post(
            {"type": "perform", "step": one, "on": self.today},
            {"type": "move", "step": other, "to": day},
        )

    @rule(pick=picks)
    def a_way_out_is_taken(self, pick: int) -> None:
        """A conflict is provoked, and one of its options posted as it is."""
        saturday = day_after(self.today, 5 - date.fromisoformat(self.today).weekday() + 14)
        world = self.worlds[0]
        body = {"changes": [{"type": "move_anchor", "to": saturday}]}
        answer = world.ask("POST", "/changes/preview", json=body)
        options = answer.json().get("options", []) if answer.status_code == 409 else []
        if options:
            (change,) = options[pick % len(options)]["request"]["changes"][-1:]
            if change["type"] in {"move_anchor", "set_parameter"}:
                self.post(change)

    @rule(pick=picks, ahead=st.integers(0, 15))
    def a_listed_day_works_and_another_does_not(self, pick: int, ahead: int) -> None:
        """The bookable days are those, and only those, to which a step can be moved."""
        name = self.step(pick)
        step = self.steps[name]
        if step["status"] not in OPEN or self.plan["status"] in ENDED:
            return
        world = self.worlds[0]
        step_id = steps_of(world.ask("GET").json())[name]["id"]
        first, day = self.today, day_after(self.today, ahead)
        url = f"/steps/{step_id}/days?from={first}&until={day_after(first, 15)}"
        listed = {d["date"] for d in world.ask("GET", url).json()["days"]}
        body = {"changes": [{"type": "move", "step": name, "to": day}]}
        tried = world.ask("POST", "/changes/preview", json=body)
        assert tried.status_code == (200 if day in listed else 409), (name, day, listed)

    @rule()
    def somebody_was_faster(self) -> None:
        """A stale revision is refused."""
        body = {"changes": [{"type": "hold"}]}
        tag = {"if-match": f'"{self.plan["revision"] + 1}"'}
        answer = self.everywhere(
            lambda world: world.ask("POST", "/changes", json=body, headers=tag)
        )
        assert answer.status_code == 412

    @invariant()
    def facts_stay_and_statuses_follow_from_what_was_told(self) -> None:
        """As the plain model has it."""
        if not hasattr(self, "told"):
            return
        shown = {n: s["date"] for n, s in self.steps.items() if s["status"] == "performed"}
        assert shown == self.told.performed
        assert self.plan["status"] == self.told.status
        for name, step in self.steps.items():
            expected = {self.told.status_of(name)}
            if expected == {"planned"} and self.told.booked.get(name) == step["date"]:
                expected |= {"booked"}
            if step["reasons"][0]["code"] == "decided":
                expected = {"cancelled"}
            assert step["status"] in expected, (name, step["status"], expected)
            assert step["missed"] == self.told.missed.get(name, [])
            assert step["reasons"]

    @invariant()
    def windows_hold_and_days_are_open(self) -> None:
        """Unless a person waived it, or the day had passed already."""
        if not hasattr(self, "told") or self.told.status in ENDED:
            return
        for name, step in self.steps.items():
            held = "held" in {reason["code"] for reason in step["reasons"]}
            if step["status"] not in OPEN or step["date"] is None or held:
                continue
            window = step["window"]
            if window is not None and not step["deadline"]:
                assert (window["earliest"] or "") <= step["date"], name
                assert step["date"] <= (window["latest"] or "9"), name
            if name not in NO_OPEN_DAY and not self.open_always:
                assert date.fromisoformat(step["date"]).isoweekday() in {2, 3, 4, 5}, name

    def teardown(self) -> None:
        """Every revision is kept, and what was posted gives what is stored."""
        if not hasattr(self, "told"):
            return
        for world in self.worlds:
            page = world.run(good(world.desk.api.get(_url(world, "/history?limit=200"))))
            count = self.plan["revision"]
            assert [i["revision"] for i in page["items"]] == list(range(count, 0, -1))
            stored, again = world.run(world.stored_and_replayed())
            assert stored == again
        self.where_people_work_nothing_vanishes()
        for plan in self.read[:: max(1, len(self.read) // 4)]:
            again = self.worlds[0].ask("GET", f"/history/{plan['revision']}").json()
            assert _lasting(again) == _lasting(plan)

    def where_people_work_nothing_vanishes(self) -> None:
        """Their calendars still have what they showed: as it is, or that it is off."""
        expected: dict[str, str] = {}
        for plan, since, until in zip(
            self.read, self.read_on, [*self.read_on[1:], self.today], strict=True
        ):
            seen = (day_after(since, -30), day_after(until, 400))
            for step in plan["steps"]:
                if worked_on(plan, step) and seen[0] <= step["date"] <= seen[1]:
                    expected[step["id"]] = step["date"]
        within = (day_after(self.today, -30), day_after(self.today, 400))
        steps = {step["id"]: step for step in self.plan["steps"]}
        shown = self.worlds[0].entries()
        for id_, day in expected.items():
            if within[0] <= day <= within[1]:
                assert shown[id_][0] == day
                now = steps.get(id_)
                if now is not None and now["date"] != day:
                    now = None
                performed = now is not None and now["status"] == "performed"
                is_on = now is not None and worked_on(self.plan, now) and now["status"] in FIRM
                assert (shown[id_][1] != "CANCELLED") == (performed or is_on)
        assert len({len(world.entries()) for world in self.worlds}) == 1


def _url(world: World, part: str) -> str:
    return f"/v1/plans/{world.plan_id}{part}"


def _lasting(plan: Data) -> Any:
    """A plan without what hangs on the day it is read."""
    apart = {"window_state", "allowed_changes"}
    steps = [{k: v for k, v in step.items() if k not in apart} for step in plan["steps"]]
    return {**plan, "steps": steps}


@pytest.fixture
def worlds(request: pytest.FixtureRequest) -> Iterator[tuple[World, ...]]:
    """A world on SQLite, and another on PostgreSQL where there is one."""
    urls = [request.getfixturevalue("sqlite_url")]
    try:
        urls.append(request.getfixturevalue("postgresql_url"))
    except pytest.skip.Exception:
        if DEEP:
            raise
    found = tuple(World(url) for url in urls)
    yield found
    for world in found:
        world.close()


def test_a_plan_lives_as_a_plain_model_says(worlds: tuple[World, ...]) -> None:
    Lives.worlds = worlds

    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=RUNS,
            stateful_step_count=STEPS,
            phases=[phase for phase in Phase if phase is not Phase.explain],
            suppress_health_check=list(HealthCheck),
        ),
    )
