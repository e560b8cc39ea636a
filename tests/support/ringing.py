"""A phone with the app in it: pushes are delivered to its service worker by the browser's DevTools, and its notifications are read.

What DevTools cannot do is tap a notification: the event is made by hand then, with the real notification in it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from playwright.async_api import BrowserContext, CDPSession, Page, Worker

READY = "navigator.serviceWorker.ready.then(({ active }) => active.state === 'activated')"
SHOWN = """async () => (await turn.catch(() => undefined), await inTurn(() => self.registration.getNotifications())).map((each) => ({
  title: each.title, body: each.body, tag: each.tag, silent: each.silent, stays: each.requireInteraction,
  language: each.lang, data: each.data, actions: each.actions.map(({ action, title }) => [action, title]),
}))"""
TAP = """async (action) => {
  await turn.catch(() => undefined);
  const [notification] = await inTurn(() => self.registration.getNotifications());
  const event = new NotificationEvent("notificationclick", { notification, action });
  const working = [];
  Object.defineProperty(event, "waitUntil", { value: (work) => working.push(work) });
  self.dispatchEvent(event);
  await Promise.all(working);
}"""


@dataclass
class Ringing:
    """A page of the app, its service worker, and the way to push to it."""

    page: Page
    origin: str
    worker: Worker
    devtools: CDPSession
    registration: str

    async def push(self, told: dict[str, Any] | str) -> None:
        """The browser hands a push to the service worker, decrypted."""
        data = told if isinstance(told, str) else json.dumps(told)
        given = {"origin": self.origin, "registrationId": self.registration, "data": data}
        await self.devtools.send("ServiceWorker.deliverPushMessage", given)

    async def notifications(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.worker.evaluate(SHOWN)
        return found

    async def shows(self, *titles: str) -> list[dict[str, Any]]:
        """Wait until exactly these are shown."""
        found: list[dict[str, Any]] = []
        for _ in range(1200):
            found = await self.notifications()
            if sorted(each["title"] for each in found) == sorted(titles):
                return found
            await self.page.wait_for_timeout(25)
        raise AssertionError(f"shown are {[each['title'] for each in found]}, and not {list(titles)}")

    async def tap(self, action: str = "") -> None:
        """Somebody taps the notification, or one of its buttons."""
        await self.worker.evaluate(TAP, action)


async def taken_over(page: Page) -> None:
    """The page has been opened: wait until the service worker has its requests, if it takes them: it leaves a page that was loading
    when it became active as it is until the next. Of a request that is made while it takes over DevTools may tell nothing, neither
    a route nor a response, though it is made and answered (seen once in a hundred)."""
    while not await page.evaluate(READY):
        await page.wait_for_timeout(25)


async def ringing(context: BrowserContext, page: Page, origin: str) -> Ringing:
    """A page that the service worker has taken over, and what to push to it with."""
    await taken_over(page)
    devtools = await context.new_cdp_session(page)
    found: list[dict[str, Any]] = []
    devtools.on("ServiceWorker.workerRegistrationUpdated", lambda event: found.extend(event["registrations"]))
    await devtools.send("ServiceWorker.enable")
    while not found:
        await page.wait_for_timeout(25)
    return Ringing(page, origin, context.service_workers[0], devtools, found[0]["registrationId"])
