"""The errors that sulh raises on purpose; each message says what happened, to what, and what to do."""

from __future__ import annotations


class SulhError(Exception):
    """Something that a person can mend: its message is one clear sentence, shown without a traceback."""


class UnknownSourceError(SulhError):
    """A command was given a source that is not configured: the same call is refused again."""


class KnowledgeError(SulhError):
    """A YAML file of sources, actors, cues or claims is wrong: names file, line, key and what was expected."""


class ArchiveError(SulhError):
    """The archive cannot be read or written: names the file."""


class LockedError(SulhError):
    """Another process holds this source or store."""


class StoreError(SulhError):
    """The store cannot be opened, is of a newer version, or refused a write."""


class SettingsError(SulhError):
    """A setting is unknown or has a wrong value."""
