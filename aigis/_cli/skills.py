"""The verb `skills`: the catalog as a table, or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from aigis._base.messages import CatalogEntry
from aigis._cli import session, terminal
from aigis._cli.exits import DONE

if TYPE_CHECKING:
    from rich.console import RenderableType


def run(*, as_json: bool) -> int:
    """Print every skill."""
    from aigis._wire.catalog import read_catalog

    settings, _ = session.settings_or_problem()
    session.require_running(settings)
    entries = sorted(read_catalog(session.bus(settings)).entries.values(), key=lambda entry: entry.order)
    if as_json:
        terminal.say(json.dumps(rows(entries)))
    else:
        terminal.show(skills_view(entries))
    return DONE


def rows(entries: Iterable[CatalogEntry]) -> list[dict[str, Any]]:
    """Return the catalog as scripts read it: one object per skill."""
    return [
        {
            "path": skill.path,
            "kind": skill.kind,
            "plugin": entry.plugin,
            "version": entry.version,
            "signature": None if skill.signature is None else list(skill.signature),
            "doc": skill.doc,
            "hosts": list(entry.hosts),
            "state": entry.state,
        }
        for entry in entries
        for skill in entry.skills
    ]


def skills_view(entries: Sequence[CatalogEntry]) -> RenderableType:
    """Return one table per plugin."""
    from rich.console import Group

    if not entries:
        return "No skills: no plugin here has an AIGIS.core. `invoke status` shows what runs."
    parts: list[RenderableType] = []
    for entry in entries:
        parts += ["", _heading(entry), _table(entry)]
    return Group(*parts[1:])


def _heading(entry: CatalogEntry) -> RenderableType:
    from rich.text import Text

    styles = {"ready": "green", "loading": "cyan", "failed": "bold red"}
    facts = [entry.version, "one call at a time" if entry.single else ""]
    shown = "".join(f" · {fact}" for fact in facts if fact)
    return Text.assemble(
        (entry.plugin, "bold"), " is ", (entry.state, styles.get(entry.state, "yellow")), (shown, "dim")
    )


def _table(entry: CatalogEntry) -> RenderableType:
    from rich.table import Table

    from aigis._cli.document import without_name
    from aigis._cli.lines import clean
    from aigis._cli.signatures import CALLABLE_KINDS, render_skill

    table = Table.grid(padding=(0, 2))
    table.add_column(width=0)
    table.add_column(overflow="fold", ratio=5)
    table.add_column(style="dim", overflow="fold", ratio=4)
    if entry.reason:
        table.add_row("", clean(without_name(entry.reason, entry.plugin)), "")
    for skill in entry.skills:
        kind = "" if skill.kind in CALLABLE_KINDS else f"[{skill.kind}] "
        first_line = skill.doc.strip().partition("\n")[0]
        table.add_row("", f"aigis.{render_skill(skill)}", f"{kind}{first_line}".strip())
    if not entry.skills and entry.branches:
        table.add_row("", ", ".join(f"aigis.{branch}" for branch in entry.branches), "reserved")
    return table
