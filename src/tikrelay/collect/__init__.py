"""HTTP request to events: parsed once, limited before."""
