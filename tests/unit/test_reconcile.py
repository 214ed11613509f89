"""What to start and stop follows from the difference between desired and observed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._host.child import LaunchSpec
from aigis._host.reconcile import RUNNING, Action, Forget, Seen, Start, Stop, Wanted, reconcile
from aigis._host.restart import RestartPolicy

STATES = ("starting", "running", "backoff", "stopping", "stopped", "failed")


def want(name: str, epoch: int = 0) -> Wanted:
    return Wanted(LaunchSpec(name=name, argv=("true",), env={}, cwd=Path("/")), RestartPolicy(), epoch)


A, B, C = want("a"), want("b"), want("c")
A_AGAIN = want("a", epoch=1)


@pytest.mark.parametrize(
    ("story", "desired", "observed", "actions"),
    [
        ("everything is new", {"a": A, "b": B}, {}, [Start("a", A), Start("b", B)]),
        ("nothing changes", {"a": A}, {"a": Seen(A, "running")}, []),
        ("one is withdrawn", {}, {"a": Seen(A, "running")}, [Stop("a")]),
        ("stops go backwards", {}, {"a": Seen(A, "running"), "b": Seen(B, "starting")}, [Stop("b"), Stop("a")]),
        ("stops come first", {"c": C}, {"a": Seen(A, "running")}, [Stop("a"), Start("c", C)]),
        ("a change stops the old run", {"a": A_AGAIN}, {"a": Seen(A, "running")}, [Stop("a")]),
        ("and waits for its end", {"a": A_AGAIN}, {"a": Seen(A, "stopping")}, []),
        ("then starts the new one", {"a": A_AGAIN}, {"a": Seen(A, "stopped")}, [Start("a", A_AGAIN)]),
        ("a failed one waits for the operator", {"a": A}, {"a": Seen(A, "failed")}, []),
        ("a delayed one for its delay", {"a": A}, {"a": Seen(A, "backoff")}, []),
        ("the operator ends a delay", {"a": A_AGAIN}, {"a": Seen(A, "backoff")}, [Start("a", A_AGAIN)]),
        ("a failed one is forgotten", {}, {"a": Seen(A, "failed")}, [Forget("a")]),
        ("a stopping one is not yet", {}, {"a": Seen(A, "stopping")}, []),
        ("back while it stops", {"a": A}, {"a": Seen(None, "stopping")}, []),
        ("and started after that", {"a": A}, {"a": Seen(None, "stopped")}, [Start("a", A)]),
        ("what stopped by itself is left", {"a": A}, {"a": Seen(A, "stopped")}, []),
        ("what was stopped is forgotten", {}, {"a": Seen(None, "stopped")}, [Forget("a")]),
    ],
)
def test_difference_gives_actions(
    story: str, desired: dict[str, Wanted], observed: dict[str, Seen], actions: list[Action]
) -> None:
    assert reconcile(desired, observed) == actions, story


WANTED = st.dictionaries(st.sampled_from("abcd"), st.integers(0, 1)).map(
    lambda epochs: {name: want(name, epoch) for name, epoch in epochs.items()}
)
SEEN = st.dictionaries(st.sampled_from("abcd"), st.tuples(st.integers(0, 1), st.sampled_from(STATES))).map(
    lambda found: {name: Seen(want(name, epoch), state) for name, (epoch, state) in found.items()}
)


@given(desired=WANTED, observed=SEEN)
def test_performing_the_actions_leads_to_what_is_desired(desired: dict[str, Wanted], observed: dict[str, Seen]) -> None:
    for _ in range(3):
        for action in reconcile(desired, observed):
            match action:
                case Start(name, wanted):
                    assert name not in observed or observed[name].state not in (*RUNNING, "stopping")
                    observed[name] = Seen(wanted, "running")
                case Stop(name):
                    observed[name] = Seen(None, "stopping")
                case Forget(name):
                    del observed[name]
        observed = {
            n: dataclasses.replace(s, state="stopped") if s.state == "stopping" else s for n, s in observed.items()
        }
    assert observed.keys() == desired.keys()
    assert all(observed[name].wanted == wanted for name, wanted in desired.items())
    assert reconcile(desired, observed) == []
