// The client of ndauth for services: `Verifier` asks whether a token may do something.

export { InvalidQuestion, Undecided, Verifier } from "./verifier.js";
export type { Question, Verdict, VerifierOptions } from "./verifier.js";
export type { Allowed } from "./gen/ndauth/v1/validation_service_pb.js";
export type { Refused } from "./gen/ndauth/v1/types_pb.js";
export { Factor, Reason, Who } from "./gen/ndauth/v1/reason_pb.js";
export { Role, Scope } from "./gen/ndauth/v1/types_pb.js";
