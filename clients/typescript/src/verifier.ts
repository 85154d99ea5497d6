// Asks ndauth about a secret. Nothing is judged here: the question is sent as it came, and the answer passed on.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { create, type DescMethod, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { anyUnpack, durationMs } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata, type ServiceError, status } from "@grpc/grpc-js";
import { BadRequestSchema, StatusSchema } from "./gen/google/rpc/error_details_pb.js";
import type { Refused } from "./gen/ndauth/v1/types_pb.js";
import { Access, ValidateTokenRequestSchema, ValidationService } from "./gen/ndauth/v1/validation_service_pb.js";
import type { Allowed, ValidateTokenRequest, ValidateTokenResponse } from "./gen/ndauth/v1/validation_service_pb.js";
import { WatchRevocationsRequestSchema, WatchService } from "./gen/ndauth/v1/watch_service_pb.js";
import { Kept, now } from "./kept.js";

/** The deadline of a call, in milliseconds, and the longest time without a response to a probe. */
const DEADLINE = 2000;
/** The most calls in flight. */
const MOST_CALLS = 256;
const SECRET = /^ndsvc_[\w-]{43}$/;
/** The first and the longest pause before the watch is opened again, in milliseconds. */
const PAUSE = { first: 50, longest: 2000 };
/** The shortest and the longest time between two probes, in milliseconds. */
const PERIOD = { shortest: 10, longest: 250 };

const CHANNEL = {
  // A connection that died without a word is given up, and the next one is tried soon.
  "grpc.keepalive_time_ms": 1000,
  "grpc.keepalive_timeout_ms": 1000,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 1000,
  // The address says all that there is to know: no proxy of the environment, no configuration from DNS.
  "grpc.enable_http_proxy": 0,
  "grpc.service_config_disable_resolution": 1,
  "grpc.use_local_subchannel_pool": 1,
};

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
  /** Receives every failure: calls that failed, and ends of the watch. An error that it throws is ignored. */
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
  readonly #client: Client;
  readonly #secret: () => string;
  readonly #kept: Kept;
  readonly #report: (failure: Undecided | InvalidQuestion) => void;
  #calls = 0;
  #closed = false;
  #endWatch = () => {};

  /** The URL is `https://HOST:PORT`, or `http://HOST:PORT` for this machine. */
  constructor(url: string, options: VerifierOptions) {
    const { ca, capacity = 10_000, report = () => {} } = options;
    const { protocol, hostname, port, origin, href } = new URL(url);
    const tls = protocol === "https:";
    if (!(tls || protocol === "http:") || href !== `${origin}/`) {
      throw new TypeError(`expected \`https://HOST:PORT\`, or \`http://HOST:PORT\` for this machine: \`${url}\``);
    }
    const channel = tls ? credentials.createSsl(ca ? Buffer.from(ca) : null) : credentials.createInsecure();
    this.#secret = secretSource(options);
    this.#client = new Client(`${hostname}:${port || (tls ? 443 : 80)}`, channel, CHANNEL);
    this.#kept = new Kept(capacity);
    this.#report = report;
    if (capacity > 0) void this.#watch();
  }

  /** Resolves to the verdict. Throws `Undecided` or `InvalidQuestion` if there is none. */
  async validate(question: Question): Promise<Verdict> {
    if (this.#closed) throw new Undecided("the verifier is closed", "CANCELLED");
    const request = messageOf(question);
    const key = keyOf(request);
    const asked = this.#kept.ask();
    const kept = this.#kept.find(key, asked);
    if (kept !== undefined) return { allowed: kept };
    if (this.#calls >= MOST_CALLS) {
      throw this.#reported(new Undecided("too many questions are waiting", "RESOURCE_EXHAUSTED"));
    }
    this.#calls += 1;
    try {
      const response = await this.#ask(request);
      this.#kept.keep(key, response, asked);
      const { outcome } = response;
      if (outcome.case === "allowed") return { allowed: outcome.value };
      if (outcome.case === "refused") return { refused: outcome.value };
    } catch (error) {
      throw this.#reported(failureOf(error));
    } finally {
      this.#calls -= 1;
    }
    throw this.#reported(new Undecided("the response carries no verdict", "INTERNAL"));
  }

  /** Closes the connection. Later questions cannot be decided. */
  close(): void {
    this.#closed = true;
    this.#endWatch();
    this.#client.close();
  }

  #ask(request: ValidateTokenRequest): Promise<ValidateTokenResponse> {
    const [path, serialize, deserialize] = rpc(ValidationService.method.validateToken);
    const deadline = Date.now() + DEADLINE;
    return new Promise((resolve, reject) => {
      const done = (error: ServiceError | null, response?: ValidateTokenResponse) =>
        response === undefined ? reject(error) : resolve(response);
      this.#client.makeUnaryRequest(path, serialize, deserialize, request, this.#metadata(), { deadline }, done);
    });
  }

  #metadata(): Metadata {
    const metadata = new Metadata();
    metadata.set("authorization", `Bearer ${this.#secret()}`);
    return metadata;
  }

  #reported<Failure extends Undecided | InvalidQuestion>(failure: Failure): Failure {
    void (async () => this.#report(failure))().catch(() => {});
    return failure;
  }

  /** Follows the changes until the verifier is closed. While this fails, answers are kept by their age alone. */
  async #watch(): Promise<void> {
    for (let pause = PAUSE.first; !this.#closed; pause = Math.min(2 * pause, PAUSE.longest)) {
      const begun = now();
      try {
        await this.#follow();
      } catch (error) {
        if (!this.#closed) this.#reported(failureOf(error));
      }
      if (now().monotonic - begun.monotonic > PAUSE.longest) pause = PAUSE.first;
      await sleep(pause * (0.5 + Math.random() / 2), undefined, { ref: false });
    }
  }

  /** Follows one stream until it ends. */
  async #follow(): Promise<void> {
    const stream = this.#client.makeBidiStreamRequest(...rpc(WatchService.method.watchRevocations), this.#metadata());
    this.#endWatch = () => stream.cancel();
    // The loop below throws errors. This is for those that come after it.
    stream.on("error", () => {});
    let period = PERIOD.longest;
    let heard = now();
    let probe = 0n;
    let next: NodeJS.Timeout | undefined;
    const ask = () => {
      if (now().monotonic - heard.monotonic > DEADLINE) {
        stream.destroy(new Undecided("the server does not answer probes", "UNAVAILABLE"));
        return;
      }
      probe += 1n;
      stream.write(create(WatchRevocationsRequestSchema, { probe }));
      next = setTimeout(ask, period).unref();
    };
    ask();
    try {
      for await (const news of stream) {
        this.#kept.apply(news);
        heard = now();
        const bound = news.confirmed?.bound;
        if (bound) period = Math.min(Math.max(durationMs(bound) / 8, PERIOD.shortest), PERIOD.longest);
      }
    } finally {
      clearTimeout(next);
      stream.cancel();
    }
  }
}

/** Returns the path of an RPC, and the conversions of its messages. */
function rpc<Method extends DescMethod>({ parent, name, input, output }: Method) {
  return [
    `/${parent.typeName}/${name}`,
    (request: MessageShape<Method["input"]>) => Buffer.from(toBinary(input, request)),
    (response: Buffer) => fromBinary(output, response) as MessageShape<Method["output"]>,
  ] as const;
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
  if (secret !== undefined) {
    if (!SECRET.test(secret)) throw new TypeError("`secret` is no service secret: expected `ndsvc_…` and nothing else");
    return () => secret;
  }
  if (!secretFile) throw new TypeError("the verifier needs the service's own secret: `secret` or `secretFile`");
  const read = () => SECRET.exec(readFileSync(secretFile, "utf8").trim())?.[0];
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

/** Returns the failure that a failed call stands for. It says nothing about the secret in question. */
function failureOf(error: unknown): Undecided | InvalidQuestion {
  if (error instanceof Undecided) return error;
  const { code, details, metadata } = error as Partial<ServiceError>;
  // Any other error may quote a secret, so nothing of it is kept.
  if (typeof code !== "number" || details === undefined) return new Undecided("the call failed", "UNKNOWN");
  if (code === status.INVALID_ARGUMENT || code === status.OUT_OF_RANGE) {
    return new InvalidQuestion(details, invalidField(metadata), error);
  }
  const own = code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED;
  return new Undecided(own ? `this service may not validate: ${details}` : details, status[code], error);
}

/** Returns the field that the details of a failed call name. */
function invalidField(metadata: Metadata | undefined): string {
  const [bytes] = metadata?.get("grpc-status-details-bin") ?? [];
  if (!(bytes instanceof Buffer)) return "";
  try {
    const { details } = fromBinary(StatusSchema, bytes);
    return details.map((detail) => anyUnpack(detail, BadRequestSchema)?.fieldViolations[0]?.field).find(Boolean) ?? "";
  } catch {
    return "";
  }
}
