"""The page a person looks at: what came, what was answered, what is switched on. Every text of a call is escaped."""

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape
from typing import Final

import msgspec

from tikrelay.tools.sandbox.faults import FaultView
from tikrelay.tools.sandbox.memory import Counts, EventView, Request

SHOWN_REQUESTS: Final = 30
SHOWN_EVENTS: Final = 20
_LONGEST_JSON: Final = 6000
_LONGEST_TEXT: Final = 300

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

STYLE: Final = """\
:root { color-scheme: light dark; --line: #8886; --bad: #b00020; --good: #0a7a3d; --doubt: #8a6100; }
@media (prefers-color-scheme: dark) { :root { --bad: #ff8a8a; --good: #6fdc9c; --doubt: #f0c060; } }
body { font: 16px/1.45 system-ui, sans-serif; margin: 1.5rem auto; max-width: 75rem; padding: 0 1rem; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.1rem; margin-top: 2rem; }
table { border-collapse: collapse; width: 100%; } th, td { text-align: left; vertical-align: top; padding: .3rem .6rem;
border-bottom: 1px solid var(--line); overflow-wrap: anywhere; } td.n { text-align: right; }
th, td.n, td.w { white-space: nowrap; overflow-wrap: normal; } td.id { font-size: .8rem; }
.counts { display: flex; flex-wrap: wrap; gap: 2rem; } .counts b { display: block; font-size: 1.8rem; }
.bad { color: var(--bad); font-weight: 600; } .good { color: var(--good); } .doubt { color: var(--doubt); }
pre { font: 13px/1.4 ui-monospace, monospace; margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; }
"""


_HEAD: Final = """\
<!doctype html><html lang="en"><head><meta charset="utf-8"><meta http-equiv="refresh" content="3">
<meta name="viewport" content="width=device-width"><title>TikTok sandbox</title>
<link rel="stylesheet" href="/sandbox/style.css"></head><body><h1>TikTok sandbox</h1>
"""


def show_page(
    *,
    address: str,
    profile: str,
    counts: Counts,
    requests: Iterable[Request],
    events: Iterable[EventView],
    faults: Iterable[FaultView],
) -> str:
    """Write the page; requests and events come newest first."""
    newest = list(requests)
    warnings = list(dict.fromkeys(warning for request in newest for warning in request.warnings))
    return "".join(
        [
            _HEAD,
            f"<p>A stand-in on this machine, {_text(profile)} profile. Point tikrelay at it: ",
            f'<code>[tiktok] base_url = "{_text(address)}"</code></p>',
            _counts(counts),
            _section("Active faults", [_fault(view) for view in faults], "None: calls are answered by the rules."),
            _section("Warnings", [f'<p class="doubt">{_text(warning)}</p>' for warning in warnings[:50]], "None."),
            _table(
                "Newest requests",
                ("Time, UTC", "Code", "Message", "Events", "Token", "Request id"),
                [_request(request) for request in newest],
            ),
            _table(
                "Newest events", ("No.", "Time, UTC", "Copies", "Pixel", "Event"), [_event(view) for view in events]
            ),
            "</body></html>",
        ]
    )


def _text(value: object) -> str:
    text = str(value)
    return escape(text if len(text) <= _LONGEST_TEXT else text[:_LONGEST_TEXT] + "...")


def _time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M:%S")


def _counts(counts: Counts) -> str:
    shown = {
        "requests": counts.requests,
        "refused": counts.refused_requests,
        "events accepted": counts.accepted_events,
        "of them unique": counts.unique_events,
    }
    cells = "".join(f"<div><b>{number:,}</b>{label}</div>" for label, number in shown.items())
    codes = ", ".join(f"{_text(code)}: {number:,}" for code, number in counts.by_code.items()) or "none yet"
    top = sorted(counts.by_event.items(), key=lambda pair: -pair[1])[:30]
    names = ", ".join(f"{_text(name)}: {number:,}" for name, number in top) or "none yet"
    return f'<div class="counts">{cells}</div><p>Answers: {codes}<br>Events: {names}</p>'


def _section(title: str, parts: list[str], otherwise: str) -> str:
    return f"<h2>{title}</h2>{''.join(parts) or f'<p>{otherwise}</p>'}"


def _table(title: str, heads: tuple[str, ...], rows: list[str]) -> str:
    if not rows:
        return _section(title, [], "None yet.")
    head = "".join(f"<th>{name}</th>" for name in heads)
    return f"<h2>{title}</h2><table><tr>{head}</tr>{''.join(rows)}</table>"


def _fault(view: FaultView) -> str:
    return f"<pre>{_text(msgspec.json.encode(view.fault).decode())} fired {view.fired} times</pre>"


def _request(request: Request) -> str:
    mark = "good" if request.accepted else "bad"
    token = f"...{_text(request.token_last4)}" if request.token_last4 else ""
    return (
        f'<tr><td class="w">{_time(request.at)}</td><td class="w {mark}">{_text(request.answer)}</td>'
        f'<td>{_text(request.message)}</td><td class="n">{request.events}</td>'
        f'<td class="w">{token}</td><td class="w id">{_text(request.request_id)}</td></tr>'
    )


def _event(view: EventView) -> str:
    same = "" if view.same_body else ' <span class="bad">bodies differ</span>'
    test = f'<br><span class="doubt">{_text(view.test_event_code)}</span>' if view.test_event_code else ""
    return (
        f'<tr><td class="n">{view.n}</td><td class="w">{_time(view.at)}</td><td>{view.copies}{same}</td>'
        f"<td>{_text(view.event_source_id)}{test}</td><td><pre>{_pretty(bytes(view.event))}</pre></td></tr>"
    )


def _pretty(raw: bytes) -> str:
    if len(raw) > _LONGEST_JSON:
        return escape(raw[:_LONGEST_JSON].decode("utf-8", "replace")) + "..."
    return escape(msgspec.json.format(raw, indent=2).decode("utf-8", "replace"))
