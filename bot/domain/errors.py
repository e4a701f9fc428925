"""The one error tree, sorted by what the caller can do.

```
BotError
├── UserError                    tell the person `str(error)`; nothing is broken
│   ├── UnknownTwinError         no live twin of that name
│   ├── AdmissionError           quota, credit or consent says no
│   │   └── CreditError         the price, their credit or limit says no: for their eyes only
│   ├── LinkExpiredError         a link that worked once and is too old now
│   ├── MessageTooLongError      the message does not fit the context window
│   └── PersonaError             a persona file is not valid
├── TransientError               may succeed later; carries `retry_after_s`
│   ├── EngineOverloadedError    the queue is full
│   ├── EngineCrashedError       the engine process died under this request
│   ├── StoreBusyError           the database is locked
│   ├── UnservedError            a log does not have what it has signed
│   └── ChainUnavailableError    the chain does not answer
├── OutcomeUnknownError          the write may have happened: read back before any retry
├── VerificationError            the evidence is false; names its step; never retried
│   └── MalformedProofError      the bytes are not what the format says
├── ConfigurationError           the operator must act; raised at start only
│   └── RestoredBackupError      others have seen more of the log than is here
└── InvariantError               our bug or corrupted state: stop that room, page a person
    └── UnbalancedTransactionError
```
"""


class BotError(Exception):
    """Anything that this program raises on purpose."""


class UserError(BotError):
    """A request that cannot be met; the sentence is meant for the person who made it."""


class UnknownTwinError(UserError):
    """No live twin has that name."""


class AdmissionError(UserError):
    """The fan may not be answered now: quota, credit, consent or a closed twin."""


class CreditError(AdmissionError):
    """A fan's money says no: price unseen, too little, limit reached; names what they have.

    Attributes:
        public: the same where others read along, with nothing of what they have; empty where a
            surface says it in words of its own.
    """

    def __init__(self, sentence: str, *, public: str = "") -> None:
        super().__init__(sentence)
        self.public = public


class LinkExpiredError(UserError):
    """The link worked once; it is too old now."""


class MessageTooLongError(UserError):
    """The message alone does not fit the twin's context window."""


class PersonaError(UserError):
    """A persona breaks its validity rules."""


class TransientError(BotError):
    """Something that may succeed later."""

    def __init__(self, message: str, *, retry_after_s: float = 1.0) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class EngineOverloadedError(TransientError):
    """The engine's bounded queue is full."""


class EngineCrashedError(TransientError):
    """The engine process ended while this request was running."""


class StoreBusyError(TransientError):
    """The database could not be written now."""


class ChainUnavailableError(TransientError):
    """The chain could not be reached."""


class UnservedError(TransientError):
    """A log answers, and does not have what it has signed: late, or hidden."""


class OutcomeUnknownError(BotError):
    """A write may or may not have happened; read back before any retry."""


class VerificationError(BotError):
    """Evidence is false.

    Attributes:
        step: number of the verification step (docs/spec/formats.md section 11) that failed.
    """

    def __init__(self, step: int, message: str) -> None:
        super().__init__(f"step {step}: {message}")
        self.step = step
        self.reason = message


class MalformedProofError(VerificationError):
    """The bytes are not what the format says."""


class ConfigurationError(BotError):
    """The operator must change something before the service can run."""


class RestoredBackupError(ConfigurationError):
    """Others have seen more of this log than its database holds: nothing may be signed."""


class InvariantError(BotError):
    """A bug of ours or corrupted state."""


class UnbalancedTransactionError(InvariantError):
    """The postings of a ledger transaction do not sum to zero."""
