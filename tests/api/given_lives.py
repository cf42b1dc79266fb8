"""How the rule-based machine asks: in every world alike, and as the plain model expects."""

from collections.abc import Callable

from hypothesis.stateful import RuleBasedStateMachine

from tests.api.given_machine import Refused, Told, World, told
from tests.api.given_plans import Data, steps_of
from tests.client import Answer


class Life(RuleBasedStateMachine):
    """One plan's life. ``worlds`` is set by the test."""

    worlds: tuple[World, ...] = ()
    today: str
    first_status: str
    posts: list[tuple[str, list[tuple[str, Data]]]]
    corrected: set[str]
    absences: list[tuple[str, str]]
    open_always: bool
    read: list[Data]
    read_on: list[str]
    told: Told

    @property
    def plan(self) -> Data:
        """The plan as it was last answered."""
        return self.read[-1]

    @property
    def steps(self) -> dict[str, Data]:
        """Its steps by their occurrence."""
        return steps_of(self.plan)

    def step(self, pick: int) -> str:
        """One of its steps."""
        names = sorted(self.steps)
        return names[pick % len(names)]

    def set_clocks(self) -> None:
        """Let it be noon of today everywhere."""
        for world in self.worlds:
            world.run(world.desk.at(f"{self.today}T12:00:00-07:00"))

    def everywhere(self, ask: Callable[[World], Answer]) -> Answer:
        """Ask in every world; all must answer alike."""
        answers = [(world, ask(world)) for world in self.worlds]
        first = answers[0]
        for world, answer in answers[1:]:
            assert answer.status_code == first[1].status_code, answer.text
            if answer.status_code != 409:
                # Which of several minimal conflicts is shown may hang on ids.
                assert world.nameless(answer) == first[0].nameless(first[1])
        return first[1]

    def _ask(self, part: str, body: Data) -> Answer:
        tag = {"if-match": f'"{self.plan["revision"]}"'}

        def ask(world: World) -> Answer:
            named = [self._in(world, change) for change in body["changes"]]
            return world.ask("POST", part, json={"changes": named}, headers=tag)

        return self.everywhere(ask)

    @staticmethod
    def _in(world: World, change: Data) -> Data:
        """A change as one world knows its ids; what only the model reads is left out."""
        sent = {key: value for key, value in change.items() if key not in {"text", "place"}}
        if change["type"] == "correct":
            sent["change_id"] = world.change_id(*change["place"])
        return sent

    def post(self, *changes: Data) -> Answer:
        """Post changes; the answer must be the one the model expects."""
        seen = self._ask("/changes/preview", {"changes": list(changes)})
        answer = self._ask("/changes", {"changes": list(changes)})
        assert (answer.status_code, answer.json()) == (seen.status_code, seen.json())
        try:
            expected, corrected = self._expected(changes)
        except Refused:
            assert answer.status_code == 422, (changes, answer.text)
            return answer
        assert answer.status_code in {200, 409}, (changes, answer.text)
        if answer.status_code == 200:
            self.told, self.corrected = expected, corrected
            self._accept(answer.json()["plan"], changes)
        return answer

    def _expected(self, changes: tuple[Data, ...]) -> tuple[Told, set[str]]:
        wrong = {named(*c["place"]) for c in changes if c["type"] == "correct"}
        made = [
            (named(self.plan["revision"] + 1, number), change)
            for number, change in enumerate(changes)
            if change["type"] != "correct"
        ]
        posts = [*self.posts, (self.today, made)]
        corrected = self.corrected | wrong
        return told(self.first_status, posts, corrected), corrected

    def _accept(self, plan: Data, changes: tuple[Data, ...]) -> None:
        number = plan["revision"]
        assert number == self.plan["revision"] + 1
        made = [(named(number, n), c) for n, c in enumerate(changes) if c["type"] != "correct"]
        self.posts.append((self.today, made))
        was = {name: step["id"] for name, step in self.steps.items()}
        self.read.append(plan)
        self.read_on.append(self.today)
        for name, step in self.steps.items():
            assert was.get(name, step["id"]) == step["id"], name
        for change in changes:
            if change["type"] == "unavailable":
                self.absences.append((change["from"], change["to"]))
            self.open_always |= change["type"] == "waive" and "timing" not in change["element"]


def worked_on(plan: Data, step: Data) -> bool:
    """Whether the calendars of people who work show a step."""
    if step["date"] is None or step["kind"] == "restriction":
        return False
    living = plan["status"] in {"active", "on_hold"} and step["status"] != "entered_in_error"
    return living or step["status"] in {"skipped", "cancelled"}


def named(revision: int, number: int) -> str:
    """A change by its place in the history."""
    return f"{revision}/{number}"
