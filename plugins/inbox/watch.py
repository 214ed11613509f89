"""Watches a folder: a feed or an OPML list of feeds that arrives is read, logged and moved to `done/`.

What cannot be read goes to `refused/`. Names with a leading dot are left alone: write there first, then rename.
"""

from __future__ import annotations

import os
import shutil
import signal
import threading
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import TYPE_CHECKING

import watchfiles

import aigis

if TYPE_CHECKING:
    import logging

SAMPLES = Path(__file__).parent / "samples"
QUIET = 500
"""Milliseconds without a change before a file counts as complete; also the longest time to notice the stop."""


def launch(logger: logging.Logger, folder: str = "inbox") -> None:
    """Watch `folder`, which is relative to the plugin's own unless absolute, until SIGTERM."""
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    inbox = prepare(Path(folder).resolve())
    logger.info("watching", extra={"folder": str(inbox)})
    receive_all(inbox, logger)
    # The empty hand at each timeout is a second chance for what was left, or came before the watching began.
    for _ in watchfiles.watch(
        inbox, stop_event=stop, step=QUIET, debounce=60_000, rust_timeout=30_000, yield_on_timeout=True, recursive=False
    ):
        receive_all(inbox, logger)
    logger.info("no longer watching", extra={"folder": str(inbox)})


def prepare(inbox: Path) -> Path:
    """Make the folders; a new inbox is given a sample, so that there is something to see."""
    inbox.mkdir(parents=True, exist_ok=True)
    if not (inbox / "done").exists():
        for sample in SAMPLES.iterdir():
            shutil.copy(sample, inbox)
    for name in ("done", "refused"):
        (inbox / name).mkdir(exist_ok=True)
    return inbox


def receive_all(inbox: Path, logger: logging.Logger) -> None:
    """Receive every file that lies in the inbox, by name; one that nobody can read just now stays there."""
    for file in sorted(inbox.iterdir()):
        if file.is_file() and not file.name.startswith("."):
            try:
                move(file, inbox / ("done" if receive(file, logger) else "refused"))
            except aigis.AigisError as error:
                logger.warning("arrived, left for later", extra={"file": file.name, "error": str(error)})


def receive(file: Path, logger: logging.Logger) -> bool:
    """Read the feeds a file stands for, log one line each, and say whether any of them could be read."""
    readable = 0
    for source in sources_in(file):
        try:
            titles = aigis.feeds.headlines(source, limit=3)
        except aigis.AigisError:
            raise  # no fault of the file
        except aigis.feeds.FeedError as error:
            logger.warning("arrived, not readable", extra={"file": file.name, "source": source, "error": str(error)})
        else:
            readable += 1
            logger.info("arrived", extra={"file": file.name, "source": source, "headlines": titles})
    return readable > 0


def sources_in(file: Path) -> list[str]:
    """Return the feeds an OPML list names, or the file itself when it is no such list."""
    try:
        tree = ET.parse(file)  # noqa: S314 - a file this host's owner put here; current expat bounds expansion
    except ET.ParseError:
        return [str(file)]
    if tree.getroot().tag != "opml":
        return [str(file)]
    return [outline.attrib["xmlUrl"] for outline in tree.iter("outline") if outline.get("xmlUrl")]


def move(file: Path, folder: Path) -> Path:
    """Move a file into a folder, beside an older file of the same name."""
    target, number = folder / file.name, 1
    while target.exists():
        number += 1
        target = folder / f"{file.stem}-{number}{file.suffix}"
    os.replace(file, target)
    return target
