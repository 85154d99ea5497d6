// Asks ndauth about a secret. Nothing is judged here: the question is sent as it came, and the answer passed on.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { durationMs } from "@bufbuild/protobuf/wkt";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { BadRequestSchema } from "./gen/google/rpc/error_details_pb.js";
import { Access, ValidateTokenRequestSchema, ValidationService } from "./gen/ndauth/v1/validation_service_pb.js";
import type { Refused } from "./gen/ndauth/v1/types_pb.js";
import type { Allowed, ValidateTokenRequest } from "./gen/ndauth/v1/validation_service_pb.js";
import { WatchRevocationsRequestSchema, WatchService } from "./gen/ndauth/v1/watch_service_pb.js";
import { type Instant, Kept, now } from "./kept.js";

/** The deadline of a call, in milliseconds. */
const DEADLINE = 2000;
/** The first and the longest pause before the watch is opened again, in milliseconds. */
const PAUSE = { first: 50, longest: 2000 };
/** The shortest and the longest time between two probes, in milliseconds. */
const PERIOD = { shortest: 10, longest: 250 };
const LARGEST_RESPONSE = 4 * 1024 * 1024;

/** One question: whether a secret may do something in an org, or only whose it is. */
export type Question = {
  /** The secret as it was presented. */
  secret: string;
  /** The address of the client that presented it, if the service knows it. */
  clientAddress?: string | undefined;
  /** The name of that client, such as its `User-Agent`. */
  client?: string | undefined;
} & (
  | {
      /** The access that is needed is the greater of this and the action's own. */
      access: "RO" | "RW";
      org: string;
      /** `action:type` or `action:type:id`. Required for tokens that carry a set of grants. */
      permission?: string | undefined;
    }
  | { access: "IDENTITY"; org?: undefined; permission?: undefined }
);

export type Verdict = { allowed: Allowed; refused?: undefined } | { allowed?: undefined; refused: Refused };

export interface VerifierOptions {
  /** The service's own secret. */
  secret?: string;
  /** A file with the service's own secret instead. It is read again for each call. */
  secretFile?: string;
  /** The certificates of the authorities to trust, in PEM, instead of those of Node. */
  ca?: string | Buffer;
  /** The most answers to keep: 10,000 by default. With 0, none is kept, and no watch is opened. */
  capacity?: number;
  /** Receives every failure: calls that failed, and ends of the watch. */
  report?: (failure: Undecided | InvalidQuestion) => void;
}

/** It could not be decided. This is neither a yes nor a no: respond 503, and let nobody pass. */
export class Undecided extends Error {
  override readonly name = "Undecided";
  /** The code of the failed call, such as `UNAVAILABLE`. */
  readonly code: string;

  constructor(message: string, code: string, cause?: unknown) {
    super(message, { cause });
    this.code = code;
  }
}

/** The question is incomplete or malformed: nothing was decided. */
export class InvalidQuestion extends Error {
  override readonly name = "InvalidQuestion";
  /** The field that is invalid, such as `org`. Empty if no single one is. */
  readonly field: string;

  constructor(message: string, field: string, cause?: unknown) {
    super(message, { cause });
    this.field = field;
  }
}

/** Asks one server, over one connection. Call `close` when the service stops: until then the connection stays open. */
export class Verifier {
  readonly #sessions: Http2SessionManager;
  readonly #validation: Client<typeof ValidationService>;
  readonly #watching: Client<typeof WatchService>;
  readonly #kept: Kept;
  readonly #report: (failure: Undecided | InvalidQuestion) => void;
  #closed = false;

  constructor(url: string, options: VerifierOptions) {
    const { ca, capacity = 10_000, report = () => {} } = options;
    const secret = secretSource(options);
    const authorize: Interceptor = (next) => (request) => {
      request.header.set("authorization", `Bearer ${secret()}`);
      return next(request);
    };
    this.#sessions = new Http2SessionManager(url, { pingIntervalMs: 1000, pingTimeoutMs: 1000 }, ca ? { ca } : {});
    const transport = createGrpcTransport({
      baseUrl: url,
      sessionManager: this.#sessions,
      interceptors: [authorize],
      readMaxBytes: LARGEST_RESPONSE,
    });
    this.#validation = createClient(ValidationService, transport);
    this.#watching = createClient(WatchService, transport);
    this.#kept = new Kept(capacity);
    this.#report = report;
    if (capacity > 0) void this.#watch();
  }

  /** Resolves to the verdict. Throws `Undecided` or `InvalidQuestion` if there is none. */
  async validate(question: Question): Promise<Verdict> {
    if (this.#closed) throw new Undecided("the verifier is closed", "CANCELLED");
    const request = messageOf(question);
    const key = keyOf(request);
    const sent = now();
    const kept = this.#kept.find(key, sent);
    if (kept !== undefined) return { allowed: kept };
    try {
      const response = await this.#validation.validateToken(request, { timeoutMs: DEADLINE });
      const { outcome } = response;
      if (outcome.case === undefined) throw new ConnectError("the response carries no verdict", Code.Internal);
      this.#kept.keep(key, response, sent);
      return outcome.case === "allowed" ? { allowed: outcome.value } : { refused: outcome.value };
    } catch (error) {
      const failure = failureOf(error);
      if (failure instanceof Undecided && failure.code === "DEADLINE_EXCEEDED") this.#giveUpConnecting();
      this.#report(failure);
      throw failure;
    }
  }

  /** Closes the connection. Later questions cannot be decided. */
  close(): void {
    this.#closed = true;
    this.#sessions.abort();
  }

  /** Lets the next call begin another connection, if this one does not come about: it may never do. */
  #giveUpConnecting(): void {
    if (this.#sessions.state() === "connecting") this.#sessions.abort();
  }

  /** Follows the changes until the verifier is closed. While this fails, answers are kept by their age alone. */
  async #watch(): Promise<void> {
    for (let pause = PAUSE.first; !this.#closed; pause = Math.min(2 * pause, PAUSE.longest)) {
      const silence = new AbortController();
      const stream: Stream = { open: true, period: PERIOD.longest, heard: now(), silence };
      try {
        for await (const news of this.#watching.watchRevocations(probes(stream), { signal: silence.signal })) {
          this.#kept.apply(news);
          stream.heard = now();
          const bound = news.confirmed?.bound;
          if (bound) stream.period = Math.min(Math.max(durationMs(bound) / 8, PERIOD.shortest), PERIOD.longest);
          pause = PAUSE.first;
        }
      } catch (error) {
        if (!this.#closed) this.#report(failureOf(error));
      }
      stream.open = false;
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { ref: false });
    }
  }
}

/** One stream of the watch. */
interface Stream {
  open: boolean;
  period: number;
  heard: Instant;
  silence: AbortController;
}

/** Sends the probes of a watch for as long as it is open. A stream on which they are not answered is given up. */
async function* probes(stream: Stream) {
  for (let probe = 1n; stream.open; probe += 1n) {
    yield create(WatchRevocationsRequestSchema, { probe });
    await sleep(stream.period, undefined, { ref: false });
    if (now().monotonic - stream.heard.monotonic > DEADLINE) {
      stream.silence.abort(new ConnectError("the server does not answer probes", Code.Unavailable));
    }
  }
}

function messageOf({ secret, access, org, permission, clientAddress, client }: Question): ValidateTokenRequest {
  const [action, resourceType, ...id] = permission?.split(":") ?? [];
  return create(ValidateTokenRequestSchema, {
    secret,
    org,
    // Anything else is left for the server to refuse.
    requiredAccess: Access[access],
    requiredPermission:
      permission === undefined ? undefined : { action, resourceType, resourceId: id.length ? id.join(":") : "*" },
    clientAddress,
    client,
  });
}

/** Returns the SHA-256 of the question. The name of the client is no part of it: no decision depends on it. */
function keyOf(request: ValidateTokenRequest): string {
  const question = toBinary(ValidateTokenRequestSchema, { ...request, client: "" });
  return createHash("sha256").update(question).digest("base64");
}

/** Returns a function that returns the service's own secret as of now. */
function secretSource({ secret, secretFile }: VerifierOptions): () => string {
  if (secret) return () => secret;
  if (!secretFile) throw new TypeError("the verifier needs the service's own secret: `secret` or `secretFile`");
  const read = () => /^ndsvc_[\w-]{43}$/.exec(readFileSync(secretFile, "utf8").trim())?.[0];
  const first = read();
  if (!first) throw new TypeError(`the file \`${secretFile}\` holds no service secret`);
  let last = first;
  return () => {
    try {
      last = read() ?? last;
    } catch {
      // While the file is missing or half written, the last secret is used.
    }
    return last;
  };
}

/** Returns the failure that a failed call stands for. It never says anything about the secret in question. */
function failureOf(error: unknown): Undecided | InvalidQuestion {
  const failed = ConnectError.from(error);
  if (failed.code === Code.InvalidArgument || failed.code === Code.OutOfRange) {
    const [fault] = failed.findDetails(BadRequestSchema).flatMap((bad) => bad.fieldViolations);
    return new InvalidQuestion(failed.rawMessage, fault?.field ?? "", error);
  }
  // `DeadlineExceeded` is `DEADLINE_EXCEEDED` in gRPC.
  const code = failed.code === Code.Canceled ? "CANCELLED" : Code[failed.code].replace(/(?<=[a-z])(?=[A-Z])/g, "_");
  const own = failed.code === Code.Unauthenticated || failed.code === Code.PermissionDenied;
  const message = own ? `this service may not validate: ${failed.rawMessage}` : failed.rawMessage;
  return new Undecided(message, code.toUpperCase(), error);
}
