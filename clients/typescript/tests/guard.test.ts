// The guard in a real application: the question that each request becomes, and the response to a verdict.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { test, type TestContext } from "node:test";
import { text } from "node:stream/consumers";
import { create } from "@bufbuild/protobuf";
import express, { type Express } from "express";
import { guard, type Row } from "@ndauth/client/express";
import { Factor, type Question, Undecided } from "@ndauth/client";
import { RefusedSchema } from "../src/gen/ndauth/v1/types_pb.js";

const handler = () => assert.fail("nothing is allowed here");
const TABLE: Row[] = [
  { route: "GET /healthz", open: true, handler: (_request, response) => void response.send("open") },
  { route: "GET /orgs/:org/assets/first", access: "RW", permission: "approve:assets", handler },
  { route: "GET /orgs/:org/assets/:asset", access: "RO", permission: "read:assets:{asset}", handler },
  { route: "PUT /orgs/:org/assets/:asset", access: "RW", permission: "write:assets:{asset}", handler },
  { route: "POST /builds/:build", access: "RW", org: "ops", handler },
  { route: "GET /builds/:build/logs/:log", access: "RO", org: "ops", permission: "read:logs:{build}/{log}", handler },
];

/** Starts a server, and returns its port. */
async function listen(context: TestContext, app: Express): Promise<number> {
  const server = app.listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  return (server.address() as AddressInfo).port;
}

/** Sends a request as it stands, and returns the status of the response. */
async function status(port: number, method: string, path: string): Promise<number> {
  const socket = connect(port, "127.0.0.1");
  socket.write(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer secret\r\n\r\n`);
  return Number((await text(socket)).split(" ")[1]);
}

test("a request becomes the question of its route, or is refused", async (context) => {
  const asked: string[] = [];
  const verifier = {
    async validate({ secret, access, org, permission }: Question): Promise<never> {
      asked.push(`${secret} ${access} ${org} ${permission}`);
      throw new Undecided("this test decides nothing", "UNAVAILABLE");
    },
  };
  const app = express();
  app.use("/below", guard(verifier, TABLE));
  app.use(guard(verifier, TABLE));
  app.use(() => assert.fail("nothing passes the guard"));
  const port = await listen(context, app);
  for (const [method, path, expected] of [
    ["GET", "/healthz", "200"],
    ["HEAD", "/healthz", "200"],
    ["POST", "/healthz", "404"],
    ["GET", "/healthz/", "404"],
    ["GET", "//healthz", "404"],
    ["GET", "/HEALTHZ", "404"],
    ["GET", "/health%7a", "404"],
    ["GET", "/healthz\\", "404"],
    ["GET", "/x/../healthz", "404"],
    ["GET", "http://x/healthz", "404"],
    ["GET", "/orgs/ops/assets/logo?org=dev", "secret RO ops read:assets:logo"],
    ["HEAD", "/orgs/ops/assets/logo", "secret RO ops read:assets:logo"],
    ["PUT", "/orgs/ops/assets/logo", "secret RW ops write:assets:logo"],
    ["DELETE", "/orgs/ops/assets/logo", "404"],
    ["GET", "/orgs/ops/assets/first", "secret RW ops approve:assets"],
    // This one is another asset, to the guard as to Express.
    ["GET", "/orgs/ops/assets/FIRST", "secret RO ops read:assets:FIRST"],
    ["GET", "/orgs/ops/assets/$&", "secret RO ops read:assets:$&"],
    ["GET", "/Orgs/ops/assets/first", "404"],
    ["GET", "/orgs/ops/assets/first/", "404"],
    ["GET", "/orgs/ops/assets/fir%73t", "404"],
    ["GET", "/orgs/ops/assets/%2e%2e", "404"],
    ["GET", "/orgs/ops/assets/..", "404"],
    ["GET", "/orgs/ops/assets/*", "404"],
    ["GET", "/orgs/ops/assets/{org}", "404"],
    ["GET", "/orgs//assets/logo", "404"],
    ["POST", "/builds/7", "secret RW ops undefined"],
    ["GET", "/builds/7/logs/a", "secret RO ops read:logs:7/a"],
    ["GET", "/builds/7/logs/a:b", "secret RO ops read:logs:7/a:b"],
    ["GET", "/below/healthz", "200"],
    ["GET", "/below//healthz", "404"],
    ["PUT", "/below/orgs/ops/assets/logo", "secret RW ops write:assets:logo"],
  ] as const) {
    asked.length = 0;
    const found = await status(port, method, path);
    assert.equal(found === 503 ? asked.join() : String(found), expected, `${method} ${path}`);
    assert.ok(found === 503 || asked.length === 0, `${method} ${path}`);
  }
});

test("a row that makes no sense is refused", () => {
  const verifier = { validate: handler };
  for (const [row, message] of [
    [{ route: "GET healthz", access: "RO" }, /is not a route/],
    [{ route: "/healthz", access: "RO" }, /is not a route/],
    [{ route: "GET /orgs/:org/*rest", access: "RO" }, /is not a route/],
    [{ route: "GET /orgs/:org/", access: "RO" }, /is not a route/],
    [{ route: "get /orgs/:org", access: "RO" }, /is not a route/],
    [{ route: "HEAD /orgs/:org", access: "RO" }, /is not a route/],
    [{ route: "GET /assets", access: "RO" }, /has no part for `\{org\}`/],
    [{ route: "GET /:org", access: "RO", permission: "read:assets:{asset}" }, /has no part for `\{asset\}`/],
    [{ route: "GET /:org", access: "RO", permission: "read:assets:{org" }, /has no part for `\{org`/],
    [{ route: "GET /:org/:org", access: "RO" }, /names a part twice/],
    [{ route: "GET /:org", access: "RO", permission: "READ" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "READ:assets" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "nonsense" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "read:" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "read:/assets" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "read:assets:" }, /has the permission/],
    [{ route: "GET /:org", access: "RO", permission: "read:assets:a b" }, /has the permission/],
    [{ route: "GET /:org/:kind", access: "RO", permission: "{kind}" }, /has the permission/],
    [{ route: "GET /:org/:kind", access: "RO", permission: "{kind}:assets" }, /has the permission/],
    [{ route: "GET /:org/:kind", access: "RO", permission: "read:{kind}" }, /has the permission/],
    [{ route: "GET /:org/:kind", access: "RO", permission: "read:{kind}:x" }, /has the permission/],
  ] as const) {
    assert.throws(() => guard(verifier, [{ ...row, handler }]), message, row.route);
  }
});

test("a secret without any power is 401, and one that may not do this is 403", async (context) => {
  let factor = Factor.UNSPECIFIED;
  const verifier = { validate: async () => ({ refused: create(RefusedSchema, { factor }) }) };
  const port = await listen(context, express().use(guard(verifier, TABLE)));
  const dead: string[] = [];
  for (const name of Object.keys(Factor).filter((name) => Number.isNaN(Number(name)))) {
    factor = Factor[name as keyof typeof Factor];
    const found = await status(port, "POST", "/builds/7");
    if (found === 401) dead.push(name);
    else assert.equal(found, 403, name);
  }
  assert.deepEqual(dead.sort(), ["LIFE", "NOT_BEFORE", "OWNER", "SECRET", "SUSPENSION"]);
});
