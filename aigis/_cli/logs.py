"""The verb `logs`: what was printed, filtered, as lines for people or JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from aigis._base.messages import Record
from aigis._cli import session, terminal
from aigis._cli.exits import DONE, INTERRUPTED
from aigis._cli.lines import LineWriter, json_line, parse_count, parse_level

DEFAULT_COUNT = 100


def run(
    *,
    plugin: str | None,
    level: str | None,
    call: str | None,
    number: str | None,
    follow: bool,
    as_json: bool,
) -> int:
    """Print the newest records, then go on with new ones when asked to."""
    from aigis._wire.stream import Filter

    wanted = Filter(plugin=plugin, level=parse_level(level), call=call, host=None)
    count = parse_count(number, DEFAULT_COUNT)
    settings = session.settings_here()
    client = session.bus(settings)
    show = json_printer() if as_json else text_printer()
    try:
        for record in _records(client, wanted, count, follow=follow):
            show(record)
    except KeyboardInterrupt:
        return DONE if follow else INTERRUPTED
    except BrokenPipeError:
        terminal.nobody_reads()
    return DONE
