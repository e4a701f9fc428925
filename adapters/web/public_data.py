"""Data that is public by design: kept by caches, read by pages of other sites."""

import hashlib

from aiohttp import web

FOR_EVER = "public, max-age=31536000, immutable"
REVALIDATE = "no-cache"
BYTES, TEXT, JSON = "application/octet-stream", "text/plain", "application/json"
# Pages of other sites, and the proof page opened from a disk, may read it too.
_OPEN = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}


def answer(request: web.Request, body: bytes, content_type: str, caching: str) -> web.Response:
    """Serve public bytes with their hash as the tag."""
    etag = f'"{hashlib.sha256(body).hexdigest()}"'
    headers = {"Cache-Control": caching, "ETag": etag, **_OPEN}
    if _has(request, etag):
        return web.Response(status=304, headers=headers)
    charset = "utf-8" if content_type == TEXT else None
    return web.Response(body=body, content_type=content_type, charset=charset, headers=headers)


def _has(request: web.Request, etag: str) -> bool:
    """Say whether the reader has it already (RFC 9110 section 13.1.2, weak comparison)."""
    given = request.headers.get("If-None-Match", "")
    known = {one.strip().removeprefix("W/") for one in given.split(",")}
    return "*" in known or etag in known
