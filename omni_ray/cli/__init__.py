"""The command line: parsing and printing only."""

def main() -> None:
    """Entry point of the ``omni-ray`` command."""
