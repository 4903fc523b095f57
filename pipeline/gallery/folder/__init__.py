"""The gallery as a folder: the same pages over answers written beforehand, opened from disk.

A page opened from disk may neither import modules nor ask for data, but it may run scripts that lie
beside it. So the modules become one script (`bundle`), each answer a script that hands over a piece
of JSON (`writing`), and what a server would compute is computed for every question the pages can
ask: concepts (`concepts`), regions like others (`likeness`), thresholds (`thresholds`).
"""

from pipeline.gallery.folder.writing import FolderRequest, write_folder

__all__ = ["FolderRequest", "write_folder"]
