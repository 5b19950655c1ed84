"""What users may write with the library; ``mypy --strict`` and basedpyright read it, nothing runs it."""

from pathlib import Path

from tikrelay import Dropped, Explanation, InputRefused, TikTokEvent, explain, map_hit


def of_each_kind(hit: str, data: dict[str, object]) -> list[str]:
    """Name what each event becomes."""
    names: list[str] = []
    for outcome in [*map_hit(hit), *map_hit(Path(hit)), *map_hit(data, settings=Path("shop.toml"), received_at=1.0)]:
        match outcome:
            case TikTokEvent(body=body):
                name: str = body["event"]
                names.append(name)
            case Dropped(reason=reason):
                names.append(reason)
    return names


def why(hit: str) -> str:
    """Say why an event is dropped."""
    try:
        told: Explanation = explain(hit, settings="[mapping]", show_personal_data=True)[0]
    except InputRefused as refused:
        return refused.code
    return told.why if told.tiktok is None else told.tiktok["event_id"]
