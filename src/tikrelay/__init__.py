"""tikrelay takes GA4 hits, turns each into a TikTok Events API event, and delivers it without losing one.

The way of an event, one folder a step:

1. ``collect``   an HTTP request is parsed and limited, and becomes events
2. ``event``     the one shape everything in the middle speaks
3. ``mapping``   an event becomes a TikTok event, or is dropped for a reason
4. ``outbox``    it lies on disk before the sender is answered
5. ``send``      batches go out; what TikTok answers decides what becomes of each event
6. ``tiktok``    the far shore: the payload, the one HTTP call, what each answer means

``app`` puts the parts together, ``watch`` listens, ``tools`` is the command line, ``base`` is under all of it.

As a library, for the tests of a shop (docs/library.md): ``map_hit`` and ``explain``, and the types they give. All else
is private.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tikrelay.base.errors import ConfigError, InputRefused
    from tikrelay.event import Dropped
    from tikrelay.mapping.explain import Explanation
    from tikrelay.tiktok.payload import TikTokEvent
    from tikrelay.tools.library import explain, map_hit

__version__ = "0.1.0"

__all__ = [
    "ConfigError",
    "Dropped",
    "Explanation",
    "InputRefused",
    "TikTokEvent",
    "__version__",
    "explain",
    "map_hit",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that ``import tikrelay`` stays quick."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from tikrelay.tools import library

    return getattr(library, name)
