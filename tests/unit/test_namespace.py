"""Private import namespaces, shown with real plugin folders."""

from __future__ import annotations

import gc
import importlib
import logging
import os
import pickle
import py_compile
import sys
import traceback
import weakref
from pathlib import Path
from typing import Any, Callable, Iterator

import pytest

import aigis
from aigis._plugin.namespace import Namespaces, display_name, mangle, owner

Open = Callable[..., Any]


@pytest.fixture
def namespaces() -> Iterator[Namespaces]:
    """Namespaces whose plugins are removed in the end."""
    opened = Namespaces()
    yield opened
    for plugin in ("one", "two", "my-plugin"):
        opened.remove(plugin)


@pytest.fixture
def run(namespaces: Namespaces, build: Callable[..., Path]) -> Open:
    """Return a function that writes a plugin's folder, opens its namespace and executes its AIGIS.core."""

    def run_core(core: str, files: dict[str, str] | None = None, name: str = "one", below: str = "") -> Any:
        root = build("", core, files, name)
        namespaces.add(name, str(root), str(root / below))
        return namespaces.load_core(name)

    return run_core


def test_two_plugins_with_a_top_level_src_each_see_their_own(run: Open) -> None:
    one = run("from src.consts import WHO", {"src/consts.py": "WHO = 'one'"})
    two = run("from src.consts import WHO", {"src/consts.py": "WHO = 'two'"}, name="two")
    assert (one.WHO, two.WHO) == ("one", "two")


def test_a_lazy_import_inside_a_function_finds_the_plugins_own_module(run: Open) -> None:
    core = "def who():\n    from src.consts import WHO\n    return WHO\n"
    one = run(core, {"src/consts.py": "WHO = 'one'"})
    two = run(core, {"src/consts.py": "WHO = 'two'"}, name="two")
    assert (two.who(), one.who()) == ("two", "one")


def test_a_plugins_own_json_and_redis_are_its_own_and_nobody_elses(run: Open) -> None:
    files = {"json.py": "MINE = True", "redis.py": "MINE = True"}
    one = run("import json, redis", files)
    two = run("import json", name="two")
    assert one.json.MINE
    assert one.redis.MINE
    assert two.json is sys.modules["json"]
    assert not hasattr(importlib.import_module("json"), "MINE")


def test_aigis_is_always_the_real_one(run: Open) -> None:
    assert run("import aigis", {"aigis.py": "raise RuntimeError"}).aigis is aigis


def test_a_folder_without_init_does_not_hide_an_installed_package_of_its_name(run: Open) -> None:
    core = run("import logging, pytest", {"logging/today.txt": "", "pytest/notes.py": ""})
    assert core.logging is logging
    assert core.pytest is pytest


def test_an_import_binds_the_top_package_and_its_modules(run: Open) -> None:
    core = run("import src.deep.leaf\nimport src.deep.leaf as leaf", {"src/deep/leaf.py": "X = 1"})
    assert core.src.deep.leaf.X == 1
    assert core.leaf is core.src.deep.leaf


def test_relative_star_and_circular_imports_work(run: Open) -> None:
    files = {
        "src/__init__.py": "from .a import *",
        "src/a.py": "import src.b\n__all__ = ['A']\nA = 1",
        "src/b.py": "from . import a\nimport src\ndef both(): return a.A, src.A",
    }
    core = run("from src import *\nfrom . import src\nresult = src.b.both()", files)
    assert (core.A, core.result) == (1, (1, 1))


def test_import_module_called_by_the_plugin_finds_its_own_modules(run: Open) -> None:
    source = """
        import importlib
        from importlib import import_module
        import importlib.util, src
        found = import_module("src.x"), import_module(".x", "src"), importlib.import_module(".x", src.__name__)
        theirs = import_module("json"), importlib.util
    """
    core = run(source, {"src/x.py": "X = 1"})
    assert [module.X for module in core.found] == [1, 1, 1]
    assert core.theirs == (sys.modules["json"], sys.modules["importlib.util"])


def test_exec_and_dunder_import_find_the_plugins_own_modules(run: Open) -> None:
    core = run("space = {}\nexec('from src.x import X', space)\ntop = __import__('src.x')", {"src/x.py": "X = 1"})
    assert core.space["X"] == 1
    assert core.top.x.X == 1


def test_a_module_the_plugin_has_just_written_is_found(run: Open) -> None:
    core = """
        import pathlib
        root = pathlib.Path(__file__).parent.parent
        try:
            import made
        except ImportError:
            (root / "made.py").write_text("X = 1")
            import made
    """
    assert run(core).made.X == 1


def test_the_entrypoint_alone_is_the_import_root(run: Open) -> None:
    files = {"genesis/genesis.py": "X = 1", "outside.py": ""}
    core = run("from genesis import X", files, below="genesis/")
    assert core.X == 1
    with pytest.raises(ModuleNotFoundError, match="No module named 'outside'"):
        core.__builtins__["__import__"]("outside")


def test_a_missing_module_is_named_as_the_author_knows_it(run: Open) -> None:
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'src\.nothing'$") as caught:
        run("import src.nothing", {"src/x.py": ""})
    assert caught.value.name == "src.nothing"


def test_sys_path_and_the_true_import_stay_as_they_are(run: Open) -> None:
    before = list(sys.path), __builtins__
    run("import src.x", {"src/x.py": ""})
    assert (list(sys.path), __builtins__) == before
    assert "src" not in sys.modules


def test_dataclasses_enums_and_pickle_by_reference_work(run: Open) -> None:
    source = """
        from __future__ import annotations
        import dataclasses, enum
        @dataclasses.dataclass
        class Point:
            x: int
        class Colour(enum.Enum):
            RED = 1
    """
    core = run("from src.shapes import Point, Colour", {"src/shapes.py": source})
    assert pickle.loads(pickle.dumps(core.Point(3))) == core.Point(3)
    assert pickle.loads(pickle.dumps(core.Colour.RED)) is core.Colour.RED
    assert importlib.import_module(mangle("one", "src.shapes")).Point is core.Point


def test_what_aigis_core_defines_pickles_by_reference(run: Open) -> None:
    core = run("class Thing: pass")
    assert pickle.loads(pickle.dumps(core.Thing)) is core.Thing


def test_tracebacks_show_the_real_path_and_line_of_aigis_core(run: Open) -> None:
    core = run("def fail():\n    raise ValueError('here')\n")
    try:
        core.fail()
    except ValueError:
        shown = traceback.format_exc()
    assert f'{os.sep}one{os.sep}AIGIS{os.sep}AIGIS.core", line 2' in shown
    assert "raise ValueError('here')" in shown


def test_aigis_core_is_never_taken_from_the_bytecode_of_aigis_config(
    namespaces: Namespaces, build: Callable[..., Path]
) -> None:
    root = build(b"WHO = 'config'", b"WHO = 'core__'")
    for name in ("AIGIS.config", "AIGIS.core"):
        os.utime(root / "AIGIS" / name, (1, 1))
    py_compile.compile(str(root / "AIGIS/AIGIS.config"), doraise=True)
    namespaces.add("one", str(root), str(root))
    assert namespaces.load_core("one").WHO == "core__"


def test_a_reload_runs_new_code_of_equal_time_and_size(run: Open, namespaces: Namespaces) -> None:
    core = run("from src.x import X", {"src/x.py": "X = 1"})
    old = core.X
    namespaces.remove("one")
    root = Path(core.__file__).parent.parent
    times = os.stat(root / "src/x.py")
    (root / "src/x.py").write_text("X = 2")
    os.utime(root / "src/x.py", ns=(times.st_atime_ns, times.st_mtime_ns))
    namespaces.add("one", str(root), str(root))
    assert (old, namespaces.load_core("one").X) == (1, 2)


def test_another_folder_takes_the_same_names(run: Open, namespaces: Namespaces, build: Callable[..., Path]) -> None:
    first = run("from src.x import C", {"src/x.py": "class C: V = 1"}).C
    root = build("", "from src.x import C", {"src/x.py": "class C: V = 2"}, name="version-2")
    namespaces.add("one", str(root), str(root))
    second = namespaces.load_core("one").C
    assert (first.V, second.V) == (1, 2)
    assert first.__module__ == second.__module__


def test_what_was_removed_is_collected_and_cannot_be_imported(run: Open, namespaces: Namespaces) -> None:
    core = run("from src.x import C\nimport importlib", {"src/x.py": "import importlib\nclass C: pass"})
    thing = weakref.ref(core.C)
    del core
    namespaces.remove("one")
    gc.collect()
    assert thing() is None
    assert namespaces not in sys.meta_path
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(mangle("one", "src.x"))


@pytest.mark.parametrize("plugin", ["one", "my-plugin", "my_plugin", "7zip", "a-b_c--d", "class"])
def test_a_mangled_name_tells_its_plugin(plugin: str) -> None:
    module = mangle(plugin, "src.util")
    assert all(segment.isidentifier() for segment in module.split("."))
    assert owner(module) == plugin
    assert display_name(module) == "src.util"


def test_names_of_the_core_and_of_strangers_are_shown_readably() -> None:
    assert display_name(mangle("one", "AIGIS_core")) == "AIGIS.core"
    assert display_name(mangle("one")) == "one"
    assert display_name("json.decoder") == "json.decoder"
    assert owner("json") is None
    assert mangle("my-plugin") != mangle("my_plugin")


def test_a_file_tells_its_plugin(run: Open, namespaces: Namespaces) -> None:
    root = Path(run("").__file__).parent.parent
    assert namespaces.plugin_of_file(str(root / "src" / "x.py")) == "one"
    assert namespaces.plugin_of_file(str(root) + "-other/x.py") is None


def test_a_plugin_with_a_dash_in_its_name_works_as_any(run: Open) -> None:
    assert run("from src.x import X", {"src/x.py": "X = 1"}, name="my-plugin").X == 1
