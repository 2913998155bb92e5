// SPDX-License-Identifier: MIT
// The web application of the demo LAN: signs users in, hands each its SIP
// line and fresh TURN credentials, and serves the softphone page. It listens
// inside; browsers reach it through web-proxy.
//
// Settings, all from the environment:
//   DEMO_LISTEN            address:port                        127.0.0.1:8080
//   DEMO_CERTIFICATE       file; with it and DEMO_KEY it speaks TLS
//   DEMO_PASSWORD          what every demo user signs in with  (required)
//   DEMO_USERS             names                               alice,bob,carol
//   DEMO_ECHO              the user that echoes, or empty      echo
//   DEMO_DOMAIN            SIP domain                          default
//   DEMO_WEBSOCKET         path of SIP over WebSocket          /wssip
//   DEMO_SIP_SECRET        what SIP passwords derive from      (required)
//   DEMO_TURN_SECRET_FILE  file with turn-server's shared secret
//   DEMO_TURN_URLS         ICE server URLs, comma separated
//   DEMO_TURN_TTL          seconds a TURN credential lives     3600

import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import path from "node:path";
import { sipPassword, turnCredential, turnSecret } from "./credentials.mjs";

const here = new URL(".", import.meta.url).pathname;
const env = process.env;

function required(name) {
  if (env[name]) return env[name];
  console.error(`demo: ${name} is not set`);
  process.exit(2);
}

const listOf = (text) => text.split(",").map((s) => s.trim()).filter(Boolean);
const settings = {
  listen: env.DEMO_LISTEN ?? "127.0.0.1:8080",
  password: required("DEMO_PASSWORD"),
  users: listOf(env.DEMO_USERS ?? "alice,bob,carol"),
  echo: env.DEMO_ECHO ?? "echo",
  domain: env.DEMO_DOMAIN ?? "default",
  webSocket: env.DEMO_WEBSOCKET ?? "/wssip",
  sipSecret: required("DEMO_SIP_SECRET"),
  turnSecret: turnSecret(env.DEMO_TURN_SECRET_FILE),
  turnUrls: listOf(env.DEMO_TURN_URLS ?? ""),
  turnTtl: Number(env.DEMO_TURN_TTL ?? 3600),
};

/* ---- tokens: three parts, as the edge's format check expects ---------- */

const tokenKey = crypto.randomBytes(32);
const tokenTtl = 8 * 3600;
const b64 = (data) => Buffer.from(data).toString("base64url");
const mac = (text) =>
  crypto.createHmac("sha256", tokenKey).update(text).digest("base64url");
const now = () => Math.floor(Date.now() / 1000);

function makeToken(user) {
  const head = b64(JSON.stringify({ alg: "HS256", typ: "JWT" }));
  const body = b64(JSON.stringify({ sub: user, exp: now() + tokenTtl }));
  return `${head}.${body}.${mac(`${head}.${body}`)}`;
}

function same(a, b) {
  const hash = (s) => crypto.createHash("sha256").update(s).digest();
  return crypto.timingSafeEqual(hash(a), hash(b));
}

function userOfToken(token) {
  const parts = String(token).split(".");
  if (parts.length !== 3 || !same(mac(`${parts[0]}.${parts[1]}`), parts[2])) return null;
  const claims = JSON.parse(Buffer.from(parts[1], "base64url").toString());
  return claims.exp > now() ? claims.sub : null;
}

/* ---- what a signed-in page is given ------------------------------------ */

const title = (name) => name.charAt(0).toUpperCase() + name.slice(1);

function iceServers(user) {
  if (!settings.turnSecret || settings.turnUrls.length === 0) return [];
  const credential = turnCredential(settings.turnSecret, user, settings.turnTtl);
  return [{ urls: settings.turnUrls, ...credential }];
}

function lineOf(user) {
  const others = settings.users.filter((name) => name !== user);
  const contacts = others.map((name) => ({ user: name, name: title(name) }));
  if (settings.echo && user !== settings.echo)
    contacts.push({ user: settings.echo, name: "Echo" });
  return {
    user,
    name: title(user),
    domain: settings.domain,
    password: sipPassword(settings.sipSecret, user),
    webSocket: settings.webSocket,
    contacts,
    ice: { servers: iceServers(user), ttl: settings.turnTtl },
  };
}

/* ---- HTTP ---------------------------------------------------------------- */

const files = new Map([
  ["/ucassistant/", ["page/index.html", "text/html; charset=utf-8"]],
  ["/assets/style.css", ["page/style.css", "text/css; charset=utf-8"]],
  ["/assets/icon.svg", ["page/icon.svg", "image/svg+xml"]],
  ["/assets/phone.js", ["dist/phone.js", "text/javascript; charset=utf-8"]],
]);
const always = {
  "Cache-Control": "no-store",
  "Content-Security-Policy":
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; " +
    "connect-src 'self' ws: wss:; media-src 'self' blob:; form-action 'self'; " +
    "base-uri 'none'; frame-ancestors 'none'",
  "Permissions-Policy": "microphone=(self)",
  "Referrer-Policy": "no-referrer",
  "X-Content-Type-Options": "nosniff",
};

function answer(response, status, type, body, headers = {}) {
  response.writeHead(status, {
    ...always, "Content-Type": type, "Content-Length": Buffer.byteLength(body), ...headers,
  });
  response.end(body);
}

function json(response, status, value, headers) {
  answer(response, status, "application/json", JSON.stringify(value), headers);
}

async function readBody(request, limit) {
  let body = "";
  for await (const part of request) {
    body += part;
    if (body.length > limit) throw new Error("body too large");
  }
  return body;
}

async function login(request, response) {
  let given;
  try {
    given = JSON.parse(await readBody(request, 4096));
  } catch {
    json(response, 400, { error: "InvalidJson" });
    return;
  }
  const user = String(given?.login ?? "");
  const known = settings.users.includes(user) || (settings.echo && user === settings.echo);
  if (!same(String(given?.password ?? ""), settings.password) || !known) {
    json(response, 401, { error: "InvalidCredentials" });
    return;
  }
  json(response, 200, { login: user, token: makeToken(user), TTL: tokenTtl });
}

function line(request, response) {
  const [scheme, token] = (request.headers.authorization ?? "").split(" ");
  const user = scheme === "Bearer" ? userOfToken(token) : null;
  if (user) json(response, 200, lineOf(user));
  else json(response, 401, { error: "InvalidToken" }, { "WWW-Authenticate": "Bearer" });
}

async function serve(request, response) {
  const { pathname } = new URL(request.url, "http://demo");
  const head = request.method === "GET" || request.method === "HEAD";

  if (request.method === "POST" && pathname === "/xuc/api/2.0/auth/login") {
    await login(request, response);
  } else if (head && pathname === "/xuc/api/2.0/demo/line") {
    line(request, response);
  } else if (head && files.has(pathname)) {
    const [file, type] = files.get(pathname);
    answer(response, 200, type, fs.readFileSync(path.join(here, file)));
  } else if (head && (pathname === "/" || pathname === "/ucassistant")) {
    answer(response, 302, "text/plain", "", { Location: "/ucassistant/" });
  } else if (head && pathname === "/version") {
    json(response, 200, { name: "edge demo LAN", version: "1" });
  } else {
    answer(response, 404, "text/plain; charset=utf-8", "not found\n");
  }
}

const tls = env.DEMO_CERTIFICATE && {
  cert: fs.readFileSync(env.DEMO_CERTIFICATE), key: fs.readFileSync(env.DEMO_KEY),
};
const server = (tls ? https : http).createServer(tls || {}, (request, response) => {
  serve(request, response).catch((error) => {
    console.error(`demo: ${error.message}`);
    if (!response.headersSent) answer(response, 500, "text/plain", "error\n");
    else response.destroy();
  });
});

const at = settings.listen.lastIndexOf(":");
const host = settings.listen.slice(0, at).replace(/^\[|\]$/g, "");
server.listen(Number(settings.listen.slice(at + 1)), host, () => {
  console.log(`demo: listening on ${settings.listen}`);
});
for (const signal of ["SIGTERM", "SIGINT"])
  process.on(signal, () => {
    server.close(() => process.exit(0));
    server.closeAllConnections();
  });
