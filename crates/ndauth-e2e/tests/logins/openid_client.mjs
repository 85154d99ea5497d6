// A client of ndauth over an independent library, and the server's responses to altered requests.
//
//     openid_client.mjs ISSUER NAME PASSWORD OTHER_NAME READ_ONLY_TOKEN
//
// It prints a table of alterations and responses.
import { webcrypto } from "node:crypto";
import * as client from "openid-client";

// Node 18 of Debian 12 does not define it.
globalThis.crypto ??= webcrypto;

const [issuer, name, password, other, readOnly] = process.argv.slice(2);
const redirect_uri = "http://127.0.0.1:4711/callback";
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const DEVICE = "urn:ietf:params:oauth:grant-type:device_code";
const ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token";

const config = await client.discovery(new URL(issuer), "ndcli", undefined, client.None(), {
  algorithm: "oauth2",
  execute: [client.allowInsecureRequests],
});

function check(condition, what) {
  if (!condition) throw new Error(what);
}

// Signs a person in. Returns the browser's cookie.
async function browser(name) {
  const body = new URLSearchParams({ name, password, to: "/" });
  const answer = await fetch(`${issuer}/sign-in`, { method: "POST", body, redirect: "manual" });
  check(answer.status === 303, `signed in: ${answer.status}`);
  return answer.headers.get("set-cookie").split(";")[0];
}

// Opens an authorization request in the person's browser. Returns the consent page.
async function shown(url, cookie) {
  return await fetch(url, { headers: { cookie }, redirect: "manual" });
}

// Submits the person's decision. Returns the URL that the browser is redirected to.
async function decided(url, cookie, decision = "allow") {
  const page = await shown(url, cookie);
  check(page.status === 200, `the consent page: ${page.status} ${page.headers.get("location")}`);
  const html = await page.text();
  const body = new URLSearchParams();
  for (const [, field, value] of html.matchAll(/<input type="hidden" name="([^"]*)" value="([^"]*)">/g)) {
    body.append(field, value.replaceAll("&#38;", "&").replaceAll("&amp;", "&"));
  }
  body.append("decision", decision);
  const answer = await fetch(`${issuer}/oauth2/authorize`, {
    method: "POST", body, headers: { cookie, origin: issuer }, redirect: "manual",
  });
  check(answer.status === 303, `decided: ${answer.status} ${await answer.text()}`);
  return new URL(answer.headers.get("location"));
}

async function begin(change = {}) {
  const verifier = client.randomPKCECodeVerifier();
  const state = client.randomState();
  const code_challenge = await client.calculatePKCECodeChallenge(verifier);
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri, state, code_challenge, code_challenge_method: "S256", device_name: "somebody else's client", ...change,
  });
  for (const [key, value] of Object.entries(change)) {
    if (value === undefined) url.searchParams.delete(key);
  }
  return { url, verifier, state };
}

async function grant(begun, callback) {
  return await client.authorizationCodeGrant(config, callback, {
    pkceCodeVerifier: begun.verifier, expectedState: begun.state,
  });
}

async function login(cookie) {
  const begun = await begin();
  return await grant(begun, await decided(begun.url, cookie));
}

const cookie = await browser(name);

// Everything that a client does.
let tokens = await login(cookie);
check(tokens.access_token.startsWith("ndses_") && tokens.expires_in === 900, "a session");
tokens = await client.refreshTokenGrant(config, tokens.refresh_token);
const derived = await client.genericGrantRequest(config, EXCHANGE, {
  subject_token: tokens.access_token, subject_token_type: ACCESS_TOKEN, scope: "RO", org: "ops",
});
check(derived.access_token.startsWith("ndacc_") && derived.scope === "RO", "a derived token");
check(derived.issued_token_type === ACCESS_TOKEN, "its type");
await client.tokenRevocation(config, tokens.refresh_token);

const device = await client.initiateDeviceAuthorization(config, { device_name: "a machine without a screen" });
const form = (body) => ({
  method: "POST", body: new URLSearchParams(body), headers: { cookie, origin: issuer }, redirect: "manual",
});
const asked = await (await fetch(device.verification_uri, form({ user_code: device.user_code }))).text();
check(asked.includes("a machine without a screen") && asked.includes("127.0.0.1"), `who asks is shown: ${asked}`);
const polling = client.pollDeviceAuthorizationGrant(config, device);
await new Promise((resolve) => setTimeout(resolve, 200));
const allowed = await fetch(`${issuer}/device/decision`, form({ user_code: device.user_code, decision: "allow" }));
check(allowed.status === 200, `let in: ${allowed.status}`);
check((await polling).access_token.startsWith("ndses_"), "a session by a device's code");

// The altered requests.
const table = {};
async function row(what, attempt) {
  try {
    const answer = await attempt();
    table[what] = answer ?? "went through";
  } catch (error) {
    table[what] = error.error ?? error.code ?? `${error}`;
  }
}
async function answered(url, cookie) {
  const answer = await shown(url, cookie);
  const location = answer.headers.get("location");
  if (location === null) return `a page with ${answer.status}, and no redirect`;
  const to = new URL(location, issuer);
  check(to.searchParams.get("iss") === issuer, `it names itself: ${location}`);
  return `redirect with ${to.searchParams.get("error")}`;
}
async function token(body) {
  const answer = await fetch(`${issuer}/oauth2/token`, { method: "POST", body: new URLSearchParams(body) });
  return `${answer.status} ${(await answer.json()).error ?? "granted"}`;
}
async function code() {
  const begun = await begin();
  const callback = await decided(begun.url, cookie);
  return { begun, callback, code: callback.searchParams.get("code") };
}
const redeem = (code, more) => ({ grant_type: "authorization_code", client_id: "ndcli", code, redirect_uri, ...more });

await row("no challenge", async () => answered((await begin({ code_challenge: undefined })).url, cookie));
await row("challenge method plain", async () => answered((await begin({ code_challenge_method: "plain" })).url, cookie));
await row("no challenge method", async () => answered((await begin({ code_challenge_method: undefined })).url, cookie));
await row("no state", async () => answered((await begin({ state: undefined })).url, cookie));
await row("response_type token", async () => answered((await begin({ response_type: "token" })).url, cookie));
await row("redirect to another host", async () =>
  answered((await begin({ redirect_uri: "http://127.0.0.1.evil.example:4711/callback" })).url, cookie));
await row("redirect to another path", async () =>
  answered((await begin({ redirect_uri: "http://127.0.0.1:4711/other" })).url, cookie));
await row("redirect by https", async () =>
  answered((await begin({ redirect_uri: "https://127.0.0.1:4711/callback" })).url, cookie));
await row("another client", async () => answered((await begin({ client_id: "other" })).url, cookie));
await row("a parameter twice", async () => {
  const { url } = await begin();
  url.searchParams.append("state", "another");
  return answered(url, cookie);
});
await row("the person says no", async () => {
  const begun = await begin();
  await grant(begun, await decided(begun.url, cookie, "deny"));
});
await row("no verifier", async () => token(redeem((await code()).code, {})));
await row("verifier altered", async () => token(redeem((await code()).code, { code_verifier: client.randomPKCECodeVerifier() })));
await row("the challenge as its own verifier", async () => {
  const { begun, code: it } = await code();
  return token(redeem(it, { code_verifier: begun.url.searchParams.get("code_challenge") }));
});
await row("no redirect at the token endpoint", async () => {
  const { begun, code: it } = await code();
  return token({ ...redeem(it, { code_verifier: begun.verifier }), redirect_uri: "" });
});
await row("code by another client", async () => {
  const { begun, code: it } = await code();
  return token(redeem(it, { code_verifier: begun.verifier, client_id: "other" }));
});
await row("a parameter twice at the token endpoint", async () => {
  const { begun, code: it } = await code();
  const body = new URLSearchParams(redeem(it, { code_verifier: begun.verifier }));
  body.append("code", it);
  return token(body);
});
await row("parameters in the query of the token endpoint", async () => {
  const { begun, code: it } = await code();
  const query = new URLSearchParams(redeem(it, { code_verifier: begun.verifier }));
  const answer = await fetch(`${issuer}/oauth2/token?${query}`, { method: "POST", body: new URLSearchParams() });
  return `${answer.status} ${(await answer.json()).error}`;
});
await row("redirect altered at the token endpoint", async () => {
  const { begun, code: it } = await code();
  return token(redeem(it, { code_verifier: begun.verifier, redirect_uri: "http://127.0.0.1:4712/callback" }));
});
await row("code redeemed twice", async () => {
  const { begun, code: it } = await code();
  check((await token(redeem(it, { code_verifier: begun.verifier }))) === "200 granted", "the first time");
  return token(redeem(it, { code_verifier: begun.verifier }));
});
await row("state altered (SEC-31)", async () => {
  const { begun, callback } = await code();
  callback.searchParams.set("state", "another");
  await grant(begun, callback);
});
await row("issuer altered", async () => {
  const { begun, callback } = await code();
  callback.searchParams.set("iss", "https://other.example");
  await grant(begun, callback);
});
await row("issuer missing", async () => {
  const { begun, callback } = await code();
  callback.searchParams.delete("iss");
  await grant(begun, callback);
});
await row("answer of another's browser, with its state (SEC-31)", async () => {
  const [mine, theirs] = [await begin(), await begin()];
  await grant(mine, await decided(theirs.url, await browser(other)));
});
await row("code of another's browser, with one's own state (SEC-31)", async () => {
  const [mine, theirs] = [await begin(), await begin()];
  const callback = await decided(theirs.url, await browser(other));
  callback.searchParams.set("state", mine.state);
  await grant(mine, callback);
});
await row("decision without the person's cookie", async () => {
  const { url } = await begin();
  const body = new URLSearchParams(url.searchParams);
  body.append("decision", "allow");
  const answer = await fetch(`${issuer}/oauth2/authorize`, { method: "POST", body, redirect: "manual" });
  return `${answer.status} to ${answer.headers.get("location").split("?")[0]}`;
});
await row("decision from another site", async () => {
  const { url } = await begin();
  const body = new URLSearchParams(url.searchParams);
  body.append("decision", "allow");
  const headers = { cookie, origin: "https://evil.example", "sec-fetch-site": "cross-site" };
  const answer = await fetch(`${issuer}/oauth2/authorize`, { method: "POST", body, headers, redirect: "manual" });
  return `${answer.status}`;
});
const session = await login(cookie);
const exchange = (more) => ({
  grant_type: EXCHANGE, client_id: "ndcli", subject_token: session.access_token, subject_token_type: ACCESS_TOKEN, ...more,
});
await row("exchange for a scope there is not", async () => token(exchange({ scope: "ADMIN" })));
await row("exchange for more than there is", async () => token(exchange({ scope: "SU" })));
await row("exchange for two scopes", async () => token(exchange({ scope: "RO RW" })));
await row("exchange for an org one is no member of", async () => token(exchange({ org: "elsewhere" })));
await row("exchange of a read-only token (SEC-03)", async () => token(exchange({ subject_token: readOnly })));
await row("exchange of what refreshes", async () => token(exchange({ subject_token: session.refresh_token })));
await row("exchange of what was derived", async () => {
  const derived = await client.genericGrantRequest(config, EXCHANGE, {
    subject_token: session.access_token, subject_token_type: ACCESS_TOKEN,
  });
  return token(exchange({ subject_token: derived.access_token }));
});
await row("a client secret", async () => token(exchange({ client_secret: "x" })));
await row("another grant type", async () => token({ grant_type: "password", client_id: "ndcli", username: name, password }));
await row("a device that asks too soon", async () => {
  const body = new URLSearchParams({ client_id: "ndcli" });
  const begun = await (await fetch(`${issuer}/oauth2/device_authorization`, { method: "POST", body })).json();
  const poll = () => token({ grant_type: DEVICE, client_id: "ndcli", device_code: begun.device_code });
  check((await poll()) === "400 authorization_pending", "nobody has decided");
  return poll();
});
await row("a device that its person denies", async () => {
  const body = new URLSearchParams({ client_id: "ndcli" });
  const begun = await (await fetch(`${issuer}/oauth2/device_authorization`, { method: "POST", body })).json();
  const denied = await fetch(`${issuer}/device/decision`, form({ user_code: begun.user_code, decision: "deny" }));
  check(denied.status === 200, `denied: ${denied.status}`);
  return token({ grant_type: DEVICE, client_id: "ndcli", device_code: begun.device_code });
});
await row("a device's code that nobody was given", async () =>
  token({ grant_type: DEVICE, client_id: "ndcli", device_code: client.randomState() }));
await row("what refreshes, once more while its successor is unused", async () => {
  const first = await login(cookie);
  await client.refreshTokenGrant(config, first.refresh_token);
  const again = await client.refreshTokenGrant(config, first.refresh_token);
  await client.refreshTokenGrant(config, again.refresh_token);
});
await row("what refreshes, once more after its successor was used", async () => {
  const first = await login(cookie);
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);
  await client.refreshTokenGrant(config, first.refresh_token).then(
    () => check(false, "it was refreshed twice"),
    (error) => check(error.error === "invalid_grant", `${error}`),
  );
  await client.refreshTokenGrant(config, third.refresh_token);
});
await row("what refreshes, after it was revoked", async () => {
  const first = await login(cookie);
  await client.tokenRevocation(config, first.access_token);
  await client.refreshTokenGrant(config, first.refresh_token);
});
for (const [what, answer] of Object.entries(table)) console.log(`${what}: ${answer}`);
