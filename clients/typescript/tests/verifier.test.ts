// Failures of calls and of the watch, from a server that fails as each test says.

import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { inspect } from "node:util";
import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { InvalidQuestion, Undecided, Verifier, type VerifierOptions } from "@ndauth/client";
import { BadRequestSchema, StatusSchema } from "../src/gen/google/rpc/error_details_pb.js";
import { ValidateTokenResponseSchema } from "../src/gen/ndauth/v1/validation_service_pb.js";

const SECRET = `ndsvc_${"s".repeat(43)}`;
const IDENTITY = { access: "IDENTITY" } as const;

interface Answers {
  validate?: grpc.handleUnaryCall<Buffer, Buffer>;
  watch?: grpc.handleBidiStreamingCall<Buffer, Buffer>;
}

/** Starts a server, and returns a client of it. */
async function connect(context: TestContext, answers: Answers, options: VerifierOptions = {}): Promise<Verifier> {
  const asIs = (bytes: Buffer) => bytes;
  const conversions = {
    requestSerialize: asIs,
    requestDeserialize: asIs,
    responseSerialize: asIs,
    responseDeserialize: asIs,
  };
  const server = new grpc.Server();
  const { validate = () => {}, watch = () => {} } = answers;
  const unary = { path: "/ndauth.v1.ValidationService/ValidateToken", requestStream: false, responseStream: false };
  const bidi = { path: "/ndauth.v1.WatchService/WatchRevocations", requestStream: true, responseStream: true };
  server.addService({ validate: { ...unary, ...conversions } }, { validate });
  server.addService({ watch: { ...bidi, ...conversions } }, { watch });
  const port = await new Promise((resolve, reject) => {
    const bound = (error: Error | null, port: number) => (error ? reject(error) : resolve(port));
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), bound);
  });
  const verifier = new Verifier(`http://127.0.0.1:${port}`, { secret: SECRET, ...options });
  context.after(() => {
    verifier.close();
    server.forceShutdown();
  });
  return verifier;
}

function answer(more: MessageInitShape<typeof ValidateTokenResponseSchema>): Buffer {
  return Buffer.from(toBinary(ValidateTokenResponseSchema, create(ValidateTokenResponseSchema, more)));
}

test("anything but a service's secret is refused at once, and not quoted", () => {
  for (const secret of [`${SECRET}\n`, ` ${SECRET}`, SECRET.slice(1), `${SECRET}s`, `${SECRET.slice(0, -1)}é`, ""]) {
    const refused = (error: unknown) => error instanceof TypeError && !inspect(error).includes("sss");
    assert.throws(() => new Verifier("http://127.0.0.1:1", { secret }), refused, JSON.stringify(secret));
  }
});

test("no failure quotes the service's secret", async (context) => {
  const reported: unknown[] = [];
  context.mock.method(grpc.Metadata.prototype, "set", (_name: string, value: string) => {
    throw new Error(`\`${value}\` is not possible`);
  });
  const verifier = await connect(context, {}, { report: (failure) => void reported.push(failure) });
  await assert.rejects(verifier.validate({ secret: "x", ...IDENTITY }), Undecided);
  // The watch and the call.
  assert.equal(reported.length, 2);
  assert.ok(!inspect(reported).includes(SECRET), inspect(reported));
});

test("the calls in flight are bounded", async (context) => {
  const refused = answer({ outcome: { case: "refused", value: {} } });
  const failed = { code: grpc.status.UNAVAILABLE, details: "no" };
  const waiting: grpc.sendUnaryData<Buffer>[] = [];
  let all = () => {};
  const validate: Answers["validate"] = (_call, respond) => {
    if (waiting.push(respond) === 256) all();
  };
  const verifier = await connect(context, { validate });
  const ask = (secret: number) => verifier.validate({ secret: `${secret}`, ...IDENTITY });
  // Calls of either end free their places.
  for (const error of [failed, null, null]) {
    const arrived = new Promise<void>((resolve) => (all = resolve));
    const asked = Array.from({ length: 256 }, (_, secret) => ask(secret));
    await assert.rejects(ask(256), { name: "Undecided", code: "RESOURCE_EXHAUSTED" });
    await arrived;
    for (const respond of waiting.splice(0)) respond(error, refused);
    const kinds = (await Promise.allSettled(asked)).map(({ status }) => status);
    assert.deepEqual([...new Set(kinds)], [error === null ? "fulfilled" : "rejected"]);
  }
});

test("the details of an invalid question name its field, if they can be read", async (context) => {
  const fault = create(BadRequestSchema, { fieldViolations: [{ field: "org" }] });
  const any = anyPack(BadRequestSchema, fault);
  const status = (value: Uint8Array) =>
    Buffer.from(toBinary(StatusSchema, create(StatusSchema, { details: [{ ...any, value }] })));
  for (const [label, details, field] of [
    ["good", status(any.value), "org"],
    ["none", undefined, ""],
    ["no status", Buffer.from([0xff, 0xff]), ""],
    ["no fault", status(Buffer.from([0xff, 0xff])), ""],
  ] as const) {
    const metadata = new grpc.Metadata();
    if (details !== undefined) metadata.set("grpc-status-details-bin", details);
    const validate: Answers["validate"] = (_call, respond) =>
      respond({ code: grpc.status.INVALID_ARGUMENT, details: "no", metadata });
    const verifier = await connect(context, { validate }, { capacity: 0 });
    const invalid = (error: unknown) => error instanceof InvalidQuestion && error.field === field;
    await assert.rejects(verifier.validate({ secret: "x", ...IDENTITY }), invalid, label);
  }
});

test("a report that fails changes nothing", async (context) => {
  const reports = [
    () => {
      throw new Error("this log is full");
    },
    () => Promise.reject(new Error("this log is full")),
  ];
  for (const report of reports) {
    let opened = 0;
    let again = () => {};
    const thrice = new Promise<void>((resolve) => (again = resolve));
    const watch: Answers["watch"] = (stream) => {
      opened += 1;
      if (opened === 3) return again();
      stream.emit("error", { code: grpc.status.INTERNAL, details: "no" });
    };
    const validate: Answers["validate"] = (_call, respond) => respond({ code: grpc.status.INTERNAL, details: "no" });
    const verifier = await connect(context, { validate, watch }, { report });
    await assert.rejects(verifier.validate({ secret: "x", ...IDENTITY }), Undecided);
    await thrice;
  }
});
