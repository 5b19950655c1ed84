// What a page is judged by that only its browser knows: colours, order of focus, headings, what is too wide.

// Colours as they are computed: [red, green, blue, alpha].
function parsed(colour) {
  const [red, green, blue, alpha = 1] = colour.match(/[\d.]+/g).map(Number);
  return [red, green, blue, alpha];
}

function over(above, below) {
  const part = (place) => above[place] * above[3] + below[place] * (1 - above[3]);
  return [part(0), part(1), part(2), 1];
}

function groundOf(element) {
  const layers = [];
  for (let at = element; at; at = at.parentElement) {
    const ground = parsed(getComputedStyle(at).backgroundColor);
    layers.unshift(ground);
    if (ground[3] === 1) {
      break;
    }
  }
  return layers.reduce((below, above) => over(above, below), [255, 255, 255, 1]);
}

// WCAG 2.2, relative luminance and contrast ratio.
function luminance(colour) {
  const [red, green, blue] = colour.slice(0, 3).map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

function contrast(one, other) {
  const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

function isShown(element) {
  return element.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && element.closest(".hidden") === null;
}

// Texts whose contrast is below a ratio, each way of failing once.
function faintTexts(least) {
  const found = new Map();
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (walker.currentNode.data.trim() === "" || !isShown(element) || element.closest("svg, noscript, template, option")) {
      continue;
    }
    const ground = groundOf(element);
    const ratio = contrast(over(parsed(getComputedStyle(element).color), ground), ground);
    if (ratio < least) {
      const kind = `${element.tagName.toLowerCase()}.${element.className}`;
      found.set(kind, `${kind} ${ratio.toFixed(2)}: ${walker.currentNode.data.trim().slice(0, 40)}`);
    }
  }
  return [...found.values()];
}

// Headings that leave out a level, and pages that do not begin with the first.
function headingFaults() {
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((one) => Number(one.tagName[1]));
  const jumps = levels.filter((level, place) => level > (levels[place - 1] ?? 0) + 1);
  return jumps.map((level) => `h${level} in ${levels}`);
}

// How far the page is wider than its window, and what sticks out.
function tooWide() {
  const width = document.documentElement.clientWidth;
  const isOut = (one) => one.getBoundingClientRect().right > width + 0.5 && one.closest(".scroll") === null && isShown(one);
  return document.documentElement.scrollWidth <= width ? []
    : [...document.body.querySelectorAll("*")].filter(isOut).map((one) => `${one.tagName}.${one.className}`);
}

// Charts that begin lower, or higher, than one beside them.
function crookedRows() {
  const rows = new Map(); // the first chart of each, by where its figure begins
  const top = (one) => Math.round(one.getBoundingClientRect().top);
  return [...document.querySelectorAll("figure")].filter((figure) => {
    const chart = top(figure.querySelector(".chart"));
    rows.set(top(figure), rows.get(top(figure)) ?? chart);
    return rows.get(top(figure)) !== chart;
  }).map((figure) => figure.querySelector("figcaption").innerText);
}

// What has the focus: its place in the document among all elements, whether it is seen, and whether that is.
function focused() {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    place: [...document.querySelectorAll("*")].indexOf(element),
    name: `${element.tagName.toLowerCase()} ${(element.innerText || element.getAttribute("aria-label") || element.id).trim().slice(0, 40)}`,
    isSeen: box.width > 0 && box.height > 0 && box.bottom > 0 && box.top < innerHeight,
    hasRing: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1,
  };
}

// How many elements of each kind a page has: what a hostile text must not change.
function structure() {
  const counts = {};
  for (const element of document.querySelectorAll("*")) {
    counts[element.tagName] = (counts[element.tagName] ?? 0) + 1;
  }
  return counts;
}

// Whatever does not stand in one of the console's own pages: elements, handlers, styles, addresses elsewhere.
const OWN_ELEMENTS = new Set(("HTML HEAD META TITLE LINK SCRIPT BODY HEADER NAV MAIN FOOTER SECTION DIV SPAN P BR A IMG H1 H2 H3 "
  + "UL OL LI DL DT DD PRE CODE KBD STRONG B TABLE CAPTION THEAD TBODY TR TH TD TIME FORM LABEL INPUT SELECT OPTION "
  + "TEXTAREA BUTTON DETAILS SUMMARY FIGURE FIGCAPTION NOSCRIPT TEMPLATE svg rect line path title").split(" "));
const ADDRESSES = new Set(["href", "src", "action", "formaction", "xlink:href", "data", "poster", "srcset", "ping"]);

function foreign() {
  const found = [];
  for (const element of document.querySelectorAll("*")) {
    if (!OWN_ELEMENTS.has(element.tagName)) {
      found.push(`<${element.tagName}>`);
    }
    for (const { name, value } of element.attributes) {
      if (name.startsWith("on") || name === "style" || name === "srcdoc"
        || (ADDRESSES.has(name) && !/^[/#](?!\/)/.test(value))) {
        found.push(`<${element.tagName} ${name}="${value.slice(0, 60)}">`);
      }
    }
  }
  const counts = structure();
  for (const [kind, count] of [["SCRIPT", 1], ["IMG", 1], ["H1", 1], ["MAIN", 1], ["HEADER", 1], ["FOOTER", 1], ["LINK", 2]]) {
    if (counts[kind] !== count) {
      found.push(`${counts[kind]} times <${kind}>`);
    }
  }
  return found;
}
