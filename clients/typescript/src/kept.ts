// The answers that are kept, and for how long.

import { durationMs } from "@bufbuild/protobuf/wkt";
import type { Allowed, ValidateTokenResponse } from "./gen/ndauth/v1/validation_service_pb.js";
import type { WatchRevocationsResponse } from "./gen/ndauth/v1/watch_service_pb.js";

/** An instant on two clocks, in milliseconds: one stands still during suspend, and the other can be set. */
export interface Instant {
  monotonic: number;
  wall: number;
}

interface Entry {
  allowed: Allowed;
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
  /** The sequence of the last change that arrived: older answers are not kept. */
  #change = 0n;
  #wall = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
  }

  /** Returns the answer, if both clocks agree that its age has not passed. */
  find(key: string, at: Instant): Allowed | undefined {
    // After the wall clock went back, it says nothing about the time since.
    if (at.wall < this.#wall) this.#entries.clear();
    this.#wall = at.wall;
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    const { allowed, sent, age } = entry;
    const since = at.wall - sent.wall;
    if (!(at.monotonic - sent.monotonic < age && since >= 0 && since < age)) return undefined;
    // The most recently used is the last.
    this.#entries.set(key, entry);
    return allowed;
  }

  /** Keeps the answer to a question that was sent at an instant, if it may be kept. */
  keep(key: string, { outcome, maxCacheAge, sequence, stale }: ValidateTokenResponse, sent: Instant): void {
    const age = maxCacheAge === undefined ? 0 : durationMs(maxCacheAge);
    if (outcome.case !== "allowed" || stale || age <= 0 || sequence < this.#change) return;
    this.#entries.delete(key);
    this.#entries.set(key, { allowed: outcome.value, sent, age });
    for (const [oldest] of this.#entries) {
      if (this.#entries.size <= this.#capacity) break;
      this.#entries.delete(oldest);
    }
  }

  /** Drops the answers that a message of the watch concerns. */
  apply({ reset, rules, changes, confirmed }: WatchRevocationsResponse): void {
    if (reset || rules !== undefined) {
      this.#entries.clear();
      this.#change = confirmed?.position?.sequence ?? 0n;
    }
    for (const { sequence, concern } of changes) {
      if (sequence > this.#change) this.#change = sequence;
      // Any other kind of change, and an unknown one, concerns everything.
      if (concern.case !== "tokenId") this.#entries.clear();
      for (const [key, { allowed }] of this.#entries) {
        if (allowed.tokenId === concern.value) this.#entries.delete(key);
      }
    }
  }
}
