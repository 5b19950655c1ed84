"""Metrics and logs: listeners to happenings, never imported by a step."""
