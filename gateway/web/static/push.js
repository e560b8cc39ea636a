// This phone: whether it rings, and what it has to say that has not been sent.
//
// Rules
//   Nobody is asked for leave to ring but by a button. Where leave was given, every opening of the app renews what the gateway knows
//   of this phone, silently; where it was turned off here, it stays off. Where its person has removed it from their contacts
//   elsewhere, the gateway says so, and it is off for them: only the button turns it on again.
//   What the gateway says is broken is given up, and the browser subscribes anew.
//   What was refused is shown until somebody has seen it; that something was taken goes by itself.
//   What waits is tried whenever the app is opened, comes to the front, or the network or the gateway returns.

const own = document.getElementById("phone").dataset;
const words = (await import(own.words)).default;
const section = document.getElementById("outbox");
const RENEWED_FOR = 10 * 60_000;
const GLAD = 20_000;
const able = "serviceWorker" in navigator;
const rings = able && "PushManager" in window && "Notification" in window;
let state;
let looks = 0;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
const hhmm = (moment) =>
  new Intl.DateTimeFormat("nb", { hour: "2-digit", minute: "2-digit", timeZone: "Europe/Oslo" }).format(moment);

async function start() {
  const before = await outbox.known("person");
  if (before && before !== own.person) await self.caches?.delete("hjemmevakt-list");
  await outbox.know("person", own.person);
  await outbox.know("csrf", own.csrf);
  await outbox.know("language", document.documentElement.lang);
  outbox.follow(look);
  await look();
  await flush();
  if (able) await register();
  await renew();
}

const register = () =>
  navigator.serviceWorker
    .register("/sw.js", { scope: "/", updateViaCache: "none" })
    .catch((error) => console.warn("no service worker:", error.message));

// Whether it rings ------------------------------------------------------------------------------------------------------

async function api(method, path, body) {
  const response = await fetch(`/api/v1/push/${path}`, {
    method,
    headers: { "Content-Type": "application/json", "X-CSRF-Token": own.csrf },
    body: body && JSON.stringify(body),
    signal: AbortSignal.timeout(15_000),
  });
  if (!response.ok) {
    const { reason } = await response.json().catch(() => ({}));
    throw Object.assign(new Error(`${path}: ${response.status}`), { reason });
  }
  return response.status === 204 ? null : response.json();
}

// `asked`: somebody pressed the button.
async function renew(asked = false) {
  if (rings && Notification.permission === "granted" && !(await isOff())) {
    try {
      if (await subscribe(asked)) await subscribe(asked, { anew: true });
    } catch (error) {
      if (error.reason === "turned_off") return turnedOff();
      if (!away(error)) return tell("failed", error);
    }
  }
  return tellState();
}

// Without a network the phone rings as it did before, once there is one.
const away = (error) => error.name === "TypeError" || error.name === "TimeoutError";

// Turned off here, or, by whoever is signed in, elsewhere. For whoever else uses this phone it rings on.
async function isOff() {
  const off = await outbox.known("off");
  return off === true || off === own.person;
}

async function turnedOff() {
  await outbox.know("off", own.person);
  await outbox.know("renewed", null);
  return tellState();
}

// The browser's subscription with our key of today, and the gateway told of it. Whether that is broken.
async function subscribe(asked, { anew = false } = {}) {
  const { pushManager } = await navigator.serviceWorker.ready;
  const key = (await api("GET", "key")).key;
  let found = await pushManager.getSubscription();
  if (found && (anew || (await outbox.known("key")) !== key)) {
    await found.unsubscribe();
    found = null;
  }
  found ??= await pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
  await outbox.know("key", key);
  const { endpoint, keys } = found.toJSON();
  const renewed = (await outbox.known("renewed")) ?? {};
  const fresh = renewed.endpoint === endpoint && renewed.person === own.person && Date.now() - renewed.at < RENEWED_FOR;
  if (fresh) return false;
  const before = (await outbox.known("endpoint")) ?? null;
  const replaces = before === endpoint ? null : before;
  const was = renewed.person === own.person ? renewed.id : null;
  const { id, broken } = await api("PUT", "subscription", { endpoint, keys, replaces, id: was, asked });
  await outbox.know("endpoint", endpoint);
  await outbox.know("renewed", { endpoint, person: own.person, at: broken ? 0 : Date.now(), id });
  return broken;
}

async function turnOn() {
  if ((await Notification.requestPermission()) !== "granted") return tellState();
  await outbox.know("off", false);
  await outbox.know("renewed", null);
  return renew(true);
}

async function turnOff() {
  const { id } = (await outbox.known("renewed")) ?? {};
  if (id) await api("DELETE", `subscription/${id}`);
  await outbox.know("off", true);
  await outbox.know("renewed", null);
  await (await (await navigator.serviceWorker.ready).pushManager.getSubscription())?.unsubscribe();
  return tellState();
}

const test = async () => api("POST", `subscription/${(await outbox.known("renewed")).id}/test`);

async function stateNow() {
  if (!rings) return "unable";
  if (Notification.permission === "denied") return "denied";
  const on = Notification.permission === "granted" && !(await isOff()) && (await outbox.known("renewed"));
  return on ? "on" : "off";
}

async function tellState() {
  tell(await stateNow());
}

function tell(now, error) {
  if (error) console.warn("this phone could not be registered:", error.message);
  state = now;
  showState();
}

// The gateway's pages come without knowing it: it is shown anew when live.js has changed the page.
function showState() {
  for (const each of document.querySelectorAll("[data-push-state]")) each.hidden = !each.dataset.pushState.split(" ").includes(state);
}

document.addEventListener("click", async (event) => {
  const doing = { on: turnOn, off: turnOff, test }[event.target.closest("[data-push]")?.dataset.push];
  if (!doing) return;
  const button = event.target.closest("[data-push]");
  button.disabled = true;
  try {
    await doing();
  } catch (error) {
    tell("failed", error);
  } finally {
    button.disabled = false;
  }
});

// What waits ------------------------------------------------------------------------------------------------------------

async function flush() {
  await outbox.flush();
  await look();
}

// What waits and what became of it, on every page; live.js looks, too. Who looks last shows it, whoever is done first.
async function look() {
  const turn = (looks += 1);
  const waiting = (await outbox.waiting()).filter((each) => each.kind !== "receipt" && mine(each));
  const told = (await outbox.told()).filter(mine);
  if (turn !== looks) return;
  section.replaceChildren(...waiting.map((each) => line(each, "waits")), ...told.map((each) => line(each, each.outcome)));
  section.hidden = !section.childElementCount;
  document.dispatchEvent(new CustomEvent("outbox", { detail: waiting.map((each) => each.id) }));
}

const mine = (each) => each.kind === "claim" || each.person === own.person;

function line(each, outcome) {
  const made = document.createElement("li");
  made.className = outcome;
  const what = document.createElement("p");
  const link = document.createElement("a");
  link.href = each.path;
  link.textContent = each.title;
  what.append(`${each.label} · ${hhmm(each.at)} · `, link);
  const how = document.createElement("strong");
  how.textContent = said(each, outcome);
  made.append(how, what);
  if (outcome !== "waits") made.append(ok(each.id));
  if (outcome === "taken") setTimeout(() => seen(each.id), GLAD);
  return made;
}

function said(each, outcome) {
  if (outcome === "waits") return fill(words.waits, { time: hhmm(each.at) });
  if (outcome === "taken") return each.kind === "claim" ? words.yours : words.sent;
  return (each.kind === "claim" ? words.claims[each.reason] : undefined) ?? words.refusals[each.reason] ?? words.not_taken;
}

function ok(id) {
  const button = document.createElement("button");
  button.className = "button plain";
  button.textContent = words.seen;
  button.addEventListener("click", () => seen(id));
  return button;
}

async function seen(id) {
  await outbox.seen(id);
  await look();
}

document.addEventListener("shown", showState);
window.addEventListener("online", flush);
document.addEventListener("connected", flush);
document.addEventListener("visibilitychange", () => { if (!document.hidden) flush(); });
document.addEventListener("submit", (event) => {
  if (event.target.getAttribute("action") === "/sign-out") navigator.serviceWorker?.controller?.postMessage("signed out");
});
await start().catch((error) => console.warn("this phone keeps nothing:", error.message));
