"""A registry of assets behind ndauth.

    pip install ndauth fastapi uvicorn
    export NDAUTH_ADDRESS=https://ndauth.example.org NDAUTH_SERVICE_SECRET_FILE=service-secret PORT=8000
    python fastapi_app.py

The file holds the secret that `ndauthd admin service create` printed.
"""

import os
from contextlib import asynccontextmanager

import uvicorn
from fastapi import FastAPI, HTTPException, Request
from ndauth import Guard, Route, Verifier

verifier = Verifier(os.environ["NDAUTH_ADDRESS"], secret_file=os.environ["NDAUTH_SERVICE_SECRET_FILE"])
routes = [
    Route.open("GET /healthz"),
    Route.needs("GET /orgs/{org}/assets/{asset}", "RO", "read:assets:{asset}"),
    Route.needs("PUT /orgs/{org}/assets/{asset}", "RW", "write:assets:{asset}"),
]


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with verifier:
        yield


app = FastAPI(lifespan=lifespan)
app.add_middleware(Guard, verifier=verifier, routes=routes)
assets: dict[tuple[str, str], dict] = {}


@app.get("/healthz")
async def healthz():
    return {"watching": verifier.watching}


@app.get("/orgs/{org}/assets/{asset}")
async def pull(org: str, asset: str):
    if (org, asset) not in assets:
        raise HTTPException(404)
    return assets[org, asset]


@app.put("/orgs/{org}/assets/{asset}")
async def publish(org: str, asset: str, request: Request):
    owner = request.state.allowed.owner
    by = owner.account.handle or owner.org.slug
    assets[org, asset] = {"size": len(await request.body()), "published_by": by}
    return assets[org, asset]


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]))
