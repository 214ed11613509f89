"""The verbs that ask the supervisor for something: start, stop, restart, reload, enable, disable, scale."""

from __future__ import annotations

from collections.abc import Sequence

from aigis._base.messages import Command
from aigis._cli import session, terminal
from aigis._cli.exits import DONE, REFUSED, UsageError

DONE_WORDS = {
    "start": "is starting",
    "stop": "is stopping",
    "restart": "is restarting",
    "reload": "is reloading",
    "enable": "is enabled",
    "disable": "is disabled",
}
"""What is said of a plugin when the supervisor itself says nothing."""


def run(verb: str, words: Sequence[str]) -> int:
    """Give the supervisor of this home one command and print its answer."""
    return obey(command_of(verb, words))


def command_of(verb: str, words: Sequence[str]) -> Command:
    """Return the command those words stand for; raises UsageError."""
    if verb == "scale":
        return Command(verb, number=worker_count(session.one_word(words, verb, "N"), "`scale`"))
    return Command(verb, plugin=session.one_word(words, verb, "NAME"))


def worker_count(text: str, where: str) -> int:
    """Return the wanted number of workers; raises UsageError."""
    if not (text.isascii() and text.isdigit()):
        raise UsageError(f"{where}: {text!r} is no number of workers; give 0 or more, such as 2")
    return int(text)


def obey(command: Command) -> int:
    """Ask, print the answer, and return the exit code."""
    from aigis._wire.control import ask
    from aigis._wire.directory import read_statuses
    from aigis._wire.signing import read_key

    settings, _ = session.settings_or_problem()
    session.require_running(settings)
    client = session.bus(settings)
    host = session.host_name(settings, read_statuses(client))
    reply = ask(client, read_key(settings.home.key_file), host, command)
    if not reply.ok:
        terminal.warn(f"aigis: {reply.message or f'the supervisor refused {command.verb!r}'}")
        return REFUSED
    terminal.say(reply.message or _said(command))
    return DONE


def _said(command: Command) -> str:
    if command.verb == "scale":
        return f"{command.number} core workers are wanted"
    return f"{command.plugin} {DONE_WORDS.get(command.verb, 'is asked for')}"
