"""tikrelay takes GA4 hits, turns each into a TikTok Events API event, and delivers it without losing one.

The way of an event, one folder a step:

1. ``collect``   an HTTP request is parsed and limited, and becomes events
2. ``event``     the one shape everything in the middle speaks
3. ``mapping``   an event becomes a TikTok event, or is dropped for a reason
4. ``outbox``    it lies on disk before the sender is answered
5. ``send``      batches go out; what TikTok answers decides what becomes of each event
6. ``tiktok``    the far shore: the payload, the one HTTP call, what each answer means

``app`` puts the parts together, ``watch`` listens, ``tools`` is the command line, ``base`` is under all of it.
"""

__version__ = "0.1.0"

__all__ = ["__version__"]
