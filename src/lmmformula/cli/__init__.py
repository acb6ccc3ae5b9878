"""The command line: one sub-command per thing a model can do, and no statistics."""

from lmmformula.cli.run import main

__all__ = ["main"]
