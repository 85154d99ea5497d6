// The guard of an Express service: a router whose routes say what they need.
//
// Express matches a request once, and the check runs within the route that it matched. So the two cannot disagree
// about which route a request is for, and a route that is not in the table does not exist.

import type { IncomingMessage } from "node:http";
import { type Request, type RequestHandler, Router } from "express";
import type { Allowed } from "./gen/ndauth/v1/validation_service_pb.js";
import { invalidRequest, missingToken, noSuchRoute, ofVerdict, type Refusal, respond, undecided } from "./refusal.js";
import { InvalidQuestion, Undecided, type Verifier } from "./verifier.js";

type Params = Record<string, string>;
type Handler<Locals extends object> = RequestHandler<Params, unknown, any, Request["query"], Locals>;

/** A row of the table. The first that matches a request decides. */
export type Row = {
  /** A method and a path, such as `PUT /orgs/:org/assets/:asset`. `GET` also stands for `HEAD`. */
  route: string;
} & (
  | {
      /** The access that is needed. */
      access: "RO" | "RW";
      /** The org in question: its slug, or by default the part `{org}` of the path. */
      org?: string;
      /** `action:type` or `action:type:id`. The id may hold parts of the path, such as `write:assets:{asset}`. */
      permission?: string;
      /** Runs once the token is allowed. It finds the verdict in `response.locals.allowed`. */
      handler: Handler<{ allowed: Allowed }> | Handler<{ allowed: Allowed }>[];
      open?: false;
    }
  | {
      /** Says that the route needs no token. */
      open: true;
      handler: Handler<object> | Handler<object>[];
    }
);

export interface GuardOptions {
  /** Returns the address of the client, by what the service itself knows: `(request) => request.ip`, say. */
  clientAddress?: (request: Request<Params>) => string | undefined;
}

const METHODS = ["get", "post", "put", "patch", "delete", "options"] as const;
const ROUTE = /^([A-Z]+) (\/|(?:\/(?::[a-z]\w*|[\w.~-]+))+)$/;
// A part of the path may hold `:`, so it stands in the id alone.
const PERMISSION = /^[a-z0-9_-]+:[a-z0-9_-]+(?:\/[a-z0-9_-]+)*(?::[!-~]+)?$/;
// These characters mean the same to every decoder, and `*` would stand for many resources.
const PATH = /^(?:\/|(?:\/[\w.~!$&'()+,;=:@-]+)+)$/;

/** Returns a router that admits only permitted requests to the routes of a table, and refuses all others. */
export function guard(verifier: Pick<Verifier, "validate">, table: Row[], options: GuardOptions = {}): Router {
  const router = Router({ caseSensitive: true, strict: true });
  router.use((request, response, next) => {
    const plain = [request.originalUrl, request.url].every(isPlain);
    if (plain) next();
    else respond(response, noSuchRoute());
  });
  for (const row of table) {
    const [, name, path = ""] = ROUTE.exec(row.route) ?? [];
    const method = METHODS.find((method) => method.toUpperCase() === name);
    if (method === undefined) throw new TypeError(`\`${row.route}\` is not a route, such as \`GET /orgs/:org\``);
    if (row.open === true) router[method](path, row.handler as RequestHandler);
    else router[method](path, admit(verifier, row, path, options) as RequestHandler, row.handler as RequestHandler);
  }
  router.use((_request, response) => respond(response, noSuchRoute()));
  return router;
}

/** Returns the handler that runs before those of a row, and passes on to them only what is allowed. */
function admit(
  verifier: Pick<Verifier, "validate">,
  row: Extract<Row, { access: string }>,
  path: string,
  { clientAddress }: GuardOptions,
): Handler<{ allowed: Allowed }> {
  const parts = path.split("/").filter((part) => part.startsWith(":")).map((part) => part.slice(1));
  if (new Set(parts).size < parts.length) throw new TypeError(`\`${row.route}\` names a part twice`);
  const { access, org = "{org}", permission } = row;
  if (permission !== undefined && !PERMISSION.test(permission)) {
    const expected = "expected `action:type` or `action:type:id`, with parts of the path in the id alone";
    throw new TypeError(`\`${row.route}\` has the permission \`${permission}\`: ${expected}`);
  }
  for (const [part] of `${org} ${permission ?? ""}`.matchAll(/\{[^}]*\}?|\}/g)) {
    const known = parts.some((name) => part === `{${name}}`);
    if (!known) throw new TypeError(`\`${row.route}\` has no part for \`${part}\``);
  }
  const filled = (template: string, params: Params) => template.replace(/\{(\w+)\}/g, (_, part) => params[part] ?? "");
  return async (request, response, next) => {
    const secret = bearer(request);
    if (typeof secret !== "string") return respond(response, secret);
    try {
      const { allowed, refused } = await verifier.validate({
        secret,
        access,
        org: filled(org, request.params),
        permission: permission === undefined ? undefined : filled(permission, request.params),
        clientAddress: clientAddress?.(request),
        client: request.headers["user-agent"],
      });
      if (refused !== undefined) return respond(response, ofVerdict(refused));
      response.locals.allowed = allowed;
    } catch (error) {
      if (error instanceof InvalidQuestion) return respond(response, invalidRequest(error.message));
      if (error instanceof Undecided) return respond(response, undecided());
      throw error;
    }
    next();
  };
}

/** Returns true if every decoder reads the path as it was sent in the same way. */
function isPlain(url: string): boolean {
  const [path = ""] = url.split("?", 1);
  return PATH.test(path) && !path.split("/").some((segment) => segment === "." || segment === "..");
}

/** Returns the text after `Bearer` in the only `Authorization` header (RFC 6750, section 2.1). */
function bearer({ rawHeaders }: IncomingMessage): string | Refusal {
  // `headers` would drop the second one.
  const values = rawHeaders.filter((_, at) => at % 2 === 1 && rawHeaders[at - 1]?.toLowerCase() === "authorization");
  const [value] = values;
  if (value === undefined) return missingToken();
  if (values.length > 1) return invalidRequest("authorization: it is given more than once");
  if (!/^[\t -~]*$/.test(value)) return invalidRequest("authorization: it is not plain text");
  const [scheme = "", ...secret] = value.split(" ");
  // Another scheme is no token.
  if (scheme.toLowerCase() !== "bearer") return missingToken();
  if (secret.length === 0) {
    return invalidRequest("authorization: expected `Bearer` and the token, with one space between them");
  }
  return secret.join(" ");
}
