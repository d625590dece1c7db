"""The command line: thin commands over the engine."""

from agencystack.cli.app import main

__all__ = ["main"]
