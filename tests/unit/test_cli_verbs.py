"""Small decisions of the verbs: words, exit codes, signatures, progress, the plain view, the shell."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from aigis._base import errors
from aigis._base.home import Home
from aigis._base.messages import CatalogEntry, Command, HostStatus, PluginStatus, Skill
from aigis._cli import exits, launch, session, shell, up
from aigis._cli.commands import command_of
from aigis._cli.document import Document
from aigis._cli.progress import Progress
from aigis._cli.signatures import render_signature, render_skill
from aigis._cli.skills import rows, skills_view
from aigis._cli.view import watch_plain
from aigis._host.ledger import Ledger


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.HomeNotFound(), 2),
        (errors.SettingsError(), 2),
        (errors.NotRunning(), 2),
        (errors.BusUnavailable(), 2),
        (errors.PluginError(), 2),
        (exits.UsageError(), 2),
        (errors.SkillTimeout(), 4),
        (errors.WorkerLost(), 4),
        (KeyboardInterrupt(), 130),
    ],
    ids=lambda value: type(value).__name__,
)
def test_every_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exits.exit_code(error) == code


def test_a_verb_that_takes_one_word_says_so() -> None:
    assert session.one_word(["feeds"], "stop", "NAME") == "feeds"
    assert session.optional_word([], "status", "NAME") is None
    for words in ([], ["a", "b"], [""]):
        with pytest.raises(exits.UsageError, match="write `stop NAME`"):
            session.one_word(words, "stop", "NAME")


def test_a_command_names_its_plugin_or_its_number() -> None:
    assert command_of("stop", ["feeds"]) == Command("stop", plugin="feeds")
    assert command_of("scale", ["3"]) == Command("scale", number=3)
    for text in ("-1", "two", "1.5"):
        with pytest.raises(exits.UsageError, match="no number of workers"):
            command_of("scale", [text])


def parameter(name: str, kind: str = "positional_or_keyword", default: str | None = None) -> dict[str, Any]:
    return {"name": name, "kind": kind} | ({} if default is None else {"default": default})


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (None, "(…)"),
        ((), "()"),
        ((parameter("a"), parameter("b", default="10")), "(a, b=10)"),
        ((parameter("a", "positional_only"), parameter("b")), "(a, /, b)"),
        ((parameter("a", "positional_only"),), "(a, /)"),
        ((parameter("a"), parameter("b", "keyword_only"), parameter("c", "keyword_only", "''")), "(a, *, b, c='')"),
        ((parameter("a", "var_positional"), parameter("b", "keyword_only")), "(*a, b)"),
        ((parameter("a", "var_positional"), parameter("k", "var_keyword")), "(*a, **k)"),
    ],
)
def test_a_signature_is_written_as_python_writes_it(parameters: tuple[dict[str, Any], ...] | None, text: str) -> None:
    assert render_signature(parameters) == text


READ = Skill("feeds.read", "function", (parameter("source"), parameter("limit", default="10")), "Read a feed.\nMore.")
VERSION = Skill("feeds.VERSION", "value")
ENTRIES = [
    CatalogEntry("feeds", "core", "ready", 0, "0123abcd", skills=(READ, VERSION), hosts=("nova",)),
    CatalogEntry("slow", "core", "loading", 1, branches=("slow",)),
]


def test_a_value_has_no_brackets() -> None:
    assert (render_skill(READ), render_skill(VERSION)) == ("feeds.read(source, limit=10)", "feeds.VERSION")


def test_skills_json_has_one_object_per_skill() -> None:
    first, second = rows(ENTRIES)
    assert set(first) == {"path", "kind", "plugin", "version", "signature", "doc", "hosts", "state"}
    assert (first["path"], first["plugin"], first["hosts"], first["state"]) == (
        "feeds.read",
        "feeds",
        ["nova"],
        "ready",
    )
    assert second["signature"] is None


def test_the_table_of_skills_shows_each_call_with_its_first_line_of_help() -> None:
    output = io.StringIO()
    Console(file=output, width=100, color_system=None).print(skills_view(ENTRIES))
    text = output.getvalue()
    assert "aigis.feeds.read(source, limit=10)" in text
    assert "Read a feed." in text
    assert "More." not in text
    assert "slow is loading" in text
    assert max(map(len, text.splitlines())) <= 100


def test_progress_is_silent_in_the_first_second_and_never_repeats_itself() -> None:
    said: list[str] = []
    times = iter([0.0, 0.5, 1.5, 2.0, 2.5])
    progress = Progress(said.append, clock=lambda: next(times))
    for text in ("starting", "starting", "starting", "feeds"):
        progress.tell(text)
    assert said == ["starting", "feeds"]


def test_the_plain_view_prints_the_state_at_once_and_then_each_change() -> None:
    said: list[str] = []
    states = ["starting", "starting", "running"]

    def look() -> Document:
        plugin = PluginStatus("feeds", "core", states.pop(0))
        return Document.of([HostStatus("nova", "up", plugins=(plugin,))], "nova")

    watch_plain(look, lambda: len(states) == 1, say=said.append, sleep=lambda _seconds: None)
    assert said == ["host nova: up", "feeds: starting", "feeds: running"]


def status(*states: str) -> HostStatus:
    plugins = tuple(PluginStatus(f"p{n}", "core", state, reason="why") for n, state in enumerate(states))
    return HostStatus("nova", "up", plugins=plugins, settled=True)


@pytest.mark.parametrize(
    ("states", "code"),
    [(("running",), 0), (("running", "waiting", "backoff", "stopped"), 0), (("running", "failed"), 3)],
)
def test_up_ends_with_3_when_some_plugin_failed(
    states: tuple[str, ...], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert up.report(status(*states)) == code
    printed = capsys.readouterr()
    assert ("p1 failed: why" in printed.err) == (code == 3)
    assert ("is waiting: why" in printed.out) == ("waiting" in states)
    assert ("is in backoff: why" in printed.out) == ("backoff" in states)


def test_the_supervisor_is_started_apart_from_this_terminal(tmp_path: Path) -> None:
    home = Home(tmp_path)
    given: dict[str, Any] = {}

    def popen(arguments: list[str], **options: Any) -> Any:
        given.update(options, arguments=arguments)
        return None

    environ = {"AIGIS_HOME": "relative", "PATH": "/bin"}
    launch.launch(home, 2, environ=environ, popen=popen, clock=lambda: 1.5)
    assert given["arguments"] == [sys.executable, "-P", "-m", "aigis._host", "--workers", "2"]
    mark = Ledger(home).mark("aigis.supervisor", 1500)
    assert given["env"] == {"AIGIS_HOME": str(tmp_path), "PATH": "/bin", "AIGIS_CHILD": mark}
    assert given["start_new_session"]
    assert given["cwd"] == tmp_path
    assert home.log_file.stat().st_mode & 0o777 == 0o600


def test_a_script_on_stdin_shows_values_like_a_prompt(capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_source("x = 20\nx + 22\nfor i in range(2):\n    i\n", {}) == 0
    assert capsys.readouterr().out == "42\n0\n1\n"


@pytest.mark.parametrize("source", ["1 / 0", "x ="])
def test_a_script_that_fails_ends_with_1_and_its_own_frames(source: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert shell.run_source(source, {}) == 1
    shown = capsys.readouterr().err
    assert "<stdin>" in shown
    assert "shell.py" not in shown


def test_the_shell_greets_with_home_and_skills() -> None:
    shown = shell.banner("/srv/home", ["a.b", "a.c", "a.d", "a.e"])
    assert "/srv/home" in shown
    assert "4 skills: aigis.a.b, aigis.a.c, aigis.a.d, …" in shown
    assert "not running" in shell.banner("/srv/home", "AIGIS is not running")


@pytest.fixture(autouse=True)
def displayhook_leaves_no_trace() -> Iterator[None]:
    yield
    vars(sys.modules["builtins"]).pop("_", None)
