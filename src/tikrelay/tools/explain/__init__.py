"""``tikrelay explain``: what a hit becomes, and why."""
