"""Rate limits: the platform's own buckets, and refusals that a test orders."""

import json
import re
import time
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

# Messages and edits of a channel: 5 in 5 s each; a webhook: 5 in 2 s.
_BUCKETS = (
    (re.compile(r"(POST|PATCH) /channels/(\d+)/messages(/\d+)?"), 5, 5.0),
    (re.compile(r"(POST|PATCH) /webhooks/(\d+)/[\w-]+(/messages/\d+)?"), 5, 2.0),
)


@dataclass(slots=True)
class Order:
    """Refuse matching requests some times; without `via` it is Cloudflare that refuses.

    With `applied` the platform does what was asked, and only its answer is lost. A refusal may be
    `everywhere`: then it is the global limit of 50 requests a second that was hit.
    """

    pattern: str
    times: int
    status: int = 429
    retry_after: float = 0.1
    via: bool = True
    applied: bool = False
    everywhere: bool = False


@dataclass(slots=True)
class Limits:
    """Counts requests; `hits` is how many were refused by the real buckets."""

    orders: list[Order] = field(default_factory=list)
    hits: int = 0
    _buckets: dict[str, deque[float]] = field(default_factory=dict)

    def refusal(self, method: str, path: str, *, applied: bool = False) -> web.Response | None:
        """Return a refusal, or count the request."""
        for order in self.orders:
            if (
                order.applied is applied
                and order.times
                and re.fullmatch(order.pattern, f"{method} {path}")
            ):
                order.times -= 1
                return _refusal(order)
        bucket = self._bucket(method, path)
        if bucket is None or applied:
            return None
        key, size, seconds = bucket
        times = self._buckets.setdefault(key, deque())
        while times and times[0] < time.monotonic() - seconds:
            times.popleft()
        if len(times) >= size:
            self.hits += 1
            wait = max(0.01, times[0] + seconds - time.monotonic())
            return _refusal(Order("", 0, retry_after=wait))
        times.append(time.monotonic())
        return None

    def headers(self, method: str, path: str) -> dict[str, str]:
        """Return the headers by which a client paces itself."""
        bucket = self._bucket(method, path)
        if bucket is None:
            return {}
        key, size, seconds = bucket
        times = self._buckets.get(key, deque())
        wait = max(0.0, times[0] + seconds - time.monotonic()) if times else 0.0
        return {
            "X-RateLimit-Limit": str(size),
            "X-RateLimit-Remaining": str(max(0, size - len(times))),
            "X-RateLimit-Reset": f"{time.time_ns() / 1e9 + wait:.3f}",
            "X-RateLimit-Reset-After": f"{wait:.3f}",
            "X-RateLimit-Bucket": key.split(":")[0],
        }

    @staticmethod
    def _bucket(method: str, path: str) -> tuple[str, int, float] | None:
        for number, (pattern, size, seconds) in enumerate(_BUCKETS):
            if found := pattern.fullmatch(f"{method} {path}"):
                return f"{number}{found[1]}:{found[2]}", size, seconds
        return None


def _refusal(order: Order) -> web.Response:
    headers = {"Content-Type": "application/json", "Retry-After": str(order.retry_after)}
    if order.via:
        headers["Via"] = "1.1 google"
    body = {"message": "You are being rate limited.", "retry_after": order.retry_after}
    if order.status != 429:
        body = {"message": "Server error"}
    more = {"global": order.everywhere, "code": 0} if order.status == 429 else {}
    payload = json.dumps(body | more)
    if order.everywhere:
        headers["X-RateLimit-Global"] = "true"
    return web.Response(body=payload.encode(), status=order.status, headers=headers)
