"""What forgetting a person changes, table by table, in the order in which it has to happen.

Every table that holds anything of a person is named here, the others in `PLAIN_TABLES`; a test
compares both with the tables that there are, so that a new one can't be overlooked.
"""
# ruff: noqa: S608 - the statements are put together from literals of this module alone

PLAIN_TABLES = frozenset(
    {
        *("manifests", "orders", "log_leaves", "log_nodes", "checkpoints", "cosignatures", "seals"),
        "verdicts",
        *("ledger_transactions", "postings", "balances", "erasures", "secrets"),
        *("chain_pin", "epochs", "epoch_earnings", "chain_transactions"),
        *("chain_attempts", "publisher_lease"),
        *("rate_tables", "purchases", "unpriced_purchases", "refunds", "held_fees"),
        *("usage", "usage_of"),
        *("discord_webhooks", "discord_talk", "discord_entitlements", "telegram_talkative"),
        "telegram_stars",
        *("creator_drafts", "signing_tickets", "avatars", "spoken_pauses", "telegram_managed"),
    }
)
"""Tables in which nothing of a fan stands: log, money, rooms, and what creators keep as such.

Payments stand under the platform's charge ids and a pseudonym: they are kept for refunds, and as
payment records. What was used lately is counted under pseudonyms and keyed digests, for a day.
"""

_MINE = "platform = :platform AND fan = :fan AND opening_key <> x''"
_THEIRS = f"""(
SELECT key FROM intents WHERE {_MINE} AND (created_at <= :at OR conversation IN (
  SELECT conversation FROM intents WHERE {_MINE} AND created_at <= :at)))
"""  # the older ones, and those that may quote them
_RECEIPTS = f"(SELECT receipt_id FROM replies WHERE intent IN {_THEIRS})"
_KNOWN = "(SELECT receipt_id FROM replies)"
_PRIVATE = f"""(
SELECT chat FROM intents WHERE {_MINE} UNION SELECT chat FROM discord_posts WHERE fan = :fan)
"""

_OWN = "(SELECT name FROM fan_accounts WHERE platform = :platform AND fan = :fan)"
_ACCOUNT = f"""(
SELECT name FROM fan_accounts WHERE platform = :platform AND fan = :fan AND opened_at <= :at
   AND NOT EXISTS (SELECT 1 FROM purchases WHERE account = name AND at > :at)
   AND NOT EXISTS (SELECT 1 FROM unpriced_purchases WHERE account = name AND at > :at)
   AND NOT EXISTS (SELECT 1 FROM intents WHERE {_MINE} AND key NOT IN {_THEIRS}
                      AND payer IN ('paid', 'promotional')))
"""
"""The account that goes; not one with which they bought, or paid what stays, since they asked.

A forgetting may take effect long after its time: it was cut short, and the next start goes on with
it. What was bought in between was bought by somebody who stayed; it is not theirs to lose.
"""

UNSETTLED = f"""
SELECT EXISTS (SELECT 1 FROM intents WHERE state = 'open' AND key IN {_THEIRS})
    OR EXISTS (SELECT 1 FROM replies WHERE outcome IS NULL AND intent IN {_THEIRS})
"""
RECENT = f"""
SELECT COUNT(*) FROM intents WHERE key IN {_THEIRS} AND created_at >= :since AND rejected = 0
"""

PICKS = f"""
SELECT bot, chat, thread, twin FROM telegram_picks WHERE :platform = 'telegram' AND chat = :fan
UNION ALL
SELECT '', channel, '', twin FROM discord_picks
 WHERE :platform = 'discord' AND guild = '' AND channel IN {_PRIVATE}
"""
"""A pick names no person: in a private chat it is that of the person who talks there."""

BESIDE_REPLIES = (
    f"""
DELETE FROM discord_picks WHERE :platform = 'discord' AND guild = '' AND channel IN {_PRIVATE}
""",
    f"""
DELETE FROM discord_posts WHERE :platform = 'discord' AND fan = :fan
   AND (receipt IN {_RECEIPTS} OR receipt NOT IN {_KNOWN})
""",
    "DELETE FROM telegram_picks WHERE :platform = 'telegram' AND chat = :fan",
    "DELETE FROM telegram_questions WHERE :platform = 'telegram' AND account = :fan",
    "DELETE FROM telegram_notices WHERE :platform = 'telegram' AND chat = :fan",
    f"""
DELETE FROM telegram_parts WHERE :platform = 'telegram' AND fan = :fan
   AND (receipt_id IN {_RECEIPTS} OR receipt_id NOT IN {_KNOWN})
""",
    # The number of an update stays, so that the same one is not taken again.
    f"""
UPDATE telegram_updates SET chat = '', message_id = '', payload = NULL
 WHERE :platform = 'telegram' AND (chat = :fan OR (bot, chat, message_id) IN (
         SELECT bot, chat, message_id FROM message_parts WHERE intent IN {_THEIRS})
    OR CASE WHEN json_valid(payload)
       THEN CAST(json_extract(payload, '$.spot.fan') AS TEXT) = :fan ELSE FALSE END)
""",
    f"DELETE FROM message_parts WHERE intent IN {_THEIRS}",
    "DELETE FROM reports WHERE platform = :platform AND fan = :fan AND at <= :at",
    "DELETE FROM support_notes WHERE platform = :platform AND fan = :fan AND at <= :at",
    f"""
DELETE FROM price_agreements WHERE account IN {_ACCOUNT} OR (account IN {_OWN} AND at <= :at)
""",
    f"""
DELETE FROM notices WHERE account IN {_ACCOUNT} OR (account IN {_OWN}
   AND key IN (SELECT 'dispute ' || receipt_id FROM replies WHERE intent IN {_THEIRS}))
""",
    # Of a reply that nobody can open any more nothing can be checked.
    f"""
DELETE FROM disputes
 WHERE state = 'checking' AND (account IN {_ACCOUNT} OR receipt_id IN {_RECEIPTS})
""",
    f"UPDATE disputes SET reason = '' WHERE account IN {_ACCOUNT} OR receipt_id IN {_RECEIPTS}",
    # The last way from the person to their account; what is left on that nobody can use.
    f"DELETE FROM fan_accounts WHERE name IN {_ACCOUNT}",
)
REPLIES = f"""
UPDATE replies SET fan_text = '', text = '', fan_tokens = '[]', output_tokens = '[]',
       sealed = x'', opening_key = x'', conversation = receipt_hash, halt = NULL
 WHERE intent IN {_THEIRS}
"""
INTENTS = f"""
UPDATE intents SET bot = '', chat = '', thread = '', server = '', message_id = '', fan = '',
       text = '', spans = '[]', context = '[]', parts = '[]', opening_key = x'',
       regenerate = NULL, replaces = NULL, older = NULL, older_tokens = NULL,
       conversation = COALESCE(
         (SELECT receipt_hash FROM replies WHERE replies.intent = intents.key),
         CAST(slot_tag || zeroblob(16) AS BLOB))
 WHERE key IN {_THEIRS}
"""

LEFT_BEHIND = (
    """
DELETE FROM discord_posts WHERE EXISTS (
  SELECT 1 FROM replies WHERE receipt_id = discord_posts.receipt AND opening_key = x'')
""",
    """
DELETE FROM telegram_parts WHERE EXISTS (
  SELECT 1 FROM replies
   WHERE replies.receipt_id = telegram_parts.receipt_id AND opening_key = x'')
""",
)
"""What a surface wrote down of a reply after it was forgotten."""

PEOPLE = """
SELECT platform, fan FROM intents WHERE opening_key <> x''
UNION SELECT platform, fan FROM reports
UNION SELECT platform, fan FROM fan_accounts
UNION SELECT platform, fan FROM support_notes
UNION SELECT 'discord', fan FROM discord_posts
UNION SELECT 'telegram', fan FROM telegram_parts
UNION SELECT 'telegram', chat FROM telegram_picks WHERE chat NOT LIKE '-%'
UNION SELECT 'telegram', account FROM telegram_questions
UNION SELECT 'telegram', chat FROM telegram_notices WHERE chat NOT LIKE '-%'
UNION SELECT 'telegram', chat FROM telegram_updates WHERE chat <> '' AND chat NOT LIKE '-%'
"""
"""Everybody of whom anything is stored; a group's chat on Telegram has a number below zero."""

KNOWN = f"""
SELECT EXISTS (SELECT 1 FROM intents WHERE {_MINE})
    OR EXISTS (SELECT 1 FROM reports WHERE platform = :platform AND fan = :fan)
    OR EXISTS (SELECT 1 FROM fan_accounts WHERE platform = :platform AND fan = :fan)
    OR EXISTS (SELECT 1 FROM support_notes WHERE platform = :platform AND fan = :fan)
    OR (:platform = 'discord' AND EXISTS (SELECT 1 FROM discord_posts WHERE fan = :fan))
    OR (:platform = 'telegram' AND (
         EXISTS (SELECT 1 FROM telegram_parts WHERE fan = :fan)
      OR EXISTS (SELECT 1 FROM telegram_picks WHERE chat = :fan)
      OR EXISTS (SELECT 1 FROM telegram_questions WHERE account = :fan)
      OR EXISTS (SELECT 1 FROM telegram_notices WHERE chat = :fan)
      OR EXISTS (SELECT 1 FROM telegram_updates WHERE chat = :fan)))
"""
"""Whether one person is among them."""
