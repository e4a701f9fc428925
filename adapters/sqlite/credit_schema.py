"""Tables of fans' money. Every amount that counts is the ledger's; these say whose and why.

What a platform or a fan has said for good is append-only; counters and what is still held are not.
"""

CREDIT_SCHEMA = """
CREATE TABLE IF NOT EXISTS fan_accounts (
  name TEXT PRIMARY KEY, platform TEXT NOT NULL, fan TEXT NOT NULL, opened_at TEXT NOT NULL,
  daily_limit_nano INTEGER CHECK (daily_limit_nano >= 0), UNIQUE (platform, fan)
) STRICT;
CREATE TABLE IF NOT EXISTS purchases (
  platform TEXT NOT NULL, charge_id TEXT NOT NULL, account TEXT NOT NULL, unit TEXT NOT NULL,
  count INTEGER NOT NULL CHECK (count > 0), nano INTEGER NOT NULL CHECK (nano > 0),
  test INTEGER NOT NULL, rate_table BLOB, at TEXT NOT NULL, PRIMARY KEY (platform, charge_id)
) STRICT;
CREATE INDEX IF NOT EXISTS purchases_account ON purchases(account);
CREATE TABLE IF NOT EXISTS unpriced_purchases (
  platform TEXT NOT NULL, charge_id TEXT NOT NULL, account TEXT NOT NULL, unit TEXT NOT NULL,
  count INTEGER NOT NULL, test INTEGER NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (platform, charge_id)
) STRICT;
CREATE TABLE IF NOT EXISTS refunds (
  platform TEXT NOT NULL, charge_id TEXT NOT NULL, taken_nano INTEGER NOT NULL,
  reversed_nano INTEGER NOT NULL, lost_nano INTEGER NOT NULL, at TEXT NOT NULL,
  PRIMARY KEY (platform, charge_id)
) STRICT;
CREATE TABLE IF NOT EXISTS price_agreements (
  account TEXT NOT NULL, twin BLOB NOT NULL, price_nano INTEGER NOT NULL, asked TEXT NOT NULL,
  at TEXT NOT NULL, PRIMARY KEY (account, twin, price_nano)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage (
  scope TEXT NOT NULL, slot INTEGER NOT NULL, nano INTEGER NOT NULL, count INTEGER NOT NULL,
  PRIMARY KEY (scope, slot)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS usage_of (
  intent TEXT PRIMARY KEY, scopes TEXT NOT NULL, slot INTEGER NOT NULL, nano INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS usage_of_slot ON usage_of(slot);
CREATE TABLE IF NOT EXISTS held_fees (
  position INTEGER PRIMARY KEY AUTOINCREMENT, intent TEXT NOT NULL UNIQUE, account TEXT NOT NULL,
  twin BLOB NOT NULL, price_nano INTEGER NOT NULL, creator_nano INTEGER NOT NULL,
  rate_table BLOB NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS held_fees_at ON held_fees(rate_table, at);
CREATE INDEX IF NOT EXISTS held_fees_account ON held_fees(account, position);
CREATE TABLE IF NOT EXISTS notices (
  position INTEGER PRIMARY KEY AUTOINCREMENT, account TEXT NOT NULL, key TEXT NOT NULL,
  sentence TEXT NOT NULL, told INTEGER NOT NULL, UNIQUE (account, key)
) STRICT;
CREATE TABLE IF NOT EXISTS disputes (
  position INTEGER PRIMARY KEY AUTOINCREMENT, receipt_id TEXT NOT NULL UNIQUE,
  account TEXT NOT NULL, reason TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('checking', 'upheld', 'rejected')),
  sentence TEXT NOT NULL, nano INTEGER NOT NULL, at TEXT NOT NULL, decided_at TEXT,
  CHECK ((state = 'checking') = (decided_at IS NULL))
) STRICT;
CREATE INDEX IF NOT EXISTS disputes_account ON disputes(account, position);
CREATE INDEX IF NOT EXISTS disputes_open ON disputes(position) WHERE state = 'checking';
CREATE TABLE IF NOT EXISTS support_notes (
  position INTEGER PRIMARY KEY AUTOINCREMENT, platform TEXT NOT NULL, fan TEXT NOT NULL,
  text TEXT NOT NULL, at TEXT NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS support_notes_person ON support_notes(platform, fan);
"""

CREDIT_APPEND_ONLY = ("purchases", "refunds")

_OVERDRAWN = """
CREATE TRIGGER IF NOT EXISTS balances_not_overdrawn_{verb} AFTER {verb} ON balances
WHEN NEW.nano < 0 AND NEW.account NOT GLOB 'equity:*' AND NEW.account NOT GLOB 'channel:*'
 AND NEW.account NOT GLOB 'loss:*' AND NEW.account NOT GLOB 'owed:*'
BEGIN SELECT RAISE(ABORT, 'an account is overdrawn'); END;
"""
_OVERPAID = """
CREATE TRIGGER IF NOT EXISTS balances_not_overpaid_{verb} AFTER {verb} ON balances
WHEN NEW.nano > 0 AND NEW.account GLOB 'owed:*'
BEGIN SELECT RAISE(ABORT, 'more is set off than is owed'); END;
"""
NO_OVERDRAFT = "".join(
    trigger.format(verb=verb)
    for trigger in (_OVERDRAWN, _OVERPAID)
    for verb in ("insert", "update")
)
"""The classes are those of `bot.domain.ledger.DEBIT_CLASSES`; a test compares them."""

REFUNDED_ONCE = """
CREATE TRIGGER IF NOT EXISTS refunds_of_something BEFORE INSERT ON refunds
WHEN NOT EXISTS (SELECT 1 FROM purchases p
                  WHERE p.platform = NEW.platform AND p.charge_id = NEW.charge_id)
 AND NOT EXISTS (SELECT 1 FROM unpriced_purchases p
                  WHERE p.platform = NEW.platform AND p.charge_id = NEW.charge_id
                    AND 0 = NEW.taken_nano + NEW.reversed_nano + NEW.lost_nano)
BEGIN SELECT RAISE(ABORT, 'a refund of nothing'); END;
CREATE TRIGGER IF NOT EXISTS purchases_not_refunded BEFORE INSERT ON purchases
WHEN EXISTS (SELECT 1 FROM refunds r
              WHERE r.platform = NEW.platform AND r.charge_id = NEW.charge_id)
BEGIN SELECT RAISE(ABORT, 'a refunded purchase is worth nothing any more'); END;
"""
"""What waited for its worth and was refunded meanwhile is never credited, whoever tries."""
