// The rules of keeping answers, on clocks that stand where each row puts them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { type Allowed, ValidateTokenResponseSchema } from "../src/gen/ndauth/v1/validation_service_pb.js";
import { WatchRevocationsResponseSchema } from "../src/gen/ndauth/v1/watch_service_pb.js";
import { type Asked, Kept } from "../src/kept.js";

const SENT = { monotonic: 1000, wall: 500_000 };

function answer(more: MessageInitShape<typeof ValidateTokenResponseSchema> = {}, tokenId = "t1") {
  const outcome = { case: "allowed" as const, value: { tokenId } };
  return create(ValidateTokenResponseSchema, { outcome, sequence: 10n, maxCacheAge: durationFromMs(2000), ...more });
}

function news(more: object) {
  return create(WatchRevocationsResponseSchema, more as MessageInitShape<typeof WatchRevocationsResponseSchema>);
}

function find(kept: Kept, key: string, monotonic = 0, wall = monotonic) {
  return kept.find(key, kept.ask({ monotonic: SENT.monotonic + monotonic, wall: SENT.wall + wall }));
}

function holds(kept: Kept, key: string, monotonic = 0, wall = monotonic): boolean {
  return find(kept, key, monotonic, wall) !== undefined;
}

/** Asks at one instant, and keeps the answer. */
function keep(kept: Kept, key: string, response = answer(), asked: Asked = kept.ask(SENT)): void {
  kept.keep(key, response, asked);
}

test("an answer is kept until either clock says that its age has passed", () => {
  for (const [monotonic, wall, expected] of [
    [0, 0, true],
    [1999, 1999, true],
    [2000, 2000, false],
    // The machine was suspended: one clock stood still.
    [5, 2000, false],
    // The wall clock was set back, to before the question or not.
    [2000, 5, false],
    [5, -1, false],
  ] as const) {
    const kept = new Kept(10);
    keep(kept, "a");
    assert.equal(holds(kept, "a", monotonic, wall), expected, `${monotonic} ${wall}`);
  }
});

test("everything is dropped once the wall clock goes back", () => {
  const kept = new Kept(10);
  keep(kept, "a");
  assert.ok(holds(kept, "a", 100));
  assert.ok(!holds(kept, "a", 101, 50));
});

test("some answers are not kept at all", () => {
  for (const more of [
    { stale: true },
    { maxCacheAge: durationFromMs(0) },
    { maxCacheAge: undefined },
    { outcome: { case: "refused" as const, value: {} } },
    { outcome: { case: undefined } },
  ]) {
    const kept = new Kept(10);
    keep(kept, "a", answer(more));
    assert.ok(!holds(kept, "a"), Object.keys(more).join());
  }
});

test("the least recently used is dropped first", () => {
  const kept = new Kept(2);
  keep(kept, "a");
  keep(kept, "b");
  assert.ok(holds(kept, "a"));
  keep(kept, "c");
  assert.deepEqual(["a", "b", "c"].map((key) => holds(kept, key)), [true, false, true]);
});

test("a change drops what it concerns", () => {
  for (const [label, message, expected] of [
    ["a token", { changes: [{ sequence: 11n, concern: { case: "tokenId", value: "t1" } }] }, [false, true]],
    ["an account", { changes: [{ sequence: 11n, concern: { case: "accountId", value: "x" } }] }, [false, false]],
    ["an unknown kind", { changes: [{ sequence: 11n }] }, [false, false]],
    ["a reset", { reset: true }, [false, false]],
    ["rules", { rules: {} }, [false, false]],
    ["a confirmation", { confirmed: { probe: 1n } }, [true, true]],
  ] as const) {
    const kept = new Kept(10);
    keep(kept, "a", answer({}, "t1"));
    keep(kept, "b", answer({}, "t2"));
    kept.apply(news(message));
    assert.deepEqual(["a", "b"].map((key) => holds(kept, key)), expected, label);
  }
});

test("an answer that a message overtook is not kept", () => {
  const change = (sequence: bigint) => ({ changes: [{ sequence, concern: { case: "tokenId", value: "t2" } }] });
  for (const [label, message, expected] of [
    ["a later change", change(11n), false],
    ["a change that it takes into account", change(10n), true],
    // Neither has a sequence.
    ["a reset", { reset: true }, false],
    ["rules", { rules: {} }, false],
    ["rules and a position", { rules: {}, confirmed: { position: { sequence: 5n } } }, false],
    ["a confirmation", { confirmed: { position: { sequence: 12n } } }, true],
  ] as const) {
    const kept = new Kept(10);
    const asked = kept.ask(SENT);
    kept.apply(news(message));
    keep(kept, "a", answer(), asked);
    assert.equal(holds(kept, "a"), expected, label);
  }
});

test("a later answer is kept if it takes every reported change into account", () => {
  const change = { changes: [{ sequence: 12n, concern: { case: "tokenId" as const, value: "t1" } }] };
  for (const [label, message, needed] of [
    ["nothing more", {}, 12n],
    ["a reset without a position", { reset: true }, 12n],
    ["rules", { rules: {} }, 12n],
    ["rules and a position", { rules: {}, confirmed: { position: { sequence: 5n } } }, 12n],
    // The log begins again at a lower number.
    ["a reset and a position", { reset: true, confirmed: { position: { sequence: 5n } } }, 5n],
  ] as const) {
    const kept = new Kept(10);
    kept.apply(news(change));
    kept.apply(news(message));
    keep(kept, "a", answer({ sequence: needed - 1n }));
    assert.ok(!holds(kept, "a"), label);
    keep(kept, "a", answer({ sequence: needed }));
    assert.ok(holds(kept, "a"), label);
  }
});

test("an answer that was in flight while the wall clock went back is not kept", () => {
  const kept = new Kept(10);
  const asked = kept.ask(SENT);
  assert.ok(!holds(kept, "a", 1, -100));
  keep(kept, "a", answer(), asked);
  assert.ok(!holds(kept, "a", 2, 1));
});

test("no caller changes what is kept", () => {
  const kept = new Kept(10);
  const first = answer();
  keep(kept, "a", first);
  for (const allowed of [first.outcome.value as Allowed, find(kept, "a")]) {
    assert.ok(allowed?.tokenId === "t1");
    allowed.tokenId = "t2";
  }
  assert.equal(find(kept, "a")?.tokenId, "t1");
});
