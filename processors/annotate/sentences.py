"""Gives annotate the sentences; they live in `processors.sentences`, since compare and alert cut texts the same way."""

from processors.sentences import sentences

__all__ = ["sentences"]
