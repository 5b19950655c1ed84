// What pages do beyond being read: times in the viewer's zone, the search key, copying, and Live's rows.
// Every text from outside is set as text, never as markup.
"use strict";

// Times.

const ZONE = Intl.DateTimeFormat().resolvedOptions().timeZone;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = { month: "short", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const SHORT = new Intl.DateTimeFormat(undefined, DAY);
const WHOLE = new Intl.DateTimeFormat(undefined, { year: "numeric", ...DAY });

function writeTime(element, at) {
  const now = new Date();
  const isToday = at.toDateString() === now.toDateString();
  const format = isToday ? CLOCK : at.getFullYear() === now.getFullYear() ? SHORT : WHOLE;
  element.textContent = format.format(at);
  element.title = `${WHOLE.format(at)} ${ZONE}\n${at.toISOString()} (UTC)`;
}

function writeTimes(place) {
  for (const element of place.querySelectorAll("time[datetime]")) {
    writeTime(element, new Date(element.dateTime));
  }
}

// Signs that are not seen or steer, as pages show them (base/shown.py).

const HIDDEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]/gu;

function readable(text) {
  const code = (sign) => sign.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
  return text.replace(HIDDEN, (sign) => (/\s/u.test(sign) && sign !== "\ufeff" ? " " : `⟨${code(sign)}⟩`));
}

// Keys and copying.

function typesText(target) {
  return target.closest("input, textarea, select, [contenteditable]") !== null;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || typesText(event.target)) {
    return;
  }
  event.preventDefault();
  document.getElementById("search").focus();
});

async function copy(button) {
  const before = button.textContent;
  const source = document.getElementById(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(source); // no permission: the next key does it
    button.textContent = "Selected: press Ctrl+C";
  }
  setTimeout(() => { button.textContent = before; }, 2000);
}

// Live.

const MOST_ROWS = 500;
const VERDICTS = {
  waiting: "waiting", delivered: "delivered", dead: "dead", dropped: "dropped", turned_away: "turned away",
  gone: "gone",
};

class Live {
  constructor(table) {
    document.getElementById("live").hidden = false; // without a script nothing of it would be true
    this.body = table.tBodies[0];
    this.template = document.getElementById("live-row");
    this.status = document.getElementById("live-status");
    this.more = document.getElementById("live-more");
    this.filter = document.getElementById("live-filter");
    this.pause = document.getElementById("live-pause");
    this.nothing = document.getElementById("live-nothing");
    this.none = document.getElementById("live-none");
    this.rows = new Map(); // by ref, so that a verdict changes in place
    this.held = []; // came while paused
    this.heldBack = 0; // of those, how many were too many to be held
    this.notShown = 0;
    this.isOpen = false;
    this.filter.addEventListener("input", () => this.filterAll());
    this.pause.addEventListener("click", () => this.turn());
    this.connect(table.dataset.stream);
  }

  connect(address) {
    this.say("connecting", "Connecting…");
    const stream = new EventSource(address);
    stream.addEventListener("open", () => { this.isOpen = true; this.sayHowItIs(); });
    stream.addEventListener("rows", (event) => this.take(JSON.parse(event.data)));
    stream.addEventListener("error", () => {
      this.isOpen = false;
      this.sayHowItIs();
      if (stream.readyState === EventSource.CLOSED) {
        setTimeout(() => this.connect(address), 3000);
      }
    });
  }

  get isPaused() {
    return this.pause.getAttribute("aria-pressed") === "true";
  }

  turn() {
    this.pause.setAttribute("aria-pressed", String(!this.isPaused));
    this.pause.textContent = this.isPaused ? "Go on" : "Pause";
    if (!this.isPaused) {
      const held = this.held;
      this.held = [];
      this.notShown += this.heldBack;
      this.heldBack = 0;
      held.forEach((row) => this.show(row));
      this.tidy();
    }
    this.sayHowItIs();
  }

  take(told) {
    this.notShown += told.skipped;
    if (this.isPaused) {
      this.held.push(...told.rows);
      this.heldBack += Math.max(0, this.held.length - MOST_ROWS);
      this.held = this.held.slice(-MOST_ROWS);
    } else {
      told.rows.forEach((row) => this.show(row));
      this.tidy();
    }
    this.sayHowItIs();
  }

  show(row) {
    const known = row.ref && this.rows.get(row.ref);
    if (known) {
      this.judge(known, row);
      return;
    }
    const line = this.template.content.firstElementChild.cloneNode(true);
    this.fill(line, row);
    this.judge(line, row);
    line.hidden = !this.matches(line);
    this.body.prepend(line);
    if (row.ref) {
      line.dataset.ref = row.ref;
      this.rows.set(row.ref, line);
    }
  }

  fill(line, row) {
    const cell = (name) => line.querySelector(`[data-cell="${name}"]`);
    const at = new Date(row.at * 1000);
    cell("at").dateTime = at.toISOString();
    writeTime(cell("at"), at);
    for (const name of ["site", "given", "event_id", "destination", "value", "currency"]) {
      cell(name).textContent = readable(row[name]);
    }
    cell("event_id").title = readable(row.event_id);
    const event = cell("event");
    event.textContent = readable(row.event || row.given || "(no name)");
    if (row.ref) {
      event.href = `/events/${encodeURIComponent(row.ref)}`;
    }
    for (const key of row.keys) {
      const tag = document.createElement("span");
      tag.className = "tag";
      tag.textContent = key.replaceAll("_", " ");
      cell("keys").append(tag);
    }
  }

  judge(line, row) {
    const badge = line.querySelector('[data-cell="verdict"]');
    badge.className = `badge ${row.verdict in VERDICTS ? row.verdict : ""}`;
    badge.textContent = VERDICTS[row.verdict] ?? row.verdict;
    line.querySelector('[data-cell="why"]').textContent = row.why.replaceAll("_", " ");
    line.hidden = !this.matches(line);
  }

  tidy() {
    while (this.body.rows.length > MOST_ROWS) {
      const oldest = this.body.rows[this.body.rows.length - 1];
      this.rows.delete(oldest.dataset.ref);
      oldest.remove();
    }
    this.sayIfNone();
  }

  sayIfNone() {
    const rows = [...this.body.rows];
    this.nothing.hidden = rows.length > 0;
    this.none.hidden = rows.length === 0 || rows.some((line) => !line.hidden);
  }

  matches(line) {
    const wanted = this.filter.value.trim().toLowerCase().split(/\s+/);
    const text = line.textContent.toLowerCase();
    return wanted.every((word) => text.includes(word));
  }

  filterAll() {
    for (const line of this.body.rows) {
      line.hidden = !this.matches(line);
    }
    this.sayIfNone();
  }

  sayHowItIs() {
    this.sayMore();
    if (!this.isOpen) {
      this.say("lost", "The connection is lost; trying again");
    } else if (this.isPaused) {
      this.say("paused", "Paused");
    } else {
      this.say("open", "Connected");
    }
  }

  sayMore() {
    const held = this.held.length + this.heldBack;
    const parts = [];
    if (this.isPaused && held > 0) {
      parts.push(`${held.toLocaleString()} came since you paused.`);
    }
    if (this.notShown > 0) {
      parts.push(`${this.notShown.toLocaleString()} more came than are shown; Events has them.`);
    }
    this.more.textContent = parts.join(" ");
    this.more.hidden = parts.length === 0;
  }

  say(state, text) {
    if (this.status.textContent !== text) {
      this.status.textContent = text; // a live region: said only when it changes
    }
    this.status.dataset.state = state;
  }
}

// Begin.

writeTimes(document);
for (const button of document.querySelectorAll("button[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
for (const table of document.querySelectorAll("table[data-stream]")) {
  new Live(table);
}
