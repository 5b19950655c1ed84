"""The command line."""


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    raise NotImplementedError(arguments)
