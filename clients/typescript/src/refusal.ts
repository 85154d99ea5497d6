// The responses to requests that the guard refuses: a status, a challenge (RFC 6750, section 3) and a problem document
// (RFC 9457).

import { type ServerResponse, STATUS_CODES } from "node:http";
import { Factor, Reason } from "./gen/ndauth/v1/reason_pb.js";
import { type Permission, type Refused, Role, Scope } from "./gen/ndauth/v1/types_pb.js";

/** The factors that leave the secret no power at all. All others say that it may not do this. */
const TOTAL: readonly Factor[] = [Factor.SECRET, Factor.NOT_BEFORE, Factor.LIFE, Factor.SUSPENSION, Factor.OWNER];

export interface Refusal {
  status: number;
  challenge?: string;
  problem: { reason: string; detail: string; hint?: string; [more: string]: unknown };
}

export function missingToken(): Refusal {
  const problem = {
    reason: "CREDENTIAL_MISSING",
    detail: "no token came with the request",
    hint: "send a token: `Authorization: Bearer TOKEN`",
  };
  return { status: 401, challenge: "Bearer", problem };
}

export function invalidRequest(detail: string): Refusal {
  return { status: 400, challenge: 'Bearer error="invalid_request"', problem: { reason: "INVALID_ARGUMENT", detail } };
}

export function noSuchRoute(): Refusal {
  return { status: 404, problem: { reason: "CALL_UNKNOWN", detail: "this server has no such route" } };
}

export function undecided(): Refusal {
  return { status: 503, problem: { reason: "UNAVAILABLE", detail: "the token cannot be validated at present" } };
}

/** Returns the refusal that a verdict stands for. */
export function ofVerdict(refused: Refused): Refusal {
  const missing = refused.missingPermissions.map(textOf);
  const problem = {
    reason: Reason[refused.reason] ?? "UNSPECIFIED",
    detail: refused.message,
    hint: refused.hint,
    missing_permissions: missing,
    missing_scope: refused.missingScope === undefined ? null : Scope[refused.missingScope],
    missing_role: refused.missingRole === undefined ? null : Role[refused.missingRole],
  };
  if (TOTAL.includes(refused.factor)) {
    const challenge = `Bearer error="invalid_token", error_description="${quotable(refused.message)}"`;
    return { status: 401, challenge, problem };
  }
  const scope = missing.length ? `, scope="${quotable(missing.join(" "))}"` : "";
  return { status: 403, challenge: `Bearer error="insufficient_scope"${scope}`, problem };
}

export function respond(response: ServerResponse, { status, challenge, problem }: Refusal): void {
  response.statusCode = status;
  response.setHeader("Content-Type", "application/problem+json");
  if (challenge !== undefined) response.setHeader("WWW-Authenticate", challenge);
  if (status === 503) response.setHeader("Retry-After", "1");
  response.end(JSON.stringify({ type: "about:blank", title: STATUS_CODES[status], status, hint: "", ...problem }));
}

function textOf({ action, resourceType, resourceId }: Permission): string {
  return resourceId === "*" ? `${action}:${resourceType}` : `${action}:${resourceType}:${resourceId}`;
}

/** Replaces characters that may not stand in a quoted string of a challenge. */
function quotable(text: string): string {
  return text.replace(/[^ -~]|["\\]/g, "?");
}
