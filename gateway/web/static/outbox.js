// What this phone has to say and the gateway has not heard yet. Used by the pages and by the service worker, so no module.
//
// Rules
//   What is said is sent at once. Where there is no network, or no answer that settles it, it is kept, with the time at which it was
//   said, and sent again: when the network is back, when the app is opened, when the browser wakes us.
//   An answer has its Idempotency-Key from the beginning: sent twice, it is one answer. It is sent for whoever gave it and for nobody
//   else who signs in here later, who does not hear of it either.
//   What the gateway cannot do now holds up nothing else that waits.
//   What became of an answer is kept until somebody has seen it. After a day nothing is sent any more: the gateway takes no answer
//   that old, and a receipt is of no interest.
//
// Stores: "waiting", what is to be sent; "told", what became of answers; "known", what the pages tell the service worker.

self.outbox = (() => {
  const NAME = "hjemmevakt";
  const STORES = ["waiting", "told", "known"];
  const TIME_OUT = 15_000;
  const A_DAY = 24 * 3600_000;
  const LATER = new Set([408, 425, 429]);
  const news = new BroadcastChannel("hjemmevakt-outbox");
  // Where the page came over http from another machine there are no locks, and no service worker to be alone with.
  const alone = (work) => (navigator.locks ? navigator.locks.request("hjemmevakt-outbox", work) : work());

  // Storing -----------------------------------------------------------------------------------------------------------

  function database() {
    return new Promise((resolve, reject) => {
      const opening = indexedDB.open(NAME, 1);
      opening.onupgradeneeded = () => STORES.forEach((name) => opening.result.createObjectStore(name));
      opening.onsuccess = () => resolve(opening.result);
      opening.onerror = () => reject(opening.error);
    });
  }

  async function within(store, mode, work) {
    const opened = await database();
    try {
      return await new Promise((resolve, reject) => {
        const transaction = opened.transaction(store, mode);
        const request = work(transaction.objectStore(store));
        transaction.oncomplete = () => resolve(request.result);
        transaction.onabort = transaction.onerror = () => reject(transaction.error);
      });
    } finally {
      opened.close();
    }
  }

  const all = (store) => within(store, "readonly", (each) => each.getAll());
  const get = (store, key) => within(store, "readonly", (each) => each.get(key));
  const put = (store, key, value) => within(store, "readwrite", (each) => each.put(value, key));
  const remove = (store, key) => within(store, "readwrite", (each) => each.delete(key));
  const clear = (store) => within(store, "readwrite", (each) => each.clear());

  const known = (name) => get("known", name);
  const know = (name, value) => put("known", name, value);
  const byTime = (one, other) => one.at - other.at;
  const waiting = async () => (await all("waiting")).sort(byTime);
  const told = async () => (await all("told")).sort(byTime);

  // What can be said --------------------------------------------------------------------------------------------------

  // That a page was received or shown, as the push brought its key.
  const receipt = (page, what, at) => ({
    id: `${page}/${what}`, kind: "receipt", url: `/api/v1/pages/${encodeURIComponent(page)}/${what}`, body: {}, at,
  });

  // Somebody takes the alert of a page from its notification; the key says who.
  const claim = (page, shown, at) => ({ ...receipt(page, "claim", at), kind: "claim", ...shown });

  // An answer from the alert's page. `key`: its Idempotency-Key; `shown`: its label, what the alert is called, where it is.
  const answer = (alert, body, key, person, shown, at) => ({
    id: key, kind: "answer", url: `/api/v1/alerts/${alert}/answers`, body, key, person, ...shown, at,
  });

  // Sending -----------------------------------------------------------------------------------------------------------

  // { outcome: "taken" | "refused" | "waits", reason }
  async function send(entry) {
    const result = await attempt(entry);
    if (result.outcome === "waits") await keep(entry);
    else await settle(entry, result, { tell: false });
    return result;
  }

  const anothers = async (entry) => entry.kind === "answer" && entry.person !== (await known("person").catch(() => undefined));

  async function attempt(entry) {
    if (await anothers(entry)) return { outcome: "waits", reason: "sign_in" };
    let response;
    try {
      response = await fetch(entry.url, {
        method: "POST",
        credentials: "same-origin",
        headers: await headers(entry),
        body: JSON.stringify({ ...entry.body, given_at: new Date(entry.at).toISOString() }),
        signal: AbortSignal.timeout(TIME_OUT),
      });
    } catch {
      return { outcome: "waits", reason: "network" };
    }
    return settled(entry, response);
  }

  async function headers(entry) {
    const plain = { "Content-Type": "application/json" };
    if (entry.kind !== "answer") return plain;
    return { ...plain, "Idempotency-Key": entry.key, "X-CSRF-Token": (await known("csrf")) ?? "" };
  }

  async function settled(entry, response) {
    if (response.ok) return { outcome: "taken" };
    const problem = await response.json().catch(() => ({}));
    const signedOut = response.status === 401 || problem.reason === "csrf";
    if (entry.kind === "answer" && signedOut) return { outcome: "waits", reason: "sign_in" };
    if (response.status >= 500 || LATER.has(response.status)) return { outcome: "waits", reason: "busy" };
    return { outcome: "refused", reason: problem.reason ?? String(response.status) };
  }

  // `kept`: by this phone's clock, which may be wrong; `at` is as near to the gateway's as we know it. The first time counts.
  async function keep(entry) {
    if (!(await get("waiting", entry.id))) await put("waiting", entry.id, { kept: Date.now(), ...entry });
    news.postMessage("changed");
    const registration = self.registration ?? (await navigator.serviceWorker?.getRegistration());
    await registration?.sync?.register("outbox").catch(() => undefined);
  }

  // Gone from what waits; where `tell`, what became of it is kept until somebody has seen it.
  async function settle(entry, result, { tell }) {
    const before = await get("waiting", entry.id);
    await remove("waiting", entry.id);
    if (tell && entry.kind !== "receipt") await put("told", entry.id, { ...entry, ...result });
    if (before || tell) news.postMessage("changed");
  }

  // All that waits, the oldest first; one at a time, whoever asks. What became of answers.
  function flush() {
    return alone(async () => {
      const results = [];
      for (const entry of await waiting()) {
        const old = Date.now() - entry.kept > A_DAY;
        if (old && (await anothers(entry))) {
          await settle(entry, {}, { tell: false });
          continue;
        }
        const result = old ? { outcome: "refused", reason: "old" } : await attempt(entry);
        if (result.reason === "network") break;
        if (result.outcome === "waits") continue;
        await settle(entry, result, { tell: true });
        if (entry.kind !== "receipt") results.push({ ...entry, ...result });
      }
      return results;
    });
  }

  // Somebody signs out: nothing of anybody's stays. What a page's own key says is nobody's secret, and is still sent.
  async function forget() {
    for (const entry of await waiting()) if (entry.kind === "answer") await remove("waiting", entry.id);
    await clear("told");
    for (const name of ["person", "csrf"]) await remove("known", name);
    news.postMessage("changed");
  }

  const seen = async (id) => { await remove("told", id); news.postMessage("changed"); };
  // A channel does not hear itself, so that whoever changes something also looks.
  const follow = (look) => { const heard = new BroadcastChannel("hjemmevakt-outbox"); heard.onmessage = look; };

  return { receipt, claim, answer, send, keep, settle, flush, forget, seen, follow, waiting, told, known, know };
})();
