"""Paths of skills on the caller's side: what they say, what they send, and the forms of import."""

from __future__ import annotations

import copy
import json
import operator
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import aigis
from aigis import _proxy
from aigis._base.errors import BusUnavailable, SkillNotFound

skills: Any = aigis
"""What a plugin writes as `aigis`; the type checker knows no skills."""


class BadDie(ValueError):
    """What the runtime gives for `aigis.dice.BadDie`."""


class Runtime:
    """A namespace with `dice` in it; a call's value is the call itself."""

    def attribute(self, path: str) -> object:
        if path.partition(".")[0] != "dice":
            raise SkillNotFound(f"no skill aigis.{path}; did you mean aigis.dice?")
        return BadDie if path == "dice.BadDie" else _proxy.Path(path)

    def invoke(self, path: str, args: tuple[Any, ...], kwargs: dict[str, Any], **options: Any) -> Any:
        return path, args, kwargs, options

    def names(self, prefix: str) -> Sequence[str]:
        return {"": ("dice",), "dice": ("BadDie", "roll")}.get(prefix, ())


@pytest.fixture(autouse=True)
def runtime() -> Iterator[Runtime]:
    installed = Runtime()
    _proxy.install(installed)
    yield installed
    _proxy.install(None)


def test_a_path_is_never_changed_by_what_is_asked_of_it() -> None:
    m = skills.dice
    assert m.x(1, n=2) == ("dice.x", (1,), {"n": 2}, {})
    assert m.y() == ("dice.y", (), {}, {})
    assert m.y.z.deep() == ("dice.y.z.deep", (), {}, {})


def test_threads_that_share_a_path_never_mix_theirs() -> None:
    m = skills.dice

    def work(number: int) -> bool:
        return all(getattr(m, f"t{number}").go(i)[:2] == (f"dice.t{number}.go", (i,)) for i in range(200))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(8)))


def test_attributes_of_a_path_cannot_be_set_or_deleted() -> None:
    with pytest.raises(AttributeError, match=r"<aigis.dice> is a remote skill; its attributes cannot be set"):
        skills.dice.sides = 6
    with pytest.raises(AttributeError, match="cannot be deleted"):
        del skills.dice.sides


@pytest.mark.parametrize("name", ["__wrapped__", "__len_hint__", "_private", "__dataclass_fields__"])
def test_names_with_an_underscore_never_travel(runtime: Runtime, name: str) -> None:
    m = skills.dice
    runtime.attribute = pytest.fail  # type: ignore[method-assign, assignment]
    assert not hasattr(m, name)
    assert not hasattr(skills, name)


UNCALLED: dict[str, Callable[[Any], object]] = {
    "tested": bool,
    "measured": len,
    "iterated over": list,
    "indexed": lambda value: value[0],
    "searched": lambda value: 1 in value,
    "used as a value": lambda value: value + 1,
    "used as a value ": lambda value: 1 + value,
    "used as a value  ": lambda value: "%s" + value,
    "used as a value   ": int,
    "used as a value    ": float,
    "compared": lambda value: value == 6,
    "compared ": lambda value: value < 6,
    "compared  ": lambda value: max(6, value),
    "compared   ": lambda value: value != "six",
}


@pytest.mark.parametrize("how", UNCALLED)
def test_an_uncalled_value_says_call_it(how: str) -> None:
    with pytest.raises(
        TypeError, match=rf"^aigis\.dice\.SIDES cannot be {how.strip()} .*: write aigis\.dice\.SIDES\(\)$"
    ):
        UNCALLED[how](skills.dice.SIDES)


def test_paths_are_equal_by_name_and_may_be_keys() -> None:
    assert skills.dice.roll == skills.dice.roll
    assert skills.dice.roll != skills.dice.sheet
    assert {skills.dice.roll: 1}[skills.dice.roll] == 1
    assert repr(skills.dice.roll) == f"{skills.dice.roll}" == "<aigis.dice.roll>"


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_path_can_be_pickled(protocol: int) -> None:
    assert pickle.loads(pickle.dumps(skills.dice.roll, protocol)) == skills.dice.roll


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_path_can_be_copied(copied: Callable[[Any], Any]) -> None:
    assert copied(skills.dice.roll).now() == skills.dice.roll.now()


def test_dir_tells_what_the_catalog_knows() -> None:
    assert dir(skills.dice) == ["BadDie", "roll"]
    assert {"dice", "calls", "SkillNotFound"} <= set(dir(skills))
    assert [name for name in dir(skills) if name.startswith("_")] == []


def test_dir_is_empty_where_aigis_cannot_be_reached(runtime: Runtime) -> None:
    def unreachable(prefix: str) -> Sequence[str]:
        raise BusUnavailable

    runtime.names = unreachable  # type: ignore[method-assign]
    assert dir(skills.dice) == []
    assert "calls" in dir(skills)


def test_an_exception_class_is_a_real_class_uncalled() -> None:
    with pytest.raises(skills.dice.BadDie):
        raise skills.dice.BadDie("seven")


def test_a_name_nobody_has_is_an_attribute_error_that_names_the_near_one() -> None:
    with pytest.raises(AttributeError, match=r"no skill aigis.dise; did you mean aigis.dice\?") as caught:
        operator.attrgetter("dise")(skills)
    assert isinstance(caught.value, SkillNotFound)


def test_value_reads_without_calling() -> None:
    assert skills.calls.value("dice.SIDES") == ("dice.SIDES", (), {}, {"value_only": True})


IMPORTS = {
    "from aigis import dice; found = dice.roll(6)": "dice.roll(6)",
    "import aigis.dice; found = aigis.dice.roll(6)": "dice.roll(6)",
    "import aigis.dice.roll; found = aigis.dice.roll(6)": "dice.roll(6)",
    "import aigis.dice.roll.high as high; found = high(6)": "dice.roll.high(6)",
    "import aigis.dice as d; found = d.sheet.print(6)": "dice.sheet.print(6)",
    "from aigis.dice import roll; found = roll(6)": "dice.roll(6)",
    "from aigis.dice.roll import high; found = high(6)": "dice.roll.high(6)",
    "import aigis.dice; found = sorted(dir(aigis.dice))": "['roll']",
    "from aigis import calls, SkillNotFound; found = SkillNotFound.__name__": "SkillNotFound",
    "from aigis import dise": "ImportError: no skill aigis.dise; did you mean aigis.dice?",
    "import aigis.dise": "ImportError: no skill aigis.dise; did you mean aigis.dice?",
    "import aigis.dise.roll": "ImportError: no skill aigis.dise; did you mean aigis.dice?",
    "from aigis.dice import lost": "ImportError: skill 'dice' has no 'lost'",
    "import aigis.dice.lost": "ImportError: skill 'dice' has no 'lost'",
    "import aigis._nothing": "ModuleNotFoundError: No module named 'aigis._nothing'",
}
IMPORTING = """
import json, sys
from aigis import _proxy
from aigis._base.errors import SkillNotFound

class Runtime:
    def attribute(self, path):
        if path.split(".")[0] != "dice":
            raise SkillNotFound(f"no skill aigis.{path}; did you mean aigis.dice?")
        if path == "dice.lost":
            raise SkillNotFound("skill 'dice' has no 'lost'")
        return _proxy.Path(path)
    def invoke(self, path, args, kwargs):
        return f"{path}({args[0]})"
    def names(self, prefix):
        return ["roll"]

_proxy.install(Runtime())
clean = set(sys.modules), set(vars(sys.modules["aigis"]))
for statement in json.load(sys.stdin):
    names = {}
    try:
        exec(statement, names)
        print(names["found"])
    except Exception as error:
        print(f"{type(error).__name__}: {error}")
    for name in set(sys.modules) - clean[0]:
        del sys.modules[name]
    for name in set(vars(sys.modules["aigis"])) - clean[1]:
        delattr(sys.modules["aigis"], name)
"""


@pytest.fixture(scope="module")
def imported() -> dict[str, str]:
    """Run every statement in a process of its own, each as if it were the first."""
    done = subprocess.run(
        [sys.executable, "-c", IMPORTING], input=json.dumps(list(IMPORTS)), text=True, capture_output=True, check=True
    )
    return dict(zip(IMPORTS, done.stdout.splitlines(), strict=True))


@pytest.mark.parametrize("statement", IMPORTS)
def test_forms_of_import(imported: dict[str, str], statement: str) -> None:
    assert imported[statement] == IMPORTS[statement]
