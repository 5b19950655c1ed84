"""``tikrelay test`` and the example files: a request, and exactly what becomes of it."""
