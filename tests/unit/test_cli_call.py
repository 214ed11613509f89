"""What `call` prints and which exit code says how it ended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aigis._base import errors
from aigis._cli import call
from aigis._cli.exits import UsageError
from aigis._wire.exceptions import describe_exception, rebuild_exception


class Skill:
    """Stands where the call leaves the process: remembers what was asked for and answers."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer
        self.asked: tuple[Any, ...] = ()

    def __call__(self, *asked: Any) -> Any:
        self.asked = asked
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refused_by_a_worker() -> Exception:
    """Return the error of arguments that do not fit: it comes without frames."""
    rebuilt = rebuild_exception(describe_exception(TypeError("too many arguments")))
    assert isinstance(rebuilt, Exception)
    return rebuilt


def raised_by_a_skill(make: Callable[[], Exception]) -> Exception:
    try:
        raise make()
    except Exception as error:
        rebuilt = rebuild_exception(describe_exception(error))
    assert isinstance(rebuilt, Exception)
    return rebuilt


def test_words_are_json_else_strings_then_come_args_and_kwargs(capsys: pytest.CaptureFixture[str]) -> None:
    skill = Skill({"sum": 3})
    words = ["aigis.a.b", "1", "x", "007"]
    assert call.run(words, args='["y", null]', kwargs='{"z": [1]}', invoke=skill) == 0
    assert skill.asked == ("a.b", (1, "x", "007", "y", None), {"z": [1]})
    assert capsys.readouterr().out == '{"sum": 3}\n'


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (raised_by_a_skill(lambda: ValueError("bad dice")), 1),
        (raised_by_a_skill(lambda: TypeError("inside")), 1),
        (raised_by_a_skill(lambda: errors.SkillNotFound("a nested call's")), 1),
        (raised_by_a_skill(lambda: errors.WorkerLost("a nested call's")), 1),
        (errors.NotPicklable("the result"), 1),
        (TypeError("too many arguments"), 2),
        (refused_by_a_worker(), 2),
        (errors.SkillNotFound("no skill"), 2),
        (errors.PluginDisabled("off"), 2),
        (errors.NoWorker("none"), 2),
        (errors.NotRunning("not here"), 2),
        (errors.BusUnavailable("gone"), 2),
        (errors.SkillTimeout("late"), 4),
        (errors.WorkerLost("gone"), 4),
        (errors.ReplyError("unreadable"), 4),
    ],
    ids=repr,
)
def test_the_exit_code_says_how_the_call_ended(error: Exception, code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert call.run(["a.b"], args=None, kwargs=None, invoke=Skill(error)) == code
    printed = capsys.readouterr()
    assert printed.out == ""
    assert str(error) in printed.err


def test_the_skills_own_error_comes_with_the_frames_of_the_other_side(capsys: pytest.CaptureFixture[str]) -> None:
    call.run(["a.b"], args=None, kwargs=None, invoke=Skill(raised_by_a_skill(lambda: ValueError("bad dice"))))
    shown = capsys.readouterr().err
    assert shown.startswith("aigis: aigis.a.b raised ValueError: bad dice\n")
    assert "raised_by_a_skill" in shown
    assert "rebuild_exception" not in shown


def test_a_call_without_a_path_or_with_wrong_options_is_refused() -> None:
    with pytest.raises(UsageError, match="PATH"):
        call.run([], args=None, kwargs=None)
    with pytest.raises(UsageError, match="--args"):
        call.run(["a.b"], args="{}", kwargs=None)


def test_a_result_whose_repr_fails_is_an_error_of_the_skill_not_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    class Odd:
        def __repr__(self) -> str:
            raise RuntimeError("no repr")

    assert call.run(["a.b"], args=None, kwargs=None, invoke=Skill(Odd())) == 1
    assert "no repr" in capsys.readouterr().err
