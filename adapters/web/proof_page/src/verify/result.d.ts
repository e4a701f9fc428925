/**
 * What the verifier tells whoever shows it. This file is the whole agreement between src/verify
 * and src/page: the page imports nothing else of a verification.
 *
 *   import { verify } from '../verify/verify.js';             verify(evidence: Evidence): Promise<Result>
 *   import { verifyDisclosure } from '../verify/disclosure.js';  the same for a disclosure file
 *   import { kindOf } from '../verify/verify.js';             kindOf(bytes): 'bundle' | 'disclosure'
 *   import { lookUp, withAnchor } from '../verify/anchor.js';  section 11.4, see the end of this file
 *   import { parseLink, parsePolicy } from '../verify/link.js';
 *
 * Neither verify nor verifyDisclosure throws, whatever the bundle; what went wrong is a failure of the step
 * that was running.
 */

/** Section 11.3, as `parsePolicy` of policy.js gives it. */
export interface Policy {
  v: 'twinproof-policy/1';
  creators: string[];
  logs: string[];
  witnesses: string[];
  needed: number;
  auditors: string[];
  anchors: { chain: number; contract: string }[];
  revoked: { manifest: string; log: string; size: number }[];
}

export interface Evidence {
  /** The file's bytes, or its text. */
  bundle: Uint8Array | string;
  /** Opening key; null or absent: none. A wrong length fails step 5, and so does any key for a disclosure. */
  key?: Uint8Array | null;
  /** The id in the link, where there is a link. */
  receiptId?: string | null;
  /** Any object: what breaks the form of section 11.3 makes verify throw Malformed. */
  policy?: Policy | null;
}

/**
 * One step of section 11. `hidden`: needs the key. `absent`: there is nothing to check (9: neither
 * outcome nor revocation; 10: no policy). `skipped`: an earlier step failed. `omitted`: left out
 * of a disclosure (6, 7).
 */
export interface Step {
  n: number;
  state: 'passed' | 'failed' | 'hidden' | 'absent' | 'skipped' | 'omitted';
  /** Of a failed step: one sentence without capital and full stop. */
  reason?: string;
}

export interface Result {
  kind: 'bundle' | 'disclosure';
  verdict: 'verified' | 'failed';
  /** The first step that failed and why; null when verified. */
  failure: { step: number; reason: string } | null;
  /** Always ten, in order. */
  steps: Step[];
  /** Reached, lowest first: 'L0', then 'L1' or 'L1-unwitnessed', then 'L2' after withAnchor. Empty when failed. */
  levels: string[];
  /** null when failed. 'policy': creator and log are those that the viewer named. */
  trust: 'policy' | 'self-consistent' | null;
  /** True if the key opened everything. A disclosure is not opened: it shows chosen fields. */
  opened: boolean;
  /** Numbers of the claims of section 11.1 that belong to this result, ascending. Empty when failed. */
  unproved: number[];
  /** null when failed: then nothing that came with the evidence may be shown as genuine. */
  proved: Proved | null;
}

export interface Proved {
  receipt: {
    id: string;                       // 22 characters
    hash: string;                     // hex
    tag: string;                      // hex: what the log and its statements know the receipt by
    type: 'reply' | 'fixed';
    seq: number;
    attempt: number;
    numbering: 'operator' | 'platform';
    rule: string | null;              // of a fixed answer, for example 'crisis/1'
    slotTag: string;
  };
  twin: { id: string; slug: string; name: string; version: number; manifest: string; rules: string[]; redraws: number };
  creator: { address: string; payout: string };
  operator: string;                   // its signing key, hex
  model: {
    name: string; gguf: string; sizeBytes: number; library: string; build: string; profile: string;
    verdict: 'exact' | 'tolerant';    // the operator's own self-check
  };
  /** What the reply costs and whose money pays, as the receipt says (zero of a fixed answer). */
  price: {
    nano: number; token: string; text: string;                    // text: '0.002 TPT'
    creatorNano: number; operatorNano: number;                    // zeros of 'free' and 'promotional'
    payer: 'free' | 'sponsor' | 'paid' | 'promotional';           // the operator's word
    rateTable: string | null;                                     // hex; set exactly of 'paid'
  };
  /** What the creator signed. */
  terms: { price: string; split: string };  // '0.002 TPT per reply, 10 a day free'; 'creator 85.00 %, operator 15.00 %'
  /** Where the operator says that it looked the twin up in a registry; null: it names none. */
  registry: null | { chain: number; number: number; hash: string };
  /** The operator's word, and what the creator signed. */
  times: { admitted: string; validFrom: string; validUntil: string };
  /** null unless opened. */
  said: Said | null;
  log: {
    origin: string;                   // of the checkpoint
    named: string;                    // of the log that the manifest names; another one after a seal
    key: string;                      // vkey that signed the checkpoint
    index: number; size: number; root: string;
  };
  /** Oldest first; empty if the log is the manifest's. */
  seals: { log: string; size: number; root: string; kept: number; successor: string }[];   // log, successor: origins
  witnesses: {
    /** True cosignatures of keys that the policy names, in the policy's order. */
    counted: { name: string; key: string; time: number; text: string }[];   // time: POSIX seconds; text: RFC 3339
    needed: number;                   // of the policy; 0 without one
    named: string[];                  // names of the policy's witnesses
    others: number;                   // signature lines of keys that nobody named: not checked
  };
  /** The latest outcome, the operator's word; null: none in the bundle. */
  outcome: null | { outcome: 'delivered' | 'undelivered' | 'withdrawn' | 'refunded'; index: number };
  /** The creator revoked the twin or this version. `when`: the reply was logged before, or after it. */
  revocation: null | {
    when: 'before' | 'after';
    scope: 'twin' | 'version';
    issued: string;                   // the creator's word
    index: number;                    // of the order's leaf
    order: string;                    // order hash
    underSealed: boolean;             // the order names the log that was sealed before this one
  };
  /** What the bundle claims; nothing of it is shown by a chain before lookUp has said so. */
  anchor: null | {
    chain: number; contract: string; epoch: number; size: number; root: string;
    named: boolean;                   // the policy's anchors name this contract on this chain
  };
  /** Only of kind 'disclosure'. Order of section 7.1. */
  disclosure: null | { fields: { name: FieldName; value: any }[]; persona: Persona | null };
  /** Parsed bodies, for a technical view. */
  raw: { receipt: any; manifest: any; statement: any | null; order: any | null };
}

export type FieldName = 'slot' | 'conversation' | 'turn' | 'message' | 'spans' | 'context' | 'output'
  | 'reply' | 'event' | 'choice' | 'counts' | 'seed';

export interface Persona {
  v: string; name: string; role: string; facts: string[]; off_limits: string[];
  examples: { fan: string; twin: string }[];
}

export interface Said {
  platform: 'terminal' | 'web' | 'discord' | 'telegram';
  /** Where the message stands, so that the fan can compare it; `thread` may be empty. Of terminal and web the operator's own words. */
  slot: { platform: string; bot: string; chat: string; thread: string; message: string };
  parts: { id: string; text: string }[];   // the fan's messages that were answered together
  message: string;                    // their texts joined by a line feed
  reply: string;
  finish: 'end' | 'length' | 'stop' | 'stopped' | 'cut' | 'fixed';
  /** Attempts right before this one that the filter rejected (it repeated itself). */
  rejected: number;
  event: { halt: string | null; regenerate: string | null; replaces: string | null };
  turn: { n: number; previous: string | null };
  /** How many earlier turns are quoted, from which turn on they could have been, and the latest that did not fit. */
  pairs: number;
  choice: { older: null | { receipt: string; tokens: number }; start: number };
  counts: { context: number; output: number };
  persona: Persona;
  /** All twelve opened fields as they stand in the receipt. */
  fields: Record<FieldName, any>;
}

/**
 * Section 11.4: `lookUp({ anchor, rpc, policy, fetch })`, `anchor` being Proved.anchor, `rpc` an
 * http(s) address that the viewer chose, `fetch` the browser's. Never throws.
 * - 'confirmed': the contract named by the policy says so, and its block is final: `withAnchor`
 *   adds L2 and takes claim 5 away.
 * - 'some-contract': the same, but no policy of the viewer's names this contract: no level.
 * - 'denied': the chain says something else (kind of denial in `reason`).
 * - 'unknown': the RPC did not answer, or not in JSON-RPC: nothing is known.
 */
export interface Lookup {
  state: 'confirmed' | 'some-contract' | 'denied' | 'unknown';
  reason: string | null;              // one sentence without capital and full stop; null when confirmed
  block: number | null;               // height of the entry, where one was found
  chain: number;                      // as the bundle claims
}
export type LookUp = (ask: {
  anchor: NonNullable<Proved['anchor']>; rpc: string; policy?: Policy | null; fetch: typeof fetch;
}) => Promise<Lookup>;
/** A copy of the result with what the lookup shows; the result itself unless 'confirmed'. */
export type WithAnchor = (result: Result, lookup: Lookup) => Result;
