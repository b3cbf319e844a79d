"""A slot's calls keep their order in all interleavings of two shards and three clients.

The real :class:`SlotOrder` is driven; shards, wires and time are a model, and all
orders of what may happen next are tried. Nodes share nothing but the shards, so one is
enough: its clients' calls are numbered as they were made.
"""

import pickle
from collections import deque

import pytest

from realtime.redis.cluster.slots import SlotOrder, slot_of, tag_of

SLOT = 593
A, B = 0, 1
# What a shard says of the slot: its own, on its way out or in, or another one's.
OWN, LEAVING, COMING, OTHER = range(4)
# Where the keys are that are there: at A, some at each, at B.
AT_A, SPLIT, AT_B = range(3)
# What a shard answers.
DONE, MOVED, ASK, TRYAGAIN = range(4)

# Views of A and B and where the keys are, one after the other.
LEGACY = (
    (OWN, OTHER, AT_A),
    (LEAVING, COMING, AT_A),
    (LEAVING, COMING, SPLIT),
    (LEAVING, COMING, AT_B),
    # The target learns of it first.
    (LEAVING, OWN, AT_B),
    (OTHER, OWN, AT_B),
)
GIVEN_UP = ((OWN, OTHER, AT_A), (LEAVING, COMING, AT_A), (OWN, OTHER, AT_A))
THERE_AND_BACK = ((OWN, OTHER, AT_A), (OTHER, OWN, AT_B), (OWN, OTHER, AT_A))

# A call that names a key that is not there yet, as each message does, and one that does
# not.
WRITE, READ = "w", "r"
# What three clients call, in the order in which they do.
CALLS = ("www", "wrw", "rwr")


class World:
    """A node, its wires to two shards, and the shards; what happens changes it."""

    def __init__(
        self, kinds: str, phases: tuple[tuple[int, int, int], ...], accident: str
    ) -> None:
        self.kinds, self.phases = kinds, phases
        self.phase = 0
        self.order: SlotOrder[int, int] = SlotOrder()
        self.route = A
        self.made = 0
        # By shard: calls on their way there, with ASKING or not, and answers.
        self.asked: list[deque[tuple[int, bool]]] = [deque(), deque()]
        self.answers: list[deque[tuple[int, int]]] = [deque(), deque()]
        self.is_timed = False
        self.executed: list[int] = []
        self.outcomes: dict[int, str] = {}
        self.doubtful: list[int] = []
        # What may happen once, at any time.
        self.accident = accident

    def choices(self) -> list[tuple[str, int]]:
        """Return what may happen next."""
        may = {
            ("call", 0): self.made < len(self.kinds),
            ("advance", 0): self.phase + 1 < len(self.phases),
            ("wake", 0): self.is_timed,
            ("flip", 0): self.accident == "flip",
            ("give_up", 0): self.accident == "give_up" and self.order.waiting > 0,
        }
        for shard in (A, B):
            may["serve", shard] = bool(self.asked[shard])
            may["hear", shard] = bool(self.answers[shard])
            may["cut", shard] = self.accident == "cut" and self._may_be_cut(shard)
        return [choice for choice, is_possible in may.items() if is_possible]

    def _may_be_cut(self, shard: int) -> bool:
        """Whether a cut leaves it open what was done.

        One that swallows a refusal and what overtook it cannot be told from another.
        """
        said = [each for _, each in self.answers[shard]]
        refused = [place for place, each in enumerate(said) if each != DONE]
        is_overtaken = bool(refused) and DONE in said[refused[0] :]
        return bool(said or self.asked[shard]) and not is_overtaken

    def call(self, _: int) -> None:
        """A client makes the next call."""
        number, self.made = self.made, self.made + 1
        if self.order.begin(SLOT, number, self.route):
            self.asked[self.route].append((number, False))

    def advance(self, _: int) -> None:
        """The shards go on with the slot's move."""
        self.phase += 1

    def serve(self, shard: int) -> None:
        """A shard carries the next call out, or refuses it."""
        number, asking = self.asked[shard].popleft()
        said = self._said(shard, self.kinds[number], asking=asking)
        if said == DONE and number not in self.executed:
            # Repeated after a cut it has no effect: nothing is done twice.
            assert not any(each > number for each in self.executed), "overtaken"
            assert self.outcomes.get(number) != "refused", "refused, and done"
            self.executed.append(number)
        self.answers[shard].append((number, said))

    def _said(self, shard: int, kind: str, *, asking: bool) -> int:
        view, place = self.phases[self.phase][shard], self.phases[self.phase][2]
        if view == OTHER or (view == COMING and not asking):
            return MOVED
        if view == LEAVING and place == AT_B:
            return ASK
        is_whole = kind == READ and place == (AT_A if shard == A else AT_B)
        return DONE if view == OWN or is_whole else TRYAGAIN

    def hear(self, shard: int) -> None:
        """The node takes an answer, as its client does."""
        number, said = self.answers[shard].popleft()
        if said == DONE:
            self._refuse_overtaken()
            self._end(number, "done")
            if self.order.answered(SLOT) and not self.is_timed:
                self._resume()
            return
        other = B if shard == A else A
        if said == MOVED:
            self.route = other
        settled = self.order.refused(
            SLOT, number, alone=said != MOVED, asked=other if said == ASK else None
        )
        if said == TRYAGAIN:
            self.is_timed = True
        elif settled:
            self._resume()

    def _refuse_overtaken(self) -> None:
        for late in self.order.overtaken(SLOT):
            self._end(late, "unknown" if late in self.doubtful else "refused")

    def cut(self, shard: int) -> None:
        """A wire ends; what was asked may have been carried out, or will not be."""
        self.accident = ""
        self._refuse_overtaken()
        lost = [each for each, _ in (*self.answers[shard], *self.asked[shard])]
        self.answers[shard].clear()
        self.asked[shard].clear()
        settled = False
        for number in lost:
            self.doubtful.append(number)
            settled = self.order.refused(SLOT, number)
        if settled:
            self._resume()

    def wake(self, _: int) -> None:
        """The pause before a refused call is over."""
        self.is_timed = False
        self._resume()

    def flip(self, _: int) -> None:
        """The table says another shard, rightly or not."""
        self.accident = ""
        self.route = B if self.route == A else A

    def give_up(self, _: int) -> None:
        """The oldest call that waits has waited for too long."""
        self.accident = ""
        ended = {*self.outcomes}
        ended.update(each for wire in self.asked for each, _ in wire)
        ended.update(each for wire in self.answers for each, _ in wire)
        oldest = min({*range(self.made)} - ended)
        for number in self.order.drop(SLOT, lambda each: each == oldest):
            self._end(number, "unknown" if number in self.doubtful else "refused")

    def _resume(self) -> None:
        for number, shard, asking in self.order.resume(SLOT, self.route):
            self.asked[shard].append((number, asking))

    def _end(self, number: int, outcome: str) -> None:
        assert number not in self.outcomes, "answered twice"
        self.outcomes[number] = outcome

    def check_end(self) -> None:
        """Nothing goes on: all are answered, and truly."""
        assert len(self.outcomes) == len(self.kinds), "a call has no answer"
        for number, outcome in self.outcomes.items():
            assert outcome == "unknown" or (outcome == "done") == (
                number in self.executed
            )


@pytest.mark.parametrize("accident", ["flip", "cut", "give_up"])
@pytest.mark.parametrize("phases", [LEGACY, GIVEN_UP, THERE_AND_BACK])
def test_no_call_overtakes_another(
    phases: tuple[tuple[int, int, int], ...], accident: str
) -> None:
    """Whoever is carried out was called after all that were carried out before.

    What a later call overtook, because a shard took the one and not the other, is
    refused: whoever made it may make it again.
    """
    states = 0
    for kinds in CALLS:
        first = pickle.dumps(World(kinds, phases, accident))
        known, waiting = {first}, [first]
        while waiting:
            state = waiting.pop()
            choices = pickle.loads(state).choices()
            for name, shard in choices:
                world: World = pickle.loads(state)
                getattr(world, name)(shard)
                after = pickle.dumps(world)
                if after not in known:
                    known.add(after)
                    waiting.append(after)
            if all(name in ("flip", "give_up") for name, _ in choices):
                pickle.loads(state).check_end()
        states += len(known)
    assert states > 300


def test_a_table_that_flips_waits_for_what_is_under_way() -> None:
    """A call behind one that the old shard still has is sent when that is answered."""
    order: SlotOrder[str, int] = SlotOrder()
    assert order.begin(SLOT, "first", A)
    assert not order.begin(SLOT, "second", B)
    assert order.answered(SLOT)
    assert [each[:2] for each in order.resume(SLOT, B)] == [("second", B)]
    assert order.begin(SLOT, "third", B)
    assert order.waiting == 0


def test_slots_are_those_of_the_servers() -> None:
    """As ``CLUSTER KEYSLOT`` says; a tag counts alone, if there is something in it."""
    assert slot_of(b"chatroom-42") == slot_of(b"{chatroom-42}:log") == 593
    assert slot_of(b"chatroom:nodes") == 15_911
    assert slot_of(b"foo{}{bar}") == 8363
    assert slot_of(b"{user1000}.following") == slot_of(b"{user1000}.followers")
    assert all(slot_of(tag_of(slot).encode()) == slot for slot in (0, 593, 16_383))
