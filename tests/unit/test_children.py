"""Whatever is wished and whatever ends meanwhile: once all has settled, what is wanted runs."""

from __future__ import annotations

import asyncio
import itertools
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from hypothesis import given
from hypothesis import strategies as st

from aigis._base.home import Home
from aigis._host.child import Child, LaunchSpec
from aigis._host.children import Children
from aigis._host.events import ChildEnded, Event
from aigis._host.ledger import Ledger
from aigis._host.pump import Buffer, Pump
from aigis._host.reconcile import RUNNING, Wanted, reconcile
from aigis._host.restart import RestartPolicy


class Scripted:
    """A child without a process: it ends when the test says so."""

    outputs = ()
    alive = True

    def __init__(self, spec: LaunchSpec, generation: int) -> None:
        self.name, self.generation, self.pid = spec.name, generation, generation
        self.asked = False
        self.ended = asyncio.get_running_loop().create_future()

    def stop(self) -> None:
        self.asked = True

    async def gone(self) -> list[Any]:
        return []


class Story:
    """Children of whom none is ever restarted by policy, and the wishes for them."""

    def __init__(self, folder: Path) -> None:
        self.desired: dict[str, Wanted] = {}
        self.gave_up: dict[str, Wanted] = {}
        """What ended unasked while wanted, and as what."""
        self.events: asyncio.Queue[Event] = asyncio.Queue()
        generations = itertools.count(1)
        self.pump = Pump(Buffer(), "here")
        self.children = Children(
            Ledger(Home(folder)),
            self.pump,
            self.events.put_nowait,
            start=lambda spec, _: cast("Child", Scripted(spec, next(generations))),
        )

    def wish(self, desired: dict[str, Wanted]) -> None:
        self.desired = desired
        self.gave_up = {name: wanted for name, wanted in self.gave_up.items() if desired.get(name) == wanted}
        self._bring_about()

    async def end(self, name: str, code: int) -> None:
        kept = self.children.kept.get(name)
        child = cast("Any", kept.child) if kept is not None else None
        if kept is None or child is None:
            return
        if not child.asked:
            self.gave_up[name] = kept.wanted
        child.ended.set_result(code)
        while not isinstance(event := await self.events.get(), ChildEnded):
            continue
        self.children.hear(event)
        self._bring_about()

    async def settle(self) -> None:
        while stopping := [name for name, kept in self.children.kept.items() if kept.state == "stopping"]:
            await self.end(stopping[0], 0)

    def running(self) -> dict[str, Wanted]:
        return {name: kept.wanted for name, kept in self.children.kept.items() if kept.state in RUNNING}

    def _bring_about(self) -> None:
        for action in reconcile(self.desired, self.children.observed()):
            self.children.perform(action)


def want(name: str, epoch: int = 0) -> Wanted:
    return Wanted(LaunchSpec(name=name, argv=("true",), env={}, cwd=Path("/")), RestartPolicy(), epoch)


Step = tuple[str, Any]
WISHES = st.dictionaries(st.sampled_from("abc"), st.integers(0, 1)).map(
    lambda epochs: ("wish", {name: want(name, epoch) for name, epoch in epochs.items()})
)
ENDS = st.tuples(st.sampled_from("abc"), st.integers(0, 1)).map(lambda end: ("end", end))


def play(steps: list[Step]) -> tuple[dict[str, Wanted], dict[str, Wanted]]:
    """Return what runs in the end, and what should."""

    async def run(folder: Path) -> tuple[dict[str, Wanted], dict[str, Wanted]]:
        story = Story(folder)
        for kind, what in steps:
            if kind == "wish":
                story.wish(what)
            else:
                await story.end(*what)
        await story.settle()
        await story.pump.close()
        return story.running(), {n: w for n, w in story.desired.items() if n not in story.gave_up}

    with TemporaryDirectory() as folder:
        return asyncio.run(run(Path(folder)))


def test_what_is_wanted_again_while_it_stops_is_started_after_its_end() -> None:
    on = ("wish", {"a": want("a")})
    assert play([on, ("wish", {}), on])[0] == {"a": want("a")}


def test_what_stopped_by_itself_stays_stopped() -> None:
    on = ("wish", {"a": want("a")})
    assert play([on, ("end", ("a", 0)), on])[0] == {}


@given(st.lists(WISHES | ENDS, max_size=12))
def test_once_all_has_settled_what_is_wanted_runs(steps: list[Step]) -> None:
    running, wanted = play(steps)
    assert running == wanted
