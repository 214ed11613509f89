"""The verb `status`: hosts, workers and plugins, told by Redis, else by this host's disk."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Sequence

from aigis._base.errors import AigisError
from aigis._base.messages import HostStatus
from aigis._base.names import nearest
from aigis._base.settings import Settings
from aigis._cli import session, terminal
from aigis._cli.document import Document
from aigis._cli.exits import DONE, UsageError


def run(words: Sequence[str], *, as_json: bool) -> int:
    """Print the whole document, or one plugin or worker of it."""
    name = session.optional_word(words, "status", "NAME")
    settings, problem = session.settings_or_problem()
    document = read_document(settings)
    if problem:
        document = dataclasses.replace(document, notice="\n".join(filter(None, (problem, document.notice))))
    if name is not None:
        document = select(document, name)
    if as_json:
        terminal.say(json.dumps(document.to_json()))
        return DONE
    from aigis._cli.tables import detail_view, status_view

    view = detail_view(document, _skill_facts(settings, name)) if name is not None else status_view(document)
    terminal.show(view)
    return DONE


def select(document: Document, name: str) -> Document:
    """Return the document of one plugin or worker; raises UsageError naming the nearest."""
    if name in document.names:
        return document.only(name)
    near = nearest(name, document.names)
    hint = f"; did you mean {near!r}?" if near else f"; there are: {', '.join(document.names) or 'none'}"
    raise UsageError(f"no plugin or worker {name!r}{hint}")


def read_document(settings: Settings, *, now: Callable[[], float] = time.time) -> Document:
    """Return what Redis knows, with this host as its own disk shows it where Redis is away or out of date."""
    from aigis._host.lock import holder
    from aigis._wire.directory import LEASE_SECONDS

    running = holder(settings.home)
    try:
        statuses = _published(settings)
    except AigisError as error:
        return _told_by_disk(settings, [], redis="away" if running else "", notice=str(error) if running else "")
    here = session.host_name(settings, statuses)
    mine = next((status for status in statuses if status.name == here), None)
    others = [status for status in statuses if status.name != here]
    if mine is None or running is None or mine.pid != running.pid:
        # The supervisor has just begun or is gone: what it once published is out of date.
        return _told_by_disk(settings, others, redis=mine.redis if mine is not None else "")
    age = now() - mine.ts
    if mine.state == "down" and age >= LEASE_SECONDS:
        return _told_by_disk(settings, others, redis="refuses what the supervisor tells it", notice=_silence(age))
    return Document.of(statuses, here)


def _silence(age: float) -> str:
    return (
        f"The supervisor runs, but could not store its status in Redis for {age:.0f} s: is the disk full? `call` tells "
        "what Redis says."
    )


def _told_by_disk(settings: Settings, others: list[HostStatus], *, redis: str, notice: str = "") -> Document:
    """Return this host as its own disk shows it; `redis` is what is known of Redis, `notice` why that is not all."""
    from aigis._cli.local import local_status

    here = local_status(settings, redis)
    return Document.of([here, *others], settings.host, notice or _absence(here))


def _absence(here: HostStatus) -> str:
    """Return what people should know when no supervisor runs here."""
    if here.pid is not None:
        return ""
    if here.workers or any(plugin.state == "running" for plugin in here.plugins):
        return (
            "The supervisor is gone, but what it started still runs: `invoke up` or `invoke down` puts that in order."
        )
    return "AIGIS is not running here; `invoke up` starts it."


def _published(settings: Settings) -> list[HostStatus]:
    from aigis._wire.directory import read_statuses

    return read_statuses(session.bus(settings))


def _skill_facts(settings: Settings, name: str | None) -> list[tuple[str, str]]:
    """Return what the catalog adds about a plugin; nothing when it cannot be asked."""
    from aigis._wire.catalog import read_catalog

    try:
        entry = read_catalog(session.bus(settings)).entries.get(name or "")
    except AigisError:
        return []
    if entry is None:
        return []
    skills = ", ".join(f"aigis.{skill.path}" for skill in entry.skills)
    facts = {"version": entry.version, "served on": ", ".join(entry.hosts), "skills": skills}
    return [(label, text) for label, text in facts.items() if text]
