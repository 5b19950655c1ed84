"""``device``: client hints under the keys of TikTok's server template."""

from typing import Final

from tikrelay.event import Json
from tikrelay.mapping.cleaning import Context, Left, as_text
from tikrelay.mapping.memory import remembered
from tikrelay.mapping.personal import mask_and_cut

_LONGEST: Final = 200
_MOST_VERSIONS: Final = 20


@remembered
def hint_text(value: Json, _: Context) -> str | Left:
    """Read a hint without the quotes that headers put around it."""
    text = as_text(value)
    return text if isinstance(text, Left) else mask_and_cut(text.strip('"'), longest=_LONGEST) or Left.EMPTY


def flag(value: Json, _: Context) -> bool | Left:
    """Read yes or no, however it is written."""
    if isinstance(value, bool):
        return value
    words: dict[Json, bool | Left] = {"true": True, "1": True, "?1": True, "false": False, "0": False, "?0": False}
    if isinstance(value, str | int):
        return words.get(str(value).strip().lower(), Left.UNUSABLE if str(value).strip() else Left.EMPTY)
    return Left.EMPTY if value is None else Left.UNUSABLE


def versions(value: Json, _: Context) -> list[dict[str, str]] | Left:
    """Read a list of brands and their versions."""
    if not isinstance(value, list):
        return Left.EMPTY if value in (None, "") else Left.UNUSABLE
    found: list[dict[str, str]] = []
    for entry in value[:_MOST_VERSIONS]:
        brand, version = (entry.get("brand"), entry.get("version")) if isinstance(entry, dict) else (None, None)
        named, numbered = as_text(brand), as_text(version)
        if isinstance(named, str) and isinstance(numbered, str):
            found.append(
                {
                    "brand": mask_and_cut(named, longest=_LONGEST),
                    "version": mask_and_cut(numbered, longest=_LONGEST),
                }
            )
    return found or Left.EMPTY
