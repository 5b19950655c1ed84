"""The far shore: the payload, the one HTTP call, what each answer means."""
