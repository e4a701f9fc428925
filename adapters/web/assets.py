"""The pages that ship with the package, each with the strictest policy that runs it."""

import base64
import hashlib
import re
from dataclasses import dataclass
from importlib import resources

_OWN_POLICY = re.compile(r'<meta http-equiv="Content-Security-Policy" content="([^"]*)">')
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


def load_picture(name: str) -> bytes:
    """Read a picture that stands beside the pages."""
    return resources.files("adapters.web").joinpath("pages", name).read_bytes()


def load_page(name: str, *, embeds_proofs: bool = False, embeddable: bool = False) -> Page:
    """Read `pages/<name>` and find the policy that it is served with.

    A page that was built with a policy inside is served with that very one, so that it may do the
    same from a server as from disk. Another one gets a policy from the scripts and styles in it.

    Args:
        name: file name.
        embeds_proofs: the page shows another page of this server in a frame.
        embeddable: pages of this server may show this one in a frame.
    """
    body = resources.files("adapters.web").joinpath("pages", name).read_bytes()
    ancestors = "'self'" if embeddable else "'none'"
    frames = ("frame-src 'self'",) if embeds_proofs else ()
    html = body.decode()
    own = _OWN_POLICY.search(html)
    rules = [own[1]] if own else [*_BASE_POLICY, *_inline_sources(html)]
    return Page(
        body=body,
        policy="; ".join((*rules, *frames, f"frame-ancestors {ancestors}")),
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
