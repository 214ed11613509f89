"""Every verb with its words, options and help; what it does lies in a module of its own, imported when it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from invoke.collection import Collection
from invoke.tasks import task

from aigis._cli.words import Verb

Code = int
"""What a process exits with; exits.py lists the meanings."""

JSON = "print JSON for scripts instead of text for people"


def verb(**options: Any) -> Callable[[Callable[..., Code]], Verb]:
    """Declare one verb; its docstring is the help, the first line goes into the list of verbs."""
    made: Callable[[Callable[..., Code]], Verb] = task(klass=Verb, **options)
    return made


@verb(
    help={
        "detach": "return once every plugin has come to rest, instead of showing status and logs",
        "workers": "how many core workers this host has (replaces what `scale` said; default: aigis.toml, else 1)",
    }
)
def up(_context: Any, detach: bool = False, workers: str | None = None) -> Code:
    """Start AIGIS on this host, or apply what has changed.

    usage: up [--detach] [--workers N]

    In a terminal it shows live status with the log lines above; elsewhere the state at once, then
    one line per change. Ctrl-C stops what this `up` has started; where AIGIS ran already it only
    ends the view.

    With --detach it returns when every plugin is running, failed, stopped, disabled, waiting or in
    backoff.

    Exit: 0; 3 if some plugin failed (the others run, the reason is printed); 2 if AIGIS cannot
    start.
    """
    from aigis._cli.up import run

    return run(detach=detach, workers=workers)


@verb()
def down(_context: Any) -> Code:
    """Stop everything on this host, in reverse order.

    usage: down

    Needs neither Redis nor a living supervisor: what a crash left behind is stopped too.

    Exit: 0, also when nothing was running.
    """
    from aigis._cli.down import run

    return run()


@verb(help={"json": JSON})
def status(_context: Any, *words: str, json: bool = False) -> Code:
    """Show hosts, workers and plugins with their states.

    usage: status [NAME] [--json]

    NAME shows one plugin or worker in detail, notices included. Works also when nothing runs or
    Redis is away.

    Exit: 0; 2 for an unknown NAME.
    """
    from aigis._cli.status import run

    return run(words, as_json=json)


@verb(
    help={
        "plugin": "only this plugin; AIGIS' own parts are aigis.supervisor, aigis.redis, aigis.worker-1 …",
        "level": "only this level and worse: DEBUG, INFO, WARNING, ERROR or CRITICAL",
        "call": "only what was logged during the call with this id",
        "n": "how many lines, counted after the filters; 0 means all that are kept (default: 100)",
        "follow": "go on with new lines until Ctrl-C",
        "json": "one JSON object a line: ts, host, plugin, stream, level, message and the line's own fields",
    }
)
def logs(
    _context: Any,
    *,
    plugin: str | None = None,
    level: str | None = None,
    call: str | None = None,
    n: str | None = None,
    follow: bool = False,
    json: bool = False,
) -> Code:
    """Show what plugins and AIGIS itself have printed, newest last.

    usage: logs [--plugin P] [--level L] [--call ID] [-n N] [--follow] [--json]
    """
    from aigis._cli.logs import run

    return run(plugin=plugin, level=level, call=call, number=n, follow=follow, as_json=json)


@verb(help={"json": JSON})
def skills(_context: Any, json: bool = False) -> Code:
    """List every skill with its signature and plugin.

    usage: skills [--json]
    """
    from aigis._cli.skills import run

    return run(as_json=json)


@verb(
    auto_shortflags=False,
    help={
        "args": "JSON list of further positional arguments, after the ARGS",
        "kwargs": "JSON object of keyword arguments",
    },
)
def call(_context: Any, *words: str, args: str | None = None, kwargs: str | None = None) -> Code:
    """Call one skill and print what it returns.

    usage: call PATH [ARGS…] [--args JSON] [--kwargs JSON]

    Each of the ARGS is JSON, else a string: 7 is a number; 007, abc and '"7"' are strings.
    The result is one line of JSON, or what Python shows when JSON cannot hold it exactly.
    After `--` every word is an argument, also one that starts with a dash.

    For example: call dice.roll 6 --kwargs '{"times": 3}'

    Exit: 0; 1 if the skill raised an error (told on stderr); 2 if the call was refused or there is
    no such skill; 4 if it was lost or its deadline passed.
    """
    from aigis._cli.call import run

    return run(words, args=args, kwargs=kwargs)


@verb()
def start(_context: Any, *words: str) -> Code:
    """Start a stopped or failed plugin.

    usage: start NAME
    """
    return _command("start", words)


@verb()
def stop(_context: Any, *words: str) -> Code:
    """Stop a plugin until `start` or the next `up`.

    usage: stop NAME

    A core plugin's skills are withdrawn meanwhile.
    """
    return _command("stop", words)


@verb()
def restart(_context: Any, *words: str) -> Code:
    """Stop a plugin and start it again.

    usage: restart NAME
    """
    return _command("restart", words)


@verb()
def reload(_context: Any, *words: str) -> Code:
    """Fetch a plugin's files again and run the new version.

    usage: reload NAME
    """
    return _command("reload", words)


@verb()
def enable(_context: Any, *words: str) -> Code:
    """Let a disabled plugin run again.

    usage: enable NAME
    """
    return _command("enable", words)


@verb()
def disable(_context: Any, *words: str) -> Code:
    """Stop a plugin and keep it off, over every `up`, until `enable`.

    usage: disable NAME

    Calls to its skills end with PluginDisabled.
    """
    return _command("disable", words)


@verb()
def scale(_context: Any, *words: str) -> Code:
    """Set how many core workers this host has.

    usage: scale N

    Holds until the next `scale` or `up --workers N`.
    """
    return _command("scale", words)


@verb(help={"load": "also load it in a process of its own: that runs the plugin's code"})
def check(_context: Any, *words: str, load: bool = False) -> Code:
    """Tell every problem of a plugin folder at once.

    usage: check FOLDER [--load]

    Each with file, line and remedy. Only reads, unless --load is given. Notices are shown, but only
    problems count.

    Exit: 0; 1 if there is any problem; 2 if FOLDER is no folder.
    """
    from aigis._cli.check import run

    return run(words, load=load)


@verb()
def shell(_context: Any) -> Code:
    """Open Python with `aigis` ready to call skills.

    usage: shell

    Tab completes the names of skills. Reads a script from stdin when that is not a terminal.
    """
    from aigis._cli.shell import run

    return run()


def _command(name: str, words: tuple[str, ...]) -> Code:
    from aigis._cli.commands import run

    return run(name, words)


GROUPS = {
    "This host": ("up", "down", "scale"),
    "What goes on": ("status", "logs", "skills"),
    "One plugin": ("start", "stop", "restart", "reload", "enable", "disable", "check"),
    "Calling": ("call", "shell"),
}
"""The verbs by purpose, as the help page shows them."""

namespace = Collection(
    up, down, status, logs, skills, call, start, stop, restart, reload, enable, disable, scale, check, shell
)  # fmt: skip
