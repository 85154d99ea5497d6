// A registry of assets, guarded by ndauth.
//
//     NDAUTH_ADDRESS=https://ndauth.example.org NDAUTH_SERVICE_SECRET_FILE=service.secret PORT=8080 node express-app.js

import { Verifier } from "@ndauth/client";
import { guard } from "@ndauth/client/express";
import express from "express";

const { NDAUTH_ADDRESS: address, NDAUTH_SERVICE_SECRET_FILE: secretFile, PORT: port } = process.env;
if (!address || !secretFile) throw new Error("set NDAUTH_ADDRESS and NDAUTH_SERVICE_SECRET_FILE");

const verifier = new Verifier(address, { secretFile, report: (failure) => console.error(String(failure)) });
const assets = new Map<string, unknown>();

const app = express();
app.disable("x-powered-by");
app.use(
  guard(
    verifier,
    [
      { route: "GET /healthz", open: true, handler: (_request, response) => void response.send("ok") },
      {
        route: "GET /orgs/:org/assets/:asset",
        access: "RO",
        permission: "read:assets:{asset}",
        handler: (request, response) => {
          const asset = assets.get(`${request.params.org}/${request.params.asset}`);
          asset === undefined ? response.sendStatus(404) : response.json(asset);
        },
      },
      {
        route: "PUT /orgs/:org/assets/:asset",
        access: "RW",
        permission: "write:assets:{asset}",
        // The body is read once the token is allowed.
        handler: [
          express.json(),
          (request, response) => {
            assets.set(`${request.params.org}/${request.params.asset}`, request.body);
            response.json({ stored_by: response.locals.allowed.tokenName });
          },
        ],
      },
    ],
    { clientAddress: (request) => request.ip },
  ),
);

const server = app.listen(Number(port ?? 0), "127.0.0.1", () => {
  const bound = server.address();
  console.log(`listening on http://127.0.0.1:${typeof bound === "object" ? bound?.port : bound}`);
});
process.once("SIGTERM", () => {
  server.close();
  verifier.close();
});
