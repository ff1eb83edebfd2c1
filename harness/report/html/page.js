// The page is complete without this script; it hides views, searches and switches the language.
"use strict";
const root = document.documentElement;
const all = (selector, from = document) => [...from.querySelectorAll(selector)];
const byId = (id) => document.getElementById(id);
const views = all("[data-view]");
const links = new Map();
const collect = (from) => all("nav a, .tabs a", from).forEach((link) => links.set(link.getAttribute("href"), link));
collect(document);
root.classList.add("js");

// ---- what is kept: a page opened from a disk may have no storage
const kept = (name) => { try { return localStorage.getItem(`harness-${name}`); } catch { return null; } };
const keep = (name, value) => { try { localStorage.setItem(`harness-${name}`, value); } catch { /* none */ } };

// ---- large pages: a scenario is unpacked when it is shown, and its text for the first search
async function unpacked(packed) {
  const bytes = Uint8Array.from(atob(packed), (one) => one.charCodeAt(0));
  return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function unpack(view) {
  const holder = document.createElement("template");
  holder.innerHTML = await unpacked(view.dataset.packed);
  if (!view.dataset.packed) return;
  delete view.dataset.packed;
  view.replaceChildren(...holder.content.firstElementChild.childNodes);
  collect(view);
  speak(chinese);
  filter();
}

const index = new Map();
async function readAll() {
  for (const one of views.filter((view) => view.dataset.text)) {
    const plain = await unpacked(one.dataset.text);
    delete one.dataset.text;
    index.set(one, [plain, plain.toLowerCase()]);
  }
}
let reading;
const read = () => (reading ??= readAll());

// ---- a recording that is running: the page is loaded again, and stays where the reader is
const reloaded = performance.getEntriesByType("navigation")[0]?.type === "reload";
if (root.dataset.refresh) setTimeout(() => location.reload(), root.dataset.refresh * 1000);

// ---- which view is shown: the one that holds what the address names
function go(first) {
  const name = decodeURIComponent(location.hash.slice(1));
  const packed = byId((/^s\d+/.exec(name) ?? [""])[0]);
  if (packed?.dataset.packed) return void unpack(packed).then(() => go(first));
  const aim = byId(name) || views[0];
  const outside = !aim.closest("[data-view]");
  if (outside && !first) return;
  menu(false);
  const view = aim.closest("[data-view]") || views[0];
  const panes = all("[data-pane]", view);
  const pane = aim.closest("[data-pane]") || panes[0];
  views.forEach((one) => { one.hidden = one !== view; });
  panes.forEach((one) => { one.hidden = one !== pane; });
  const shown = [`#${view.id}`, pane && `#${pane.id}`];
  links.forEach((link) => {
    if (shown.includes(link.getAttribute("href"))) {
      link.setAttribute("aria-current", "page");
      link.closest("nav, .tabs").scrollLeft = link.offsetLeft - 40;
    } else link.removeAttribute("aria-current");
  });
  for (let up = aim; up; up = up.parentElement) if (up.tagName === "DETAILS") up.open = true;
  all(".aimed").forEach((one) => one.classList.remove("aimed"));
  at = -1;
  paint();
  if (first && (!location.hash || reloaded)) return;
  if (aim === view || aim === pane) {
    scrollTo({ top: 0, behavior: "instant" });
    if (!first && aim === view) view.querySelector("h2").focus({ preventScroll: true });
  } else {
    aim.classList.add("aimed");
    reach(aim);
  }
}

function menu(open) {
  byId("views").classList.toggle("open", open);
  byId("menu").setAttribute("aria-expanded", open);
}

function reach(element) {
  const focus = element.tagName === "DETAILS" ? element.querySelector("summary") : element;
  if (focus.tabIndex < 0) focus.tabIndex = -1;
  focus.focus({ preventScroll: true });
  element.scrollIntoView({ block: element.offsetHeight > innerHeight * 0.7 ? "start" : "center", behavior: "instant" });
}

// ---- search and filters
const search = byId("search"), target = byId("target"), severity = byId("severity");
const words = new Map();
const text = (element) => {
  if (!words.has(element)) words.set(element, element.textContent.toLowerCase());
  return words.get(element);
};

function fits(element, wanted) {
  const whose = element.closest("[data-target]");
  const inside = target.value && !whose && all("[data-target]", element);
  if (target.value && whose && whose.dataset.target !== target.value) return false;
  if (inside && inside.length && !inside.some((one) => one.dataset.target === target.value)) return false;
  if (severity && severity.value && "severity" in element.dataset && element.dataset.severity !== severity.value) return false;
  return wanted.every((word) => text(element).includes(word));
}

const SNIPPET = 60, PER_VIEW = 3, MOST = 60;

// Lists links to what was found, view by view; Enter follows the first.
function list(found) {
  const box = byId("hits");
  box.replaceChildren();
  box.hidden = !found.length;
  for (const [view, hits, word] of found.slice(0, MOST)) {
    const head = document.createElement("h3"), ul = document.createElement("ul");
    head.append(view.querySelector("h2").firstChild.textContent, ` (${hits.length})`);
    for (const hit of hits.slice(0, PER_VIEW)) {
      const link = document.createElement("a"), li = document.createElement("li");
      hit.id ||= `hit-${view.id}-${all(".findable", view).indexOf(hit)}`;
      link.href = `#${hit.id}`;
      link.textContent = snippet(hit, word);
      li.append(link);
      ul.append(li);
    }
    box.append(head, ul);
  }
}

function snippet(element, word) {
  if (index.has(element) && element.dataset.packed) return around(index.get(element)[0], word);
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT), parts = [];
  while (walker.nextNode()) parts.push(walker.currentNode.data);
  return around(parts.join(" ").replace(/\s+/g, " ").trim(), word);
}

function around(plain, word) {
  const from = Math.max(0, plain.toLowerCase().indexOf(word) - SNIPPET);
  return `${from ? "…" : ""}${plain.slice(from, from + SNIPPET * 2 + word.length)}`;
}

function filter() {
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  root.classList.toggle("searching", wanted.length > 0);
  all("[data-target]").forEach((one) => {
    if (!one.matches(".findable, td")) one.classList.toggle("miss", Boolean(target.value) && one.dataset.target !== target.value);
  });
  const found = [];
  for (const view of views) {
    const packed = view.dataset.packed && index.get(view);
    const inside = packed ? [] : all(".findable", view);
    const hits = packed && wanted.length && wanted.every((word) => packed[1].includes(word)) ? [view] : inside.filter((one) => { const hit = fits(one, wanted); one.classList.toggle("miss", !hit); return hit; });
    all(".nohits", view).forEach((one) => one.classList.toggle("needed", hits.length === 0));
    tell(view, wanted.length || target.value ? hits.length : null);
    if (wanted.length && hits.length) found.push([view, hits, wanted[0]]);
  }
  list(found);
  unfold(wanted.length > 0);
  paint();
}

// What is folded and fits a search is opened for as long as that is searched for.
function unfold(searching) {
  all("details[data-searched]").forEach((one) => { one.open = false; delete one.dataset.searched; });
  if (!searching) return;
  all("details.fold:not([open])").filter((one) => one.querySelector(".findable:not(.miss)")).forEach((one) => {
    one.open = true;
    one.dataset.searched = "";
  });
}

function tell(view, hits) {
  const link = links.get(`#${view.id}`);
  if (!link) return;
  let badge = link.querySelector(".hits");
  if (!badge) { badge = document.createElement("span"); badge.className = "hits"; link.append(badge); }
  badge.textContent = hits === null ? "" : hits;
  link.classList.toggle("without", hits === 0);
}

// Where the words stand is painted without a change to the page, in browsers that can.
function paint() {
  if (!CSS.highlights) return;
  const wanted = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  CSS.highlights.delete("found");
  if (!wanted.length) return;
  const ranges = [];
  for (const element of all(".findable:not(.miss)")) {
    if (!element.offsetParent || ranges.length > 2000) continue;
    const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) for (const word of wanted) mark(walker.currentNode, word, ranges);
  }
  CSS.highlights.set("found", new Highlight(...ranges));
}

function mark(node, word, ranges) {
  const lowered = node.data.toLowerCase();
  if (lowered.length !== node.data.length) return;
  for (let found = lowered.indexOf(word); found >= 0; found = lowered.indexOf(word, found + word.length)) {
    const range = new Range();
    range.setStart(node, found);
    range.setEnd(node, found + word.length);
    ranges.push(range);
  }
}

addEventListener("change", ({ target: box }) => {
  if (box.matches(".only-differing")) all("tr.same", box.closest("[data-pane], [data-view]")).forEach((row) => { row.hidden = box.checked; });
});

all(".unfold").forEach((button) => button.addEventListener("click", () => {
  const folds = all("details.fold", button.closest("[data-view]"));
  const open = !folds.every((one) => one.open);
  folds.forEach((one) => { one.open = open; });
}));

// ---- keys
let at = -1;
function step(by) {
  const stops = all(".stop").filter((one) => one.offsetParent && !one.matches(".miss"));
  if (!stops.length) return;
  const here = stops.findIndex((one) => one.contains(document.activeElement) && document.activeElement !== document.body);
  at = Math.max(0, Math.min(stops.length - 1, (here >= 0 ? here : at) + by));
  all(".aimed").forEach((one) => one.classList.remove("aimed"));
  stops[at].classList.add("aimed");
  reach(stops[at]);
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  "/": () => { search.focus(); search.select(); },
  "?": () => byId("keys").showModal(),
};

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || byId("keys").open) return;
  if (event.key === "Enter" && event.target === search) {
    byId("hits").querySelector("a")?.click();
  } else if (event.key === "Escape") {
    if (search.value) { search.value = ""; filter(); }
    all(".aimed").forEach((one) => one.classList.remove("aimed"));
    document.activeElement.blur();
  } else if (!event.target.matches("input, select, textarea") && KEYS[event.key]) {
    event.preventDefault();
    KEYS[event.key]();
  }
});

// ---- languages
const originals = new Map();
function original(element, name, value) {
  if (!originals.has(element)) originals.set(element, {});
  return (originals.get(element)[name] ??= value);
}

let chinese = false;
function speak(inChinese) {
  chinese = inChinese;
  root.lang = chinese ? "zh-Hans" : "en";
  all("[data-zh]").forEach((one) => {
    const english = original(one, "text", one.textContent);
    one.textContent = chinese ? one.dataset.zh : english;
  });
  all("[data-zh-label]").forEach((one) => {
    const english = original(one, "label", one.getAttribute("aria-label"));
    one.setAttribute("aria-label", chinese ? one.dataset.zhLabel : english);
    if (one.placeholder) one.placeholder = `${one.getAttribute("aria-label")}  /`;
  });
  byId("language").textContent = chinese ? "English" : "中文";
  byId("language").lang = chinese ? "en" : "zh-Hans";
  words.clear();
  ages();
}

const UNITS = [["year", 31536000], ["month", 2592000], ["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
function ages() {
  const format = new Intl.RelativeTimeFormat(root.lang, { numeric: "auto", style: "narrow" });
  all("time[data-age]").forEach((one) => {
    const seconds = (Date.parse(one.dateTime) - Date.now()) / 1000;
    if (Number.isNaN(seconds)) return;
    const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[5];
    one.title = one.dateTime;
    one.textContent = format.format(Math.round(seconds / length), unit);
  });
}

// ---- copies: of a text in the button, or of the request or body beside it
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

function asCommand(box) {
  const headers = box.querySelector(".headers")?.textContent.split("\n").filter(Boolean) ?? [];
  const body = box.querySelector(".body").textContent;
  const parts = [`curl -X ${quoted(box.dataset.method)} ${quoted(box.dataset.uri)}`, ...headers.map((one) => `-H ${quoted(one)}`)];
  return (body ? [...parts, `--data-raw ${quoted(body)}`] : parts).join(" \\\n  ");
}

async function copy(button) {
  const box = button.closest(".io > div");
  const text = button.dataset.copy ?? ("copyCurl" in button.dataset ? asCommand(box) : box.querySelector(".body").textContent);
  await navigator.clipboard.writeText(text);
  button.classList.add("good");
  setTimeout(() => button.classList.remove("good"), 1500);
}

// ---- JSON as a tree that can be folded; of a stream, each event's data
const DEEPEST = 60;
function tree(value, name = "", depth = 0) {
  const label = name && `${name}: `;
  const isLeaf = value === null || typeof value !== "object";
  const box = document.createElement(isLeaf || depth > DEEPEST ? "div" : "details");
  if (isLeaf) box.textContent = label + JSON.stringify(value);
  else if (depth > DEEPEST) box.textContent = `${label}…`;
  else {
    const items = Object.entries(value), head = document.createElement("summary");
    head.textContent = `${label}${Array.isArray(value) ? `[${items.length}]` : `{${items.length}}`}`;
    box.open = depth < 3 && items.length < 30;
    box.append(head, ...items.map(([key, one]) => tree(one, key, depth + 1)));
  }
  return box;
}

function json(text) {
  try { return JSON.parse(text); } catch { /* a stream, or no JSON */ }
  const events = [...text.matchAll(/^data: ?(.*)$/gm)].map(([, data]) => data);
  return events.length ? events.map((data) => { try { return JSON.parse(data); } catch { return data; } }) : text;
}

function toggleTree(button) {
  const pre = button.closest(".io > div").querySelector(".body");
  const shown = pre.parentElement.querySelector(".tree");
  pre.hidden = !shown;
  if (shown) return shown.remove();
  const box = tree(json(pre.textContent));
  box.classList.add("tree");
  pre.after(box);
}

addEventListener("click", (event) => {
  const button = event.target.closest("button.copy");
  if (button && "copyTree" in button.dataset) toggleTree(button);
  else if (button) copy(button);
});

// ---- themes
function dress(theme) {
  if (theme) root.dataset.theme = theme;
}

byId("theme").addEventListener("click", () => {
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dress(dark ? "light" : "dark");
  keep("theme", root.dataset.theme);
});
byId("language").addEventListener("click", () => { speak(!chinese); keep("language", chinese ? "zh" : "en"); filter(); });
byId("menu").addEventListener("click", () => menu(!byId("views").classList.contains("open")));
byId("failed").addEventListener("change", (event) => root.classList.toggle("failed-only", event.target.checked));
byId("help").addEventListener("click", KEYS["?"]);
[search, target, severity].forEach((one) => one && one.addEventListener("input", () => read().then(filter)));
addEventListener("hashchange", () => go(false));

// ---- paper shows what is folded, and days instead of ages
const folded = [];
addEventListener("beforeprint", () => {
  const closed = all("[data-view] details:not([open])");
  closed.forEach((one) => { one.open = true; });
  folded.push(...closed);
  all("time[data-age]").forEach((one) => { one.textContent = one.dateTime.slice(0, 10); });
});
addEventListener("afterprint", () => { folded.splice(0).forEach((one) => { one.open = false; }); ages(); });

dress(kept("theme"));
speak((kept("language") || navigator.language || "en").startsWith("zh"));
go(true);
addEventListener("load", () => { go(true); requestIdleCallback(read); });
