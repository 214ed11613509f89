"""SKILLS is read from the text of AIGIS.core, which never runs."""

from __future__ import annotations

import keyword
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aigis._plugin.skills_list import SkillsList, clash, read_skills


def read(text: str) -> SkillsList:
    return read_skills(text.encode())


def messages(skills: SkillsList, *, fatal: bool = True) -> list[str]:
    return [str(problem) for problem in skills.problems if problem.fatal is fatal]


@pytest.mark.parametrize(
    "source",
    [
        "SKILLS = ['dnd.roll', 'dnd.draw']",
        "SKILLS = ('dnd.roll', 'dnd.draw')",
        "SKILLS: list[str] = ['dnd.roll', 'dnd.draw']",
        "SKILLS = ['dnd.roll'] + ['dnd.draw']",
        "SKILLS = ['dnd.roll']\nSKILLS += ['dnd.draw']",
        "SKILLS = ['dnd.roll']\nSKILLS.append('dnd.draw')",
        "SKILLS = []\nSKILLS.extend(('dnd.roll', 'dnd.draw'))",
        "SKILLS = ['old.name']\nSKILLS = ['dnd.roll', 'dnd.draw']",
        "names = SKILLS = ['dnd.roll', 'dnd.draw', 'cleanup']\ndef cleanup(): pass",
    ],
)
def test_a_literal_list_is_known_name_by_name(source: str) -> None:
    assert read(f"import dnd\n{source}") == SkillsList(("dnd.roll", "dnd.draw"), ("dnd.roll", "dnd.draw"))


@pytest.mark.parametrize(
    ("source", "branches"),
    [
        ("SKILLS = ['dnd.' + name for name in dnd.__all__]", ("dnd",)),
        ("SKILLS = [f'dnd.{name}' for name in dnd.__all__]", ("dnd",)),
        ("SKILLS = ['dnd.tables.%s' % name for name in names]", ("dnd.tables",)),
        ("SKILLS = ['dnd.{}.x'.format(name) for name in names]", ("dnd",)),
        ("SKILLS = ['.'.join(('dnd', name)) for name in names]", ("dnd",)),
        ("SKILLS = ['boorunator', *extra]", ("boorunator",)),
        ("SKILLS = ['a.x', 'b.y', *extra, 'cleanup', 'ignored']", ("a", "b")),
        ("SKILLS = list(names)", ()),
        ("SKILLS = []\nfor name in names:\n    SKILLS.append('dnd.' + name)", ("dnd",)),
        ("if fast:\n    SKILLS = ['fast.x']\nelse:\n    SKILLS = ['slow.x']", ("fast", "slow")),
        ("SKILLS = []\ndef skill(f):\n    SKILLS.append('dnd.' + f.__name__)\n    return f", ("dnd",)),
        ("SKILLS = ['dnd.a', 'dnd.b']\nSKILLS.remove('dnd.a')", ("dnd",)),
        ("SKILLS = ['dnd.a']\ndel SKILLS[0]", ("dnd",)),
        ("from names import SKILLS", ()),
        ("from names import *", ()),
    ],
)
def test_of_a_computed_list_the_branches_are_known(source: str, branches: tuple[str, ...]) -> None:
    assert read(source) == SkillsList(None, branches)


def test_only_the_core_files_own_global_is_the_list() -> None:
    assert read("import dnd\ndnd.SKILLS = ['x.y']\nprint(dnd.SKILLS)\nSKILLS = ['dnd.SKILLS']").names == ("dnd.SKILLS",)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def roll(): pass", "'SKILLS' is missing"),
        ("SKILLS = 'dnd.roll'", "AIGIS/AIGIS.core:1: 'SKILLS' is 'dnd.roll', which is no list"),
        ("x = 1\nSKILLS = None", "AIGIS/AIGIS.core:2: 'SKILLS' is None"),
        ("SKILLS = {'dnd.roll': 1}", "no list"),
        ("SKILLS = {'dnd.roll'}", "no list"),
        ("SKILLS = [\n'dnd.roll',\n'Dnd.x']\nimport dnd", "AIGIS/AIGIS.core:3: skill 'Dnd.x'"),
        ("SKILLS = [7]", "skill 7 is not a dotted name"),
        ("SKILLS = ['calls.x']\nimport calls", "belongs to AIGIS"),
        ("SKILLS = ['x'", "AIGIS/AIGIS.core:1: not valid Python"),
        ("import dice\nSKILLS = ['dcie.roll']", "AIGIS.core has no 'dcie'; did you mean 'dice'?"),
    ],
)
def test_a_list_that_cannot_load_is_reported_with_place_and_remedy(source: str, said: str) -> None:
    (message,) = messages(read(source))
    assert said in message


@pytest.mark.parametrize(
    "source",
    [
        "from dice import *",
        "globals()['dice'] = 1",
        "def __getattr__(name): return 1",
        "try:\n    import fast as dice\nexcept ImportError as dice: pass",
        "def load():\n    global dice\n    dice = 1",
    ],
)
def test_a_name_that_may_exist_is_left_to_the_loader(source: str) -> None:
    assert read(f"{source}\nSKILLS = ['dice.roll']").problems == ()


def test_all_bad_names_are_reported_at_once() -> None:
    assert len(messages(read("SKILLS = ['a-b', 'Cap', '_x', 3]"))) == 4


def test_a_skill_listed_twice_is_a_notice() -> None:
    skills = read("import dnd\nSKILLS = ['dnd.x', 'dnd.x']")
    assert skills.names == ("dnd.x",)
    assert "listed twice" in messages(skills, fatal=False)[0]


def test_reading_runs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    read("print('ran')\nSKILLS = [print('ran')]")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("nested", ["(" * 5000 + ")" * 5000, "SKILLS = " + "-" * 100_000 + "1", "x" + ".x" * 50_000])
def test_nesting_however_deep_ends_in_a_problem(nested: str) -> None:
    assert read(nested).problems


def test_a_list_added_up_of_many_parts_is_read() -> None:
    names = [f"n{number}" for number in range(300)]
    source = (
        "SKILLS = " + " + ".join(f"['{name}']" for name in names) + "\n" + "\n".join(f"{name} = 1" for name in names)
    )
    assert read(source).names == tuple(names)


segments = st.text(string.ascii_lowercase, min_size=1, max_size=8).filter(
    lambda name: not keyword.iskeyword(name) and name not in {"calls", "cleanup"}
)
paths = st.lists(segments, min_size=1, max_size=3).map(".".join)


@given(st.lists(paths, unique=True))
def test_any_literal_list_reads_back_as_written(names: list[str]) -> None:
    firsts = "".join(f"{name.partition('.')[0]} = 1\n" for name in names)
    assert read(f"{firsts}SKILLS = {names!r}") == SkillsList(tuple(names), tuple(names))


@given(st.one_of(st.binary(), st.text().map(lambda text: text.encode("utf-8", "surrogatepass"))))
def test_no_bytes_make_the_reader_raise(text: bytes) -> None:
    assert isinstance(read_skills(text), SkillsList)
    assert isinstance(read_skills(b"SKILLS = " + text), SkillsList)


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("dnd.roll", "dnd.roll", True),
        ("dnd", "dnd.roll", True),
        ("dnd.roll.fast", "dnd", True),
        ("dnd.roll", "dnd.draw", False),
        ("dnd", "dndx", False),
        ("dnd.roll", "dnd.rollx", False),
    ],
)
def test_two_skills_clash_when_one_is_or_holds_the_other(one: str, other: str, *, expected: bool) -> None:
    assert clash(one, other) is clash(other, one) is expected
