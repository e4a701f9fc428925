"""The pages that ship with the package, each with the strictest policy that runs it."""

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_INLINE = re.compile(r"<(script|style)(?:\s[^>]*)?>(.*?)</\1>", re.DOTALL)
_BASE_POLICY = (
    "default-src 'none'",
    "connect-src 'self'",
    "img-src data:",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'",
    "trusted-types 'none'",
)


@dataclass(frozen=True, slots=True)
class Page:
    """One HTML file, ready to be served.

    Attributes:
        body: the file's bytes, unchanged, so that a published hash holds for what people get.
        policy: value of the Content-Security-Policy header.
        etag: strong entity tag.
        framing: value of the X-Frame-Options header.
    """

    body: bytes
    policy: str
    etag: str
    framing: str


def load_page(name: str, *, embeds_proofs: bool = False, embeddable: bool = False) -> Page:
    """Read `pages/<name>` and derive its policy from the scripts and styles that stand in it.

    Args:
        name: file name.
        embeds_proofs: the page shows another page of this server in a frame.
        embeddable: pages of this server may show this one in a frame.
    """
    body = resources.files("adapters.web").joinpath("pages", name).read_bytes()
    ancestors = "'self'" if embeddable else "'none'"
    frames = ("frame-src 'self'",) if embeds_proofs else ()
    sources = _inline_sources(body.decode())
    policy = (*_BASE_POLICY, *sources, *frames, f"frame-ancestors {ancestors}")
    return Page(
        body=body,
        policy="; ".join(policy),
        etag=f'"{hashlib.sha256(body).hexdigest()}"',
        framing="SAMEORIGIN" if embeddable else "DENY",
    )


def _inline_sources(html: str) -> list[str]:
    """Name each inline script and style by its hash (CSP level 3, section 2.3.1)."""
    hashes: dict[str, list[str]] = {"script": [], "style": []}
    for kind, text in _INLINE.findall(html):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        hashes[kind].append(f"'sha256-{digest}'")
    return [f"{kind}-src {' '.join(found)}" for kind, found in hashes.items() if found]
