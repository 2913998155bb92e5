// SPDX-License-Identifier: MIT
// JSON Web Tokens made by Node's own crypto, in front of a real back end.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import crypto from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { createRequire } from "node:module";
import { once } from "node:events";
import { freePort, runDaemon, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { rawExchange, recordingServer } from "../support/web.mjs";

const rsa = crypto.generateKeyPairSync("rsa", { modulusLength: 2048 });
const ec = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const other = crypto.generateKeyPairSync("ec", { namedCurve: "P-256" });
const secret = "an hmac secret of more than 32 bytes";
const now = () => Math.floor(Date.now() / 1000);

const b64 = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");
const SIGN = {
  HS256: (text, key) => crypto.createHmac("sha256", key).update(text).digest("base64url"),
  RS256: (text, key) => crypto.sign("sha256", Buffer.from(text), key).toString("base64url"),
  ES256: (text, key) => crypto.sign("sha256", Buffer.from(text), { key, dsaEncoding: "ieee-p1363" }).toString("base64url"),
};

function makeToken(alg, key, claims = {}, header = {}) {
  const text = `${b64({ alg, typ: "JWT", ...header })}.${b64({
    iss: "idp", aud: "edge", exp: now() + 60, sub: "jo", ...claims })}`;
  return `${text}.${SIGN[alg](text, key)}`;
}

const KEYS = {
  HS256: [secret, {}],
  RS256: [rsa.privateKey, { kid: "r1" }],
  ES256: [ec.privateKey, { kid: "e1" }],
};
const good = (alg, claims, header) => makeToken(alg, KEYS[alg][0], claims, { ...KEYS[alg][1], ...header });
const pem = (pair) => pair.publicKey.export({ type: "spki", format: "pem" });
const jwk = (pair, kid) => ({ ...pair.publicKey.export({ format: "jwk" }), kid, use: "sig" });

let dir, backend, proxy, port, file, config;

function writeKeys(...keys) {
  fs.writeFileSync(path.join(dir, "keys.json"), JSON.stringify({ keys }));
}

before(async () => {
  dir = scratch();
  backend = await recordingServer();
  port = await freePort();
  fs.writeFileSync(path.join(dir, "secret"), `${secret}\n`, { mode: 0o600 });
  fs.writeFileSync(path.join(dir, "rsa.pem"), pem(rsa));
  writeKeys(jwk(rsa, "r1"), jwk(ec, "e1"));
  const asked = { issuer: "idp", audience: ["edge", "meet"], leeway: "5s" };
  const route = (name) => ({ path: `/${name}`, upstream: "a", token: "valid", "token-policy": name, websocket: "yes" });
  config = {
    listen: [`http:127.0.0.1:${port}`], workers: 2, upstream: [`a=http://127.0.0.1:${backend.port}`],
    "token-policy": [
      { name: "HS256", "secret-file": "secret", ...asked },
      { name: "RS256", "jwks-file": "keys.json", ...asked },
      { name: "ES256", "jwks-file": "keys.json", ...asked },
      { name: "pem", "key-file": "rsa.pem", source: "header", ...asked },
      { name: "cookie", "jwks-file": "keys.json", source: "cookie", "source-name": "sid", strip: true,
        claim: "sub", field: "X-User" },
      { name: "meeting", "secret-file": "secret", claim: "conference" },
    ],
    zone: ["shared=1r/m"],
    route: [...["HS256", "RS256", "ES256", "pem", "cookie"].map(route), { path: "/open", upstream: "a" },
      { path: "/api/client/v2/conferences", upstream: "a", token: "valid", "token-policy": "meeting", "token-segment": 1 },
      { path: "/office", upstream: "a", token: "valid", "token-policy": "HS256", zone: "shared", burst: 3, nodelay: true,
        "zone-key": "exempt" }],
  };
  file = path.join(dir, "web-proxy.json");
  fs.writeFileSync(file, JSON.stringify(config));
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

async function ask(target, ...lines) {
  backend.forget();
  const head = [`GET ${target} HTTP/1.1`, "Host: a", ...lines, "", ""].join("\r\n");
  const got = await rawExchange(port, head);
  return { status: got.statuses[0], text: got.text, request: backend.requests[0] };
}

async function refused(what, target, ...lines) {
  const got = await ask(target, ...lines);
  assert.equal(got.status, 401, what);
  assert.match(got.text, /\r\nWWW-Authenticate: Bearer error="invalid_token"\r\n/, what);
  assert.equal(got.request, undefined, `${what}: reached the back end`);
}

const counter = async (reason) =>
  Number((await proxy.metrics()).match(new RegExp(`token_refused\\S*reason="${reason}"\\S* (\\d+)`))[1]);

for (const alg of ["HS256", "RS256", "ES256"]) {
  const at = (token) => `/${alg}?token=${token}`;

  test(`${alg}: a good token passes`, async () => {
    for (const claims of [{}, { aud: ["x", "meet"] }, { nbf: now() - 1 }, { exp: now() - 3 }]) {
      const got = await ask(at(good(alg, claims)));
      assert.equal(got.status, 200);
      assert.match(got.request.line, /^GET \/\w+\?token=ey/);
    }
  });

  test(`${alg}: what is wrong is refused and counted`, async () => {
    const cases = [
      ["expired", good(alg, { exp: now() - 60 })],
      ["expired", good(alg, { exp: undefined })],
      ["early", good(alg, { nbf: now() + 60 })],
      ["issuer", good(alg, { iss: "me" })],
      ["issuer", good(alg, { iss: undefined })],
      ["audience", good(alg, { aud: "other" })],
      ["audience", good(alg, { aud: [] })],
      ["malformed", good(alg, {}, { crit: ["exp"] })],
      ["malformed", good(alg).slice(0, -7).replace(/\.[^.]*$/, "")],
      ["malformed", `${good(alg)}=`],
      ["key", good(alg, {}, { alg: "none" })],
      ["key", good(alg, {}, { alg: "HS512" })],
    ];
    for (const [reason, token] of cases) {
      const before = await counter(reason);
      await refused(`${alg} ${reason} ${token}`, at(token));
      assert.equal(await counter(reason), before + 1, `${reason} ${token}`);
    }
  });

  test(`${alg}: a signature of others, or cut short, is none`, async () => {
    const wrong = { HS256: "another secret of more than 32 bytes", RS256: rsa.privateKey, ES256: other.privateKey }[alg];
    const token = makeToken(alg, wrong, {}, KEYS[alg][1]);
    const [head, , sign] = good(alg).split(".");
    if (alg !== "RS256") await refused("foreign key", at(token));
    await refused("other claims", at(`${head}.${b64({ iss: "idp", aud: "edge", exp: now() + 999 })}.${sign}`));
    await refused("cut", at(good(alg).slice(0, -8)));
    await refused("empty", at(`${good(alg).split(".").slice(0, 2).join(".")}.`));
  });
}

test("the key says the algorithm, not the token", async () => {
  const alone = (alg, key, header) => makeToken(alg, key, {}, header);
  await refused("public PEM as secret", "/pem", `Authorization: Bearer ${alone("HS256", pem(rsa))}`);
  await refused("JWK text as secret", `/RS256?token=${alone("HS256", JSON.stringify(jwk(rsa, "r1")), { kid: "r1" })}`);
  await refused("kid of another algorithm", `/RS256?token=${alone("RS256", rsa.privateKey, { kid: "e1" })}`);
  await refused("unknown kid", `/ES256?token=${alone("ES256", ec.privateKey, { kid: "zz" })}`);
  const none = `${b64({ alg: "none" })}.${b64({ iss: "idp", aud: "edge", exp: now() + 60 })}`;
  await refused("none", `/HS256?token=${none}.`);
  await refused("none", `/HS256?token=${none}.AA`);
  const text = `${b64({ alg: "ES256", jwk: jwk(other, "e1") })}.${b64({ iss: "idp", aud: "edge", exp: now() + 60 })}`;
  await refused("its own key", `/ES256?token=${text}.${SIGN.ES256(text, other.privateKey)}`);
});

test("a PEM key takes Bearer credentials", async () => {
  const got = await ask("/pem", `Authorization: Bearer ${good("RS256")}`);
  assert.equal(got.status, 200);
  const none = await ask("/pem");
  assert.equal(none.status, 401);
  assert.match(none.text, /\r\nWWW-Authenticate: Bearer\r\n/);
});

test("a cookie is taken out and its claim is told", async () => {
  const got = await ask("/cookie", `Cookie: a=1; sid=${good("ES256")}; b=2`, "X-User: root", "x_user: root");
  assert.equal(got.status, 200);
  assert.deepEqual(got.request.headers.filter(([n]) => n === "cookie" || /^x.user$/.test(n)),
    [["cookie", "a=1; b=2"], ["x-user", "jo"]]);
  await refused("header injection", "/cookie", `Cookie: sid=${good("ES256", { sub: "jo\r\nX-Admin: 1" })}`);
  await refused("no claim", "/cookie", `Cookie: sid=${good("ES256", { sub: undefined })}`);
  const open = await ask("/open", "X-User: root");
  assert.equal(open.request.value("x-user"), undefined, "the field is ours everywhere");
});

test("a WebSocket opens with a token only", async (t) => {
  let WebSocket;
  try {
    ({ WebSocket } = createRequire(import.meta.url)("ws"));
  } catch {
    return t.skip("the npm package ws is not installed");
  }
  backend.forget();
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ES256?token=${good("ES256", { exp: 1 })}`);
  socket.on("error", () => {});
  const [, response] = await once(socket, "unexpected-response");
  assert.equal(response.statusCode, 401);
  response.destroy();
  assert.equal(backend.raw(), "", "no byte reached the back end");
});

test("tokens are in no log", () => {
  assert.match(proxy.log(), /status=401/);
  assert.doesNotMatch(proxy.log(), /eyJ/);
});

test("keys are swapped by a reload", async () => {
  writeKeys(jwk(other, "e2"));
  assert.equal((await proxy.admin("/reload", { method: "POST" })).status, 200);
  const fresh = makeToken("ES256", other.privateKey, {}, { kid: "e2" });
  await waitFor(async () => (await ask(`/ES256?token=${fresh}`)).status === 200);
  await waitFor(async () => (await ask(`/ES256?token=${good("ES256")}`)).status === 401);
  writeKeys();
  const got = await proxy.admin("/reload", { method: "POST" });
  assert.equal(got.status, 409);
  assert.match(got.body, /token-policy "RS256": no key .*keys\.json/);
  assert.equal((await ask(`/ES256?token=${fresh}`)).status, 200, "the old keys stay");
});

test("settings that say nothing, or too much, are refused", async () => {
  const check = async (changes) => {
    const name = path.join(dir, "wrong.json");
    fs.writeFileSync(name, JSON.stringify({ ...config, ...changes }));
    const got = await runDaemon("web-proxy", ["--config", name, "--check"]);
    assert.notEqual(got.code, 0, JSON.stringify(changes));
    return got.stderr;
  };
  const policy = (more) => ({ "token-policy": [{ name: "p", "key-file": "rsa.pem", ...more }],
    route: [{ path: "/", upstream: "a", token: "valid", "token-policy": "p" }] });
  assert.match(await check({ "token-policy": [] }), /no token-policy "HS256"/);
  assert.match(await check({ ...policy(), route: [{ path: "/", upstream: "a", token: "valid" }] }), /goes with/);
  assert.match(await check(policy({ "key-file": undefined })), /needs secret-file/);
  assert.match(await check(policy({ field: "X-User" })), /needs a claim/);
  for (const field of ["Host", "X-Forwarded-For", "Content_Length", "a b", "Connection"])
    assert.match(await check(policy({ claim: "sub", field })), /field/, field);
  fs.writeFileSync(path.join(dir, "short"), "short", { mode: 0o600 });
  assert.match(await check(policy({ "secret-file": "short" })), /32/);
});

test("a token for one meeting opens that one alone", async () => {
  const at = (alias, token) => `/api/client/v2/conferences/${alias}/request_token?token=${token}`;
  const token = good("HS256", { conference: "team blue" });
  assert.equal((await ask(at("team%20blue", token))).status, 200);
  for (const alias of ["team%20red", "team", "Team%20Blue", "team%20blue2"]) {
    const got = await ask(at(alias, token));
    assert.equal(got.status, 403, alias);
    assert.equal(got.request, undefined, `${alias}: reached the back end`);
  }
  await refused("no conference in it", at("team%20blue", good("HS256")));
});

test("an office behind one address is not one client", async () => {
  for (let i = 0; i < 20; i++) assert.equal((await ask(`/office?token=${good("HS256")}`)).status, 200);
  const statuses = [];
  for (let i = 0; i < 8; i++) statuses.push((await ask("/office?token=a.b.c")).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 429, 429, 429, 429]);
});
