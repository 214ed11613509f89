"""The verb `logs`: what was printed, filtered, as lines for people or JSON."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from aigis._base.messages import Record
from aigis._base.settings import Settings
from aigis._cli import session, terminal
from aigis._cli.exits import DONE
from aigis._cli.lines import LineWriter, json_line, parse_count, parse_level

if TYPE_CHECKING:
    from aigis._cli.tail import Tail

DEFAULT_COUNT = 100


def run(
    *, plugin: str | None, level: str | None, call: str | None, number: str | None, follow: bool, as_json: bool
) -> int:
    """Print the newest records, then go on with new ones when asked to."""
    wanted_level, count = parse_level(level), parse_count(number, DEFAULT_COUNT)
    settings, _ = session.settings_or_problem()
    from aigis._cli.tail import Tail
    from aigis._wire.stream import Filter

    tail = Tail(lambda: session.bus(settings), Filter(plugin=plugin, level=wanted_level, call=call))
    show = _printer(as_json=as_json)
    newest = tail.newest(count)
    for record in newest:
        show(record)
    if not newest and not follow:
        terminal.warn("aigis: nothing that is kept matches; `invoke status` names the plugins")
    if follow:
        _follow(tail, show, settings)
    return DONE


def _follow(tail: Tail, show: Callable[[Record], None], settings: Settings) -> None:
    from aigis._host.lock import holder

    for record in tail.follow(lambda: holder(settings.home) is None):
        if record is not None:
            show(record)
    terminal.warn("aigis: AIGIS does not run here any more; no further lines will come")


def _printer(*, as_json: bool) -> Callable[[Record], None]:
    if as_json:
        return lambda record: terminal.say(json_line(record))
    writer = LineWriter(colour=terminal.colours(), width=terminal.width())

    def show(record: Record) -> None:
        for line in writer.lines(record):
            terminal.say(line)

    return show
