"""Puts the parts together from a Config: build, accept, serve, drain."""
