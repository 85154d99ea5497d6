// The baseline of the introspection benchmark: `oidc-provider` with everything in memory, over HTTP/2 without TLS.
//
//     NODE_ENV=production node server.mjs TOKENS FILE
//
// It issues so many opaque access tokens and writes them to the file, one a line. Then it prints its address on
// standard error. The client `introspector` may introspect each token, with the secret `introspector-secret`.
import { generateKeyPairSync, randomBytes } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createServer } from "node:http2";
import Provider from "oidc-provider";
import MemoryAdapter from "oidc-provider/lib/adapters/memory_adapter.js";

const [count, file] = process.argv.slice(2);
const ACCOUNTS = 1000;
const DAYS = 24 * 60 * 60;

// The library's own adapter evicts all but the last 1,000 to 2,000 entries. A map evicts none, and is faster.
const store = new Map();
class Memory extends MemoryAdapter {
  constructor(model) {
    super(model, store);
  }
}

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const address = `127.0.0.1:${server.address().port}`;

const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
const provider = new Provider(`http://${address}`, {
  adapter: Memory,
  clients: [
    { client_id: "introspector", client_secret: "introspector-secret" },
    { client_id: "laptop", client_secret: "laptop-secret" },
  ],
  clientDefaults: {
    grant_types: [], response_types: [], redirect_uris: [], id_token_signed_response_alg: "ES256",
  },
  cookies: { keys: [randomBytes(32).toString("hex")] },
  jwks: { keys: [{ ...privateKey.export({ format: "jwk" }), alg: "ES256", use: "sig" }] },
  scopes: ["openid", "offline_access", "read", "write"],
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  ttl: { AccessToken: 90 * DAYS, Grant: 90 * DAYS },
  features: {
    devInteractions: { enabled: false },
    introspection: {
      enabled: true,
      allowedPolicy: (_, client) => client.clientId === "introspector",
    },
  },
});

// Each person has granted one client access, as after a login, and has several tokens of that grant.
const client = await provider.Client.find("laptop");
const grants = [];
for (let number = 0; number < Math.min(ACCOUNTS, count); number += 1) {
  const grant = new provider.Grant({ accountId: `account-${number}`, clientId: client.clientId });
  grant.addOIDCScope("openid read write");
  await grant.save();
  grants.push(grant);
}
const tokens = [];
for (let number = 0; number < count; number += 1) {
  const grant = grants[number % grants.length];
  const token = new provider.AccessToken({
    accountId: grant.accountId, client, grantId: grant.jti, gty: "authorization_code", scope: "openid read write",
  });
  tokens.push(await token.save());
}
writeFileSync(file, tokens.map((token) => `${token}\n`).join(""), { mode: 0o600 });

server.on("request", provider.callback());
process.on("SIGTERM", () => process.exit(0));
console.error(JSON.stringify({ address }));
