"""Verbs whose body takes `*words`: the positional words that pyinvoke's parser does not know on its own.

pyinvoke wants to know how many positional words a verb has before it parses. So each verb looks at the command line
first, and declares one positional argument per word it finds there. Works with pyinvoke as it is, under `invoke`
and `aigis` alike.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, Signature
from typing import Any

from invoke.exceptions import Exit
from invoke.parser.argument import Argument
from invoke.parser.context import ParserContext, to_flag
from invoke.parser.parser import Parser
from invoke.program import Program
from invoke.tasks import Task

from aigis._base.errors import AigisError
from aigis._base.names import nearest
from aigis._cli.exits import DONE, UsageError, exit_code, sentence
from aigis._cli.terminal import nobody_reads

NEGATIVE_NUMBER = re.compile(r"-(\d|\.\d|Infinity$)")
"""What starts with a dash and is a word all the same."""

HELP = frozenset({"-h", "--help"})
PLACE = "word "
"""Start of the names of the positional arguments; the blank keeps anybody from typing one as a flag."""


@dataclass(frozen=True)
class Flags:
    """The flags of one verb, and those pyinvoke takes anywhere."""

    valued: frozenset[str] = frozenset()
    switches: frozenset[str] = frozenset()
    core: frozenset[str] = frozenset()

    @classmethod
    def of(cls, arguments: Iterable[Argument]) -> Flags:
        """Return the flags of a verb with these arguments."""
        valued: set[str] = set()
        switches: set[str] = set()
        for argument in arguments:
            (valued if argument.takes_value else switches).update(to_flag(name) for name in argument.names)
        return cls(frozenset(valued), frozenset(switches), frozenset(_core_context().flags))

    @property
    def own(self) -> frozenset[str]:
        """The flags of the verb itself."""
        return self.valued | self.switches

    def holds(self, token: str) -> bool:
        """Tell whether `token` carries its value within: `--level=INFO`, `-n5`."""
        return token.partition("=")[0] in self.own or (not token.startswith("--") and token[:2] in self.own)


def find_words(tokens: Sequence[str], flags: Flags) -> list[str]:
    """Return the positional words among `tokens`, what follows a verb up to a `--`.

    Raises UsageError for a flag the verb does not have.
    """
    words: list[str] = []
    rest = iter(tokens)
    for token in rest:
        if token in HELP:
            break
        if token in flags.valued:
            next(rest, None)
        elif not token.startswith("-") or len(token) == 1 or NEGATIVE_NUMBER.match(token):
            words.append(token)
        elif token not in flags.switches | flags.core and not flags.holds(token):
            raise UsageError(_unknown_flag(token, flags))
    return words


def _unknown_flag(token: str, flags: Flags) -> str:
    name = token.partition("=")[0]
    near = nearest(name, flags.own)
    hint = f"; did you mean {near!r}?" if near else "; `--help` lists the options, and after `--` every word is a word"
    return f"no option {name!r} here{hint}"


def pieces(word: str) -> int:
    """Return how many positional arguments pyinvoke makes of `word`: it takes `-35` for the short flags -3 and -5."""
    if not word.startswith("-") or len(word) <= 2:
        return 1
    return 2 if "=" in word else len(word) - 1


@dataclass(frozen=True)
class CommandLine:
    """A command line taken apart as far as the words of its verb need."""

    verb: str = ""
    tokens: tuple[str, ...] = ()
    """What follows the verb, up to `--`."""
    rest: tuple[str, ...] = ()
    """What follows `--`: words, whatever they look like."""

    @classmethod
    def of(cls, argv: Sequence[str]) -> CommandLine:
        """Take `argv` (program name first) apart, with pyinvoke's own parser for what stands before the verb."""
        arguments = list(argv[1:])
        end = arguments.index("--") if "--" in arguments else len(arguments)
        parser = Parser(initial=_core_context(), ignore_unknown=True)
        unparsed = parser.parse_argv(arguments[:end]).unparsed
        return cls(unparsed[0] if unparsed else "", tuple(unparsed[1:]), tuple(arguments[end + 1 :]))


def _core_context() -> ParserContext:
    return Program().initial_context


class Verb(Task[Callable[..., Any]]):
    """One command: its `*words` are filled from the command line, its errors become a sentence and an exit code.

    The body returns its exit code, or None for 0. `argv` gives the command line, program name first.
    """

    def __init__(self, *args: Any, argv: Callable[[], Sequence[str]] = lambda: sys.argv, **kwargs: Any) -> None:
        self.argv = argv
        super().__init__(*args, **kwargs)

    @property
    def takes_words(self) -> bool:
        """Whether the body has a `*words` parameter."""
        return any(p.kind is Parameter.VAR_POSITIONAL for p in super().argspec(self.body).parameters.values())

    def argspec(self, body: Callable[..., Any]) -> Signature:
        """Return the body's signature as far as pyinvoke understands it."""
        whole = super().argspec(body)
        flags = [p for p in whole.parameters.values() if p.kind is not Parameter.VAR_POSITIONAL]
        return whole.replace(parameters=flags)

    def flags(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the verb's flags alone, however often asked: pyinvoke itself takes the help texts out of the task."""
        texts = dict(self.help)
        try:
            return super().get_arguments(ignore_unknown_help)
        finally:
            self.help = texts

    def get_arguments(self, ignore_unknown_help: bool | None = None) -> list[Argument]:
        """Return the verb's flags and one positional argument for each word typed."""
        arguments = self.flags(ignore_unknown_help)
        line = CommandLine.of(self.argv())
        if not self.takes_words or line.verb != self.name:
            return arguments
        try:
            words = find_words(line.tokens, Flags.of(arguments))
        except UsageError as error:
            raise Exit(f"aigis {self.name}: {error}", exit_code(error)) from None
        count = sum(map(pieces, words))
        return [Argument(name=f"{PLACE}{place}", positional=True) for place in range(1, count + 1)] + arguments

    def words(self) -> list[str]:
        """Return the words as they were typed: the parser's own pieces would have `-3.5` in three."""
        line = CommandLine.of(self.argv())
        if not self.takes_words or line.verb != self.name:
            return []
        return [*find_words(line.tokens, Flags.of(self.flags())), *line.rest]

    @staticmethod
    def options(parsed: Mapping[str, Any]) -> dict[str, Any]:
        """Return what pyinvoke parsed without its own idea of the words."""
        return {name: value for name, value in parsed.items() if not name.startswith(PLACE)}

    def __call__(self, context: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the body; leave with pyinvoke's Exit when it ends with anything but 0."""
        # pyinvoke keeps bytecode from being cached, so that each command would compile what it imports from here on.
        sys.dont_write_bytecode = bool(sys.flags.dont_write_bytecode)
        try:
            code: Any = super().__call__(context, *args, *self.words(), **self.options(kwargs))
        except BrokenPipeError:
            # Whoever read our output (`logs | head`) has seen enough.
            nobody_reads()
            raise Exit(code=DONE) from None
        except KeyboardInterrupt as error:
            raise Exit(code=exit_code(error)) from None
        except (AigisError, OSError) as error:
            raise Exit(sentence(error), exit_code(error)) from None
        if code:
            raise Exit(code=code)
        return code
