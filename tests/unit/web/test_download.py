"""A large file over http: it goes on where it was cut, and no server can make it something else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web

from adapters.web import download as module
from adapters.web.download import Download, check_address
from bot.domain.errors import ConfigurationError, TransientError
from tests.acceptance.program import free_port

WHOLE = b"GGUF" + bytes(range(256)) * 8000


@dataclass
class Server:
    """Serves one file, as told.

    Attributes:
        cuts: after how many bytes of each answer the connection breaks.
        ranges: whether parts are served.
        surplus: what is sent, in chunks, after what was announced for a part.
        later_validator: what names the file in answers with a part of it; None: the same.
        statuses: with which the next requests are answered, and nothing else.
        asked: the headers of the requests.
    """

    content: bytes = WHOLE
    cuts: list[int] = field(default_factory=list)
    ranges: bool = True
    surplus: bytes = b""
    later_validator: str | None = None
    statuses: list[int] = field(default_factory=list)
    validator: str = '"v1"'
    headers: dict[str, str] = field(default_factory=dict)
    announce: int | None = None
    status: int = 200
    asked: list[dict[str, str]] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(dict(request.headers))
        if self.statuses:
            return web.Response(status=self.statuses.pop(0))
        begin, status = 0, self.status
        headers = {"ETag": self.validator, **self.headers}
        wanted = request.headers.get("Range", "")
        if self.ranges and wanted and request.headers.get("If-Range") == self.validator:
            begin, status = int(wanted.removeprefix("bytes=").rstrip("-")), 206
            if begin >= len(self.content):
                return web.Response(status=416)
            headers.setdefault(
                "Content-Range", f"bytes {begin}-{len(self.content) - 1}/{len(self.content)}"
            )
            if self.later_validator is not None:
                headers["ETag"] = self.later_validator
        body = self.content[begin:] + (self.surplus if begin else b"")
        response = web.StreamResponse(status=status, headers=headers)
        if begin and self.surplus:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(body) if self.announce is None else self.announce
        await response.prepare(request)
        cut = self.cuts.pop(0) if self.cuts else None
        await response.write(body[:cut])
        if cut is not None and request.transport is not None:
            request.transport.close()
        return response


@asynccontextmanager
async def serving(server: Server) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/model.gguf", server.answer)

    async def redirect(request: web.Request) -> web.StreamResponse:
        return web.Response(status=302, headers={"Location": request.query["to"]})

    async def circle(_request: web.Request) -> web.StreamResponse:
        raise web.HTTPFound("/circle")

    app.router.add_get("/redirect", redirect)
    app.router.add_get("/circle", circle)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


@pytest.fixture(autouse=True)
def _no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_S", 0.0)


def fetching(
    address: str,
    part: Path,
    check_room: Callable[[int], None] = lambda _bytes: None,
    shown: list[float | None] | None = None,
) -> Download:
    return Download(
        address, part, check_room=check_room, progress=(shown if shown is not None else []).append
    )


def _left(folder: Path) -> list[Path]:
    return list(folder.iterdir())


async def test_a_file_arrives_whole_and_its_progress_is_shown(tmp_path: Path) -> None:
    shown: list[float | None] = []
    async with serving(Server()) as base:
        await fetching(f"{base}/model.gguf", tmp_path / "part", shown=shown).fetch()

    assert (tmp_path / "part").read_bytes() == WHOLE
    assert shown[-1] == 1.0


async def test_a_download_that_is_cut_goes_on_by_itself(tmp_path: Path) -> None:
    server = Server(cuts=[100_000, 500_000])
    async with serving(server) as base:
        await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert (tmp_path / "part").read_bytes() == WHOLE
    assert "Range" not in server.asked[0]
    assert all("Range" in headers for headers in server.asked[1:])
    assert len(server.asked) == 3


async def test_a_later_call_goes_on_where_an_earlier_one_stopped(tmp_path: Path) -> None:
    server = Server(cuts=[300_000, 0, 0, 0, 0, 0])
    async with serving(server) as base:
        with pytest.raises(TransientError, match="goes on from there"):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()
        begun = (tmp_path / "part").stat().st_size
        server.cuts.clear()
        await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert 0 < begun < len(WHOLE)
    assert server.asked[-1]["Range"] == f"bytes={begun}-"
    assert (tmp_path / "part").read_bytes() == WHOLE


async def test_a_file_that_is_whole_already_is_not_fetched_again(tmp_path: Path) -> None:
    server = Server()
    async with serving(server) as base:
        for _ in range(2):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert (tmp_path / "part").read_bytes() == WHOLE


@pytest.mark.parametrize("change", ["no ranges", "another file"])
async def test_where_the_rest_is_not_to_be_had_it_begins_anew(tmp_path: Path, change: str) -> None:
    server = Server(cuts=[300_000, 0, 0, 0, 0, 0])
    async with serving(server) as base:
        with pytest.raises(TransientError):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()
        server.cuts.clear()
        if change == "no ranges":
            server.ranges = False
        else:
            server.content, server.validator = WHOLE[::-1] + b"!", '"v2"'
            server.content = b"GGUF" + server.content
        await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert (tmp_path / "part").read_bytes() == server.content


@pytest.mark.parametrize(
    ("server", "reason"),
    [
        (Server(content=b"<html>please log in</html>"), "no GGUF"),
        (Server(status=404), "no such file"),
        (Server(status=403), "no such file"),
        (Server(headers={"Content-Encoding": "gzip"}), "another form"),
    ],
    ids=["a page", "missing", "forbidden", "compressed"],
)
async def test_what_is_no_model_is_refused_and_nothing_stays(
    tmp_path: Path, server: Server, reason: str
) -> None:
    async with serving(server) as base:
        with pytest.raises(ConfigurationError, match=reason):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    "lie", ["bytes 0-9/10", "bytes 1-2047999/2048004", "bytes 300000-2048003/9999999", "nonsense"]
)
async def test_a_server_that_lies_about_its_part_is_refused(tmp_path: Path, lie: str) -> None:
    server = Server(cuts=[300_000, 0, 0, 0, 0, 0])
    async with serving(server) as base:
        with pytest.raises(TransientError):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()
        server.cuts.clear()
        server.headers = {"Content-Range": lie}
        with pytest.raises(ConfigurationError, match=r"another part|has changed"):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert _left(tmp_path) == []


async def test_a_server_that_announces_more_than_it_sends_is_cut_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SILENCE_S", 0.3)
    server = Server(announce=len(WHOLE) + 1000, ranges=False)
    async with serving(server) as base, asyncio.timeout(20):
        with pytest.raises(TransientError, match="cut at"):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()


async def _begin(server: Server, base: str, part: Path) -> None:
    """Have a download cut."""
    server.cuts[:] = [300_000, 0, 0, 0, 0, 0]
    with pytest.raises(TransientError):
        await fetching(f"{base}/model.gguf", part).fetch()
    server.cuts.clear()


async def test_a_server_that_sends_more_than_it_announces_is_refused(tmp_path: Path) -> None:
    shown: list[float | None] = []
    server = Server()
    async with serving(server) as base:
        await _begin(server, base, tmp_path / "part")
        server.surplus = bytes(8 * 2**20)
        with pytest.raises(ConfigurationError, match="sends more than it announced"):
            await fetching(f"{base}/model.gguf", tmp_path / "part", shown=shown).fetch()

    assert all(done is not None and done <= 1 for done in shown)
    assert _left(tmp_path) == []


@pytest.mark.parametrize("later", ['"v2"', ""], ids=["another", "none"])
async def test_a_part_of_another_version_is_not_put_behind_what_is_here(
    tmp_path: Path, later: str
) -> None:
    server = Server()
    async with serving(server) as base:
        await _begin(server, base, tmp_path / "part")
        server.later_validator = later
        with pytest.raises(ConfigurationError, match="has changed: run the command again"):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert _left(tmp_path) == []


@pytest.mark.parametrize("status", [408, 425, 429, 503])
async def test_a_server_that_asks_for_patience_is_asked_again_and_the_part_stays(
    tmp_path: Path, status: int
) -> None:
    server = Server()
    async with serving(server) as base:
        await _begin(server, base, tmp_path / "part")
        begun = (tmp_path / "part").read_bytes()
        server.statuses = [status] * module.TRIES
        with pytest.raises(TransientError, match=f"status {status}.*goes on from there"):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()
        assert (tmp_path / "part").read_bytes() == begun
        server.statuses = [status]
        await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert (tmp_path / "part").read_bytes() == WHOLE


async def test_a_validator_that_can_not_be_sent_back_begins_anew(tmp_path: Path) -> None:
    server = Server(validator='"\xe9"', cuts=[300_000])
    async with serving(server) as base:
        await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert "Range" not in server.asked[-1]
    assert (tmp_path / "part").read_bytes() == WHOLE


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_a_server_that_is_not_there_is_told_and_leaves_nothing(
    tmp_path: Path, host: str
) -> None:
    address = f"http://{host}:{free_port()}/model.gguf"

    with pytest.raises(TransientError, match=r"can't be reached \(.+\): look at the address"):
        await fetching(address, tmp_path / "part").fetch()

    assert _left(tmp_path) == []


async def test_a_server_that_gives_nothing_is_told_with_its_status(tmp_path: Path) -> None:
    async with serving(Server(statuses=[429] * module.TRIES)) as base:
        with pytest.raises(TransientError, match=r"gives nothing of the file \(status 429\)"):
            await fetching(f"{base}/model.gguf", tmp_path / "part").fetch()

    assert _left(tmp_path) == []


async def test_room_is_asked_for_before_anything_is_written(tmp_path: Path) -> None:
    asked: list[int] = []

    def refuse(needed: int) -> None:
        asked.append(needed)
        raise ConfigurationError("no room")

    async with serving(Server()) as base:
        with pytest.raises(ConfigurationError, match="no room"):
            await fetching(f"{base}/model.gguf", tmp_path / "part", refuse).fetch()

    assert asked == [len(WHOLE)]
    assert _left(tmp_path) == []


@pytest.mark.parametrize(
    "target",
    ["file:///etc/passwd", "http://192.0.2.1/model.gguf", "ftp://127.0.0.1/x", "//192.0.2.1/x"],
)
async def test_a_redirect_to_another_kind_of_address_is_refused(
    tmp_path: Path, target: str
) -> None:
    async with serving(Server()) as base:
        with pytest.raises(ConfigurationError, match="redirects to another kind"):
            await fetching(f"{base}/redirect?to={target}", tmp_path / "part").fetch()

    assert _left(tmp_path) == []


@pytest.mark.parametrize("target", ["http://[", "http://127.0.0.1:99999/x", "http://[::1/x"])
async def test_a_redirect_to_no_address_is_refused(tmp_path: Path, target: str) -> None:
    async with serving(Server()) as base:
        with pytest.raises(ConfigurationError, match="something that is no address"):
            await fetching(f"{base}/redirect?to={target}", tmp_path / "part").fetch()

    assert _left(tmp_path) == []


async def test_a_redirect_that_is_allowed_is_followed_and_a_circle_is_not(tmp_path: Path) -> None:
    async with serving(Server()) as base:
        await fetching(f"{base}/redirect?to=/model.gguf", tmp_path / "part").fetch()
        with pytest.raises(ConfigurationError, match="circle"):
            await fetching(f"{base}/circle", tmp_path / "other").fetch()

    assert (tmp_path / "part").read_bytes() == WHOLE


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("https://models.example/a.gguf", True),
        ("http://127.0.0.1:8000/a.gguf", True),
        ("http://localhost/a.gguf", True),
        ("http://[::1]/a.gguf", True),
        ("http://models.example/a.gguf", False),
        ("http://127.0.0.1.example/a.gguf", False),
        ("http://2130706433/a.gguf", False),
        ("https://name:word@models.example/a.gguf", False),
        ("https:///a.gguf", False),
        ("file:///a.gguf", False),
    ],
)
def test_only_https_and_this_machine_are_asked(address: str, *, allowed: bool) -> None:
    try:
        check_address(address, address)
    except ConfigurationError:
        assert not allowed
    else:
        assert allowed


def test_no_site_leads_to_a_server_of_this_machine() -> None:
    with pytest.raises(ConfigurationError, match="redirects"):
        check_address("http://127.0.0.1/a.gguf", "https://models.example/a.gguf")


@pytest.mark.parametrize(
    "address", ["https://[", "https://a.example:99999/x", "https://a.example:x/", "https://[::1"]
)
def test_what_is_no_address_is_refused_in_a_sentence(address: str) -> None:
    with pytest.raises(ConfigurationError, match="This is no address"):
        check_address(address, address)


async def test_a_host_that_can_be_none_is_refused_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="This is no address"):
        await fetching(f"https://{'a' * 70}.example/m.gguf", tmp_path / "part").fetch()
