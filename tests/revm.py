"""Contracts on revm, in this process: no blocks, no node, some 10 microseconds a call.

For tests of what the contracts themselves say. A call is a transaction of its own sender; a revert
is an error with the contract's reason.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import vyper
from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak
from pyrevm import EVM, AccountInfo, BlockEnv, CfgEnv, Env

from adapters.evm.artefacts import load_artefact

CHAIN_ID = 31_337
START = 1_800_000_000


class RevertedError(Exception):
    """A call that changed nothing; the text is the contract's reason."""


@dataclass(frozen=True, slots=True)
class Log:
    """One event: its arguments by name, addresses and words as bytes."""

    address: bytes
    name: str
    values: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Code:
    """What a contract is made of."""

    bytecode: bytes
    abi: tuple[dict[str, Any], ...]

    @classmethod
    def shipped(cls, name: str) -> "Code":
        artefact = load_artefact(name)
        return cls(artefact.bytecode, artefact.abi)


@cache
def compiled(source: str) -> Code:
    """Compile a contract of a test's own."""
    made = vyper.compile_code(source, output_formats=["bytecode", "abi"])
    return Code(bytes.fromhex(made["bytecode"][2:]), tuple(made["abi"]))


def account(name: str) -> bytes:
    """Return an address of nobody's key."""
    return hashlib.sha256(name.encode()).digest()[:20]


@dataclass(slots=True)
class Machine:
    """One chain; `now` is the time of the next call's block."""

    now: int = START
    evm: Any = field(default_factory=lambda: EVM(env=Env(CfgEnv(CHAIN_ID)), spec_id="PRAGUE"))
    known: dict[str, "Deployed"] = field(default_factory=dict)

    def deploy(self, code: Code, *arguments: object, sender: bytes = b"\x01" * 20) -> "Deployed":
        """Create a contract."""
        types = next((_types(e["inputs"]) for e in code.abi if e["type"] == "constructor"), [])
        self._set_block()
        try:
            made = self.evm.deploy(_text(sender), code.bytecode + encode(types, arguments))
        except RuntimeError as error:
            raise RevertedError(_reason(error)) from None
        deployed = Deployed(self, bytes.fromhex(made[2:]), code)
        self.known[made.lower()] = deployed
        return deployed

    def give_code(self, account: bytes, of: "Deployed") -> "Deployed":
        """Put a contract's code where an account with a key is, as EIP-7702 does."""
        code = self.evm.get_code(_text(of.address))
        self.evm.insert_account_info(_text(account), AccountInfo(nonce=1, code=code))
        return Deployed(self, account, of.code)

    def send(self, to: bytes, data: bytes, sender: bytes, gas: int | None = None) -> bytes:
        """Call with bytes and return bytes."""
        self._set_block()
        try:
            return bytes(self.evm.message_call(_text(sender), _text(to), calldata=data, gas=gas))
        except RuntimeError as error:
            raise RevertedError(_reason(error)) from None

    def logs(self) -> list[Log]:
        """Return the events of the last call that come from contracts known here."""
        found = []
        for log in self.evm.result.logs:
            source = self.known.get(log.address.lower())
            if source is not None:
                found.append(source.parse_log(log))
        return found

    def _set_block(self) -> None:
        self.evm.set_block_env(BlockEnv(timestamp=self.now))


@dataclass(frozen=True, slots=True)
class Deployed:
    """A contract that stands."""

    machine: Machine
    address: bytes
    code: Code

    def __call__(
        self, name: str, *arguments: object, sender: bytes = b"\x02" * 20, gas: int | None = None
    ) -> Any:  # noqa: ANN401 - what the contract returns
        """Call a function; one result as it is, several as a tuple."""
        data = self.encoded(name, *arguments)
        answer = self.machine.send(self.address, data, sender, gas)
        values = _plain(decode(_functions(self.code)[name].outputs, answer))
        return values[0] if len(values) == 1 else values

    def encoded(self, name: str, *arguments: object) -> bytes:
        """Return what a call of a function consists of."""
        found = _functions(self.code)[name]
        return found.selector + encode(found.inputs, arguments)

    def parse_log(self, log: Any) -> Log:  # noqa: ANN401 - pyrevm's own
        """Read an event of this contract."""
        raw_topics, data = log.data
        topics = [bytes(topic) for topic in raw_topics]
        event = _events(self.code)[topics[0]]
        indexed = [one for one in event["inputs"] if one["indexed"]]
        others = [one for one in event["inputs"] if not one["indexed"]]
        values = {
            one["name"]: _plain(decode([one["type"]], topic)[0])
            for one, topic in zip(indexed, topics[1:], strict=True)
        }
        found = decode(_types(others), data)
        values |= {one["name"]: _plain(v) for one, v in zip(others, found, strict=True)}
        return Log(self.address, event["name"], values)


@dataclass(frozen=True, slots=True)
class _Function:
    selector: bytes
    inputs: list[str]
    outputs: list[str]


_FUNCTIONS: dict[int, dict[str, _Function]] = {}
_EVENTS: dict[int, dict[bytes, dict[str, Any]]] = {}


def _functions(code: Code) -> dict[str, _Function]:
    if id(code.abi) not in _FUNCTIONS:
        _FUNCTIONS[id(code.abi)] = {
            entry["name"]: _Function(
                keccak(text=_signature(entry))[:4],
                _types(entry["inputs"]),
                _types(entry["outputs"]),
            )
            for entry in code.abi
            if entry["type"] == "function"
        }
    return _FUNCTIONS[id(code.abi)]


def _events(code: Code) -> dict[bytes, dict[str, Any]]:
    if id(code.abi) not in _EVENTS:
        _EVENTS[id(code.abi)] = {
            keccak(text=_signature(entry)): entry for entry in code.abi if entry["type"] == "event"
        }
    return _EVENTS[id(code.abi)]


def _signature(entry: dict[str, Any]) -> str:
    return f"{entry['name']}({','.join(_types(entry['inputs']))})"


def _types(inputs: Sequence[dict[str, Any]]) -> list[str]:
    return [_type(one) for one in inputs]


def _type(one: dict[str, Any]) -> str:
    kind = str(one["type"])
    if not kind.startswith("tuple"):
        return kind
    inside = ",".join(_type(part) for part in one["components"])
    return f"({inside}){kind.removeprefix('tuple')}"


def _plain(value: Any) -> Any:  # noqa: ANN401 - what eth-abi made
    # Addresses come as text; all else as it is.
    if isinstance(value, str) and value.startswith("0x"):
        return bytes.fromhex(value[2:])
    if isinstance(value, tuple | list):
        return tuple(_plain(one) for one in value)
    return value


def _text(address: bytes) -> str:
    return f"0x{address.hex()}"


def _reason(error: RuntimeError) -> str:
    # "Revert { gas_used: …, output: 0x08c379a0… }": Error(string); or "Halt { reason: …".
    text = str(error)
    _, _, output = text.partition("output: 0x08c379a0")
    if not output:
        return text
    return str(decode(["string"], bytes.fromhex(output.split()[0]))[0])
