"""The reference pages of settings and mapping, and the example file, written from the code they tell of.

``python -m tikrelay.tools.reference`` writes all three, the page of metrics and the list of examples; a test fails
while they are stale.
What a setting means, and its default, stand in one place: at its field. So does where a TikTok field comes from: in
``mapping/fields.py``.
"""

import ast
import inspect
import itertools
import sys
import textwrap
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin, get_type_hints

import msgspec
from msgspec import Meta

from tikrelay.app.config import Config
from tikrelay.app.examples.run import PAGE as EXAMPLES_PAGE
from tikrelay.app.examples.run import render_examples
from tikrelay.base.secret import Secret
from tikrelay.base.units import Duration
from tikrelay.mapping.config import MappedDestination, MappingConfig, RuleConfig, Scalar
from tikrelay.mapping.fields import FIELDS, Field
from tikrelay.mapping.names import (
    APP_GA4_NAMES,
    APP_NAMES,
    DROPPED_NAMES,
    ENDING_NAMES,
    GA4_NAMES,
    RESERVED_NAMES,
    STANDARD_NAMES,
    Names,
)
from tikrelay.mapping.texts import LISTED_CURRENCIES
from tikrelay.tools.metrics_reference import METRICS_PAGE, render_metrics

ROOT: Final = Path(__file__).parents[3]
PAGE: Final = Path("docs/reference/settings.md")
EXAMPLE: Final = Path("deploy/tikrelay.example.toml")
MAPPING_PAGE: Final = Path("docs/reference/mapping.md")
_WIDTH: Final = 100

_COMMAND: Final = "python -m tikrelay.tools.reference"
_HEAD: Final = f"""\
# Settings

<!-- Written by `{_COMMAND}` from the config structs. Change those, not this page. -->

Do this first: copy [the example file](../../deploy/tikrelay.example.toml) to `tikrelay.toml`, put in your pixel code
and your access token, and run `tikrelay check`. It reports every mistake at once, with the line it stands in.

- tikrelay reads the file named by `--config`, else `./tikrelay.toml`, else no file. Relative paths count from the
  file's folder.
- Each setting can also come from the environment, under the name in the table. The environment wins over the file; an
  empty variable counts as not set. Lists are written with commas, tables as JSON.
- A variable that begins with `TIKRELAY_` and names no setting is a mistake, and tikrelay does not start.
- `TIKRELAY_DESTINATIONS_*` fits one destination. With several, use the file, and `access_token_file` for their tokens.
- Without a file three variables are enough: `TIKTOK_PIXEL_CODE`, `TIKTOK_ACCESS_TOKEN` and, if you want,
  `TIKTOK_PURCHASE_EVENT`. They count only where no `[[destinations]]` is written.
- This version keeps its outbox in SQLite only: `outbox.spill` stays empty.
- Settings are read when tikrelay starts, and again when it is told to: `systemctl reload`, or SIGHUP. See
  [deploy.md](../deploy.md#change-a-setting).
"""
_EXAMPLE_HEAD: Final = f"""\
# tikrelay's settings, all of them, at their defaults. Written by `{_COMMAND}`.
#
# Two lines must be changed before it starts: event_source_id and access_token, at the end. Then run: tikrelay check
# What is commented out is at its default. docs/reference/settings.md explains each setting.
"""
_MAPPING_HEAD: Final = f"""\
# What becomes of an event

<!-- Written by `{_COMMAND}` from the tables in src/tikrelay/mapping. Change those, not this page. -->

Do this first: `tikrelay explain` with a hit's address from your browser's network view. It shows the TikTok event the
hit becomes, and for each field which of the sources below it came from.
"""
_NAMES_INTRO: Final = """\
`mapping.events` comes before these tables, and a destination's own `events` before that: a name there may become one
event, several, or none. Then a GA4 name counts, written as GA4 writes it; then TikTok's own names, in upper or lower
case. Any other name goes through as it is. Which app event is which of GA4's is our own inference. What a name is sent
as can also depend on the event: see [rules](../rules.md).
"""
_FIELDS_INTRO: Final = """\
Sources are asked in turn until one gives a value that can be used. A value that cannot be read is left out with a
warning, and the next source is asked. `x-ttq-...` may come as keys of `/data`, as event parameters of a GA4 hit, or as
Measurement Protocol params. Other parameters are not sent, unless [a rule of yours](../rules.md) copies them.

`city`, `region`, `country` and `postal_code` are what a person's address is called, and a trip's or a vehicle's. They
count as a trip's in an event that also carries dates of travel, airports, hotels, destinations or a class of travel,
and `postal_code` as a vehicle's beside a vin, a make with a model, a mileage, a body style, a drivetrain, a fuel type
or a state or condition of the vehicle. Then they are properties, sent as they are, and not taken for the person's;
what stands in `user_data` always is. In any other event they are the person's alone.

What the columns say: *hashed* is sent as its SHA-256, in lower-case hex; a value that already is one is passed on.
*Only for* are the kinds of destination that get the field. *Basis* is who says that TikTok takes it so.
"""
_RESERVED_WORDS: Final = (
    "On the web, offline and from a CRM TikTok counts these as another event. They are sent as they are, with a "
    'warning ("Reserved events", TikTok\'s help centre).'
)
_CURRENCY_WORDS: Final = (
    'TikTok lists these ("About parameters", TikTok\'s help centre). Any other code is sent as it is, with a warning.'
)
_LISTS: Final[dict[str, type]] = {"rules": RuleConfig, "destinations": MappedDestination}
_IN_TABLES: Final[dict[Any, str]] = {str: "texts", Scalar: "texts, numbers, true or false"}
_NOT_SET: Final = "not set"
_NAME_SETTINGS: Final = {"purchase": "purchase_event", "page_view": "page_view_event", "generate_lead": "lead_event"}


class Setting(msgspec.Struct, frozen=True, kw_only=True):
    """One setting as the page and the file tell of it."""

    section: str
    key: str
    kind: str
    default: str
    required: bool
    text: str

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it; rules stand in the file alone."""
        in_file_alone = "rules" in {self.section, self.key}
        return "" if in_file_alone else f"TIKRELAY_{self.section}_{self.key}".upper()


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """One section of the file."""

    name: str
    text: str
    settings: tuple[Setting, ...]

    @property
    def header(self) -> str:
        """Its heading as it stands in the file."""
        return f"[[{self.name}]]" if self.name in _LISTS else f"[{self.name}]"


def sections() -> list[Section]:
    """Read all sections in the order of Config's fields.

    >>> [section.name for section in sections()][:3]
    ['server', 'sources', 'limits']
    """
    kinds = get_type_hints(Config) | _LISTS
    return [_section(name, kind) for name, kind in kinds.items()]


def field_texts(kind: type) -> dict[str, str]:
    """The text below each field of a struct, read from its source.

    >>> field_texts(Setting)
    {}
    """
    texts: dict[str, str] = {}
    for parent in kind.__bases__:
        if parent is not msgspec.Struct and issubclass(parent, msgspec.Struct):
            texts |= field_texts(parent)
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    body = definition.body if isinstance(definition, ast.ClassDef) else []
    for field, below in itertools.pairwise(body):
        if not (isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)):
            continue
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant) and isinstance(below.value.value, str):
            texts[field.target.id] = " ".join(inspect.cleandoc(below.value.value).split())
    return texts


def _section(name: str, kind: Any) -> Section:
    texts, hints = field_texts(kind), get_type_hints(kind, include_extras=True)
    settings = tuple(
        Setting(
            section=name,
            key=field.name,
            kind=kind_words(hints[field.name]),
            default="" if field.required else toml_value(default_of(field)),
            required=field.required,
            text=texts.get(field.name, ""),
        )
        for field in msgspec.structs.fields(kind)
    )
    return Section(
        name=name, text=(inspect.getdoc(kind) or "").partition("\n")[0].replace("``", "`"), settings=settings
    )


def default_of(field: msgspec.structs.FieldInfo) -> object:
    """The default of a field that has one."""
    if field.default_factory is not msgspec.NODEFAULT:
        return field.default_factory()
    return field.default


def toml_value(value: object) -> str:
    """Write a default as TOML.

    >>> toml_value(Duration(604800)), toml_value(()), toml_value({}), toml_value("web"), toml_value(False)
    ('"7d"', '[]', '{}', '"web"', 'false')
    """
    if value is None:
        return _NOT_SET
    if isinstance(value, Secret):
        return '""'
    if isinstance(value, Duration):
        return f'"{value}"'
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return repr(value)
    return msgspec.json.encode(value).decode()


def kind_words(kind: Any) -> str:
    """Say what may be written.

    >>> kind_words(Literal["web", "app"]), kind_words(tuple[str, ...]), kind_words(Annotated[int, Meta(ge=1, le=64)])
    ('`"web"` or `"app"`', 'list of texts', 'whole number, 1 to 64')
    """
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        limits = _limits([argument for argument in arguments[1:] if isinstance(argument, Meta)])
        return kind_words(arguments[0]) + (f", {limits}" if limits else "")
    if origin is Literal:
        return " or ".join(f"`{toml_value(argument)}`" for argument in arguments)
    if origin is tuple:
        return "list of texts" if arguments[0] is str else "list of tables"
    if origin is dict:
        return f"table of {_IN_TABLES[arguments[1]]}" if arguments[1] in _IN_TABLES else "table"
    if origin in {Union, UnionType}:
        return " or ".join(kind_words(argument) for argument in arguments if argument is not NoneType)
    words = {bool: "true or false", int: "whole number", float: "number", Secret: "text, kept secret"}
    return "length of time" if kind is Duration else words.get(kind, "text")


def _limits(metas: list[Meta]) -> str:
    parts: list[str] = []
    for meta in metas:
        low = f"more than {meta.gt:g}" if meta.gt is not None else f"{meta.ge:g}" if meta.ge is not None else ""
        high = f"{meta.le:g}" if meta.le is not None else ""
        joined = ", at most " if low.startswith("more") else " to "
        parts.append(joined.join(part for part in (low, high) if part))
    return ", ".join(part for part in parts if part)


def render_page() -> str:
    """Write ``docs/reference/settings.md``."""
    return "\n".join([_HEAD, *(_page_section(section) for section in sections())]).rstrip("\n") + "\n"


def _page_section(section: Section) -> str:
    rows = [
        f"| `{setting.key}` | {'required' if setting.required else f'`{setting.default}`'} | {_cell(setting.kind)} | "
        f"{_cell(setting.text)} | {f'`{setting.variable}`' if setting.variable else ''} |"
        for setting in section.settings
    ]
    head = ["| key | default | may be | what it does | in the environment |", "|---|---|---|---|---|"]
    return "\n".join([f"## `{section.header}`", "", section.text, "", *head, *rows, ""])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def render_example() -> str:
    """Write ``deploy/tikrelay.example.toml``."""
    return "\n".join([_EXAMPLE_HEAD, *(_example_section(section) for section in sections())]).rstrip("\n") + "\n"


def _example_section(section: Section) -> str:
    if section.name == "rules":
        return "# [[rules]] of your own, and what they can do: docs/rules.md\n"
    lines = [section.header]
    for setting in section.settings:
        lines += textwrap.wrap(setting.text, _WIDTH, initial_indent="# ", subsequent_indent="# ")
        must = setting.required or (section.name == "destinations" and setting.key == "access_token")
        lines.append(f'{setting.key} = "..."' if must else f"# {setting.key} = {setting.default}")
    return "\n".join([*lines, ""])


def render_mapping() -> str:
    """Write ``docs/reference/mapping.md``."""
    dropped = ", ".join(f"`{name}`" for name in sorted(DROPPED_NAMES))
    head = ["| TikTok field | sources, in order | cleaning | hashed | only for | basis |", "|---|---|---|---|---|---|"]
    parts = [
        [_MAPPING_HEAD, "## Names", "", _NAMES_INTRO, *_ga4_table(), ""],
        [f"Dropped, and counted: {dropped}.", "", *_own_names()],
        ["## Fields", "", _FIELDS_INTRO, *head, *map(_field_row, FIELDS), ""],
        ["## Currencies", "", _wrapped(_CURRENCY_WORDS), "", _wrapped(" ".join(sorted(LISTED_CURRENCIES)))],
    ]
    return "\n".join(line for part in parts for line in part) + "\n"


def _ga4_table() -> list[str]:
    """What GA4's names become for each kind of destination, as the mapping itself says."""
    web, app = (
        Names(MappingConfig(), MappedDestination(event_source_id="any", event_source=source))
        for source in ("web", "app")
    )
    head = ["| GA4 name | TikTok event: web, offline, crm | app |", "|---|---|---|"]
    listed = [*GA4_NAMES, *(name for name in APP_GA4_NAMES if name not in GA4_NAMES)]
    return [*head, *(f"| `{name}` | {_becomes(web, name)} | {_becomes(app, name)} |" for name in listed)]


def _becomes(names: Names, name: str) -> str:
    found = names.of(name)
    if found == (name,):
        return "unchanged"
    setting = _NAME_SETTINGS.get(name, "")
    is_set = setting and found == (getattr(MappingConfig(), setting),)
    return ", ".join(f"`{one}`" for one in found) + (f" (setting `mapping.{setting}`)" if is_set else "")


def _own_names() -> list[str]:
    """TikTok's own names: standard ones by event source, those that end, and those it reserves."""
    page_view = MappingConfig().page_view_event
    standard = {"web, offline, crm": sorted({*STANDARD_NAMES, page_view}), "app": sorted(APP_NAMES)}
    rows = [f"| {source} | {', '.join(f'`{name}`' for name in names)} |" for source, names in standard.items()]
    ending = [f"| `{name}` | {instead} |" for name, instead in ENDING_NAMES.items()]
    reserved = [f"| `{name}` | `{becomes}` |" for name, becomes in RESERVED_NAMES.items()]
    return [
        *("### Standard events", "", "| event source | TikTok's standard events |", "|---|---|", *rows, ""),
        *("These stop working at TikTok in 2027, and are warned of:", ""),
        *("| name | TikTok suggests |", "|---|---|", *ending, ""),
        *("### Reserved names", "", _wrapped(_RESERVED_WORDS), ""),
        *("| name | counted as |", "|---|---|", *reserved, ""),
    ]


def _wrapped(text: str) -> str:
    return "\n".join(textwrap.wrap(text, 118, break_long_words=False, break_on_hyphens=False))


def _field_row(field: Field) -> str:
    sources = "; ".join(source.name for source in field.sources)
    cells = [sources, field.cleaning, "yes" if field.hashed else "no", ", ".join(field.only), field.basis]
    return f"| `{field.path}` | {' | '.join(map(_cell, cells))} |"


def main(root: Path = ROOT) -> int:
    """Write all files under a folder."""
    pages = ((PAGE, render_page()), (EXAMPLE, render_example()), (MAPPING_PAGE, render_mapping()))
    for path, text in (*pages, (METRICS_PAGE, render_metrics()), (EXAMPLES_PAGE, render_examples())):
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
