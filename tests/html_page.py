"""A page of HTML as a strict reader sees it: what it says, where it leads, and every fault of its making."""

from collections import Counter
from html.parser import HTMLParser

VOID = frozenset({"meta", "link", "input", "img", "br", "hr"})
CONTROLS = frozenset({"input", "select", "textarea"})
NAMED_BY_THEMSELVES = frozenset({"hidden", "submit", "button"})
ADDRESSES = frozenset({"href", "src", "action", "formaction", "srcset", "poster", "data", "ping", "xlink:href"})
_OWN = ("/", "#")


class Form:
    """One form: where it goes, and what it carries."""

    def __init__(self, attributes: dict[str, str]) -> None:
        self.method = attributes.get("method", "get")
        self.action = attributes.get("action", "")
        self.fields: dict[str, str] = {}
        self.names: set[str] = set()


class Page(HTMLParser):
    """Reads a page. ``faults`` says what is wrong with it; ``text`` is what stands in it, on one line."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.faults: list[str] = []
        self.links: list[str] = []
        self.addresses: list[str] = []
        self.forms: list[Form] = []
        self.headings: list[str] = []
        self.title = ""
        self.ids: Counter[str] = Counter()
        self._said: list[str] = []
        self._open: list[str] = []
        self._form: Form | None = None
        self._select = ""
        self._labels: set[str] = set()
        self._controls: list[dict[str, str]] = []
        self._tables: list[bool] = []
        self._landmarks: Counter[str] = Counter()
        self._lang = ""
        if not html.startswith("<!doctype html>"):
            self.faults.append("no doctype")
        self.feed(html)
        self.close()
        self._judge()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self._said).split())

    def form_to(self, action: str, **fields: str) -> Form:
        """The form that goes there and carries this."""
        return next(form for form in self.forms if form.action == action and fields.items() <= form.fields.items())

    # What the parser says.

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._look_at(tag, given)
        if tag not in VOID:
            self._open.append(tag)
        if tag == "form":
            self._form = Form(given)
            self.forms.append(self._form)
        if self._form is not None:
            self._fill(self._form, tag, given)

    def _fill(self, form: Form, tag: str, given: dict[str, str]) -> None:
        """What the form would carry, were it sent as it is."""
        if name := given.get("name"):
            form.names.add(name)
            self._select = name if tag == "select" else ""
            if given.get("type") != "checkbox":
                form.fields[name] = given.get("value", "")
        elif tag == "option" and "selected" in given:
            form.fields[self._select] = given["value"]

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1] != tag:
            self.faults.append(f"</{tag}> closes {self._open[-1:]} at {self.getpos()}")
            return
        self._open.pop()
        if tag == "form":
            self._form = None
        if tag == "table" and not self._tables.pop():
            self.faults.append("a table without headers")

    def handle_data(self, data: str) -> None:
        within = set(self._open)
        if {"script", "style"} & within and data.strip():
            self.faults.append(f"inline: {data[:40]!r}")
        if self._open and self._open[-1] == "title" and "svg" not in within:
            self.title += data
        elif "h1" in within:
            self.headings[-1] += data
        self._said.append(data)

    # What it is judged by.

    def _look_at(self, tag: str, given: dict[str, str]) -> None:
        self.faults += [f"<{tag} {name}>" for name in given if name.startswith("on") or name == "style"]
        for name in ADDRESSES & given.keys():
            self.addresses.append(given[name])
            if not given[name].startswith(_OWN) or given[name].startswith("//"):
                self.faults.append(f"<{tag} {name}={given[name][:60]!r}>")
        if "id" in given:
            self.ids[given["id"]] += 1
        match tag:
            case "html":
                self._lang = given.get("lang", "")
            case "h1":
                self.headings.append("")
            case "label":
                self._labels.add(given.get("for", ""))
            case "a":
                self.links.append(given.get("href", "")) if "href" in given else None
            case "main" | "header" | "footer":
                self._landmarks[tag] += 1
            case "table":
                self._tables.append(False)
            case "th":
                self._tables[-1] = True
                if given.get("scope") not in {"col", "row", "colgroup", "rowgroup"}:
                    self.faults.append("a header of a table without its scope")
            case "img" | "svg" if not ({"alt", "aria-label", "aria-labelledby", "aria-hidden"} & given.keys()):
                self.faults.append(f"<{tag}> says nothing")
            case _ if tag in CONTROLS and given.get("type") not in NAMED_BY_THEMSELVES:
                self._controls.append(given)

    def _judge(self) -> None:
        unnamed = [one for one in self._controls if not one.get("aria-label") and one.get("id") not in self._labels]
        self.faults += [f"a control without a label: {one}" for one in unnamed]
        self.faults += [f"id {name!r} stands {count} times" for name, count in self.ids.items() if count > 1]
        self.faults += [f"open at the end: {self._open}"] if self._open else []
        self.faults += [] if len(self.headings) == 1 and self.headings[0].strip() else [f"h1: {self.headings}"]
        self.faults += [] if self.title.strip() else ["no title"]
        self.faults += [] if self._lang else ["no language"]
        for place in ("main", "header", "footer"):
            self.faults += [] if self._landmarks[place] == 1 else [f"{self._landmarks[place]} times <{place}>"]
        named = {address[1:] for address in self.addresses if address.startswith("#") and len(address) > 1}
        self.faults += [f"#{name} leads nowhere" for name in named - self.ids.keys()]
