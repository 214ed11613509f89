"""Exceptions between processes: caught by class, with their text, attributes and remote frames."""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import aigis
from aigis._plugin.loader import LocalPlugins
from aigis._wire import serializer
from aigis._wire.exceptions import describe_exception, existing_class, rebuild_exception
from tests.building import Plugins
from tests.stranger import Stranger, stranger_process

CORE = """
    SKILLS = ["lingo"]

    class LingoError(Exception): pass

    class BadLanguage(LingoError, ValueError):
        def __init__(self, language, *, hint):
            super().__init__(f"no {language}")
            self.language, self.hint = language, hint
        def __str__(self): return f"{self.language}? {self.hint}!"

    class Garbled(UnicodeDecodeError):
        def __init__(self, where): self.where = where
        def __str__(self): return f"garbled at {self.where}"

    class Missing(FileNotFoundError): pass

    class lingo:
        LingoError, BadLanguage, Garbled, Missing = LingoError, BadLanguage, Garbled, Missing
        @staticmethod
        def speak(language): raise BadLanguage(language, hint="try Latin")
"""
REBUILD = "error = rebuild_exception(value); "


@pytest.fixture(scope="module")
def lingo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Load the plugin into this process, as a core worker does, and return what it exposes."""
    plugin = Plugins(tmp_path_factory.mktemp("run")).write("lingo", CORE)
    local = LocalPlugins(plugins=[plugin], patience=0)
    assert local.load("lingo").status == "ready"
    before, serializer.TRAVELLERS.version_of = serializer.TRAVELLERS.version_of, local.version_of
    yield local.resolve("lingo")
    serializer.TRAVELLERS.version_of = before
    local.unload_all()


@pytest.fixture
def stranger() -> Iterator[Stranger]:
    with stranger_process() as process:
        yield process


def raised(error: BaseException) -> dict[str, Any]:
    try:
        raise error
    except BaseException as caught:
        return describe_exception(caught)


def arrived(error: BaseException) -> BaseException:
    return rebuild_exception(serializer.loads(serializer.dumps(raised(error))))


@pytest.mark.parametrize(
    ("error", "attributes"),
    [
        (ValueError("six", 6), ()),
        (KeyError("six"), ()),
        (OSError(2, "No such file", "a.txt", None, "b.txt"), ("errno", "strerror", "filename", "filename2")),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"), ("encoding", "object", "start", "end", "reason")),
        (json.JSONDecodeError("bad", "{]", 1), ("msg", "doc", "pos", "lineno", "colno")),
        (ImportError("no", name="six", path="/six"), ("name", "path")),
        (SyntaxError("bad", ("a.py", 3, 4, "six six")), ("filename", "lineno", "offset", "text")),
        (StopIteration(6), ("value",)),
        (subprocess.CalledProcessError(6, ["six"], b"out"), ("returncode", "cmd", "output")),
        (aigis.WorkerLost("gone", started="no"), ("started",)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_exception_of_a_class_known_here_is_whole(error: BaseException, attributes: tuple[str, ...]) -> None:
    back = arrived(error)
    assert type(back) is type(error)
    assert (str(back), back.args) == (str(error), error.args)
    for name in attributes:
        assert getattr(back, name) == getattr(error, name)


def test_a_group_keeps_its_members() -> None:
    back = arrived(ExceptionGroup("two", [ValueError(1), KeyError(2)]))
    assert isinstance(back, ExceptionGroup)
    assert [repr(member) for member in back.exceptions] == ["ValueError(1)", "KeyError(2)"]


@given(args=st.lists(st.integers() | st.text() | st.none(), max_size=3), state=st.text())
def test_text_arguments_and_attributes_are_kept(args: list[Any], state: str) -> None:
    error = RuntimeError(*args)
    error.state = state  # type: ignore[attr-defined]
    back = arrived(error)
    assert (str(back), back.args, vars(back)) == (str(error), error.args, vars(error))


@pytest.mark.parametrize("error", [SystemExit(3), KeyboardInterrupt("3")], ids=lambda error: type(error).__name__)
def test_what_would_end_a_process_arrives_as_an_ordinary_error(error: BaseException) -> None:
    back = arrived(error)
    assert type(back) is aigis.RemoteError
    assert str(back) == f"the skill raised {type(error).__name__}: 3"


def test_notes_are_kept_and_shown() -> None:
    error = ValueError("six")
    error.add_note("while counting")
    back = arrived(error)
    assert back.__notes__ == ["while counting"]
    assert "while counting" in str(back.__cause__)


def test_what_cannot_travel_is_replaced_by_what_it_looks_like() -> None:
    lock = threading.Lock()
    error = ValueError("busy", lock)
    error.lock = lock  # type: ignore[attr-defined]
    back = arrived(error)
    assert back.args == ("busy", repr(lock))
    assert vars(back)["lock"] == repr(lock)


def test_an_exception_without_a_readable_text_travels() -> None:
    class Mute(Exception):
        def __str__(self) -> str:
            raise ValueError

    assert (
        str(arrived(Mute(6)))
        == "<test_an_exception_without_a_readable_text_travels.<locals>.Mute without a readable text>"
    )


def test_the_cause_shows_the_remote_frames_with_the_authors_names(lingo: Any) -> None:
    try:
        lingo.speak("Elvish")
    except ValueError as error:
        cause = str(rebuild_exception(describe_exception(error)).__cause__)
    assert "In the process that ran the skill:" in cause
    assert "AIGIS.core" in cause
    assert "BadLanguage: Elvish? try Latin!" in cause
    assert "aigis_plugins" not in cause


def test_the_owner_gets_its_own_class_again(lingo: Any) -> None:
    back: Any = arrived(lingo.BadLanguage("Elvish", hint="try Latin"))
    assert type(back) is lingo.BadLanguage
    assert (str(back), back.language) == ("Elvish? try Latin!", "Elvish")


def test_a_stranger_catches_a_stand_in_by_name_and_by_built_in_base(lingo: Any, stranger: Stranger) -> None:
    found = stranger.run(
        REBUILD + "answer = (isinstance(error, ValueError), type(error).__name__, type(error).__doc__, str(error), "
        "error.args, error.language, error.hint)",
        raised(lingo.BadLanguage("Elvish", hint="try Latin")),
    )
    doc = "Stands for BadLanguage, whose plugin is not loaded in this process."
    assert found == (True, "BadLanguage", doc, "Elvish? try Latin!", ("no Elvish",), "Elvish", "try Latin")


@pytest.mark.parametrize("first", ["base", "derived"])
def test_the_plugins_own_base_class_catches_at_a_stranger(lingo: Any, stranger: Stranger, first: str) -> None:
    orders = {"base": raised(lingo.LingoError()), "derived": raised(lingo.BadLanguage("Elvish", hint=""))}
    for name in sorted(orders, key=lambda name: name != first):
        stranger.run(REBUILD + f"kept[{name!r}] = type(error)", orders[name])
    assert stranger.run("answer = issubclass(kept['derived'], kept['base'])", None)


def test_two_exceptions_of_one_class_are_of_one_class_at_a_stranger(lingo: Any, stranger: Stranger) -> None:
    error = raised(lingo.Missing(2, "No such file", "a.txt"))
    stranger.run(REBUILD + "kept['first'] = type(error)", error)
    assert stranger.run(REBUILD + "answer = type(error) is kept['first'] and (error.errno, error.filename)", error) == (
        2,
        "a.txt",
    )


def test_a_class_that_leaves_its_built_in_part_unset_still_travels(lingo: Any, stranger: Stranger) -> None:
    error = raised(lingo.Garbled("six"))
    assert str(rebuild_exception(error)) == "garbled at six"
    assert stranger.run(REBUILD + "answer = (isinstance(error, UnicodeError), str(error), error.where)", error) == (
        True,
        "garbled at six",
        "six",
    )


def test_a_stand_in_that_is_passed_on_is_still_what_it_was(lingo: Any, stranger: Stranger) -> None:
    error = raised(lingo.BadLanguage("Elvish", hint="try Latin"))
    passed_on = stranger.run(REBUILD + "answer = describe_exception(error)", error)
    with stranger_process() as third:
        told = third.run(
            REBUILD + "answer = (isinstance(error, ValueError), str(error), str(error.__cause__))", passed_on
        )
    assert told[:2] == (True, "Elvish? try Latin!")
    assert type(rebuild_exception(passed_on)) is lingo.BadLanguage


@pytest.mark.parametrize("name", ["builtins:print", "no_such_module:Error", "__main__:Error", "os:path", "os:no.such"])
def test_a_name_that_is_no_exception_class_is_not_taken_for_one(name: str) -> None:
    assert existing_class(name) is None
