"""Lists of names in settings, in which a star at one end stands for anything."""

from collections.abc import Callable, Iterable

Matcher = Callable[[str], bool]


def matcher(patterns: Iterable[str]) -> Matcher | None:
    """Make one test of a list of patterns; None for an empty list.

    >>> fits = matcher(["purchase", "view_*", "*.shop.example"])
    >>> fits("purchase"), fits("view_item"), fits("de.shop.example"), fits("shop.example")
    (True, True, True, False)
    """
    given = [pattern.strip() for pattern in patterns if pattern.strip()]
    if not given:
        return None
    whole = frozenset(pattern for pattern in given if "*" not in pattern)
    starts = tuple(pattern[:-1] for pattern in given if pattern.endswith("*"))
    ends = tuple(pattern[1:] for pattern in given if pattern.startswith("*") and not pattern.endswith("*"))
    return lambda text: text in whole or text.startswith(starts) or text.endswith(ends)


def is_pattern(text: str) -> bool:
    """Say whether a star stands nowhere but at one end.

    >>> is_pattern("view_*"), is_pattern("*.shop.example"), is_pattern("a*b"), is_pattern(" ")
    (True, True, False, False)
    """
    pattern = text.strip()
    return bool(pattern) and (not pattern.count("*") or (pattern.count("*") == 1 and "*" in {pattern[0], pattern[-1]}))
