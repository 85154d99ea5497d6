// Asks ndauth whether a token permits a request, as a service in Node does for each one.
//
//     npm install @grpc/grpc-js @grpc/proto-loader
//     NDAUTH_SERVICE_SECRET=ndsvc_… node validate.mjs PROTO_FOLDER 127.0.0.1:7711 ops write:assets < token

import { readFileSync } from "node:fs";
import grpc from "@grpc/grpc-js";
import loader from "@grpc/proto-loader";

const DEADLINE = 2000; // milliseconds: the bound on how old an answer may be

/** ndauth could not decide. This is neither yes nor no: respond 503, and let nobody pass. */
export class Undecided extends Error {}

export class Validator {
  constructor(protoFolder, server, serviceSecret, credentials = grpc.credentials.createInsecure()) {
    const options = { includeDirs: [protoFolder], keepCase: true, enums: String, oneofs: true };
    const loaded = grpc.loadPackageDefinition(loader.loadSync("ndauth/v1/validation_service.proto", options));
    this.client = new loaded.ndauth.v1.ValidationService(server, credentials);
    this.metadata = new grpc.Metadata();
    this.metadata.set("authorization", `Bearer ${serviceSecret}`);
  }

  /** Resolves to `{ allowed }`, or `{ refused }` with a reason, a message and a hint. */
  validate(secret, org, permission, clientAddress = "") {
    const [action, resource_type, ...ids] = permission.split(":");
    const question = {
      secret,
      org,
      // The access needed is the greater of this and the action's own.
      required_access: "ACCESS_RO",
      required_permission: { action, resource_type, resource_id: ids.join(":") || "*" },
      client_address: clientAddress,
    };
    const deadline = Date.now() + DEADLINE;
    return new Promise((resolve, reject) => {
      this.client.ValidateToken(question, this.metadata, { deadline }, (error, answer) => {
        if (error) reject(new Undecided(error.details, { cause: error }));
        else resolve({ [answer.outcome]: answer[answer.outcome] });
      });
    });
  }

  close() {
    this.client.close();
  }
}

const [protoFolder, server, org, permission] = process.argv.slice(2);
// On another machine: grpc.credentials.createSsl() as the fourth argument.
const validator = new Validator(protoFolder, server, process.env.NDAUTH_SERVICE_SECRET);
try {
  const { allowed, refused } = await validator.validate(readFileSync(0, "utf8").trim(), org, permission);
  if (allowed) {
    const owner = allowed.owner.account?.handle ?? allowed.owner.org.slug;
    console.log(`allowed: ${allowed.token_name} of ${owner}`);
  } else {
    console.log(`refused: ${refused.message}`);
  }
  process.exitCode = allowed ? 0 : 1;
} catch (error) {
  if (!(error instanceof Undecided)) throw error;
  console.log(`undecided: ${error.message}`);
  process.exitCode = 6;
} finally {
  validator.close();
}
