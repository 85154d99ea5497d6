// The rules of keeping answers, on clocks that stand where each row puts them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { ValidateTokenResponseSchema } from "../src/gen/ndauth/v1/validation_service_pb.js";
import { WatchRevocationsResponseSchema } from "../src/gen/ndauth/v1/watch_service_pb.js";
import { Kept } from "../src/kept.js";

const SENT = { monotonic: 1000, wall: 500_000 };

function answer(more: MessageInitShape<typeof ValidateTokenResponseSchema> = {}, tokenId = "t1") {
  const outcome = { case: "allowed" as const, value: { tokenId } };
  return create(ValidateTokenResponseSchema, { outcome, sequence: 10n, maxCacheAge: durationFromMs(2000), ...more });
}

function news(more: MessageInitShape<typeof WatchRevocationsResponseSchema>) {
  return create(WatchRevocationsResponseSchema, more);
}

function holds(kept: Kept, key: string, monotonic = 0, wall = monotonic): boolean {
  return kept.find(key, { monotonic: SENT.monotonic + monotonic, wall: SENT.wall + wall }) !== undefined;
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
    kept.keep("a", answer(), SENT);
    assert.equal(holds(kept, "a", monotonic, wall), expected, `${monotonic} ${wall}`);
  }
});

test("everything is dropped once the wall clock goes back", () => {
  const kept = new Kept(10);
  kept.keep("a", answer(), SENT);
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
    kept.keep("a", answer(more), SENT);
    assert.ok(!holds(kept, "a"), Object.keys(more).join());
  }
});

test("the least recently used is dropped first", () => {
  const kept = new Kept(2);
  kept.keep("a", answer(), SENT);
  kept.keep("b", answer(), SENT);
  assert.ok(holds(kept, "a"));
  kept.keep("c", answer(), SENT);
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
    kept.keep("a", answer({}, "t1"), SENT);
    kept.keep("b", answer({}, "t2"), SENT);
    kept.apply(news(message as MessageInitShape<typeof WatchRevocationsResponseSchema>));
    assert.deepEqual(["a", "b"].map((key) => holds(kept, key)), expected, label);
  }
});

test("an answer that is older than a change that arrived meanwhile is not kept", () => {
  const kept = new Kept(10);
  kept.apply(news({ changes: [{ sequence: 12n, concern: { case: "tokenId", value: "t1" } }] }));
  kept.keep("a", answer({ sequence: 11n }), SENT);
  assert.ok(!holds(kept, "a"));
  kept.keep("a", answer({ sequence: 12n }), SENT);
  assert.ok(holds(kept, "a"));
  // After a reset, the log may begin again at a lower number.
  kept.apply(news({ reset: true, confirmed: { position: { sequence: 5n } } }));
  kept.keep("a", answer({ sequence: 4n }), SENT);
  assert.ok(!holds(kept, "a"));
  kept.keep("a", answer({ sequence: 5n }), SENT);
  assert.ok(holds(kept, "a"));
});
