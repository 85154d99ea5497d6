// Answers questions, one in JSON per line of the standard input, each with one line. It ends with its input.

import { createInterface } from "node:readline";
import { InvalidQuestion, type Question, Reason, Scope, Undecided, Verifier } from "@ndauth/client";

const { NDAUTH_ADDRESS: address = "", NDAUTH_SERVICE_SECRET: secret = "" } = process.env;
const verifier = new Verifier(address, { secret });

async function answer(line: string): Promise<object> {
  const { client_address: clientAddress, ...question } = JSON.parse(line);
  try {
    const { allowed, refused } = await verifier.validate({ ...question, clientAddress } as Question);
    if (allowed === undefined) return { refused: Reason[refused.reason] };
    const access = allowed.effective && Scope[allowed.effective.access];
    return { allowed: { token_id: allowed.tokenId, token_name: allowed.tokenName, access } };
  } catch (error) {
    if (error instanceof InvalidQuestion) return { invalid: error.field };
    if (error instanceof Undecided) return { undecided: error.code };
    throw error;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(line)));
}
verifier.close();
