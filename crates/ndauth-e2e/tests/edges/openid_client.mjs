// A resource server's questions over openid-client. Each line of standard input is one, in JSON:
//
//     {"token": "ndpat_…", "parameters": {"org": "ops"}, "method": "ClientSecretBasic"}
//
//     openid_client.mjs ISSUER SERVICE     (the service's secret is in ASSETS_NDAUTH_SECRET)
//
// It prints the answer, or the error that the library throws, as a line of JSON.
import { createInterface } from "node:readline";
import { webcrypto } from "node:crypto";
import * as client from "openid-client";

// Node 18 of Debian 12 does not define it.
globalThis.crypto ??= webcrypto;

const [issuer, service] = process.argv.slice(2);
const secret = process.env.ASSETS_NDAUTH_SECRET;

const methods = {
  ClientSecretBasic: client.ClientSecretBasic(secret),
  Bearer: (_server, _client, _body, headers) => headers.set("authorization", `Bearer ${secret}`),
};

// Without a method, the library chooses one itself.
async function discovered(method) {
  return await client.discovery(new URL(issuer), service, secret, methods[method], {
    algorithm: "oauth2",
    execute: [client.allowInsecureRequests],
    timeout: 2,
  });
}

const configurations = new Map();

async function answer({ token, parameters, method }) {
  if (!configurations.has(method)) configurations.set(method, await discovered(method));
  try {
    return await client.tokenIntrospection(configurations.get(method), token, parameters);
  } catch (error) {
    const { name, code, status, error: oauth, cause } = error;
    const challenge = Array.isArray(cause) ? cause[0].scheme : undefined;
    return { thrown: { name, code, status: status ?? cause?.status, error: oauth, challenge, cause: cause?.code } };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line))));
}
