"""Outages: told once when they last, and once when they end."""

from realtime.node.outage import TELL_SECONDS, OutageWatch


class Scene:
    """A Redis that is up or not, and a clock that stands."""

    def __init__(self) -> None:
        self.up = True
        self.now = 100.0
        self.told: list[bool] = []
        self.watch = OutageWatch(
            is_up=lambda: self.up, tell=self.told.append, clock=lambda: self.now
        )

    def passes(self, seconds: float) -> None:
        """Let time go by, and the watch look once."""
        self.now += seconds
        self.watch.look()


def test_a_short_cut_is_no_news() -> None:
    """A reconnect that takes a moment is not told."""
    scene = Scene()
    scene.up = False
    scene.passes(TELL_SECONDS / 2)
    scene.up = True
    scene.passes(TELL_SECONDS)
    assert scene.told == []


def test_an_outage_is_told_once_and_its_end_once() -> None:
    """However long it lasts."""
    scene = Scene()
    scene.up = False
    for _ in range(5):
        scene.passes(TELL_SECONDS)
    assert scene.told == [False]
    scene.up = True
    scene.passes(TELL_SECONDS)
    scene.passes(TELL_SECONDS)
    assert scene.told == [False, True]
