// SPDX-License-Identifier: MIT
// The preset for XiVO, with back ends that stand for XiVO CC, the main server
// and sip-proxy: every documented route, its zone and its check.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import fs from "node:fs";
import https from "node:https";
import path from "node:path";
import { once } from "node:events";
import { createRequire } from "node:module";
import { freePort, makeCertificates, root, runDaemon, scratch, startDaemon } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

let WebSocket, WebSocketServer, skip = false;
try {
  ({ WebSocket, WebSocketServer } = createRequire(import.meta.url)("ws"));
} catch {
  skip = "the npm package ws is not installed";
}

const TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl";
const dir = scratch();
const text = fs.readFileSync(path.join(root, "deploy/presets/xivo/web-proxy.json"), "utf8");
let certs, servers, port;

function preset(changes = (t) => t) {
  const file = path.join(dir, `preset-${Math.random()}.json`);
  fs.writeFileSync(file, changes(text
    .replaceAll("/etc/edge/fullchain.pem", certs.cert)
    .replaceAll("/etc/edge/key.pem", certs.key)
    .replaceAll("/etc/edge/inside-ca.pem", certs.ca)));
  return file;
}

/* Say who they are; WebSockets greet with it. */
function serve(name) {
  return (request, response) => response.end(`${name} ${request.url}`);
}

function greet(server, name) {
  const sockets = new WebSocketServer({ server, handleProtocols: (offered) => [...offered][0] ?? false });
  sockets.on("connection", (socket, request) => socket.send(`${name} ${request.url} ${request.headers["x-forwarded-for"]}`));
}

before(async () => {
  certs = await makeCertificates(dir, { addresses: ["127.0.0.1"] });
  const secure = async (name) => {
    const server = https.createServer({ cert: fs.readFileSync(certs.cert), key: fs.readFileSync(certs.key) }, serve(name));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    return { server, port: server.address().port, close() { server.closeAllConnections(); server.close(); } };
  };
  servers = { cc: await secure("cc"), main: await secure("main"), sip: await httpServer(serve("sip")) };
  port = await freePort();
  if (!skip) for (const name of ["cc", "sip"]) greet(servers[name].server, name);
});

after(() => {
  for (const server of Object.values(servers ?? {})) server.close();
});

/* Every test has a proxy of its own: the rates begin anew. */
async function withProxy(action, { exempt = false } = {}) {
  const file = preset((t) => t
    .replace(/"listen": \[.*\]/, `"listen": ["https:127.0.0.1:${port}"]`)
    .replace("https://10.0.0.20:443", `https://127.0.0.1:${servers.cc.port}`)
    .replace("https://10.0.0.10:443", `https://127.0.0.1:${servers.main.port}`)
    .replace("http://10.1.0.3:5066", `http://127.0.0.1:${servers.sip.port}`)
    .replace('"exempt": [', `"exempt": [${exempt ? '"127.0.0.0/8", ' : ""}`));
  const proxy = await startDaemon("web-proxy", { args: ["--config", file, "--workers", "2"] });
  try {
    return await action(proxy);
  } finally {
    await proxy.stop();
  }
}

const agent = new https.Agent({ keepAlive: true, maxSockets: 20 });

function get(target, method = "GET") {
  return new Promise((done, fail) => {
    const request = https.request({ host: "localhost", port, path: target, method, agent, ca: fs.readFileSync(certs.ca) }, (response) => {
      let body = "";
      response.on("data", (part) => { body += part; });
      response.on("end", () => done({ status: response.statusCode, body, headers: response.headers }));
    });
    request.on("error", fail);
    request.end();
  });
}

function socket(target, options = {}) {
  return new Promise((done) => {
    const ws = new WebSocket(`wss://localhost:${port}${target}`, options.protocols ?? [], { ca: fs.readFileSync(certs.ca), ...options });
    ws.on("message", (data) => { done({ status: 101, text: String(data), protocol: ws.protocol }); ws.close(); });
    ws.on("unexpected-response", (request, response) => { done({ status: response.statusCode }); request.destroy(); });
    ws.on("error", () => {});
  });
}

test("the preset is accepted as it stands", async () => {
  const got = await runDaemon("web-proxy", ["--config", preset(), "--check"]);
  assert.equal(got.code, 0, got.stderr);
  assert.equal(got.stderr, "");
});

const published = {
  cc: ["/ucassistant", "/ucassistant/index.html", "/ccagent", "/switchboard", "/assets/x.js", "/config", "/video/css/a.css",
    "/video/images/a", "/video/lang/a", "/video/libs/a", "/video/sounds/a", "/pwa-worker.js", "/static/offline.html",
    "/xuc/api/2.0/auth/sso", "/version", "/video/external_api.js", "/xuc/api/2.0/auth/login", "/invitation/video",
    "/install/win64", "/updates/win64/x.exe", "/updates/debian/x.deb", "/video/room"],
  main: ["/meetingrooms/token/validate/abc"],
};

test("every path goes to its server, all others to none", async () => {
  await withProxy(async () => {
    for (const [name, targets] of Object.entries(published))
      for (const target of targets) {
        const got = await get(target);
        assert.equal(got.status, 200, target);
        assert.equal(got.body, `${name} ${target}`);
      }
    for (const target of ["/", "/xucx", "/ucassistants", "/admin", "/video", "/static", "/install", "/wssipx?token=a", "/wssip-?token=a", "/meetingrooms"])
      assert.equal((await get(target)).status, 404, target);
  }, { exempt: true });
});

test("tokens are asked for", { skip }, async () => {
  await withProxy(async (proxy) => {
    assert.equal((await socket("/wssip")).status, 403);
    assert.equal((await socket("/wssip-mds1")).status, 403);
    assert.equal((await socket("/wssip?token=")).status, 403);
    assert.equal((await socket("/xuc/api/2.0/cti")).status, 403);
    assert.equal((await socket("/xuc/api/2.0/cti?token=abc")).status, 403);
    assert.equal((await socket(`/xuc/api/2.0/cti?token=${TOKEN}&token=x`)).status, 400);
    assert.deepEqual(await socket(`/wssip?token=${TOKEN}`, { protocols: ["sip"] }),
      { status: 101, text: `sip /wssip?token=${TOKEN} 127.0.0.1`, protocol: "sip" });
    assert.equal((await socket("/wssip-mds1?token=any")).text, "sip /wssip-mds1?token=any 127.0.0.1");
    assert.equal((await socket(`/xuc/api/2.0/cti?token=${TOKEN}`)).text, `cc /xuc/api/2.0/cti?token=${TOKEN} 127.0.0.1`);
    assert.equal((await socket("/video/xmpp-websocket?room=x")).status, 101);
    assert.equal((await socket("/video/colibri-ws/abc")).status, 101);
    assert.equal((await get(`/wssip?token=${TOKEN}`)).status, 426, "no plain request where a WebSocket belongs");
    assert.doesNotMatch(proxy.log(), /eyJ/, "no token in the log");
  }, { exempt: true });
});

/* How many of `n` requests sent at the same moment pass, and how long all take. */
async function flood(target, n) {
  const begun = Date.now();
  const all = await Promise.all(Array.from({ length: n }, () => get(target)));
  return { passed: all.filter((a) => a.status === 200).length, refused: all.filter((a) => a.status === 429).length, ms: Date.now() - begun };
}

for (const [zone, target, burst] of [
  ["webapp nodelay", "/assets/a.js", 50],
  ["auth", "/xuc/api/2.0/auth/login", 12],
  ["dapp", "/install/win64", 15],
  ["video", "/video/room", 12],
])
  test(`zone ${zone}: one and the burst of ${burst} pass at once`, async () => {
    await withProxy(async () => {
      const got = await flood(target, burst + 10);
      // While they are sent the fast zones let some more in.
      const more = /auth|dapp/.test(zone) ? 0 : Math.ceil(got.ms / 1000 * 30);
      assert.ok(got.passed >= burst + 1 && got.passed <= burst + 1 + more, `${got.passed} passed in ${got.ms} ms`);
      assert.equal(got.passed + got.refused, burst + 10);
    });
  });

test("zone webapp with delay: the burst of 20 is paced", async () => {
  await withProxy(async () => {
    const got = await flood("/ucassistant", 15);
    assert.equal(got.passed, 15);
    assert.ok(got.ms >= 14 / 30 * 1000 - 50, `15 requests took ${got.ms} ms`);
  });
});

test("private clients are not limited", async () => {
  await withProxy(async () => {
    const got = await flood("/xuc/api/2.0/auth/login", 60);
    assert.equal(got.passed, 60);
  }, { exempt: true });
});

test("routes of one zone share the account", { skip }, async () => {
  await withProxy(async () => {
    for (let i = 0; i < 6; i++) {
      assert.equal((await get("/xuc/api/2.0/auth/login")).status, 200);
      assert.equal((await get("/invitation/video")).status, 200);
    }
    assert.equal((await socket("/wssip?token=x")).status, 101);
    assert.equal((await socket("/wssip?token=x")).status, 429);
    assert.equal((await get("/ucassistant")).status, 200, "another zone");
  });
});
