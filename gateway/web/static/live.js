// Keeps a page true. Everything works without it, by reloading.
//
// Rules
//   The stream says only that something changed; the page then fetches itself (?fragment=1) and is changed in place:
//   an element stays the same element, so focus, open parts and half-filled forms stay as they are. What only the phone knows
//   (push.js: whether it rings) is said again in the same moment.
//   Silence is suspect: the server pings every 10 s. When nothing is heard for 25 s, the page says since when.
//   A button that has just moved or changed takes no tap for a moment: nobody answers what they have not seen. Nothing
//   moves while a finger is on the page.
//   An answer that did not get through is kept (outbox.js) with its key, so that sending it twice is answering once. What asks a
//   lock for something is not: it stays on the page, unsent, for whoever stands at the door then may not want it any more.
//   Why an answer was refused stays long enough to be read, whatever else is announced meanwhile, and goes with the next answer.

const SILENCE = 25_000;
const RECONNECT = 3_000;
const SETTLING = 700;
const SEND_TIME_OUT = 15_000;
const LONGEST_TOUCH = 3_000;
const REFUSED_FOR = 20_000;

const words = document.getElementById("words").dataset;
const connection = document.getElementById("connection");
const announcer = document.getElementById("announce");
const main = () => document.getElementById("main");

let source;
let heardAt = new Date(document.body.dataset.asOf ?? Date.now());
let clockAhead = 0;
let fetching = false;
let again = false;
let sending = false;
let answers = 0;
let touchedAt = 0;
let refusedAt = 0;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const hhmm = (moment) =>
  new Intl.DateTimeFormat("nb", { hour: "2-digit", minute: "2-digit", timeZone: "Europe/Oslo" }).format(moment);

// The connection ------------------------------------------------------------------------------------------------------

function connect() {
  source?.close();
  source = new EventSource("/events");
  source.addEventListener("open", () => { heard(); refresh(); document.dispatchEvent(new Event("connected")); });
  source.addEventListener("ping", heard);
  source.addEventListener("changed", () => { heard(); refresh(); });
  source.addEventListener("ended", () => location.reload());
  source.addEventListener("error", lost);
}

function heard() {
  heardAt = new Date();
  connection.hidden = true;
  delete document.body.dataset.stale;
  title();
}

function lost() {
  if (connection.hidden) connection.textContent = fill(words.lost, { time: hhmm(heardAt) });
  connection.hidden = false;
  document.body.dataset.stale = "";
  title();
}

function title() {
  const stale = connection.hidden ? "" : `${words.stale} – `;
  document.title = `${stale}${main().dataset.title} – hjemmevakt`;
}

function watch() {
  if (document.hidden && source.readyState !== EventSource.CLOSED) return;
  if (Date.now() - heardAt > SILENCE) lost();
  if (!connection.hidden && (source.readyState === EventSource.CLOSED || Date.now() - heardAt > SILENCE)) {
    refresh();
    connect();
  }
}

// Fetching and changing in place --------------------------------------------------------------------------------------

async function refresh() {
  if (sending || fetching) { again = true; return; }
  fetching = true;
  try {
    await fetchPage();
  } catch {
    lost();
  } finally {
    fetching = false;
    if (again && !sending) { again = false; refresh(); }
  }
}

async function fetchPage() {
  const before = answers;
  const address = new URL(location.href.replace(/\/(answer|command|withdraw|end|extend|consent)$/, ""));
  address.searchParams.set("fragment", "1");
  address.hash = "";
  const response = await fetch(address, { cache: "no-store", signal: AbortSignal.timeout(SEND_TIME_OUT) });
  if (signedOut(response)) { location.reload(); return; }
  if (!response.ok && response.status >= 500) throw new Error(String(response.status));
  const text = await response.text();
  while (Date.now() - touchedAt < LONGEST_TOUCH) await new Promise((resolve) => setTimeout(resolve, 50));
  if (answers === before) show(withRefusal(new DOMParser().parseFromString(text, "text/html")));
  else again = true; // it may tell of the time before the answer, which may have failed
}

// That somebody was faster is announced in the moment in which it is refused.
function withRefusal(page) {
  const told = document.getElementById("refused");
  const place = told && page.getElementById(told.parentElement.id);
  if (!place || page.getElementById("refused") || Date.now() - refusedAt > REFUSED_FOR) return page;
  const at = [...told.parentElement.children].indexOf(told);
  place.insertBefore(page.importNode(told, true), place.children[at] ?? null);
  return page;
}

const signedOut = (response) => response.redirected && new URL(response.url).pathname === "/sign-in";

function show(page) {
  const fresh = page.getElementById("main");
  if (!fresh) return;
  const before = outline();
  morph(main(), fresh);
  document.dispatchEvent(new Event("shown"));
  title();
  clockAhead = Date.now() - new Date(fresh.dataset.now);
  tick();
  if (document.querySelector("form[data-unsent]")) tellUnsent(words.unsent);
  if (document.querySelector("form[data-waiting]")) tellUnsent(words.kept);
  settle(before);
  announce(before);
}

function morph(old, fresh) {
  if (old.matches("form[data-unsent], form[data-waiting]")) return;
  attributes(old, fresh);
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const match = find(at, wanted);
    if (!match) { old.insertBefore(document.adoptNode(wanted), at); continue; }
    if (match !== at) old.insertBefore(match, at); else at = at.nextSibling;
    if (match.nodeType === Node.ELEMENT_NODE) morph(match, wanted);
    else if (match.data !== wanted.data) match.data = wanted.data;
  }
  while (at) { const next = at.nextSibling; at.remove(); at = next; }
}

// The old node that a new one continues: the same id; without ids the next one of the same kind.
function find(at, wanted) {
  for (let node = at; node; node = node.nextSibling) {
    if (node.nodeName !== wanted.nodeName || (node.id ?? "") !== (wanted.id ?? "")) continue;
    if (wanted.id || node === at) return node;
    return null;
  }
  return null;
}

function attributes(old, fresh) {
  const keeps = (name) => (name === "open" && old.nodeName === "DETAILS") || name === "data-settling";
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name) && !keeps(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
}

// What a reader notices -----------------------------------------------------------------------------------------------

function outline() {
  const cards = [...document.querySelectorAll("[data-news] > [id]")].map((card) => card.id);
  const settles = [...document.querySelectorAll("[data-settle]")].map((part) => [part.id, shape(part)]);
  return { cards: new Set(cards), settles: new Map(settles), stage: stage() };
}

const shape = (part) => [...part.querySelectorAll(".button, [data-name]")].map((each) => each.textContent.trim()).join("|");
const stage = () => document.querySelector("[data-stage] .now")?.textContent.replace(/\s+/g, " ").trim();

const settling = new WeakMap();

function settle(before) {
  for (const part of document.querySelectorAll("[data-settle]")) {
    if (before.settles.get(part.id) === shape(part)) continue;
    part.dataset.settling = "";
    clearTimeout(settling.get(part));
    settling.set(part, setTimeout(() => delete part.dataset.settling, SETTLING));
  }
}

function announce(before) {
  const cards = [...document.querySelectorAll("[data-news] > [id]")].filter((card) => !before.cards.has(card.id));
  for (const card of cards) card.dataset.fresh = "";
  const titles = cards.map((card) => card.querySelector("[data-name]").textContent);
  if (titles.length) announcer.textContent = fill(words.new, { title: titles.join("; ") });
  else if (before.stage && stage() !== before.stage) announcer.textContent = fill(words.changed, { stage: stage() });
}

function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const minutes = Math.floor((Date.now() - clockAhead - new Date(time.dateTime)) / 60_000);
    if (minutes >= 24 * 60) continue;
    const text = minutes < 1 ? words.justNow : minutes < 60 ? words.minutes : words.hours;
    const told = fill(text, { hours: Math.floor(minutes / 60), minutes: minutes < 60 ? minutes : minutes % 60 });
    if (time.textContent !== told) time.textContent = told;
  }
  for (const time of document.querySelectorAll("time[data-left]")) {
    const minutes = Math.ceil((new Date(time.dateTime) - (Date.now() - clockAhead)) / 60_000);
    const told = minutes < 1 ? words.lessLeft : fill(words.minutesLeft, { minutes });
    if (time.textContent !== told) time.textContent = told;
  }
  for (const part of document.querySelectorAll("[data-shows-at]"))
    part.hidden = Date.now() - clockAhead < new Date(part.dataset.showsAt);
}

// Answering -----------------------------------------------------------------------------------------------------------

async function send(event) {
  const form = event.target;
  if (!form.matches("form[data-answer]")) return;
  event.preventDefault();
  if (sending) return;
  sending = true;
  answers += 1;
  document.getElementById("refused")?.remove();
  form.dataset.sending = "";
  announcer.textContent = words.sending;
  try {
    await answered(form, await post(form));
  } catch {
    await unsent(form);
  } finally {
    sending = false;
    delete form.dataset.sending;
    if (again) { again = false; refresh(); }
  }
}

// Not form.action: closing has a field of that name, which hides it.
const post = (form) =>
  fetch(form.getAttribute("action"), {
    method: "POST",
    body: new URLSearchParams(new FormData(form)),
    signal: AbortSignal.timeout(SEND_TIME_OUT),
  });

async function answered(form, response) {
  if (signedOut(response)) { location.assign(response.url); return; }
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  if (response.status >= 500 || !page.getElementById("main")) throw new Error(String(response.status));
  await outbox.settle({ id: new FormData(form).get("key") }, {}, { tell: false }).catch(() => undefined);
  sent(() => true);
  for (const part of document.querySelectorAll("#answers details[open], .door details[open]")) part.open = false;
  show(page);
  refused();
  announcer.textContent = stage() ?? "";
  const told = document.getElementById("refused") ?? document.getElementById(form.dataset.shows ?? "standing");
  if (told && !docked(told)) told.scrollIntoView({ block: "center" });
}

function refused() {
  if (!document.getElementById("refused")) return;
  refusedAt = Date.now();
  setTimeout(refresh, REFUSED_FOR + 1_000);
}

// What is in sight in the dock already: scrolling to it would move who and where away from whoever reads.
function docked(part) {
  const { top, bottom } = part.getBoundingClientRect();
  return Boolean(part.closest("#answers")) && top >= 0 && bottom <= innerHeight;
}

async function unsent(form) {
  const kept = form.getAttribute("action").endsWith("/answer") && (await keep(form).then(() => true, () => false));
  form.dataset[kept ? "waiting" : "unsent"] = "";
  tellUnsent(kept ? words.kept : words.unsent);
}

function keep(form) {
  const { key, csrf_token, ...body } = Object.fromEntries(new FormData(form));
  const path = form.getAttribute("action").replace(/\/answer$/, "");
  const shown = { label: form.querySelector(".button").textContent.trim(), title: main().dataset.plainTitle, path };
  const person = document.getElementById("phone").dataset.person;
  const given = Date.now() - clockAhead;
  return outbox.keep(outbox.answer(path.split("/").pop(), { ...body, version: Number(body.version) }, key, person, shown, given));
}

function tellUnsent(text) {
  const told = document.getElementById("unsent");
  if (!told) return;
  told.textContent = text;
  told.hidden = false;
}

// These forms wait for nothing any more.
function sent(which) {
  for (const form of document.querySelectorAll("form[data-unsent], form[data-waiting]")) {
    if (!which(form)) continue;
    delete form.dataset.unsent;
    delete form.dataset.waiting;
  }
}

// What waited was sent, by us or by the service worker.
function settledElsewhere(event) {
  const before = document.querySelectorAll("form[data-waiting]").length;
  sent((form) => "waiting" in form.dataset && !event.detail.includes(new FormData(form).get("key")));
  if (document.querySelectorAll("form[data-waiting]").length < before) refresh();
}

// Start ---------------------------------------------------------------------------------------------------------------

document.addEventListener("submit", send);
document.addEventListener("outbox", settledElsewhere);
document.addEventListener("pointerdown", () => { touchedAt = Date.now(); });
for (const end of ["pointerup", "pointercancel"]) document.addEventListener(end, () => { touchedAt = 0; });
document.addEventListener("visibilitychange", () => { if (!document.hidden) { refresh(); watch(); } });
document.addEventListener("click", (event) => {
  const menu = document.getElementById("menu");
  if (menu?.open && !menu.contains(event.target)) menu.open = false;
});
document.addEventListener("keydown", (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && document.activeElement.matches("[data-rows] [data-name]")) {
    const rows = [...document.querySelectorAll("[data-rows] [data-name]")];
    rows[rows.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }
  const open = event.key === "Escape" && document.querySelector("details.ask[open], details.menu[open]");
  if (open) { open.open = false; open.querySelector("summary").focus(); }
});
window.addEventListener("pageshow", (event) => { if (event.persisted) connect(); });
window.addEventListener("pagehide", () => source?.close());
// An open stream can go on where nothing gets out any more: only a new one (watch) says that we are connected.
window.addEventListener("offline", () => { source?.close(); lost(); });
window.addEventListener("online", connect);
clockAhead = Date.now() - new Date(main().dataset.now);
setInterval(tick, 10_000);
setInterval(watch, RECONNECT);
// What no announcement tells of, as a sign of life, a page asks for now and then while somebody looks.
const every = Number(main().dataset.every);
if (every) setInterval(() => { if (!document.hidden) refresh(); }, every * 1000);
if (document.body.dataset.asOf) lost();
refused();
connect();
