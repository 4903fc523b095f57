"""Files that fuzzing found: each ended the process that read it."""
