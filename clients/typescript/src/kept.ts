// The answers that are kept, and for how long.

import { fromBinary, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Allowed, AllowedSchema, type ValidateTokenResponse } from "./gen/ndauth/v1/validation_service_pb.js";
import type { WatchRevocationsResponse } from "./gen/ndauth/v1/watch_service_pb.js";

/** An instant on two clocks, in milliseconds: one stands still during suspend, and the other can be set. */
export interface Instant {
  monotonic: number;
  wall: number;
}

/** A question in flight: the instant before it was sent, and the epoch then. */
export interface Asked extends Instant {
  epoch: number;
}

interface Entry {
  /** In bytes, so that each caller receives a message of its own. */
  allowed: Uint8Array;
  tokenId: string;
  sent: Instant;
  age: number;
}

export function now(): Instant {
  return { monotonic: performance.now(), wall: Date.now() };
}

/** The last allowed answers, by a key of their questions. Refusals are not kept. */
export class Kept {
  readonly #entries = new Map<string, Entry>();
  readonly #capacity: number;
  /** Answers to questions of an earlier epoch are not kept. */
  #epoch = 0;
  /** The sequence of the last change that arrived: older answers are not kept. */
  #change = 0n;
  #wall = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Begins a question. */
  ask(at = now()): Asked {
    // After the wall clock went back, it says nothing about the time since.
    if (at.wall < this.#wall) this.#drop();
    this.#wall = at.wall;
    return { ...at, epoch: this.#epoch };
  }

  /** Returns the answer, if both clocks agree that its age has not passed. */
  find(key: string, at: Asked): Allowed | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    const { allowed, sent, age } = entry;
    const since = at.wall - sent.wall;
    if (!(at.monotonic - sent.monotonic < age && since >= 0 && since < age)) return undefined;
    // The most recently used is the last.
    this.#entries.set(key, entry);
    return fromBinary(AllowedSchema, allowed);
  }

  /** Keeps the answer to a question, if it may be kept. */
  keep(key: string, { outcome, maxCacheAge, sequence, stale }: ValidateTokenResponse, asked: Asked): void {
    if (asked.epoch !== this.#epoch) return;
    const age = maxCacheAge === undefined ? 0 : durationMs(maxCacheAge);
    if (outcome.case !== "allowed" || stale || age <= 0 || sequence < this.#change) return;
    this.#entries.delete(key);
    const { value } = outcome;
    this.#entries.set(key, { allowed: toBinary(AllowedSchema, value), tokenId: value.tokenId, sent: asked, age });
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#capacity) break;
      this.#entries.delete(oldest);
    }
  }

  /** Drops the answers that a message of the watch concerns. */
  apply({ reset, rules, changes, confirmed }: WatchRevocationsResponse): void {
    // Rules concern every answer, and have no sequence.
    if (reset || rules !== undefined) this.#drop();
    // The log may begin again at a lower number.
    if (reset) this.#change = confirmed?.position?.sequence ?? this.#change;
    for (const { sequence, concern } of changes) {
      if (sequence > this.#change) this.#change = sequence;
      // Any other kind of change, and an unknown one, concerns everything.
      if (concern.case !== "tokenId") this.#entries.clear();
      for (const [key, { tokenId }] of this.#entries) {
        if (tokenId === concern.value) this.#entries.delete(key);
      }
    }
  }

  /** Drops every answer, and those in flight. */
  #drop(): void {
    this.#entries.clear();
    this.#epoch += 1;
  }
}
