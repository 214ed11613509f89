"""Everything that travels: signed messages, the catalog, calls, the log stream and commands."""
