"""TOML and environment to Config, reporting every mistake at once.

A setting comes from, in this order: the environment (``TIKRELAY_<SECTION>_<KEY>``), the file, the default. Without any
``[[destinations]]`` the short form counts: TIKTOK_PIXEL_CODE, TIKTOK_ACCESS_TOKEN and TIKTOK_PURCHASE_EVENT.
"""

import difflib
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin, get_type_hints

import msgspec

from tikrelay.app.checks import find_contradictions
from tikrelay.app.config import Config
from tikrelay.base.errors import ConfigError, Mistake
from tikrelay.base.secret import Secret
from tikrelay.base.units import Duration
from tikrelay.mapping.config import MappedDestination, RuleConfig

DEFAULT_FILE: Final = "tikrelay.toml"
# Kubernetes puts the address of a service named tikrelay into every environment; fault tests arm failpoints.
_NO_SETTING: Final = re.compile(r"TIKRELAY_(?:SERVICE_(?:HOST|PORT\w*)|PORT(?:_\w+)?|FAILPOINTS)")
_PREFIX: Final = "TIKRELAY_"
_LISTS: Final = frozenset({"rules", "destinations"})  # sections that may stand several times
_TO_ASK: Final = frozenset({"server", "outbox"})  # the sections that say where a running server is asked
_AT_LINE: Final = re.compile(r"at line (\d+)")
_HEADER: Final = re.compile(r"\s*\[\[?\s*([\w.\-]+)\s*\]\]?")
_KEY: Final = re.compile(r"\s*([\w\-]+)\s*=")

Section = dict[str, Any]


class Loaded(msgspec.Struct, frozen=True):
    """A Config, and where it came from; ``mistakes`` stand in it only where it is read to look at a server."""

    config: Config
    text: str
    path: Path | None
    mistakes: tuple[Mistake, ...] = ()

    @property
    def folder(self) -> Path:
        """What relative paths in the settings count from."""
        return self.path.parent if self.path else Path.cwd()


def read_settings(
    file: str | None, environment: Mapping[str, str], *, to_send: bool = True, to_look: bool = False
) -> Loaded:
    """Read the file (``./tikrelay.toml`` when none is named and it exists) and the environment.

    Raises ConfigError with every mistake found.
    """
    path = Path(file or DEFAULT_FILE).absolute()
    if not path.exists() or path.is_dir():
        if file is not None:
            raise ConfigError([Mistake(str(path), "--config", "there is no such file")])
        return parse_settings("", None, environment, to_send=to_send, to_look=to_look)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError([Mistake(str(path), "--config", f"cannot be read: {error}")]) from None
    return parse_settings(text, path, environment, to_send=to_send, to_look=to_look)


def parse_settings(
    text: str,
    path: Path | None,
    environment: Mapping[str, str],
    *,
    to_send: bool = True,
    to_look: bool = False,
    tokens: Sequence[str] = (),
) -> Loaded:
    """Make a Config of a file's text and the environment. Raises ConfigError.

    ``to_send`` False is for what looks at events and sends none: neither a destination nor a token is needed.
    ``to_look`` is for what asks a server that may run with older settings: mistakes that cannot mislead it are noted.
    ``tokens`` stand in for token files that cannot be read any more: those of the destinations, in their order.
    """
    place = str(path) if path else "settings" if text else "environment"
    try:
        tree = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = _AT_LINE.search(str(error))
        raise ConfigError([Mistake(f"{place}:{line[1]}" if line else place, "TOML", str(error))]) from None

    reader = _Reader(place, _line_numbers(text), path.parent if path else Path.cwd(), tokens, need_token=to_send)
    config = reader.config(tree, environment)
    told = {mistake.key for mistake in reader.mistakes}
    need_destination = to_send and not any(key.startswith(("destinations", "TIKTOK_")) for key in told)
    contradictions = find_contradictions(config, reader.where, need_destination=need_destination, need_token=to_send)
    mangled = {f"{key.rpartition('.')[0]}.name" for key in told}  # what is left of a rule may look like nothing
    mistakes = [*reader.mistakes, *(one for one in contradictions if one.key not in told | mangled)]
    mistakes.sort(key=_by_line)
    if mistakes and not (to_look and all(map(_misleads_nobody, mistakes))):
        raise ConfigError(mistakes)
    return Loaded(config, text, path, tuple(mistakes))


def _misleads_nobody(mistake: Mistake) -> bool:
    """Say whether it is surely not about where the server is asked; an unknown name may be meant as one of those."""
    section = re.split(r"\W", mistake.key)[0]
    return section in Config.__struct_fields__ and section not in _TO_ASK


def _by_line(mistake: Mistake) -> tuple[str, int]:
    place, _, line = mistake.where.rpartition(":")
    return (place, int(line)) if line.isdigit() else (mistake.where, 0)


def _line_numbers(text: str) -> dict[tuple[str, str], int]:
    r"""Find the line of each ``key =``: (section, key) to line; sections that stand several times are numbered.

    >>> _line_numbers("[[rules]]\n[[rules]]\ndrop = true")
    {('rules[0]', ''): 1, ('rules[1]', ''): 2, ('rules[1]', 'drop'): 3}
    """
    lines: dict[tuple[str, str], int] = {}
    counts: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := _HEADER.match(line):
            section = _numbered(header[1], counts, begins=line.lstrip().startswith("[["))
            lines.setdefault((section, ""), number)
        elif key := _KEY.match(line):
            lines.setdefault((section, key[1]), number)
    return lines


def _numbered(header: str, counts: dict[str, int], *, begins: bool) -> str:
    """Name the section a header stands for: ``destinations.rules`` is ``destinations[0].rules[2]``."""
    path = ""
    for part in header.split("."):
        path = f"{path}.{part}".lstrip(".")
        if begins and path.count(".") == header.count("."):
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path += f"[{counts[path]}]"
    return path


def _from_toml(kind: type, value: object) -> object:
    """Make the types TOML does not have."""
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    if kind is Duration:
        if isinstance(value, str):
            return Duration.parse(value)
        raise ValueError('write a length of time in quotes, such as "7d"')
    raise ValueError(f"expected {kind.__name__}")


class _Reader:
    """Reads section by section and key by key, so that one mistake does not hide the next."""

    def __init__(
        self, place: str, lines: dict[tuple[str, str], int], folder: Path, tokens: Sequence[str], *, need_token: bool
    ) -> None:
        self.place = place
        self.tokens = tokens
        self.need_token = need_token
        self.lines = lines
        self.folder = folder
        self.mistakes: list[Mistake] = []
        self.from_environment: dict[tuple[str, str], str] = {}

    def where(self, section: str, key: str) -> str:
        """Say where a setting stands: a variable's name, or file and line."""
        if variable := self.from_environment.get((section, key)):
            return variable
        places = ((section, key), (f"{section}.{key}", ""), (section, ""), ("", section))
        line = next((self.lines[place] for place in places if place in self.lines), None)
        return f"{self.place}:{line}" if line else self.place

    def config(self, tree: Section, environment: Mapping[str, str]) -> Config:
        """Read the whole tree."""
        sections = {name: kind for name, kind in get_type_hints(Config).items() if name not in _LISTS}
        for name in tree.keys() - sections.keys() - _LISTS:
            self._unknown("", name, [*sections, *sorted(_LISTS)], form="[{}]")
        tables, purchase_event = self._short_form(self._tables(tree, "destinations"), environment)
        overlays = self._overlays({**sections, "destinations": MappedDestination}, environment)
        if purchase_event and "purchase_event" not in tree.get("mapping", {}):
            overlays.setdefault("mapping", {}).setdefault("purchase_event", purchase_event)
            self.from_environment.setdefault(("mapping", "purchase_event"), "TIKTOK_PURCHASE_EVENT")
        if overlays.get("destinations"):
            tables = self._overlay_destination(tables, overlays["destinations"])

        read = {
            name: self._section(name, kind, tree.get(name, {}), overlays.get(name, {}))
            for name, kind in sections.items()
        }
        rules = self._rules("rules", self._tables(tree, "rules"))
        destinations = [self._destination(number, table) for number, table in enumerate(tables)]
        return Config(**read, rules=rules, destinations=tuple(d for d in destinations if d is not None))

    def _tables(self, tree: Section, name: str, section: str = "") -> list[Any]:
        """The tables of a list of sections."""
        tables: list[Any] | Any = tree.get(name, [])
        if isinstance(tables, list):
            found: list[Any] = [*tables]  # pyright: ignore[reportUnknownArgumentType]  as the file has it
            if all(isinstance(table, dict) for table in found):
                return found
        header = re.sub(r"\[\d+\]", "", f"{section}.{name}".lstrip("."))
        self._add(section or name, name, f"must be written as [[{header}]]", "two brackets, one section each")
        return []

    def _rules(self, section: str, tables: list[Any]) -> tuple[RuleConfig, ...]:
        read = [self._struct(f"{section}[{number}]", RuleConfig, table) for number, table in enumerate(tables)]
        return tuple(rule for rule in read if rule is not None)

    def _short_form(self, tables: list[Any], environment: Mapping[str, str]) -> tuple[list[Any], str]:
        """Take the three variables where the file names no destination."""
        names = ("TIKTOK_PIXEL_CODE", "TIKTOK_ACCESS_TOKEN", "TIKTOK_PURCHASE_EVENT")
        pixel, token, purchase = (environment.get(name, "") for name in names)
        if tables or not (pixel or token):
            return tables, purchase
        missing = [name for name, value in zip(names[:2], (pixel, token), strict=True) if not value]
        if missing:
            self.mistakes.append(Mistake("environment", missing[0], "is not set, while its companion is"))
            return [], purchase
        self.from_environment |= {
            ("destinations[0]", "event_source_id"): names[0],
            ("destinations[0]", "access_token"): names[1],
        }
        return [{"event_source_id": pixel, "access_token": token}], purchase

    def _overlays(self, sections: Mapping[str, Any], environment: Mapping[str, str]) -> dict[str, Section]:
        """Sort TIKRELAY_<SECTION>_<KEY> by section and key."""
        known = {
            f"{_PREFIX}{section}_{key}".upper(): (section, key)
            for section, kind in sections.items()
            for key in kind.__struct_fields__
            if key != "rules"  # they stand in the file alone
        }
        overlays: dict[str, Section] = {}
        for variable in sorted(environment):
            if not variable.startswith(_PREFIX) or not environment[variable] or _NO_SETTING.fullmatch(variable):
                continue
            if variable not in known:
                self.mistakes.append(Mistake("environment", variable, "is no setting", _nearest(variable, known)))
                continue
            section, key = known[variable]
            overlays.setdefault(section, {})[key] = environment[variable]
            self.from_environment["destinations[0]" if section == "destinations" else section, key] = variable
        return overlays

    def _overlay_destination(self, tables: list[Any], overlay: Section) -> list[Any]:
        if len(tables) > 1:
            hint = "change the file, or name its token with access_token_file"
            self.mistakes.append(
                Mistake("environment", f"{_PREFIX}DESTINATIONS_*", "fits one destination, the file has several", hint)
            )
            return tables
        return [{**(tables[0] if tables else {}), **overlay}]

    def _section(self, name: str, kind: Any, table: object, overlay: Section) -> Any:
        if not isinstance(table, dict):
            self._add(name, "", f"must be a section, written [{name}]")
            return kind()
        return self._struct(name, kind, {**table, **overlay}) or kind()

    def _destination(self, number: int, table: Section) -> MappedDestination | None:
        section = f"destinations[{number}]"
        file = table.get("access_token_file")
        if isinstance(file, str) and file and not table.get("access_token"):
            try:
                token = self._token(number, file)
            except (OSError, UnicodeDecodeError) as error:
                self._add(section, "access_token_file", f"cannot be read: {error}")
                return None
            table = {**table, "access_token": token}
        elif file:
            self._add(section, "access_token_file", "and access_token are both set", "keep one of them")
        rules = self._rules(f"{section}.rules", self._tables(table, "rules", section))
        destination: MappedDestination | None = self._struct(section, MappedDestination, {**table, "rules": ()})
        return destination and msgspec.structs.replace(destination, rules=rules)

    def _token(self, number: int, file: str) -> str:
        """Read a token's file; where that fails, take the one that was read before."""
        try:
            token = (self.folder / file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError):
            if number < len(self.tokens):
                return self.tokens[number]
            if not self.need_token:
                return ""
            raise
        return token or (self.tokens[number] if number < len(self.tokens) else "")

    def _struct(self, section: str, kind: Any, table: Section) -> Any:
        """Read one section's keys one by one; what cannot be read is told, and stands at its default."""
        hints = get_type_hints(kind, include_extras=True)
        values: Section = {}
        for key, value in table.items():
            if key not in hints:
                self._unknown(section, key, list(hints))
                continue
            try:
                values[key] = self._value(section, key, value, hints[key])
            except (msgspec.ValidationError, ValueError) as error:
                self._add(section, key, str(error).replace("`", ""))
        required = [field.name for field in msgspec.structs.fields(kind) if field.required]
        for name in required:
            if name not in table:
                self._add(section, name, "is missing")
        return kind(**values) if values.keys() >= set(required) else None

    def _value(self, section: str, key: str, value: object, kind: Any) -> object:
        text_allowed = (section, key) in self.from_environment and isinstance(value, str)
        if text_allowed and get_origin(kind) is tuple:
            value = [part.strip() for part in str(value).split(",") if part.strip()]
        elif text_allowed and get_origin(kind) is dict:
            value = _read_table(str(value))
        elif get_origin(kind) is tuple and isinstance(value, str):
            raise ValueError(f'must be a list: write ["{value}"]')
        allowed = get_args(kind) if get_origin(kind) is Literal else ()
        if allowed and value not in allowed:
            close = _nearest(str(value), [str(word) for word in allowed])
            raise ValueError(f"{value!r} is not one of {', '.join(word or repr(word) for word in allowed)}; {close}")
        return msgspec.convert(value, kind, strict=not text_allowed, dec_hook=_from_toml)

    def _unknown(self, section: str, key: str, known: list[str], form: str = "{}") -> None:
        self.mistakes.append(
            Mistake(
                self.where(section or key, key),
                f"{section}.{form.format(key)}".lstrip("."),
                "is no setting",
                _nearest(key, known),
            )
        )

    def _add(self, section: str, key: str, what: str, hint: str = "") -> None:
        self.mistakes.append(Mistake(self.where(section, key), f"{section}.{key}".rstrip("."), what, hint))


def _read_table(text: str) -> object:
    """Read a table of settings from a variable: as TOML writes one on a line, or as JSON."""
    try:
        return tomllib.loads(f"table = {text}")["table"]
    except tomllib.TOMLDecodeError:
        pass
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        raise ValueError('write it as { trial_started = "StartTrial" }, or as JSON') from None


def _nearest(name: str, known: Mapping[str, object] | list[str]) -> str:
    """Name the setting that was probably meant."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {close[0]}?" if close else f"known here: {', '.join(sorted(known)[:20])}"
