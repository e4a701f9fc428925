"""Tables of replies, log, ledger and manifests.

Append-only where money or proofs depend on it: triggers refuse an UPDATE or DELETE there. What is
long stands last in a row, so that reading the rest does not read it.
"""

from adapters.sqlite.credit_schema import (
    CREDIT_APPEND_ONLY,
    CREDIT_SCHEMA,
    NO_OVERDRAFT,
    REFUNDED_ONCE,
)

_REPLIES = """
CREATE TABLE IF NOT EXISTS manifests (
  hash BLOB PRIMARY KEY, twin BLOB NOT NULL, body BLOB NOT NULL, signature TEXT NOT NULL,
  persona BLOB NOT NULL, log_index INTEGER NOT NULL UNIQUE
) STRICT;
CREATE TABLE IF NOT EXISTS intents (
  key TEXT PRIMARY KEY, slot_tag BLOB NOT NULL, attempt INTEGER NOT NULL, twin BLOB NOT NULL,
  manifest BLOB NOT NULL REFERENCES manifests(hash), conversation BLOB NOT NULL,
  twin_slug TEXT NOT NULL, platform TEXT NOT NULL, bot TEXT NOT NULL, chat TEXT NOT NULL,
  thread TEXT NOT NULL, server TEXT NOT NULL, message_id TEXT NOT NULL, fan TEXT NOT NULL,
  text TEXT NOT NULL, spans TEXT NOT NULL, context TEXT NOT NULL, prefix_tokens INTEGER NOT NULL,
  vrf_proof BLOB NOT NULL, seed BLOB NOT NULL, opening_key BLOB NOT NULL,
  price_nano INTEGER NOT NULL, created_at TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('open', 'done', 'void')),
  void_statement BLOB CHECK ((state = 'void') = (void_statement IS NOT NULL)),
  parts TEXT NOT NULL, regenerate TEXT, replaces BLOB, rule TEXT, rejected INTEGER NOT NULL,
  chain_start INTEGER NOT NULL, older BLOB, older_tokens INTEGER, log_size INTEGER NOT NULL,
  payer TEXT NOT NULL CHECK (payer IN ('free', 'sponsor', 'paid', 'promotional')),
  rate_table BLOB CHECK ((payer = 'paid') = (rate_table IS NOT NULL)),
  registry_chain INTEGER, registry_number INTEGER, registry_hash BLOB,
  CHECK ((payer = 'free') = (price_nano = 0)),
  CHECK ((registry_chain IS NULL) = (registry_hash IS NULL)),
  CHECK ((registry_number IS NULL) = (registry_hash IS NULL)),
  CHECK ((regenerate IS NULL) = (replaces IS NULL)),
  CHECK ((older IS NULL) = (older_tokens IS NULL))
) STRICT;
CREATE TABLE IF NOT EXISTS message_parts (
  platform TEXT NOT NULL, bot TEXT NOT NULL, chat TEXT NOT NULL, thread TEXT NOT NULL,
  message_id TEXT NOT NULL, twin BLOB NOT NULL, intent TEXT NOT NULL REFERENCES intents(key),
  PRIMARY KEY (platform, bot, chat, thread, message_id, twin, intent)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS message_parts_intent ON message_parts(intent);
CREATE INDEX IF NOT EXISTS intents_open ON intents(conversation) WHERE state = 'open';
CREATE UNIQUE INDEX IF NOT EXISTS intents_slot ON intents(slot_tag, attempt);
CREATE INDEX IF NOT EXISTS intents_fan ON intents(platform, fan, created_at);
CREATE TABLE IF NOT EXISTS replies (
  receipt_hash BLOB PRIMARY KEY, receipt_id TEXT NOT NULL UNIQUE,
  receipt_tag BLOB NOT NULL UNIQUE,
  intent TEXT NOT NULL UNIQUE REFERENCES intents(key), twin BLOB NOT NULL, seq INTEGER NOT NULL,
  conversation BLOB NOT NULL, turn INTEGER NOT NULL, fan_tokens TEXT NOT NULL,
  output_tokens TEXT NOT NULL, fan_text TEXT NOT NULL, text TEXT NOT NULL, finish TEXT NOT NULL,
  price_nano INTEGER NOT NULL, creator_nano INTEGER NOT NULL, opening_key BLOB NOT NULL,
  log_index INTEGER NOT NULL UNIQUE, attempt INTEGER NOT NULL, halt TEXT,
  rejected INTEGER NOT NULL,
  outcome TEXT, outcome_index INTEGER UNIQUE, reversal TEXT, reversal_index INTEGER UNIQUE,
  refund_index INTEGER UNIQUE, outcome_statement BLOB, reversal_statement BLOB,
  refund_statement BLOB, envelope BLOB NOT NULL, sealed BLOB NOT NULL,
  CHECK (reversal IS NULL OR outcome = 'delivered'),
  CHECK (refund_index IS NULL OR reversal IS 'withdrawn'),
  CHECK ((refund_index IS NULL) = (refund_statement IS NULL)),
  UNIQUE (twin, seq), UNIQUE (conversation, turn, attempt)
) STRICT;
CREATE TABLE IF NOT EXISTS orders (
  hash BLOB PRIMARY KEY, twin BLOB NOT NULL, number INTEGER NOT NULL, body BLOB NOT NULL,
  signature TEXT NOT NULL, log_index INTEGER NOT NULL UNIQUE, UNIQUE (twin, number)
) STRICT;
CREATE INDEX IF NOT EXISTS replies_breaks ON replies(conversation, turn)
  WHERE finish = 'fixed' OR outcome = 'withdrawn' OR reversal = 'withdrawn';
CREATE INDEX IF NOT EXISTS replies_undecided ON replies(log_index) WHERE outcome IS NULL;
CREATE TABLE IF NOT EXISTS log_leaves (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS log_nodes (
  level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS seals (
  log_index INTEGER PRIMARY KEY, envelope BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS verdicts (
  log_index INTEGER PRIMARY KEY, receipt BLOB NOT NULL, auditor BLOB NOT NULL,
  envelope BLOB NOT NULL, UNIQUE (receipt, auditor)
) STRICT;
CREATE TABLE IF NOT EXISTS rate_tables (
  log_index INTEGER PRIMARY KEY, name BLOB NOT NULL UNIQUE, envelope BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS checkpoints (
  size INTEGER PRIMARY KEY, root BLOB NOT NULL, note TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS ledger_transactions (
  id INTEGER PRIMARY KEY AUTOINCREMENT, key TEXT NOT NULL UNIQUE, kind TEXT NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS postings (
  transaction_id INTEGER NOT NULL REFERENCES ledger_transactions(id), account TEXT NOT NULL,
  nano INTEGER NOT NULL, PRIMARY KEY (transaction_id, account)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS postings_account ON postings(account, transaction_id);
CREATE TABLE IF NOT EXISTS balances (
  account TEXT PRIMARY KEY, nano INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
"""

REPLIES_SCHEMA = _REPLIES + CREDIT_SCHEMA

_APPEND_ONLY = (
    *("manifests", "orders", "log_leaves", "log_nodes", "checkpoints", "ledger_transactions"),
    *("seals", "verdicts", "rate_tables"),
)

APPEND_ONLY_SCHEMA = "\n".join(
    f"CREATE TRIGGER IF NOT EXISTS {table}_no_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END;"
    for table in (*_APPEND_ONLY, *CREDIT_APPEND_ONLY, "postings")
    for verb in ("UPDATE", "DELETE")
)
APPEND_ONLY_SCHEMA += NO_OVERDRAFT + REFUNDED_ONCE
