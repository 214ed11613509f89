"""The table of DESIGN §5, typed on the command line, means the same under `invoke` and under `aigis`."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import pytest
from invoke.exceptions import Exit, ParseError
from invoke.program import Program

from aigis._cli.program import AigisProgram
from aigis._cli.verbs import namespace
from aigis._cli.words import Verb

CHECKOUT = Path(__file__).parents[2]
PROGRAMS = ("invoke", "aigis")

UP = {"detach": False, "workers": None}
LOGS = {"plugin": None, "level": None, "call": None, "n": None, "follow": False, "json": False}
CALL = {"args": None, "kwargs": None}

TABLE: list[tuple[str, list[str], dict[str, Any]]] = [
    ("up", [], UP),
    ("up --detach", [], {**UP, "detach": True}),
    ("up -d -w 3", [], {"detach": True, "workers": "3"}),
    ("up --detach --workers 2", [], {"detach": True, "workers": "2"}),
    ("up --workers=2", [], {**UP, "workers": "2"}),
    ("down", [], {}),
    ("status", [], {"json": False}),
    ("status --json", [], {"json": True}),
    ("status feeds", ["feeds"], {"json": False}),
    ("status feeds --json", ["feeds"], {"json": True}),
    ("status --json feeds", ["feeds"], {"json": True}),
    ("status up", ["up"], {"json": False}),
    ("status status", ["status"], {"json": False}),
    ("logs", [], LOGS),
    ("logs --plugin feeds --level WARNING -n 5 --follow --json",
     [], {**LOGS, "plugin": "feeds", "level": "WARNING", "n": "5", "follow": True, "json": True}),
    ("logs -n5 -f -j -p aigis.worker-1",
     [], {**LOGS, "n": "5", "follow": True, "json": True, "plugin": "aigis.worker-1"}),
    ("logs --call 0123abcd", [], {**LOGS, "call": "0123abcd"}),
    ("skills", [], {"json": False}),
    ("skills --json", [], {"json": True}),
    ("call dice.roll", ["dice.roll"], CALL),
    ("call dice.roll 6 2", ["dice.roll", "6", "2"], CALL),
    ("call a.b -3", ["a.b", "-3"], CALL),
    ("call a.b -3.5 -0.5e-3 x", ["a.b", "-3.5", "-0.5e-3", "x"], CALL),
    ("call a.b - -Infinity", ["a.b", "-", "-Infinity"], CALL),
    ("call a.b status call logs down", ["a.b", "status", "call", "logs", "down"], CALL),
    ("""call a.b '{"x": -1}' '[1, 2]' ''""", ["a.b", '{"x": -1}', "[1, 2]", ""], CALL),
    ("call a.b x=1 --kwargs '{\"y\": 2}' z", ["a.b", "x=1", "z"], {**CALL, "kwargs": '{"y": 2}'}),
    ("call a.b --args '[-1]' --kwargs={}", ["a.b"], {"args": "[-1]", "kwargs": "{}"}),
    ("call --args [] a.b", ["a.b"], {**CALL, "args": "[]"}),
    ("call a.b 1 -- --args -x --", ["a.b", "1", "--args", "-x", "--"], CALL),
    *[(f"{verb} feeds", ["feeds"], {}) for verb in ("start", "stop", "restart", "reload", "enable", "disable")],
    ("scale 3", ["3"], {}),
    ("check plugins/feeds", ["plugins/feeds"], {"load": False}),
    ("check plugins/feeds --load", ["plugins/feeds"], {"load": True}),
    ("shell", [], {}),
]  # fmt: skip


def program(name: str) -> Program:
    return AigisProgram(namespace=namespace, name="aigis", binary="aigis") if name == "aigis" else Program()


def parse(name: str, line: str, monkeypatch: pytest.MonkeyPatch) -> Program:
    """Parse as the program does, up to the point where it would obey."""
    core = ["--search-root", str(CHECKOUT)] if name == "invoke" else []
    monkeypatch.setattr(sys, "argv", [name, *core, *shlex.split(line)])
    parsed = program(name)
    parsed.create_config()
    parsed.parse_core(None)
    parsed.parse_collection()
    parsed.parse_tasks()
    parsed.parse_cleanup()
    return parsed


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize(("line", "words", "options"), TABLE, ids=[line for line, _, _ in TABLE])
def test_every_line_of_the_contract_parses_alike_in_both_programs(
    name: str, line: str, words: list[str], options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    parsed = parse(name, line, monkeypatch)
    (context,) = parsed.tasks
    verb = parsed.collection[context.name]
    assert isinstance(verb, Verb)
    assert context.name == line.split(maxsplit=1)[0]
    assert verb.words() == words
    assert verb.options(context.as_kwargs) == options


@pytest.mark.parametrize("name", PROGRAMS)
def test_an_unknown_option_is_answered_with_the_nearest_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Exit) as caught:
        parse(name, "status --jsn", monkeypatch)
    assert "'--json'" in str(caught.value.message)
    assert caught.value.code == 2


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("line", ["up feeds", "restrat feeds", "shell 1"])
def test_what_no_verb_takes_is_refused(name: str, line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ParseError, match="No idea what"):
        parse(name, line, monkeypatch)


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("verb", sorted(namespace.task_names))
def test_every_verb_and_option_has_a_help_text(
    name: str, verb: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit) as caught:
        parse(name, f"{verb} --help", monkeypatch)
    assert caught.value.code == 0
    assert f"usage: {verb}" in capsys.readouterr().out
    assert all(argument.help for argument in namespace[verb].get_arguments())


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_list_names_every_verb(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(Exit):
        parse(name, "--list", monkeypatch)
    printed = capsys.readouterr().out.split()
    assert set(namespace.task_names) <= set(printed)
