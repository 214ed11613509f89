"""Calls of skills in a real core worker, with the test in its supervisor's place."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import aigis
from aigis import _proxy
from tests.stage import Stage, WorkerProcess, eventually

skills: Any = aigis
"""What a plugin writes as `aigis`; the type checker knows no skills."""

TOOLS = """
    import dataclasses
    import enum
    import logging
    import os
    import sys
    import threading
    import time

    import aigis

    class Color(enum.Enum):
        RED = 1
        BLUE = 2

    @dataclasses.dataclass
    class Point:
        x: int
        color: Color = Color.RED
        def moved(self): return Point(self.x + 1, self.color)

    class ToolError(Exception): pass

    class BadDie(ToolError, ValueError):
        def __init__(self, text, *, sides):
            super().__init__(text)
            self.sides = sides

    FAULTS = {
        "own": lambda: BadDie("seven", sides=6),
        "built-in": lambda: KeyError("six"),
        "exit": lambda: SystemExit(3),
        "refusal": lambda: aigis.NoWorker("mine"),
        "not picklable": lambda: aigis.NotPicklable("mine"),
    }

    class tools:
        SIDES = 6
        Color, Point, BadDie, ToolError = Color, Point, BadDie, ToolError
        def add(a, b=0): return a + b
        def echo(value): return value
        def pid(): return os.getpid()
        def same(color): return color is Color.RED
        def point(): return Point(1, Color.BLUE)
        def moved(point): return type(point) is Point and point.moved()
        def fail(kind): raise FAULTS[kind]()
        def lock(): return {"a": [threading.Lock()]}
        def wait(seconds, word=""):
            print(word)
            time.sleep(seconds)
        def nested(n): return aigis.tools.add(n, aigis.tools.add(1))
        def lost(): return aigis.no_such.skill()
        def log(text, logger):
            logger.warning(text, extra={"face": 6})
            logging.getLogger("library").info("%s in a library", text)
        def say(text):
            print(text)
            print(text, file=sys.stderr)
            print("half of", text, end="")
        private = "not listed"

    SKILLS = [f"tools.{name}" for name in vars(tools) if not name.startswith("_") and name != "private"]
"""
ALPHA = """
    import aigis
    from src import NAME

    SKILLS = ["alpha"]

    class alpha:
        def name(): return NAME
        def later():
            from src.deep import where
            return where()
        def constant(): return aigis.tools.SIDES + 1
"""
SRC = {"src/__init__.py": "NAME = '{0}'", "src/deep.py": "from src import NAME\ndef where(): return 'deep in ' + NAME"}
BROKEN = """
    print("half of broken", end="")
    SKILLS = ["broken"]
    raise ValueError("no luck")
"""


def of(name: str) -> dict[str, str]:
    return {path: content.format(name) for path, content in SRC.items()}


@pytest.fixture(scope="module")
def stage(open_stage: Callable[[str], Stage]) -> Stage:
    stage = open_stage("box")
    write = stage.plugins.write
    stage.plan(
        write("broken", BROKEN),
        write("alpha", ALPHA, of("alpha")),
        write("beta", ALPHA.replace("alpha", "beta"), of("beta")),
        write("tools", TOOLS),
    )
    stage.start_worker()
    stage.settle()
    return stage


@pytest.fixture(autouse=True)
def worker(stage: Stage) -> WorkerProcess:
    return stage.workers[0]


def test_arguments_and_results_are_values() -> None:
    assert skills.tools.add(1) == 1
    assert skills.tools.add(1, b=2) == skills.tools.add(a=1, b=2) == 3
    assert skills.tools.echo({"a": [1, (2.5, None)], "ö": b"\x00"}) == {"a": [1, (2.5, None)], "ö": b"\x00"}


def test_a_value_is_called_too_and_takes_no_arguments() -> None:
    assert skills.tools.SIDES() == 6
    with pytest.raises(TypeError, match=r"'tools\.SIDES' is a value, not callable: call it without arguments"):
        skills.tools.SIDES(1)


def test_a_value_is_read_anywhere() -> None:
    assert skills.calls.value("tools.SIDES") == 6
    assert skills.calls.value("tools.Color").RED is skills.tools.Color(1)


@pytest.mark.parametrize("args", [(), (1, 2, 3)])
def test_wrong_arguments_are_the_skills_own_type_error(args: tuple[int, ...]) -> None:
    with pytest.raises(TypeError, match=r"add\(\) (missing 1 required|takes from 1 to 2) positional argument"):
        skills.tools.add(*args)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("tools.ad", r"no skill aigis\.tools\.ad; did you mean aigis\.tools\.add\?"),
        ("tools.private", r"no skill aigis\.tools\.private"),
        ("tools.Color.RET", r"skill 'tools\.Color' has no 'RET'; did you mean 'RED'\?"),
    ],
)
def test_what_is_not_listed_does_not_exist(path: str, said: str) -> None:
    with pytest.raises(aigis.SkillNotFound, match=said):
        _proxy.call(path)


def test_dir_shows_the_skills() -> None:
    assert {"tools", "alpha", "beta"} <= set(dir(skills))
    assert {"SIDES", "add", "BadDie"} <= set(dir(skills.tools))
    assert "private" not in dir(skills.tools)


def test_the_skills_exception_is_caught_by_its_class_its_base_and_its_built_in() -> None:
    for cls in (skills.tools.BadDie, skills.tools.ToolError, ValueError):
        with pytest.raises(cls, match=r"^seven$") as caught:
            skills.tools.fail("own")
    assert caught.value.sides == 6
    assert "AIGIS.core" in str(caught.value.__cause__)
    assert "aigis/_plugin" not in str(caught.value.__cause__)


def test_a_built_in_exception_arrives_as_itself() -> None:
    with pytest.raises(KeyError) as caught:
        skills.tools.fail("built-in")
    assert caught.value.args == ("six",)


def test_a_skill_that_exits_ends_neither_worker_nor_caller() -> None:
    with pytest.raises(aigis.RemoteError, match="the skill raised SystemExit: 3"):
        skills.tools.fail("exit")
    assert skills.tools.add(1) == 1


@pytest.mark.parametrize(("kind", "cls"), [("refusal", aigis.NoWorker), ("not picklable", aigis.NotPicklable)])
def test_an_error_of_aigis_that_the_skill_met_is_the_skills(kind: str, cls: type[Exception]) -> None:
    with pytest.raises(cls, match=r"^mine$") as caught:
        skills.tools.fail(kind)
    assert "AIGIS.core" in str(caught.value.__cause__)


def test_a_skill_that_calls_what_does_not_exist_gets_and_passes_on_the_refusal() -> None:
    with pytest.raises(aigis.SkillNotFound, match=r"no skill aigis\.no_such") as caught:
        skills.tools.lost()
    assert "in lost" in str(caught.value.__cause__)


def test_a_result_that_cannot_travel_names_the_culprit_and_the_worker_serves_on() -> None:
    with pytest.raises(
        aigis.NotPicklable, match=r"aigis\.tools\.lock ran, but .* value\['a'\]\[0\] is a _thread\.lock"
    ) as caught:
        skills.tools.lock()
    assert caught.value.path == "['a'][0]"
    assert skills.tools.add(1) == 1


@pytest.mark.parametrize("size", [0, 64 * 1024 - 100, 64 * 1024, 1024 * 1024])
def test_payloads_of_any_size_travel_both_ways(size: int) -> None:
    payload = os.urandom(size)
    assert skills.tools.echo(payload) == payload


def test_members_of_a_plugins_enum_are_the_same_on_both_sides() -> None:
    red = skills.tools.Color(1)
    assert red is skills.tools.Color(1)
    assert skills.tools.same(red)
    assert skills.tools.echo([red])[0] is red


def test_instances_of_a_plugins_class_make_the_round_trip() -> None:
    point = skills.tools.point()
    assert (point.x, point.color.name) == (1, "BLUE")
    assert skills.tools.moved(point) == point.moved()
    assert skills.tools.Point(2).color is skills.tools.Color(1)


def test_calls_within_a_worker_stay_there() -> None:
    assert skills.tools.nested(5) == 6


def test_plugins_may_have_modules_of_one_name() -> None:
    assert (skills.alpha.name(), skills.beta.name()) == ("alpha", "beta")
    assert (skills.alpha.later(), skills.beta.later()) == ("deep in alpha", "deep in beta")


def test_a_plugin_uses_anothers_value_uncalled_though_it_loads_first() -> None:
    assert skills.alpha.constant() == 7


def test_a_plugin_that_fails_to_load_leaves_the_others(stage: Stage) -> None:
    report = stage.report("broken")
    assert report is not None
    assert (report.status, report.phase) == ("failed", "import")
    assert "ValueError: no luck" in report.reason
    with pytest.raises(aigis.NoWorker, match=r"plugin 'broken' failed: .*no luck"):
        skills.broken()
    assert set(stage.news[-1].serving) == {"tools", "alpha", "beta"}


def records_of(worker: WorkerProcess, message: str) -> dict[str, Any]:
    return eventually(lambda: next((r for r in list(worker.records) if r["message"] == message), None)) or {}


def test_what_a_skill_logs_is_told_with_plugin_and_call(worker: WorkerProcess) -> None:
    skills.tools.log("lucky")
    own, other = records_of(worker, "lucky"), records_of(worker, "lucky in a library")
    assert (own["plugin"], own["level"], own["logger"], own["face"]) == ("tools", "WARNING", "tools", 6)
    assert (other["plugin"], other["level"], other["logger"]) == ("tools", "INFO", "library")
    assert own["call"] == other["call"] != ""


def test_what_a_skill_prints_is_told_with_plugin_stream_and_call(worker: WorkerProcess) -> None:
    skills.tools.say("printed")
    half = records_of(worker, "half of printed")
    lines = [r for r in list(worker.records) if r["message"] == "printed"]
    assert [(r["plugin"], r["stream"], r["level"]) for r in lines] == [
        ("tools", "stdout", "INFO"),
        ("tools", "stderr", "WARNING"),
    ]
    assert {r["call"] for r in lines} == {half["call"]}
    assert (half["plugin"], half["stream"]) == ("tools", "stdout")


def test_what_is_printed_at_loading_is_the_plugins_that_is_loaded(worker: WorkerProcess) -> None:
    assert records_of(worker, "half of broken")["plugin"] == "broken"


def test_as_many_calls_run_at_once_as_the_worker_has_threads() -> None:
    begun = time.monotonic()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(skills.tools.wait, [0.3] * 8))
    assert 0.3 <= time.monotonic() - begun < 1.5


def test_a_call_whose_deadline_passes_in_the_queue_is_not_run(worker: WorkerProcess) -> None:
    with ThreadPoolExecutor(8) as pool:
        busy = [pool.submit(skills.tools.wait, 0.5, "busy") for _ in range(8)]
        eventually(lambda: len(worker.messages(message="busy")) == 8)
        with pytest.raises(aigis.SkillTimeout):
            _proxy.call("tools.log", ["too late"], seconds=0.1)
        for future in busy:
            future.result()
    skills.tools.log("in time")
    records_of(worker, "in time")
    assert worker.messages(message="too late") == []


def test_any_python_in_the_home_may_call(stage: Stage) -> None:
    code = "import aigis; from aigis import tools; print(tools.add(1, 2), aigis.tools.SIDES(), aigis.tools.Color(2))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=stage.home.root, check=False, capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("3 6 Color.BLUE\n", "")


def test_callers_in_many_threads_get_their_own_results() -> None:
    failures: list[int] = []

    def call(number: int) -> None:
        failures.extend(i for i in range(50) if skills.tools.add(number, i) != number + i)

    threads = [threading.Thread(target=call, args=(number * 1000,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
