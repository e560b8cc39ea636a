// The service worker: what a push shows, and what the app shows without a network.
// Before it stand VERSION, SHELL (the files of the app), OUTBOX (outbox.js), ICON, BADGE and WORDS by language: see
// gateway/web/phone.py.
//
// Rules
//   A push always shows something, whatever is in it and however the network is: an alarm may be behind it. Receiving it is
//   reported at once, showing it as soon as the browser says that it was shown; both are kept where there is no network.
//   One notification an alert: what comes later of it takes its place, and rings again.
//   A page that is of no interest any more is taken away. Where no page of ours is in front, a silent note takes its place:
//   browsers demand that a push shows something, and whoever heard it ring learns why it is gone.
//   Without a network the app shows the list as it last was, says from when, and nothing else: no alert, no home. It is shown for
//   twelve hours at most, deleted the next time that we run after that, and gone at sign-out.

importScripts(OUTBOX);

const FILES = `hjemmevakt-files-${VERSION}`;
const LIST = "hjemmevakt-list";
const LIST_AT = "/alerts";
const OFFLINE = "/offline";
const KEPT_FOR = 12 * 3600_000;
const PATIENCE = 10_000;
const MOST_RECALLED = 100;
const VIBRATION = { 40: [600, 200, 600, 200, 600], 30: [600, 200, 600], 20: [400] };

// Its life --------------------------------------------------------------------------------------------------------------

self.addEventListener("install", (event) => event.waitUntil(install()));
self.addEventListener("activate", (event) => event.waitUntil(activate()));

async function install() {
  const files = await caches.open(FILES);
  await files.addAll([...SHELL, new Request(OFFLINE, { credentials: "omit" })]);
  await self.skipWaiting();
}

async function activate() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name !== FILES && name !== LIST).map((name) => caches.delete(name)));
  await list();
  await self.clients.claim();
}

// One after the other ---------------------------------------------------------------------------------------------------

// Asking a browser for its notifications while one is being shown can lose the one (seen in Chromium). Nothing waits for
// longer than a moment.
const A_MOMENT = 2_000;
let turn = Promise.resolve();

function inTurn(work) {
  const before = turn.catch(() => undefined);
  turn = Promise.race([before, new Promise((done) => setTimeout(done, A_MOMENT))]).then(work);
  return turn;
}

// Pushes ----------------------------------------------------------------------------------------------------------------

self.addEventListener("push", (event) => event.waitUntil(pushed(read(event.data))));

// What was pushed, made fit; of what cannot be read: that something came.
function read(data) {
  try {
    const told = data.json();
    if (typeof told.kind === "string" && typeof told.title === "string" && told.title) return told;
  } catch {
    // garbage is an alarm that nobody can read
  }
  return { kind: "unreadable" };
}

async function pushed(told) {
  const receiving = report(told, "received");
  try {
    await inTurn(() => shown(told));
    await Promise.allSettled([receiving, report(told, "shown")]);
  } finally {
    await Promise.allSettled([receiving, list(), flush()]);
  }
}

async function shown(told) {
  const words = await wordsFor(told.language);
  if (told.kind === "recall") return recall(told, words);
  if (told.kind === "unreadable") return show({ ...told, title: words.alarm, body: words.open_app, url: LIST_AT }, words);
  if (told.page && (await recalled()).includes(told.page)) return note(told, words.recalled);
  return show(told, words);
}

function show(told, words) {
  const take = { action: "take", title: words.take };
  const open = { action: "open", title: words.open };
  return self.registration.showNotification(told.title, {
    body: told.body ?? "",
    tag: tagOf(told),
    renotify: true,
    requireInteraction: true,
    vibrate: VIBRATION[told.severity] ?? [200],
    icon: ICON,
    badge: BADGE,
    lang: told.language ?? "nb",
    data: { page: told.kind === "page" ? told.page : "", url: pathOf(told.url), language: told.language },
    actions: told.kind === "page" && told.page ? [take, open] : [open],
  });
}

// A silent word in the place of a notification.
const note = (told, text, more = {}) =>
  self.registration.showNotification(text, {
    body: told.title ?? "",
    tag: tagOf(told),
    silent: true,
    icon: ICON,
    badge: BADGE,
    lang: told.language ?? "nb",
    data: { page: "", url: pathOf(told.url), language: told.language },
    ...more,
  });

async function recall(told, words) {
  await remember(told.page);
  const showing = await self.registration.getNotifications({ tag: tagOf(told) });
  const newer = showing.some((each) => each.data?.page && each.data.page !== told.page);
  if (!newer) showing.forEach((each) => each.close());
  if (newer || (await inFront())) return;
  await note(told, words.recalled);
}

const tagOf = (told) => (told.kind === "unreadable" ? "unreadable" : pathOf(told.url));
const inFront = async () => (await windows()).some((each) => each.visibilityState === "visible");
const windows = () => self.clients.matchAll({ type: "window", includeUncontrolled: true });

function pathOf(url) {
  try {
    const { origin, pathname } = new URL(url ?? LIST_AT, self.location.origin);
    return origin === self.location.origin ? pathname : LIST_AT;
  } catch {
    return LIST_AT;
  }
}

async function wordsFor(language) {
  return WORDS[language] ?? WORDS[await outbox.known("language").catch(() => undefined)] ?? WORDS.nb;
}

const recalled = () => outbox.known("recalled").then((pages) => pages ?? []).catch(() => []);

async function remember(page) {
  const pages = (await recalled()).filter((each) => each !== page);
  await outbox.know("recalled", [...pages, page].slice(-MOST_RECALLED)).catch(() => undefined);
}

function report(told, what) {
  if (!told.page || told.kind === "recall") return Promise.resolve();
  return outbox.send(outbox.receipt(told.page, what, Date.now()));
}

// What is tapped --------------------------------------------------------------------------------------------------------

self.addEventListener("notificationclick", (event) => event.waitUntil(tapped(event.notification, event.action)));

async function tapped(notification, action) {
  const { page, url } = notification.data ?? {};
  if (action === "take" && page) return take(notification, page);
  notification.close();
  return open(pathOf(url));
}

async function take(notification, page) {
  const { url, language } = notification.data;
  const told = { title: notification.title, url, language };
  const words = await wordsFor(language);
  const entry = outbox.claim(page, { label: words.take, title: notification.title, path: url }, Date.now());
  const result = await outbox.send(entry);
  if (result.outcome === "waits") return inTurn(() => note(told, words.kept, { requireInteraction: true }));
  return inTurn(() => note(told, outcome(result, words)));
}

function outcome(result, words) {
  if (result.outcome === "taken") return words.yours;
  return words.claims[result.reason] ?? words.not_taken;
}

async function open(path) {
  const shown = await windows();
  const there = shown.find((each) => new URL(each.url).pathname === path) ?? shown[0];
  if (!there) return self.clients.openWindow(path);
  await there.focus().catch(() => undefined);
  if (new URL(there.url).pathname !== path) await there.navigate(path).catch(() => self.clients.openWindow(path));
}

// What waited -----------------------------------------------------------------------------------------------------------

self.addEventListener("sync", (event) => event.waitUntil(flush()));
self.addEventListener("message", (event) => {
  if (event.data === "signed out") event.waitUntil(forget());
});

// What became of it is told on the page in front, else by a notification.
async function flush() {
  const results = await outbox.flush().catch(() => []);
  if (!results.length || (await inFront())) return;
  for (const each of results) {
    const words = await wordsFor();
    const text = each.kind === "claim" ? outcome(each, words) : answered(each, words);
    const told = { title: `${each.label} · ${each.title}`, url: each.path };
    await inTurn(() => note(told, text, { requireInteraction: each.outcome === "refused" }));
  }
}

const answered = (each, words) => (each.outcome === "taken" ? words.sent : words.refusals[each.reason] ?? words.not_taken);

// Subscribing anew ------------------------------------------------------------------------------------------------------

self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew(event)));

// Where nobody is signed in, it is done when the app is opened (push.js).
async function renew(event) {
  const off = await outbox.known("off");
  if (off === true || (off && off === (await outbox.known("person")))) return;
  const key = await outbox.known("key");
  const options = event.oldSubscription?.options ?? { userVisibleOnly: true, applicationServerKey: key };
  const fresh = event.newSubscription ?? (await self.registration.pushManager.subscribe(options));
  const { endpoint, keys } = fresh.toJSON();
  await fetch("/api/v1/push/subscription", {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": (await outbox.known("csrf")) ?? "" },
    body: JSON.stringify({
      endpoint,
      keys,
      replaces: event.oldSubscription?.endpoint ?? (await outbox.known("endpoint")),
      id: await lastContact(),
    }),
  });
}

// What this phone was to whoever is signed in, so that one that they have removed does not come back by itself.
async function lastContact() {
  const renewed = await outbox.known("renewed");
  return renewed?.person === (await outbox.known("person")) ? (renewed?.id ?? null) : null;
}

// Without a network -----------------------------------------------------------------------------------------------------

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && request.method === "POST" && url.pathname === "/sign-out") event.waitUntil(forget());
  if (request.method !== "GET") return;
  if ((url.pathname.startsWith("/static/") || url.pathname === "/words.js") && url.search) event.respondWith(file(request));
  else if (request.mode === "navigate") event.respondWith(page(event, url));
  else if (url.pathname === LIST_AT && url.search === "?fragment=1") event.respondWith(fragment(event));
});

async function file(request) {
  const kept = await caches.match(request, { cacheName: FILES });
  if (kept) return kept;
  const response = await fetch(request);
  if (response.ok) await (await caches.open(FILES)).put(request, response.clone());
  return response;
}

async function page(event, url) {
  const asked = forgotten;
  try {
    const response = await Promise.race([fetch(event.request), patience()]);
    if (url.pathname === LIST_AT && !url.search) event.waitUntil(response.ok ? keepList(response.clone(), asked) : forgetList(response));
    return response;
  } catch {
    return (url.pathname === LIST_AT || url.pathname === "/" ? await list() : null) ?? caches.match(OFFLINE, { cacheName: FILES });
  }
}

const patience = () => new Promise((_, reject) => setTimeout(() => reject(new Error("no answer")), PATIENCE));

// What a page in use fetches is what the list shows now.
async function fragment(event) {
  const asked = forgotten;
  const response = await fetch(event.request);
  if (response.ok && !response.redirected) event.waitUntil(renewList(response.clone(), asked));
  return response;
}

const keptList = () => caches.match(LIST_AT, { cacheName: LIST });

// Whatever is done to it is done in order, and what was asked for before it was forgotten is not kept afterwards.
let forgotten = 0;
let keeping = Promise.resolve();

function inOrder(work) {
  keeping = keeping.catch(() => undefined).then(work);
  return keeping;
}

async function keepList(response, asked) {
  const text = await response.text();
  await inOrder(() => put(text, response.headers, asked));
}

async function renewList(response, asked) {
  const fresh = await response.text();
  if (!fresh.includes("<main")) return;
  await inOrder(async () => {
    const kept = await keptList();
    if (!kept) return;
    const whole = (await kept.text()).replace(/<main[\s\S]*<\/main>/, () => fresh.trim());
    await put(whole, kept.headers, asked);
  });
}

async function put(text, given, asked) {
  if (asked !== forgotten) return;
  const headers = new Headers(given);
  headers.delete("Vary");
  headers.set("X-As-Of", new Date().toISOString());
  await (await caches.open(LIST)).put(LIST_AT, new Response(text, { headers }));
}

function dropList() {
  forgotten += 1;
  return inOrder(() => caches.delete(LIST));
}

// Nobody is signed in any more: the list leads to the sign-in.
const forgetList = (response) => (response.type === "opaqueredirect" ? dropList() : undefined);
const forget = () => Promise.allSettled([dropList(), outbox.forget()]);

// The list as it last was, marked with the time it is from; nothing after twelve hours.
async function list() {
  const kept = await keptList();
  if (!kept) return null;
  const asOf = kept.headers.get("X-As-Of");
  const age = Date.now() - new Date(asOf);
  if (!(age >= 0 && age < KEPT_FOR)) {
    await caches.delete(LIST);
    return null;
  }
  const text = (await kept.text()).replace("<body", `<body data-as-of="${asOf}"`);
  return new Response(text, { headers: kept.headers });
}
