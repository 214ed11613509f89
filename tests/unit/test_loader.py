"""Core plugins loaded into one process: what is exposed, who keeps a name, nested loads, taint, unloading."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import pickle
import signal
import sys
import textwrap
import threading
import weakref
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

import pytest

import aigis
from aigis import _proxy
from aigis._base.errors import NotPicklable, PluginDisabled, PluginError, SkillNotFound
from aigis._base.messages import LoadReport, PlannedPlugin
from aigis._plugin.loader import Changes, LocalPlugins, NotLocal, changes_for

skills: Any = aigis
"""What a plugin writes as `aigis`; the type checker knows no skills."""

DICE = """
    SKILLS = ["dnd.roll", "dnd.SIDES", "dnd.BadDie", "dnd.sheet"]
    class BadDie(Exception): pass
    class dnd:
        SIDES = 6
        BadDie = BadDie
        @staticmethod
        def roll(n=1): return n * 6
        @staticmethod
        def sheet(name, logger): return name, logger.name
"""


class Home:
    """Writes plugin folders and plans them in the order written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.planned: list[PlannedPlugin] = []
        self.opened: list[LocalPlugins] = []

    def write(
        self, name: str, core: Optional[str], *branches: str, version: str = "1", **changes: Any
    ) -> PlannedPlugin:
        root = self.folder / name / version
        (root / "AIGIS").mkdir(parents=True, exist_ok=True)
        if core is not None:
            (root / "AIGIS" / "AIGIS.core").write_text(textwrap.dedent(core))
        kind = changes.pop("type", "core")
        return PlannedPlugin(name, version, kind, str(root), str(root), branches, **changes)

    def add(self, name: str, core: Optional[str], *branches: str, **changes: Any) -> None:
        self.planned.append(self.write(name, core, *branches, **changes))

    def open(self, **options: Any) -> LocalPlugins:
        plugins = LocalPlugins(plugins=self.planned, **{"patience": 0.05, **options})
        self.opened.append(plugins)
        _proxy.install(_Runtime(plugins))
        return plugins

    def load(self, core: Optional[str], name: str = "dice", **changes: Any) -> LoadReport:
        self.add(name, core, **changes)
        return self.open().load(name)


class _Runtime:
    """What a process with the core makes of `import aigis`; nothing is remote here."""

    def __init__(self, plugins: LocalPlugins) -> None:
        self._plugins = plugins
        self.names = plugins.names

    def attribute(self, path: str) -> object:
        return self._plugins.member(path)

    def invoke(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> Any:
        return self._plugins.call_skill(path, args, kwargs)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    for plugins in made.opened:
        plugins.unload_all()
    _proxy.install(None)


@pytest.fixture
def dice(home: Home) -> LocalPlugins:
    home.add("dice", DICE, "dnd.roll", "dnd.SIDES", "dnd.BadDie", "dnd.sheet")
    plugins = home.open()
    assert plugins.load("dice").status == "ready"
    return plugins


# What is exposed.


def test_a_loaded_plugin_reports_its_skills_described(dice: LocalPlugins) -> None:
    (report,) = dice.reports()
    assert [(skill.path, skill.kind) for skill in report.skills] == [
        ("dnd.roll", "function"),
        ("dnd.SIDES", "value"),
        ("dnd.BadDie", "exception"),
        ("dnd.sheet", "function"),
    ]
    assert (report.status, report.reason, report.phase, report.version) == ("ready", "", "", "1")


def test_a_computed_list_is_as_good_as_a_literal_one(home: Home) -> None:
    core = "class dnd:\n    a = 1\n    b = 2\nSKILLS = ['dnd.' + name for name in 'ab']"
    assert [skill.path for skill in home.load(core).skills] == ["dnd.a", "dnd.b"]


def test_cleanup_is_no_skill(home: Home) -> None:
    report = home.load("def cleanup(): pass\ndef x(): pass\nSKILLS = ('x', 'cleanup')")
    assert [skill.path for skill in report.skills] == ["x"]


def test_only_the_cores_own_global_is_the_list(home: Home) -> None:
    report = home.load("class dnd:\n    SKILLS = ['sword']\nSKILLS = ['dnd.SKILLS']")
    assert [skill.path for skill in report.skills] == ["dnd.SKILLS"]


@pytest.mark.parametrize(
    ("core", "phase", "reason"),
    [
        (None, "import", "dice: AIGIS/AIGIS.core is missing below '/"),
        ("x = 1", "skills", "dice: AIGIS.core has no 'SKILLS': list the names to expose, such as SKILLS ="),
        ("SKILLS = 'roll'", "skills", "dice: 'SKILLS' in AIGIS.core is of type str: write a list of names"),
        ("SKILLS = {'roll': 1}", "skills", "is of type dict"),
        ("SKILLS = [3]", "skills", "skill 3 is not a dotted name"),
        ("SKILLS = ['a b']", "skills", "'a b' is no Python identifier"),
        ("SKILLS = ['Big.x']", "skills", "may not start with '_' or a capital"),
        ("SKILLS = ['calls.x']", "skills", "belongs to AIGIS"),
        ("def roll(): pass\nSKILLS = ['rol']", "names", "AIGIS.core has no 'rol'; did you mean 'roll'?"),
        ("class a:\n    best = 1\nSKILLS = ['a.bst']", "names", "'a' has no 'bst'; did you mean 'best'?"),
        ("import feed", "import", "dice: ModuleNotFoundError: No module named 'feed' (AIGIS/AIGIS.core, line 1);"),
        ("x = 1\ny = = 2", "import", "dice: SyntaxError: invalid syntax (AIGIS/AIGIS.core, line 2); correct that line"),
        ("import sys\nsys.exit('so')", "import", "dice: SystemExit: so (AIGIS/AIGIS.core, line 2)"),
        ("raise KeyboardInterrupt", "import", "dice: KeyboardInterrupt: no message (AIGIS/AIGIS.core, line 1)"),
        ("raise ValueError('two\\n  lines')", "import", "dice: ValueError: two lines (AIGIS/AIGIS.core, line 1)"),
        ("class E(Exception):\n    def __str__(self): 1/0\nraise E", "import", "E: its message cannot be shown"),
        ("class a:\n    def __getattr__(self, name): 1/0\na = a()\nSKILLS = ['a.x']", "names", "ZeroDivisionError"),
    ],
)  # fmt: skip
def test_a_plugin_that_cannot_be_used_is_reported_in_a_sentence(
    home: Home, core: Optional[str], phase: str, reason: str
) -> None:
    report = home.load(core)
    assert (report.status, report.phase, report.skills) == ("failed", phase, ())
    assert reason in report.reason
    assert "\n" not in report.reason
    assert home.opened[0].loaded == ()


def test_the_reason_names_the_plugins_own_innermost_line(home: Home) -> None:
    home.add("dice", "import src.x\nSKILLS = []")
    (Path(home.planned[0].root) / "src").mkdir()
    (Path(home.planned[0].root) / "src/x.py").write_text("import json\n\njson.loads('{')\n")
    assert "(src/x.py, line 3)" in home.open().load("dice").reason


def test_the_traceback_in_the_log_begins_in_the_plugin(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    home.load("1/0")
    (record,) = caplog.records
    assert record.name == "aigis.plugin.dice"
    assert record.exc_info is not None
    assert record.exc_info[2] is not None
    assert record.exc_info[2].tb_frame.f_code.co_filename.endswith("AIGIS.core")


def test_a_real_interrupt_passes_through_a_load(home: Home) -> None:
    home.add("dice", "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nfor _ in range(10**6): pass")
    plugins = home.open()
    outside = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores SIGINT
    with pytest.raises(KeyboardInterrupt):
        plugins.load("dice")
    assert signal.signal(signal.SIGINT, outside) is signal.default_int_handler
    assert plugins.reports() == ()


def test_a_name_that_is_not_planned_names_the_near_one(dice: LocalPlugins) -> None:
    with pytest.raises(PluginError, match="'dic' is not in the plan; did you mean 'dice'"):
        dice.load("dic")


# The namespace.


def test_local_skills_are_the_objects_themselves(dice: LocalPlugins) -> None:
    core = importlib.import_module("aigis_plugins.dice.AIGIS_core")
    assert skills.dnd.roll is core.dnd.roll
    assert skills.dnd.SIDES == 6
    assert skills.dnd.BadDie is core.BadDie
    assert dir(skills.dnd) == ["BadDie", "SIDES", "roll", "sheet"]


def test_a_local_callable_comes_with_its_logger(dice: LocalPlugins) -> None:
    core = importlib.import_module("aigis_plugins.dice.AIGIS_core")
    assert skills.dnd.sheet("n") == ("n", "aigis.plugin.dice")
    assert not hasattr(core.dnd.sheet, "__wrapped__")


def test_a_value_bound_anew_by_its_plugin_is_seen(home: Home) -> None:
    home.load("count = 0\ndef up():\n    global count\n    count += 1\nSKILLS = ['count', 'up']")
    seen = [skills.count]
    skills.up()
    assert [*seen, skills.count, home.opened[0].call_skill("count")] == [0, 1, 1]


def test_a_whole_module_is_a_skill_with_all_below_it(home: Home) -> None:
    assert home.load("import json as formats\nSKILLS = ['formats']").skills[0].kind == "module"
    assert skills.formats.decoder.JSONDecoder is importlib.import_module("json").JSONDecoder
    assert home.opened[0].attribute("formats.decoder") is importlib.import_module("json.decoder")


def test_an_unknown_name_below_a_branch_names_the_near_one(dice: LocalPlugins) -> None:
    with pytest.raises(SkillNotFound, match=r"no plugin here has a skill 'dnd\.rol'; did you mean 'dnd\.roll'"):
        _ = skills.dnd.rol
    assert not hasattr(skills.dnd, "nothing")


def test_what_is_not_local_is_given_by_the_remote_side(home: Home) -> None:
    home.add("dice", DICE, "dnd.roll")
    home.add("counter", "", "dnd.count", single=True)
    home.add("service", "", "dnd.serve", type="internal-remote")
    plugins = home.open(remote=lambda path: f"remote {path}", hybrids_local=False)
    assert skills.dnd.count == "remote dnd.count"
    assert skills.dnd.serve == "remote dnd.serve"
    assert skills.dnd.roll(2) == 12
    assert plugins.loaded == ("dice",)
    with pytest.raises(NotLocal):
        plugins.attribute("elsewhere")


def test_a_branch_is_no_skill_and_cannot_be_changed_or_sent(dice: LocalPlugins) -> None:
    with pytest.raises(SkillNotFound, match=r"'dnd' is no skill: below it are BadDie, SIDES, roll, sheet"):
        skills.dnd()
    with pytest.raises(AttributeError, match=r"'aigis.dnd.roll' cannot be set"):
        skills.dnd.roll = 3
    with pytest.raises(NotPicklable, match="cannot travel"):
        pickle.dumps(skills.dnd)
    assert repr(skills.dnd) == "<aigis.dnd>"


def test_a_disabled_plugin_tells_how_to_enable_it(home: Home) -> None:
    home.add("dice", DICE, "dnd.roll", enabled=False)
    plugins = home.open()
    uses: list[Callable[[], object]] = [lambda: skills.dnd.roll, lambda: plugins.call_skill("dnd.roll")]
    for use in uses:
        with pytest.raises(PluginDisabled, match="plugin 'dice' is disabled; enable it with `invoke enable dice`"):
            use()
    assert (plugins.load("dice").status, plugins.reports()) == ("failed", ())


def test_a_branch_someone_holds_outlives_a_reload(dice: LocalPlugins, home: Home) -> None:
    held = skills.dnd
    assert held.roll() == 6
    dice.update([home.write("dice", DICE.replace("n * 6", "n * 8"), "dnd.roll", version="2")])
    dice.load("dice")
    assert held.roll() == 8


def test_the_names_at_the_top_come_from_loaded_and_reserved_skills(home: Home) -> None:
    home.add("dice", DICE, "dnd.roll")
    home.add("other", "", "feeds")
    home.add("off", "", "gone.x", enabled=False)
    assert home.open().names() == ("dnd", "feeds")


# Calls from elsewhere.


def test_calls_reach_skills_and_what_lies_below_them(home: Home) -> None:
    core = """
        class Tool:
            limit = 3
            def use(self, logger=None): return "used", logger
            def __call__(self, x): return x
        tool = Tool()
        class Error(Exception): pass
        def roll(n, log): return n, log.name
        SKILLS = ["tool", "Error".lower(), "roll"]
        error = Error
    """
    home.load(core)
    call = home.opened[0].call_skill
    assert call("tool", (4,)) == 4
    assert call("tool.use") == ("used", None)
    assert call("tool.limit") == 3
    assert call("roll", (), {"n": 1}) == (1, "aigis.plugin.dice")
    assert call("roll", (1, logging.getLogger("x"))) == (1, "x")
    assert isinstance(call("error", ("text",)), Exception)


@pytest.mark.parametrize(("args", "kwargs"), [((1,), {}), ((), {"a": 1})])
def test_arguments_to_a_value_are_a_type_error(dice: LocalPlugins, args: Any, kwargs: Any) -> None:
    with pytest.raises(TypeError, match=r"'dnd.SIDES' is a value, not callable: call it without arguments"):
        dice.call_skill("dnd.SIDES", args, kwargs)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("dnd.rol", "no plugin here has a skill 'dnd.rol'; did you mean 'dnd.roll'?"),
        ("dnd", "'dnd' is no skill: below it are BadDie, SIDES, roll, sheet"),
        ("dnd.roll.x", "skill 'dnd.roll' has no 'x'"),
        ("dnd.SIDES.bit_lengt", "skill 'dnd.SIDES' has no 'bit_lengt'"),
        ("dnd.roll.__globals__", "dnd.roll.__globals__ is private to the plugin 'dice'"),
    ],
)
def test_a_path_that_leads_nowhere_is_not_found(dice: LocalPlugins, path: str, message: str) -> None:
    with pytest.raises(SkillNotFound) as caught:
        dice.resolve(path)
    assert str(caught.value).startswith(message)


def test_find_gives_plugin_leaf_and_rest(dice: LocalPlugins) -> None:
    found = dice.find("dnd.roll.a.b")
    assert found is not None
    assert (found.plugin.name, found.leaf, found.rest) == ("dice", "dnd.roll", ("a", "b"))
    assert dice.find("dnd") is None


def test_a_single_plugin_is_called_where_it_was_loaded(home: Home) -> None:
    home.add("counter", "def up(): return 1\nSKILLS = ['up']", "up", single=True)
    plugins = home.open()
    with pytest.raises(SkillNotFound):
        plugins.call_skill("up")
    plugins.load("counter")
    assert plugins.call_skill("up") == 1
    with pytest.raises(NotLocal):
        plugins.attribute("up")


# Who keeps a name.


@pytest.mark.parametrize(("first", "second"), [("x", "x"), ("x", "x.y"), ("x.y", "x")])
def test_the_first_in_order_keeps_a_name(home: Home, first: str, second: str) -> None:
    core = "class x:\n    y = 1\nSKILLS = ['{}', 'only{}']\nonly1 = only2 = 2"
    home.add("one", core.format(first, 1))
    home.add("two", core.format(second, 2))
    plugins = home.open()
    assert plugins.load("one").status == "ready"
    report = plugins.load("two")
    assert (report.status, report.phase) == ("failed", "names")
    assert f"two: skill {second!r} belongs to the plugin 'one'" in report.reason
    with pytest.raises(NotLocal):
        plugins.attribute("only2")


def test_a_name_reserved_by_one_not_yet_loaded_is_kept_for_it(home: Home) -> None:
    home.add("one", "x = 1\nSKILLS = ['x']", "x")
    home.add("two", "x = 2\nSKILLS = ['x']", "x")
    plugins = home.open()
    assert "belongs to the plugin 'one'" in plugins.load("two").reason
    assert plugins.load("one").status == "ready"


def test_one_that_was_needed_early_gives_a_name_back_to_the_first_in_order(home: Home) -> None:
    home.add("one", "import aigis\nn = aigis.d.b\nclass d:\n    a = 1\nSKILLS = ['d.' + c for c in 'a']", "d")
    home.add("two", "class d:\n    a = 2\n    b = 3\nSKILLS = ['d.a', 'd.b']", "d.a", "d.b")
    plugins = home.open()
    assert plugins.load("one").status == "ready"
    assert skills.d.a == 1
    assert [report.status for report in plugins.reports()] == ["ready", "failed"]
    assert "two: skill 'd.a' belongs to the plugin 'one'" in plugins.load("two").reason


# Nested loads.

A = "import aigis\nLOADED = aigis.b.VALUE\ndef ask(): return aigis.b.VALUE\nclass a:\n    x = ask\nSKILLS = ['a.x']"
B = "import aigis\ndef ask(): return aigis.a.x()\nclass b:\n    VALUE = 5\n    x = ask\nSKILLS = ['b.VALUE', 'b.x']"


@pytest.mark.parametrize("order", [("a", "b"), ("b", "a")])
def test_what_an_import_uses_of_another_plugin_is_loaded_first(home: Home, order: tuple[str, str]) -> None:
    cores = {"a": (A, "a.x"), "b": (B, "b.VALUE", "b.x")}
    for name in order:
        core, *branches = cores[name]
        home.add(name, core, *branches)
    plugins = home.open()
    assert [plugins.load(name).status for name in order] == ["ready", "ready"]
    assert plugins.loaded == ("b", "a")
    assert (skills.a.x(), skills.b.x()) == (5, 5)


def test_a_circle_of_imports_names_both_plugins(home: Home) -> None:
    home.add("one", "import aigis\naigis.two.x\nSKILLS = []", "one.x")
    home.add("two", "import aigis\naigis.one.x\nSKILLS = []", "two.x")
    plugins = home.open()
    report = plugins.load("one")
    assert report.status == "failed"
    assert "plugins 'one' and 'two' need each other while they are being imported" in report.reason
    assert plugins.load("two").status == "failed"


def test_a_plugin_that_uses_itself_while_imported_is_told_so(home: Home) -> None:
    home.add("one", "import aigis\naigis.one.x\nSKILLS = []", "one.x")
    assert "plugin 'one' uses its own skills through `aigis`" in home.open().load("one").reason


def test_an_import_that_needs_a_failed_plugin_says_why(home: Home) -> None:
    home.add("one", "import aigis\naigis.two.x\nSKILLS = []", "one.x")
    home.add("two", "1/0", "two.x")
    reason = home.open().load("one").reason
    assert reason.startswith("one: SkillNotFound: skill 'two.x' is not there")
    assert "two: ZeroDivisionError: division by zero (AIGIS/AIGIS.core, line 1)" in reason


def test_outside_of_loads_a_failed_plugin_is_not_local(home: Home) -> None:
    home.add("two", "1/0", "two.x")
    plugins = home.open()
    with pytest.raises(NotLocal) as caught:
        plugins.attribute("two.x")
    assert caught.value.reason.startswith("two: ZeroDivisionError")


def test_a_plugin_is_loaded_at_its_first_use(home: Home) -> None:
    home.add("dice", DICE, "dnd.roll")
    plugins = home.open()
    branch = skills.dnd
    assert list(plugins.loaded) == []
    assert branch.roll(1) == 6
    assert list(plugins.loaded) == ["dice"]


def test_another_thread_waits_for_a_running_load_but_not_for_loaded_plugins(home: Home) -> None:
    home.add("quick", "def x(): return 1\nSKILLS = ['x']", "x")
    home.add("slow", "import threading\nSTARTED.set()\nGO.wait()\ndef y(): return 2\nSKILLS = ['y']", "y")
    gates = threading.Event(), threading.Event()
    plugins = home.open()
    plugins.load("quick")
    core = Path(home.planned[1].root) / "AIGIS/AIGIS.core"
    core.write_text("import gates\nfrom gates import STARTED, GO\n" + core.read_text())
    sys.modules["gates"] = gates_module = type(sys)("gates")
    vars(gates_module).update(STARTED=gates[0], GO=gates[1])
    loading = threading.Thread(target=plugins.load, args=("slow",))
    loading.start()
    gates[0].wait()
    results: list[int] = []
    waiting = threading.Thread(target=lambda: results.append(skills.y()))
    waiting.start()
    assert skills.x() == 1
    waiting.join(0.05)
    assert results == []
    gates[1].set()
    waiting.join()
    loading.join()
    del sys.modules["gates"]
    assert results == [2]


# Taint.

THREAD = """
    import threading
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, name="feeder")
    thread.start()
    def cleanup():
        stop.set()
        thread.join()
    def x(): return thread.is_alive()
    SKILLS = ["x"]
"""


def test_an_import_that_leaves_a_thread_is_refused_by_name(home: Home) -> None:
    report = home.load(THREAD)
    assert (report.status, report.phase) == ("tainted", "taint")
    assert "dice: its import left thread 'feeder' running" in report.reason
    assert "allow_taint = true in [plugins.dice]" in report.reason
    assert home.opened[0].loaded == ()
    assert "feeder" not in {thread.name for thread in threading.enumerate()}


def test_with_the_allowance_it_loads_with_a_notice(home: Home) -> None:
    report = home.load(THREAD, may_taint=True)
    assert report.status == "ready"
    assert report.notices == ("its import left thread 'feeder' running, as allow_taint permits",)
    assert home.opened[0].call_skill("x") is True


def test_an_import_that_fails_and_leaves_a_thread_is_tainted(home: Home) -> None:
    report = home.load(THREAD.replace('SKILLS = ["x"]', "SKILLS = ['x', 'nothing']"))
    assert report.status == "tainted"
    assert "it failed as well: dice: SKILLS names 'nothing'" in report.reason


def test_the_thread_of_a_nested_load_is_blamed_on_the_nested_plugin(home: Home) -> None:
    home.add("one", "import aigis\naigis.two.x\ny = 1\nSKILLS = ['y']", "y")
    home.add("two", THREAD.replace("def x()", "class two: pass\n    def x()") + "    two.x = x\n    SKILLS = ['two.x']",
             "two.x", may_taint=True)  # fmt: skip
    plugins = home.open()
    assert (plugins.load("one").status, plugins.load("one").notices) == ("ready", ())
    assert plugins.load("two").notices != ()


# Unloading, updating.

NOTING = """
    import builtins, os
    def x(): pass
    def cleanup(logger):
        with open({file!r}, "a") as stream:
            stream.write({name!r} + "\\n")
        logger.info("done")
    SKILLS = ["{name}"]
    {name} = x
"""


def test_cleanup_is_called_once_in_reverse_order(home: Home, tmp_path: Path) -> None:
    file = tmp_path / "cleaned"
    for name in ("one", "two"):
        home.add(name, NOTING.format(file=str(file), name=name))
    plugins = home.open()
    assert [plugins.load(name).status for name in ("one", "two")] == ["ready", "ready"]
    plugins.unload_all()
    plugins.unload_all()
    plugins.unload("one")
    assert file.read_text().split() == ["two", "one"]


@pytest.mark.parametrize("fault", ["1/0", "raise SystemExit", "raise KeyboardInterrupt"])
def test_a_cleanup_that_fails_is_logged(home: Home, caplog: pytest.LogCaptureFixture, fault: str) -> None:
    home.load(f"def cleanup():\n    {fault}\nSKILLS = []")
    home.opened[0].unload("dice")
    assert [record.getMessage() for record in caplog.records] == ["cleanup failed"]
    assert home.opened[0].loaded == ()


def test_what_was_unloaded_is_collected(home: Home) -> None:
    home.load("class Thing: pass\nthing = Thing()\ndef make(logger): pass\nSKILLS = ['thing', 'make', 'Thing'.lower()]")
    skills.make()
    thing = weakref.ref(skills.thing)
    home.opened[0].unload("dice")
    gc.collect()
    assert thing() is None


def test_a_reload_runs_new_code_of_equal_time_and_size(home: Home) -> None:
    home.load("def x(): return 1\nSKILLS = ['x']")
    plugins, core = home.opened[0], Path(home.planned[0].root) / "AIGIS/AIGIS.core"
    times = os.stat(core)
    core.write_text(core.read_text().replace("1", "2"))
    os.utime(core, ns=(times.st_atime_ns, times.st_mtime_ns))
    before = plugins.call_skill("x")
    plugins.unload("dice")
    plugins.load("dice")
    assert (before, plugins.call_skill("x")) == (1, 2)


def test_a_new_version_is_loaded_in_place_of_the_old_one(dice: LocalPlugins, home: Home) -> None:
    new = home.write("dice", DICE.replace("n * 6", "n * 8"), "dnd.roll", version="2")
    assert dice.update([new]) == Changes(("dice",), ("dice",))
    assert skills.dnd.roll() == 6
    assert (dice.load("dice").version, skills.dnd.roll()) == ("2", 8)
    assert dice.version_of(skills.dnd.BadDie.__module__) == "2"
    assert dice.update([new]) == Changes((), ())


def test_a_failed_plugin_is_tried_again_when_its_entry_changes(home: Home) -> None:
    home.load(THREAD)
    plugins, entry = home.opened[0], home.planned[0]
    assert plugins.update([entry]) == Changes((), ())
    allowed = home.write("dice", THREAD, may_taint=True)
    assert plugins.update([allowed]) == Changes((), ("dice",))
    assert plugins.load("dice").status == "ready"


def test_changes_unload_in_reverse_and_load_in_order() -> None:
    def plugin(name: str, version: str = "1", enabled: bool = True) -> PlannedPlugin:
        return PlannedPlugin(name, version, "core", f"/{version}", f"/{version}", enabled=enabled)

    loaded = [plugin("a"), plugin("b"), plugin("c"), plugin("d")]
    wanted = [plugin("new"), plugin("b", "2"), plugin("a"), plugin("c", enabled=False), plugin("bad")]
    assert changes_for(loaded, {"a", "b", "c", "d", "bad"}, wanted) == Changes(("d", "c", "b"), ("new", "b"))


def test_the_context_is_entered_around_the_plugins_code(home: Home) -> None:
    entered: list[str] = []

    class Within:
        def __init__(self, name: str) -> None:
            entered.append(name)

        def __enter__(self) -> None:
            entered.append("in")

        def __exit__(self, *exception: object) -> None:
            entered.append("out")

    home.add("dice", "def cleanup(): pass\nSKILLS = []")
    plugins = home.open(within=Within)
    plugins.load("dice")
    plugins.unload("dice")
    assert entered == ["dice", "in", "out"] * 2
