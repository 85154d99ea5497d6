// A client with the types that openapi-typescript makes of the document:
//
//     client.js URL SESSION SERVICE

import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

declare const process: { argv: string[] };

const [url, session, service] = process.argv.slice(2);
const as = (secret: string) =>
  createClient<paths>({ baseUrl: url, headers: { authorization: `Bearer ${secret}` } });
const owner = as(session);
const registry = as(service);

type Problem = components["schemas"]["Problem"];

function done<T>(answer: { data?: T; error?: Problem }): T {
  if (answer.data === undefined) throw new Error(`${answer.error?.reason}: ${answer.error?.detail}`);
  return answer.data;
}

async function ask(secret: string) {
  const verdict = done(
    await registry.POST("/v1/secrets:validate", {
      body: { secret, org: "ops", required_access: "RO", required_permission: "read:assets" },
    }),
  );
  return verdict.allowed?.effective?.access ?? verdict.refused?.reason ?? "nothing";
}

const created = done(
  await owner.POST("/v1/tokens", {
    body: { name: "typescript", scope: "RW", orgs: ["ops"], grants: "all", expiry: "90d", services: "all", networks: "all" },
  }),
);
const id = created.token?.id ?? "";
console.log("created:", created.token?.status, await ask(created.secret));

const rotated = done(
  await owner.POST("/v1/tokens/{id}:rotate", { params: { path: { id } }, body: { overlap: "0s" } }),
);
done(await owner.POST("/v1/tokens/{id}:confirmRotation", { params: { path: { id } }, body: {} }));
console.log("rotated:", await ask(rotated.secret), await ask(created.secret));

const revoked = done(
  await owner.POST("/v1/tokens/{id}:revoke", { params: { path: { id } }, body: { reason: "NO_LONGER_NEEDED" } }),
);
console.log("revoked:", revoked.token?.status, await ask(rotated.secret));

const again = await owner.GET("/v1/tokens/{id}", { params: { path: { id: "00000000-0000-7000-8000-000000000000" } } });
console.log("failed:", again.response.status, again.error?.reason);
