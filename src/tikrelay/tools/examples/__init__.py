"""``tikrelay test``: a shop's own examples against its rules."""
