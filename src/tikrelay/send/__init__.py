"""Outbox to batches to TikTok: retries, limits, pauses, dead letters."""
