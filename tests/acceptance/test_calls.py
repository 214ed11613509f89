"""What a call does, whichever process makes it."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.acceptance.console import Console
from tests.acceptance.driver import System

PROXIES = ("stranger", "far", "odd")
"""Processes that hold a proxy; the others hold the core itself."""
HOLDERS = ("worker", "near")


@pytest.fixture(params=[*PROXIES, *HOLDERS])
def caller(request: pytest.FixtureRequest, consoles: dict[str, Console]) -> Console:
    return consoles[request.param]


@pytest.fixture(params=PROXIES)
def proxy(request: pytest.FixtureRequest, consoles: dict[str, Console]) -> Console:
    return consoles[request.param]


@pytest.fixture(params=HOLDERS)
def holder(request: pytest.FixtureRequest, consoles: dict[str, Console]) -> Console:
    return consoles[request.param]


def attempt(code: str, error: str, result: str) -> str:
    """Return code that gives `result` when `code` raises what `except {error}` catches as `caught`."""
    return f"try:\n    {code}\n    found = 'nothing raised'\nexcept {error} as caught:\n    found = {result}\nfound"


def test_the_same_line_means_the_same_in_every_process(caller: Console) -> None:
    """A22"""
    assert caller.value("aigis.things.check('ada')") is True
    assert caller.value("aigis.things.echo(1, 'two', x=[3.5, None])") == [[1, "two"], {"x": [3.5, None]}]
    assert caller.value("m = aigis.things; [m.check('ada'), m.echo()]") == [True, [[], {}]]
    assert caller.value("aigis.calls.value('things.MAX_NAME_LENGTH')") == 25


def test_threads_that_share_a_path_never_mix_calls(proxy: Console) -> None:
    """A18"""
    code = (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "m = aigis.things\n"
        "with ThreadPoolExecutor(8) as pool:\n"
        "    got = list(pool.map(lambda i: m.echo(i)[0][0] if i % 2 else m.check(str(i)), range(200)))\n"
        "got"
    )
    assert proxy.value(code) == [number if number % 2 else True for number in range(200)]


def test_modules_objects_and_classes_are_skills(caller: Console) -> None:
    """A07"""
    assert caller.value("[aigis.shapes.Square.area(3), aigis.box.open(), aigis.things.Point(1, 2).y]") == [9, 7, 2]


def test_only_names_in_skills_are_exposed(caller: Console) -> None:
    """A07"""
    refusal = caller.error("aigis.things.SECRET()")
    assert refusal.kind == "SkillNotFound"
    assert "AttributeError" in refusal.lineage
    assert "things.SECRET" in refusal.text


def test_a_wrong_name_is_answered_with_the_near_one(caller: Console) -> None:
    """A19"""
    assert "did you mean aigis.things?" in caller.error("aigis.thing").text
    for form in ("import aigis.thing", "from aigis import thing"):
        failure = caller.error(form)
        assert failure.kind == "ImportError"
        assert "no skill aigis.thing; did you mean aigis.things?" in failure.text


def test_skills_can_be_imported_by_name(caller: Console) -> None:
    """A19"""
    assert caller.value("from aigis import things as t\nt.check('ada')") is True
    assert caller.value("import aigis.shapes as s\ns.Square.area(2)") == 4


def test_a_value_is_called_from_a_proxy_and_takes_no_arguments(proxy: Console) -> None:
    """A20"""
    assert proxy.value("aigis.things.MAX_NAME_LENGTH()") == 25
    assert proxy.value("aigis.shapes.CORNERS()") == {"square": 4}
    assert proxy.error("aigis.things.MAX_NAME_LENGTH(1)").kind == "TypeError"


def test_an_uncalled_value_of_a_proxy_says_call_it(proxy: Console) -> None:
    for use in ("len({0})", "list({0})", "{0}[0]", "{0} == ['ada']", "'ada' in {0}", "{0} + [1]"):
        failure = proxy.error(use.format("aigis.things.NAMES"))
        assert failure.kind == "TypeError"
        assert "write aigis.things.NAMES()" in failure.text


def test_a_value_is_plain_where_the_core_is(holder: Console) -> None:
    """A12"""
    assert holder.value("aigis.things.MAX_NAME_LENGTH + 1") == 26
    assert holder.value("[name.upper() for name in aigis.things.NAMES]") == ["ADA", "BOB"]


def test_arguments_that_do_not_fit_are_a_type_error(caller: Console) -> None:
    failure = caller.error("aigis.things.check()")
    assert failure.kind == "TypeError"
    assert "missing 1 required positional argument: 'name'" in failure.text


def test_a_published_exception_is_caught_by_its_name(caller: Console) -> None:
    """A36"""
    facts = "[caught.name, caught.limit, str(caught), isinstance(caught, ValueError)]"
    found = caller.value(attempt("aigis.things.check('x' * 26)", "aigis.things.TooLong", facts))
    assert found == ["x" * 26, 25, f"{'x' * 26!r} is longer than 25", True]


def test_an_exception_nobody_published_has_its_name_and_base(caller: Console) -> None:
    """A36"""
    found = caller.value(attempt("aigis.things.fail('unpublished')", "aigis.things.TooLong", "type(caught).__name__"))
    assert found == "Unpublished"


def test_built_in_exceptions_arrive_as_themselves(caller: Console) -> None:
    assert caller.value(attempt("aigis.things.fail('key')", "KeyError", "caught.args")) == ["k"]
    code = attempt("aigis.things.fail('os')", "FileNotFoundError", "[caught.errno, caught.filename]")
    assert caller.value(code) == [2, "f"]


def test_objects_of_a_plugin_are_usable_where_it_is_not_installed(proxy: Console) -> None:
    """A36"""
    assert proxy.value("aigis.things.point().length()") == 5.0
    assert proxy.value("(c := aigis.things.colour()).name, type(c).__name__") == ["RED", "Colour"]


def test_objects_of_a_plugin_come_home_as_what_they_were(caller: Console) -> None:
    """A36"""
    assert caller.value("aigis.things.is_point(aigis.things.point())") is True
    assert caller.value("aigis.things.is_red(aigis.things.colour())") is True
    assert caller.value("aigis.things.colour() is aigis.things.colour()") is True


def test_a_result_that_cannot_travel_names_its_culprit_and_the_worker_goes_on(proxy: Console) -> None:
    """A21"""
    failure = proxy.error("aigis.things.locks()")
    assert failure.kind == "NotPicklable"
    assert failure.facts["path"] == "['a'][0]"
    assert proxy.value("aigis.things.check('ada')") is True


def test_a_skill_that_exits_ends_its_call_and_neither_worker_nor_caller(calls: System, stranger: Console) -> None:
    before = calls.status()["workers"]
    failure = stranger.error("aigis.things.fail('system')")
    assert "Exception" in failure.lineage
    assert "SystemExit: 3" in failure.text + failure.cause
    assert [row["pid"] for row in calls.status()["workers"]] == [row["pid"] for row in before]


def test_a_traceback_names_the_core_file_and_the_line(calls: System, stranger: Console) -> None:
    """A06"""
    assert re.search(r'AIGIS/AIGIS\.core", line 9, in fail_here', stranger.error("aigis.fail_here()").cause)
    said = calls.call("fail_here", code=1)
    assert "RuntimeError: on purpose" in said
    assert re.search(r'AIGIS/AIGIS\.core", line 9, in fail_here', said)


def test_plugins_use_each_other_in_either_load_order(stranger: Console) -> None:
    """A10: `first` reads at its import what comes after it, `last` what came before"""
    assert stranger.value("[aigis.first.LIMIT(), aigis.last.LIMIT()]") == [11, 12]
    assert stranger.value("aigis.first.back(5)") == ["first", "middle", "first", "middle", "first"]


def test_two_plugins_may_both_have_a_src(caller: Console) -> None:
    assert caller.value("[aigis.first.greet(), aigis.last.greet()]") == ["good morning", "good night"]


def test_a_plugin_may_bring_a_redis_of_its_own(caller: Console, consoles: dict[str, Console]) -> None:
    assert caller.value("aigis.own.ping()") == "a redis of my own"
    assert consoles["odd"].value("import redis; redis.ping()") == "mine"


def test_skills_called_at_once_from_everywhere_run_one_at_a_time_in_a_single_plugin(
    consoles: dict[str, Console], stranger: Console
) -> None:
    """A55"""
    with ThreadPoolExecutor(5) as pool:
        code = (
            "from concurrent.futures import ThreadPoolExecutor\n"
            "with ThreadPoolExecutor(5) as pool:\n"
            "    got = list(pool.map(lambda _: aigis.counter.increment(), range(20)))\n"
            "got"
        )
        got = [number for numbers in pool.map(lambda c: c.value(code), consoles.values()) for number in numbers]
    assert sorted(got) == list(range(1, 101))
    assert stranger.value("len({aigis.counter.place() for _ in range(10)})") == 1


@pytest.fixture
def spoken(calls: System, stranger: Console) -> list[dict[str, object]]:
    """Return the records of a plugin that has said everything it can."""
    stranger.value("aigis.speaker.say('out loud')")
    stranger.value("aigis.speaker.mixed()")
    return calls.records("--plugin", "speaker")


def test_a_callable_gets_the_plugins_logger_by_keyword(stranger: Console) -> None:
    """A08"""
    assert stranger.value("aigis.speaker.state()").endswith("speaker")
    assert stranger.value("aigis.speaker.state(logger='my own')") == "my own"
    assert stranger.value("aigis.speaker.swallow(a=1)") == ["a"]


def test_a_skill_that_complains_about_a_logger_runs_once(calls: System, stranger: Console) -> None:
    """A08"""
    assert stranger.error("aigis.speaker.complain()").kind == "TypeError"
    assert calls.messages("speaker").count("complaining once") == 1


def test_what_a_skill_says_is_told_under_its_plugin_and_call(spoken: list[dict[str, object]]) -> None:
    """A45"""
    told = {str(record["message"]): record for record in spoken}
    assert {text: (told[text]["stream"], told[text]["level"]) for text in told if text != "complaining once"} == {
        "out loud": ("log", "WARNING"),
        "by an ordinary logger": ("log", "ERROR"),
        "printed": ("stdout", "INFO"),
        "complained": ("stderr", "WARNING"),
    }
    assert told["out loud"]["loud"] is True
    assert told["printed"]["call"] == told["by an ordinary logger"]["call"] != told["out loud"]["call"]


def test_dir_shows_what_there_is(caller: Console) -> None:
    assert {"things", "shapes", "first", "calls", "SkillNotFound"} <= set(caller.value("dir(aigis)"))
    assert "check" in caller.value("dir(aigis.things)")


def test_the_shell_runs_what_stdin_holds(calls: System) -> None:
    """A50"""
    shell = calls.aigis("shell", stdin="x = aigis.shapes.Square.area(6)\nx\naigis.things.MAX_NAME_LENGTH()\n")
    assert shell.out.splitlines() == ["36", "25"]
    broken = calls.aigis("shell", stdin="aigis.thing.x()\n", code=1)
    assert "did you mean aigis.things?" in broken.err


def test_a_line_of_python_in_the_home_calls_a_skill(calls: System) -> None:
    assert calls.python("import aigis; print(aigis.things.echo('ada', 1))") == "[('ada', 1), {}]"


def test_words_of_the_command_line_are_json_or_strings(calls: System) -> None:
    said = calls.call("things.echo", "1", "007", "[2]", "true", "two words", "--kwargs", '{"x": null}')
    assert said == [[1, "007", [2], True, "two words"], {"x": None}]
    assert calls.aigis("call", "things.point").out == "Point(x=3, y=4)\n"


def test_a_call_from_the_command_line_ends_with_its_code(calls: System) -> None:
    assert "TooLong" in calls.call("things.check", "x" * 26, code=1)
    assert "did you mean aigis.things.check" in calls.call("things.chek", code=2)
    assert "missing 1 required" in calls.call("things.check", code=2)


def test_cleanup_is_called_once_in_each_process_that_loaded_the_plugin(calls: System, stranger: Console) -> None:
    """A48: at disable and at reload; at the end see test_lifecycle"""

    def swept(event: str) -> list[str]:
        words = [line.split() for line in (calls.root / "swept").read_text().splitlines()]
        return sorted(pid for noted, pid in words if noted == event)

    calls.aigis("disable", "sweeper")
    assert swept("cleaned") == swept("loaded")
    assert stranger.error("aigis.sweep()").kind == "PluginDisabled"
    calls.aigis("enable", "sweeper")
    calls.aigis("reload", "sweeper")
    assert swept("loaded") == sorted(swept("cleaned")[::2] * 3)
    assert len(swept("cleaned")) == 6
    assert stranger.error("aigis.cleanup()").kind == "SkillNotFound"


def test_a_core_plugin_nobody_calls_says_nothing(calls: System, stranger: Console) -> None:
    """A01: it has been up since the first test of this file"""
    assert calls.messages("idle") == []
    stranger.value("aigis.idle.work()")
    assert calls.messages("idle") == ["entered"]
