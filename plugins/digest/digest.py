"""Writes a digest of what is new at all feeds, as one Markdown file a day."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import aigis

if TYPE_CHECKING:
    import logging

RETRY = 15.0
"""Seconds until the next attempt when nothing could be read."""


def run(logger: logging.Logger, every: float = 300, limit: int = 3, folder: str = "digests") -> None:
    """Write a digest every so many seconds, with the newest `limit` entries of each feed; never returns."""
    while True:
        sections = collect(limit, logger)
        if sections:
            now = datetime.now(UTC)
            file = write(Path(folder).resolve() / f"{now:%Y-%m-%d}.md", render(sections, now))
            logger.info("digest written", extra={"file": str(file), "feeds": len(sections)})
        time.sleep(every if sections else min(RETRY, every))


def collect(limit: int, logger: logging.Logger) -> list[tuple[Any, list[dict[str, str]]]]:
    """Return (feed, entries) of every source that answers; a call that fails costs a log line, not the digest."""
    sections = []
    for source in known_sources(logger):
        try:
            # From afar everything is called, and what comes back is a plain value or an object of the plugin's class.
            sections.append((aigis.feeds.describe(source), aigis.feeds.read(source, limit=limit)))
        except aigis.AigisError as error:  # first: to know the class below, AIGIS must be within reach
            logger.warning("call failed", extra={"source": source, "error": str(error)})
        except aigis.feeds.FeedError as error:
            logger.warning("feed skipped", extra={"source": error.source, "error": str(error)})
    return sections


def known_sources(logger: logging.Logger) -> tuple[str, ...]:
    """Return the names of all feeds, or none while nobody can tell."""
    try:
        return aigis.feeds.SOURCES()  # a value, yet called: this process holds a proxy
    except aigis.AigisError as error:
        logger.warning("call failed", extra={"error": str(error)})
        return ()


def render(sections: list[tuple[Any, list[dict[str, str]]]], now: datetime) -> str:
    """Return the digest as Markdown."""
    lines = [f"# Digest of {now:%d %B %Y, %H:%M} UTC"]
    for feed, entries in sections:
        lines += ["", f"## {feed.title} ({feed.kind.value})", ""]
        lines += [f"- [{entry['title']}]({entry['link']}) {entry['published'][:10]}".rstrip() for entry in entries]
    return "\n".join(lines) + "\n"


def write(file: Path, text: str) -> Path:
    """Replace the file as a whole, so that a reader never meets half a digest."""
    file.parent.mkdir(parents=True, exist_ok=True)
    scratch = file.with_suffix(".tmp")
    scratch.write_text(text, encoding="utf-8")
    os.replace(scratch, file)
    return file
