"""``tikrelay demo``: a shop's visit through a gateway to a local TikTok, and what became of it."""
