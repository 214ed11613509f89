"""What workers tell becomes states, catalog entries and, for what kills workers, a sentence."""

from __future__ import annotations

from aigis._base.messages import LoadReport, Plan, PlannedPlugin, Skill, WorkerNews
from aigis._host.core import CoreLife
from aigis._host.suspects import Suspects

DICE = PlannedPlugin(name="dice", version="1", type="core", root="/", entrypoint="/", branches=("dice.roll",))
FEEDS = PlannedPlugin(name="feeds", version="1", type="core", root="/", entrypoint="/")
PLAN = Plan(generation=4, plugins=(DICE, FEEDS))
READY = LoadReport(plugin="dice", version="1", status="ready", skills=(Skill("dice.roll", "function"),))


def news(
    *reports: LoadReport, serving: tuple[str, ...] = (), worker: str = "worker-1", settled: bool = True
) -> WorkerNews:
    return WorkerNews(worker=worker, pid=7, generation=4, reports=reports, serving=serving, settled=settled)


def heard(*told: WorkerNews) -> CoreLife:
    life = CoreLife()
    for each in told:
        life.hear(each)
    return life


def failed(reason: str = "boom", status: str = "failed") -> LoadReport:
    return LoadReport(plugin="dice", version="1", status=status, reason=reason)


def test_a_plugin_runs_once_a_worker_serves_it() -> None:
    assert heard().state(DICE) == ("starting", "")
    assert heard(news(READY)).state(DICE) == ("starting", "")
    assert heard(news(READY, serving=("dice",))).state(DICE) == ("running", "")


def test_a_failed_load_gives_its_reason() -> None:
    assert heard(news(failed())).state(DICE) == ("failed", "boom")


def test_one_worker_that_serves_is_enough() -> None:
    life = heard(news(failed()), news(READY, serving=("dice",), worker="worker-2"))
    assert life.state(DICE) == ("running", "")


def test_reports_on_another_version_do_not_count() -> None:
    life = heard(news(LoadReport(plugin="dice", version="0", status="failed")))
    assert life.state(DICE) == ("starting", "")


def test_while_its_worker_starts_again_the_skills_stay_known() -> None:
    life = heard(news(READY, serving=("dice",)))
    life.lose("aigis.worker-1")
    entry = life.entry(DICE, 0, workers_wanted=1)
    assert (life.state(DICE)[0], entry.state, [skill.path for skill in entry.skills]) == (
        "starting",
        "ready",
        ["dice.roll"],
    )


def test_names_are_reserved_before_the_load_and_kept_after_a_failure() -> None:
    assert heard().entry(DICE, 0, workers_wanted=1).state == "loading"
    entry = heard(news(failed())).entry(DICE, 0, workers_wanted=1)
    assert (entry.state, entry.reason, entry.branches, entry.skills) == ("failed", "boom", ("dice.roll",), ())


def test_without_workers_and_when_withdrawn_the_entry_says_so() -> None:
    assert heard().entry(DICE, 0, workers_wanted=0).state == "unserved"
    entry = heard(news(READY)).entry(DICE, 0, workers_wanted=1, off="disabled by the operator")
    assert (entry.state, entry.reason) == ("disabled", "disabled by the operator")


def test_a_taint_is_remembered_even_of_a_worker_that_is_gone() -> None:
    life = CoreLife()
    assert life.hear(news(failed("left a thread", "tainted")), alive=False)
    assert life.tainting == {("dice", "1"): "left a thread"}
    assert life.state(DICE) == ("failed", "left a thread")
    life.forget_taint("dice")
    assert life.state(DICE) == ("starting", "")


def test_workers_are_settled_when_each_has_tried_the_plan_in_force() -> None:
    life = heard(news(), news(worker="worker-2", settled=False))
    assert life.settled(["aigis.worker-1"], 4)
    assert not life.settled(["aigis.worker-1"], 5)
    assert not life.settled(["aigis.worker-1", "aigis.worker-2"], 4)


def test_the_third_death_at_the_same_plugin_convicts_it() -> None:
    suspects = Suspects()
    loading = news(READY, settled=False)
    assert [suspects.died(PLAN, loading) for _ in range(3)] == [None, None, FEEDS]
    assert not suspects.open


def test_nobody_is_blamed_for_a_death_before_or_after_loading() -> None:
    suspects = Suspects()
    assert [suspects.died(PLAN, told) for told in (None, news(READY)) for _ in range(4)] == [None] * 8


def test_a_worker_that_comes_through_clears_the_suspicion() -> None:
    suspects = Suspects()
    suspects.died(PLAN, news(settled=False))
    suspects.died(PLAN, news(settled=False))
    assert suspects.open
    suspects.settled()
    assert suspects.died(PLAN, news(settled=False)) is None
