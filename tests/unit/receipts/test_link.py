import pytest

from bot.crypto.encoding import encode_b64url
from bot.domain.errors import UserError
from bot.receipts.link import ProofLink, format_file_link, format_link, parse_link

KEY = bytes(range(32))
ID = "A" * 21 + "w"
FRAGMENT = "#k=" + encode_b64url(KEY)


@pytest.mark.parametrize("base", ["https://twin.example", "http://127.0.0.1:8080", "https://a/b/c"])
@pytest.mark.parametrize("key", [KEY, None], ids=["key", "no key"])
def test_formatted_link_parses_to_the_bundles_address(base: str, key: bytes | None) -> None:
    link = parse_link(format_link(base, ID, key))

    assert link == ProofLink(f"{base}/r/{ID}.json", ID, key)
    assert link.is_remote


def test_key_is_43_characters_after_the_number_sign() -> None:
    link = format_link("https://twin.example/", ID, KEY)

    assert link == f"https://twin.example/r/{ID}{FRAGMENT}"
    assert len(link.partition("#k=")[2]) == 43


def test_address_of_the_bundle_itself_is_a_link_too() -> None:
    link = parse_link(f"https://twin.example/r/{ID}.json{FRAGMENT}")

    assert link == ProofLink(f"https://twin.example/r/{ID}.json", ID, KEY)


@pytest.mark.parametrize("path", ["bundle.json", "/tmp/a b.json", "folder#1/bundle.json"])  # noqa: S108
def test_file_with_its_key_parses_to_its_path(path: str) -> None:
    link = parse_link(format_file_link(path, KEY))

    assert link == ProofLink(path, None, KEY)
    assert not link.is_remote


def test_file_without_key_is_its_path() -> None:
    assert parse_link("bundle.json") == ProofLink("bundle.json", None, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        FRAGMENT,
        "https://twin.example/",
        "https://twin.example/r/short",
        f"https://twin.example/r/{ID}?x=1{FRAGMENT}",
        f"https:///r/{ID}",
        f"https://twin example/r/{ID}",
        f"https://twin.example/r/{ID}{FRAGMENT[:-1]}",
        f"https://twin.example/r/{ID}{FRAGMENT}A",
        f"https://twin.example/r/{ID}#key",
        f"https://twin.example/r/{ID}#k=",
        "bundle.json#k=***",
    ],
)
def test_malformed_link_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(UserError, match=r"\.$"):
        parse_link(text)
