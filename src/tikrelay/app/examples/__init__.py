"""The example files: how they are read, run and written."""
