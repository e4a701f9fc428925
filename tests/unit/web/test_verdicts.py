"""Verdicts over HTTP: what a log answers to auditors and to everybody else."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from adapters.web.wrong_tries import TRIES
from bot.domain.errors import TransientError, UserError
from bot.receipts.link import parse_link
from bot.wiring.auditing import fetch_verdicts_of, send_all
from tests.auditing_rig import AuditedRig, audited_rig, statement

JSON = {"Content-Type": "application/json"}


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[AuditedRig]:
    async with audited_rig(tmp_path / "log") as opened:
        yield opened


async def _post(
    rig: AuditedRig, data: bytes, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, object]]:
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"{rig.base}/log/verdicts", data=data, headers=headers or JSON) as answer,
    ):
        return answer.status, await answer.json()


async def test_a_new_verdict_is_created_and_a_known_one_is_there(rig: AuditedRig) -> None:
    data = statement(rig.reply.receipt_hash, await rig.sample())

    status, said = await _post(rig, data)
    again, repeated = await _post(rig, data)

    assert (status, said["new"]) == (201, True)
    assert (again, repeated) == (200, {"leaf": said["leaf"], "new": False})


async def test_refusals_are_one_sentence(rig: AuditedRig) -> None:
    sample = await rig.sample()
    good = statement(rig.reply.receipt_hash, sample)
    cases = [
        (422, b"{}", JSON),
        (422, statement(rig.reply.receipt_hash, sample, key=b"s" * 32), JSON),
        (413, b" " * 5000, JSON),
        (413, b" " * 500_000, JSON),
        (415, good, {"Content-Type": "text/plain"}),
        (403, good, JSON | {"Origin": "https://elsewhere.example"}),
    ]

    for status, data, headers in cases:
        found, said = await _post(rig, data, headers)
        assert (found, bool(said["error"])) == (status, True)


async def test_who_sends_too_much_that_is_wrong_waits_and_a_right_one_never(
    rig: AuditedRig,
) -> None:
    statuses = [(await _post(rig, b"{}"))[0] for _ in range(TRIES + 1)]

    assert statuses == [422] * TRIES + [429]
    assert (await _post(rig, statement(rig.reply.receipt_hash, await rig.sample())))[0] == 201


async def test_verdicts_of_a_reply_may_be_read_from_anywhere(rig: AuditedRig) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))
    await rig.log.sign()
    address = f"{rig.base}/r/{rig.reply.receipt_id}.verdicts"

    async with aiohttp.ClientSession() as client:
        async with client.get(address) as answer:
            found, tag = await answer.json(), answer.headers["ETag"]
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
        async with client.get(address, headers={"If-None-Match": tag}) as known:
            assert known.status == 304

    assert found["receipt"] == rig.reply.receipt_hash.hex()
    assert len(found["verdicts"]) == 1


@pytest.mark.parametrize("name", ["A" * 22, "A" * 21, "..%2f", "x" * 64])
async def test_an_unknown_reply_has_none(rig: AuditedRig, name: str) -> None:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"{rig.base}/r/{name}.verdicts") as answer,
    ):
        assert answer.status == 404
        assert (await answer.json())["error"]


async def test_a_file_is_sent_line_by_line_and_each_line_gets_its_answer(
    rig: AuditedRig, tmp_path: Path
) -> None:
    sample = await rig.sample()
    file = tmp_path / "verdicts.jsonl"
    lines = [statement(rig.reply.receipt_hash, sample), statement(b"n" * 32, sample)]
    file.write_bytes(b"\n".join(lines) + b"\n")

    first = await send_all(file, f"{rig.base}/log")
    second = await send_all(file, f"{rig.base}/log")

    assert [one.is_taken for one in first] == [True, False]
    assert first[0].sentence.startswith("taken, leaf ")
    assert second[0].sentence.startswith("stood there before, leaf ")
    assert "no reply with the receipt" in first[1].sentence


@pytest.mark.parametrize("content", [b"", b"{}\n", b"\xff\xfe", b'{"payload":"","signatures":[]}'])
async def test_a_file_of_something_else_is_not_sent(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_bytes(content)

    with pytest.raises(UserError, match="verdict"):
        await send_all(file, "http://127.0.0.1:9/log")


async def test_a_log_that_is_away_says_so(tmp_path: Path, rig: AuditedRig) -> None:
    file = tmp_path / "verdicts.jsonl"
    file.write_bytes(statement(b"n" * 32, await rig.sample()))

    with pytest.raises(TransientError, match="can't be reached"):
        await send_all(file, "http://127.0.0.1:9/log")
    with pytest.raises(TransientError, match="can't be fetched"):
        await fetch_verdicts_of(parse_link(f"http://127.0.0.1:9/r/{rig.reply.receipt_id}"))


async def test_a_link_leads_to_the_verdicts(rig: AuditedRig) -> None:
    await rig.desk.submit(statement(rig.reply.receipt_hash, await rig.sample()))
    await rig.log.sign()

    data = await fetch_verdicts_of(parse_link(f"{rig.base}/r/{rig.reply.receipt_id}"))

    assert data is not None
    assert len(json.loads(data)["verdicts"]) == 1
    assert await fetch_verdicts_of(parse_link(f"{rig.base}/r/{'A' * 22}")) is None
