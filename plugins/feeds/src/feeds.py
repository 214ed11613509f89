"""Reading RSS and Atom feeds.

A source is the short name of a feed that lies in `samples/`, the absolute path of a file, or an http(s) URL.
"""

from __future__ import annotations

import difflib
import enum
import html
import http.client
import io
import re
import time
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import feedparser

if TYPE_CHECKING:
    import logging

SAMPLES = Path(__file__).parent.parent / "samples"
SOURCES: tuple[str, ...] = tuple(sorted(file.stem for file in SAMPLES.glob("*.xml")))
"""The short names that `read` and the others know."""

SIZE_LIMIT = 8 * 1024 * 1024
"""Bytes of a feed; what is longer is refused."""
SILENCE_LIMIT = 10.0
"""Seconds a server may say nothing."""
TIME_LIMIT = 30.0
"""Seconds a download may take altogether."""


class FeedError(Exception):
    """A source cannot be read as a feed; `source` says which."""

    def __init__(self, message: str, source: str = "") -> None:
        super().__init__(message)
        self.source = source


class Kind(enum.Enum):
    """The family of formats a feed is written in."""

    RSS = "RSS"
    ATOM = "Atom"
    OTHER = "other"


@dataclass(frozen=True)
class Feed:
    """What a feed says of itself."""

    source: str
    title: str
    kind: Kind
    link: str
    entries: int


def read(source: str, limit: int = 20, *, logger: logging.Logger) -> list[dict[str, str]]:
    """Return the newest entries of a source, at most `limit`, as dictionaries of title, link, published and summary.

    `published` is ISO 8601 in UTC, or '' where the feed does not say. Raises FeedError.
    """
    entries = _entries(_parse(source), limit)
    logger.info("feed read", extra={"source": source, "entries": len(entries)})
    return entries


def headlines(source: str, limit: int = 5) -> list[str]:
    """Return the newest titles of a source. Raises FeedError."""
    return [entry["title"] for entry in _entries(_parse(source), limit)]


def describe(source: str) -> Feed:
    """Return title, kind, link and size of a source. Raises FeedError."""
    parsed = _parse(source)
    family = next((kind for kind in Kind if parsed.version.startswith(kind.value.lower())), Kind.OTHER)
    about = parsed.feed
    return Feed(source, about.get("title", source), family, about.get("link", ""), len(parsed.entries))


def _parse(source: str) -> Any:
    parsed = feedparser.parse(io.BytesIO(_content(source)))
    if not parsed.version and not parsed.entries:
        raise FeedError(f"{source!r} is neither RSS nor Atom: {parsed.get('bozo_exception', 'no feed in it')}", source)
    return parsed


def _entries(parsed: Any, limit: int) -> list[dict[str, str]]:
    entries = [_entry(entry) for entry in parsed.entries]
    return sorted(entries, key=lambda entry: entry["published"], reverse=True)[: max(0, limit)]


def _entry(entry: Any) -> dict[str, str]:
    moment = entry.get("published_parsed") or entry.get("updated_parsed")
    return {
        "title": entry.get("title", "(without a title)"),
        "link": entry.get("link", ""),
        "published": datetime(*moment[:6], tzinfo=UTC).isoformat() if moment else "",
        "summary": _plain(entry.get("summary", ""))[:400],
    }


def _plain(markup: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


def _content(source: str) -> bytes:
    try:
        if source.lower().startswith(("http://", "https://")):
            return _limited(_download(source), source)
        with _file(source).open("rb") as stream:
            return _limited(stream.read(SIZE_LIMIT + 1), source)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise FeedError(f"{source!r} cannot be read: {error}", source) from error


def _file(source: str) -> Path:
    file = SAMPLES / f"{source}.xml" if source in SOURCES else Path(source)
    if file.is_absolute() and file.is_file():
        return file
    near = difflib.get_close_matches(source, SOURCES, n=1)
    hint = f"did you mean {near[0]!r}?" if near else f"give a URL, an absolute path, or one of {', '.join(SOURCES)}"
    raise FeedError(f"{source!r} is no feed: {hint}", source)


def _download(url: str) -> bytes:
    end = time.monotonic() + TIME_LIMIT
    request = urllib.request.Request(url, headers={"User-Agent": "aigis-feeds/0.1"})  # noqa: S310 - http(s) only, see _content
    content = b""
    with urllib.request.urlopen(request, timeout=SILENCE_LIMIT) as response:  # noqa: S310
        while len(content) <= SIZE_LIMIT and (chunk := response.read1(65536)):
            content += chunk
            if time.monotonic() > end:
                raise TimeoutError(f"not complete after {TIME_LIMIT:.0f} s")
    return content


def _limited(content: bytes, source: str) -> bytes:
    if len(content) > SIZE_LIMIT:
        raise FeedError(f"{source!r} is larger than {SIZE_LIMIT >> 20} MiB", source)
    return content
