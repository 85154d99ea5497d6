// The table of the guard, in a real application: the question that each request becomes.

import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { text } from "node:stream/consumers";
import express from "express";
import { guard, type Row } from "@ndauth/client/express";
import { type Question, Undecided } from "@ndauth/client";

const handler = () => assert.fail("nothing is allowed here");
const TABLE: Row[] = [
  { route: "GET /healthz", open: true, handler: (_request, response) => void response.send("open") },
  { route: "GET /orgs/:org/assets/first", access: "RW", permission: "approve:assets", handler },
  { route: "GET /orgs/:org/assets/:asset", access: "RO", permission: "read:assets:{asset}", handler },
  { route: "PUT /orgs/:org/assets/:asset", access: "RW", permission: "write:assets:{asset}", handler },
  { route: "POST /builds/:build", access: "RW", org: "ops", handler },
];

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
  const server = app.listen(0, "127.0.0.1");
  context.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
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
  ] as const) {
    assert.throws(() => guard(verifier, [{ ...row, handler }]), message, row.route);
  }
});
