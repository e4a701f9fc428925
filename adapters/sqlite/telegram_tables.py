"""The tables of the Telegram surface."""

SCHEMA = """
CREATE TABLE IF NOT EXISTS telegram_updates (
  position INTEGER PRIMARY KEY AUTOINCREMENT,
  bot TEXT NOT NULL,
  update_id INTEGER NOT NULL,
  chat TEXT NOT NULL,
  message_id TEXT NOT NULL,
  payload TEXT,
  UNIQUE (bot, update_id)
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS telegram_one_update_a_message
  ON telegram_updates (bot, chat, message_id) WHERE message_id <> '';
CREATE INDEX IF NOT EXISTS telegram_unfinished
  ON telegram_updates (bot, position) WHERE payload IS NOT NULL;

CREATE TABLE IF NOT EXISTS telegram_picks (
  bot TEXT NOT NULL, chat TEXT NOT NULL, thread TEXT NOT NULL, twin TEXT NOT NULL,
  PRIMARY KEY (bot, chat, thread)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS telegram_parts (
  bot TEXT NOT NULL,
  receipt_id TEXT NOT NULL,
  number INTEGER NOT NULL CHECK (number >= 0),
  chat TEXT NOT NULL,
  thread TEXT NOT NULL,
  message_id TEXT NOT NULL,
  twin TEXT NOT NULL,
  fan TEXT NOT NULL,
  answers TEXT NOT NULL,
  PRIMARY KEY (bot, receipt_id, number)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS telegram_part_of_message ON telegram_parts (bot, chat, message_id);
CREATE INDEX IF NOT EXISTS telegram_part_of_answer ON telegram_parts (bot, chat, answers);
CREATE INDEX IF NOT EXISTS telegram_part_of_fan ON telegram_parts (fan);

CREATE TABLE IF NOT EXISTS telegram_notices (
  bot TEXT NOT NULL, chat TEXT NOT NULL, message_id TEXT NOT NULL,
  PRIMARY KEY (bot, chat, message_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS telegram_talkative (
  chat TEXT NOT NULL, bot TEXT NOT NULL,
  percent INTEGER NOT NULL CHECK (percent BETWEEN 0 AND 100),
  PRIMARY KEY (chat, bot)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS telegram_questions (
  bot TEXT NOT NULL, chat TEXT NOT NULL, account TEXT NOT NULL,
  step TEXT NOT NULL, slug TEXT NOT NULL, note TEXT NOT NULL,
  asked_at INTEGER NOT NULL,
  PRIMARY KEY (bot, chat, account)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS telegram_managed (
  manager TEXT NOT NULL, account TEXT NOT NULL, twin TEXT NOT NULL,
  bot TEXT NOT NULL, username TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'linked', 'expired', 'failed')),
  offered_at INTEGER NOT NULL,
  PRIMARY KEY (manager, account, twin)
) STRICT, WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS telegram_stars (
  bot TEXT NOT NULL PRIMARY KEY,
  count INTEGER NOT NULL CHECK (count >= 0)
) STRICT, WITHOUT ROWID;
"""
