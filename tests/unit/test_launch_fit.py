"""Which of logger, ARGS and KWARGS a launch function is called with."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from aigis import _launch
from aigis._launch import LaunchError, fit

LOG = logging.getLogger("tests.launch")


def launch(source: str) -> Callable[..., Any]:
    """Return a function with that signature which returns what it was given."""
    names: dict[str, Any] = {}
    exec(f"def launch{source}: return {{k: v for k, v in locals().items() if v is not None}}", names)  # noqa: S102 - from the tables below
    function: Callable[..., Any] = names["launch"]
    return function


def given(function: Callable[..., Any], args: Sequence[Any] = (), **kwargs: Any) -> Any:
    positional, named = fit(function, args, kwargs, LOG)
    return function(*positional, **named)


@pytest.mark.parametrize(
    ("signature", "args", "kwargs", "found"),
    [
        ("()", (), {}, {}),
        ("()", (1, 2), {"a": 3}, {}),
        ("(log)", (), {}, {"log": LOG}),
        ("(logger)", (), {"a": 1}, {"logger": LOG}),
        ("(log=None)", (), {}, {"log": LOG}),
        ("(log, /)", (), {}, {"log": LOG}),
        ("(*, logger)", (), {}, {"logger": LOG}),
        ("(*, log=None)", (), {}, {"log": LOG}),
        ("(log, *args)", (1, 2), {}, {"log": LOG, "args": (1, 2)}),
        ("(log, *args, **kwargs)", (1, 2), {"a": 3}, {"log": LOG, "args": (1, 2), "kwargs": {"a": 3}}),
        ("(*args, **kwargs)", (1,), {"a": 2}, {"args": (1,), "kwargs": {"a": 2}}),
        ("(**kwargs)", (), {"a": 2}, {"kwargs": {"a": 2}}),
        ("(first, log, second)", (1, 2), {}, {"first": 1, "log": LOG, "second": 2}),
        ("(first, second, log)", (1, 2), {}, {"first": 1, "second": 2, "log": LOG}),
        ("(log, path, every=5)", ("in",), {}, {"log": LOG, "path": "in", "every": 5}),
        ("(log, path, every=5)", (), {"path": "in", "every": 9, "other": 1}, {"log": LOG, "path": "in", "every": 9}),
        ("(log, a, b)", (2,), {"a": 1}, {"log": LOG, "a": 1, "b": 2}),
        ("(a=1, log=None)", (), {}, {"a": 1, "log": LOG}),
        ("(log, *, every)", (), {"every": 9, "other": 1}, {"log": LOG, "every": 9}),
        ("(log)", (), {"log": "mine"}, {"log": "mine"}),
        ("(log, logger)", (), {}, {"log": LOG, "logger": LOG}),
    ],
)
def test_it_is_called_with_what_its_signature_takes(
    signature: str, args: Sequence[Any], kwargs: dict[str, Any], found: dict[str, Any]
) -> None:
    assert given(launch(signature), args, **kwargs) == found


@pytest.mark.parametrize(
    ("signature", "args", "kwargs", "why"),
    [
        ("(log, path)", (), {}, "missing a required argument: 'path'"),
        ("(path, log)", (), {}, "missing a required argument: 'path'"),
        ("(log, *, every)", (), {}, "missing a required .*argument: 'every'"),
        ("(log)", (1, 2), {}, "2 of ARGS find no parameter"),
        ("(log, **kwargs)", (1,), {}, "1 of ARGS find no parameter"),
        ("(log, path)", (1, 2), {}, "1 of ARGS find no parameter"),
        ("(logg)", (), {"log": 1}, "missing a required argument: 'logg'"),
    ],
)
def test_a_wrong_signature_names_the_expected_one(
    signature: str, args: Sequence[Any], kwargs: dict[str, Any], why: str
) -> None:
    with pytest.raises(
        LaunchError, match=rf"^LAUNCH: launch\(.*\) does not take .* \({why}\); expected is launch\(log,"
    ):
        given(launch(signature), args, **kwargs)


class Service:
    def run(self, log: logging.Logger, name: str) -> tuple[logging.Logger, str]:
        return log, name

    def __call__(self, name: str, *, logger: logging.Logger) -> tuple[logging.Logger, str]:
        return logger, name


@pytest.mark.parametrize("function", [Service().run, Service(), functools.partial(Service.run, Service())])
def test_methods_objects_and_partials_are_functions_too(function: Callable[..., Any]) -> None:
    assert given(function, ("feeds",)) == (LOG, "feeds")


def test_a_function_without_a_signature_gets_args_and_kwargs() -> None:
    assert fit(type, ("ab",), {"a": 1}, LOG) == (["ab"], {"a": 1})


def test_a_coroutine_function_is_awaited(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", [])
    _launch.start(f"{__name__}:serve", ["feeds"], {}, LOG)
    assert capsys.readouterr().out == "feeds served by tests.launch\n"


async def serve(name: str, log: logging.Logger) -> None:
    print(f"{name} served by {log.name}")


@pytest.mark.parametrize(
    ("launch", "name"), [("json", "launch"), ("json:no.such", "no.such"), ("json:__name__", "__name__")]
)
def test_a_launch_that_is_no_function_says_what_to_define(
    launch: str, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", [])
    with pytest.raises(LaunchError, match=rf"module 'json' has no function '{name}'; define launch\(log, \*args"):
        _launch.start(launch, (), {}, LOG)
