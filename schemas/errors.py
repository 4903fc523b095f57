"""Every error this project raises on purpose.

* RCError                    the user can act on it; the command line prints it without a traceback
  - SchemaError              rows do not honour their table, or were written by a newer version
  - OptionError              a stage was given a value outside its range
  - SourceError              something outside the store (a file, weights, a list) cannot be used
    - ChangedImageError      an image is no longer the one that was ingested
  - ArtifactNotFoundError    a name resolves to nothing in the store
  - ArtifactError            an artifact is damaged, or does not fit the others it is used with
    - NoAttachmentError      an artifact was made without a file that is looked for
  - StageError               one or more parts could not be computed; finished parts are kept
  - QueryError               a SQL statement was refused or failed
  - DeviceMemoryError        a GPU has too little memory; finished parts are kept
  - DiskFullError            there was no room to write something; finished parts are kept

Anything else that escapes is a bug, and keeps its traceback.
"""

from __future__ import annotations


class RCError(Exception):
    """Base class: the message says what happened, where, and what to do next."""


class SchemaError(RCError):
    """Rows do not honour their table."""


class OptionError(RCError):
    """A stage was given a value outside its range."""


class SourceError(RCError):
    """Something outside the store (a file, weights, a list) cannot be used."""


class ChangedImageError(SourceError):
    """An image is no longer the one that was ingested."""


class ArtifactNotFoundError(RCError):
    """A name resolves to nothing in the store."""


class ArtifactError(RCError):
    """An artifact is damaged, or does not fit the others it is used with."""


class NoAttachmentError(ArtifactError):
    """An artifact was made without a file that is looked for."""


class StageError(RCError):
    """One or more parts could not be computed; finished parts are kept."""


class QueryError(RCError):
    """A SQL statement was refused or failed."""


class DeviceMemoryError(RCError):
    """A GPU has too little memory for what was asked of it; finished parts are kept."""


class DiskFullError(RCError):
    """There was no room to write something; finished parts are kept."""
