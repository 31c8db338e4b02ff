"""One self-contained HTML page about what was made."""
