// SPDX-License-Identifier: MIT
// What presets are for, with clients that others wrote: curl, OpenSSL and
// coturn's tools.

import assert from "node:assert/strict";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import tls from "node:tls";
import { test } from "node:test";
import { buildDir, missing, runProgram, waitFor } from "../support/edge.mjs";
import { Loopback, startPreset } from "../support/presets.mjs";

const edgectl = path.join(buildDir, "deploy/edgectl/edgectl");

/* Whose certificate a server shows when asked for `name`, and what was said. */
async function shown(host, port, name, ...more) {
  return (await runProgram("openssl", ["s_client", "-connect", `${host}:${port}`, "-servername", name, ...more],
    { input: "" }));
}

/* What a Binding request over TLS from `from` is told (RFC 8489 14.2). */
async function mappedAddress(host, port, servername, from) {
  const request = Buffer.concat([Buffer.from([0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]), Buffer.alloc(12, 7)]);
  const socket = tls.connect({ host, port, servername, localAddress: from, rejectUnauthorized: false });
  socket.on("secureConnect", () => socket.write(request));
  const answer = await new Promise((done, fail) => socket.once("data", done).once("error", fail));
  socket.destroy();
  const at = answer.indexOf(Buffer.from([0, 0x20, 0, 8, 0, 1]));
  assert.ok(at > 0, answer.toString("hex"));
  return [0, 1, 2, 3].map((i) => answer[at + 8 + i] ^ answer[4 + i]).join(".");
}

test("xivo-1: port 443 is HTTPS for one name and TURN for the other", {
  skip: missing("openssl", "curl"),
}, async (t) => {
  const loopback = new Loopback();
  const turn = await startPreset("xivo-1", "turn-server.json", { loopback });
  t.after(() => turn.daemon.stop());
  const web = await startPreset("xivo-1", "web-proxy.json", { loopback, others: [3478] });
  t.after(() => web.daemon.stop());
  const port = loopback.port(443);

  assert.match((await shown("127.0.0.1", port, "edge.example.com")).stdout, /subject=CN = edge\.example\.com/);
  assert.match((await shown("127.0.0.1", port, "turn.example.com")).stdout, /subject=CN = turn\.example\.com/);
  const page = await runProgram("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}", "--cacert", web.ca,
    "--resolve", `edge.example.com:${port}:127.0.0.1`, `https://edge.example.com:${port}/nobody-published-this`]);
  assert.equal(page.stdout, "404");
  const check = await runProgram(edgectl, ["check", `turns:turn.example.com:${port}`, "--address", "127.0.0.1",
    "--ca", turn.turnCa, "--secret-file", path.join(turn.dir, "turn.secret"), "--json"]);
  assert.match(check.stdout, /TURN-ALLOCATE/);
  assert.doesNotMatch(check.stdout, /"level": ?"error"|TURN-CREDENTIAL|TURN-CONNECT/, check.stdout);
  assert.match(await turn.daemon.metrics(), /^turn_server_allocations_opened_total [1-9]/m);
  assert.equal(await mappedAddress("127.0.0.1", port, "turn.example.com", "127.0.0.77"), "127.0.0.77",
    "turn-server is told who the client is");
});

test("xivo-1: what speaks TURN without TLS on 443 finds it as well", { skip: missing("turnutils_uclient") }, async (t) => {
  const loopback = new Loopback();
  const turn = await startPreset("xivo-1", "turn-server.json", { loopback });
  t.after(() => turn.daemon.stop());
  const web = await startPreset("xivo-1", "web-proxy.json", { loopback, others: [3478] });
  t.after(() => web.daemon.stop());
  const secret = fs.readFileSync(path.join(turn.dir, "turn.secret"), "utf8").trim();
  await runProgram("turnutils_uclient", ["-t", "-c", "-n", "1", "-m", "1", "-u", "alice", "-W", secret,
    "-p", String(loopback.port(443)), "-e", "127.0.0.1", "-X", "127.0.0.1"], { timeout: 8000 });
  assert.match(await turn.daemon.metrics(), /^turn_server_allocations_opened_total [1-9]/m);
});

test("pexip: the world may ask for its address, only nodes may relay", {
  skip: missing("turnutils_stunclient", "turnutils_uclient"),
}, async (t) => {
  const { daemon, loopback } = await startPreset("pexip", "turn-server.json");
  t.after(() => daemon.stop());
  const host = loopback.address("203.0.113.3");
  for (const port of [3478, 19302]) {
    const said = await runProgram("turnutils_stunclient", ["-p", String(loopback.port(port)), host], { timeout: 8000 });
    assert.match(said.stdout + said.stderr, /reflexive addr/, `port ${port}`);
  }
  for (const port of [3478, 19302])
    await runProgram("turnutils_uclient", ["-c", "-n", "1", "-m", "1", "-u", "node", "-w", "some-password",
      "-p", String(loopback.port(port)), "-e", host, "-X", host], { timeout: 8000 });
  assert.match(await daemon.metrics(), /^turn_server_allocations_opened_total 0$/m);
});

test("xphone: clients find out about their NAT on 3478 and 3479", { skip: missing("turnutils_natdiscovery") }, async (t) => {
  const { daemon, loopback } = await startPreset("xphone", "turn-server.json");
  t.after(() => daemon.stop());
  const said = await runProgram("turnutils_natdiscovery", ["-m", "-p", String(loopback.port(3478)),
    loopback.address("203.0.113.3")], { timeout: 20000 });
  const text = said.stdout + said.stderr;
  assert.match(text, new RegExp(`${loopback.address("203.0.113.4").replaceAll(".", "\\.")}:${loopback.port(3479)}`),
    "the other address and port are told");
});

test("xphone: two prefixes in any case are published, the way out leads to the push services alone", {
  skip: missing("curl"),
}, async (t) => {
  const seen = [];
  const app = http.createServer((request, answer) => { seen.push(request.url); answer.end("app"); });
  const loopback = new Loopback();
  const web = await startPreset("xphone", "web-proxy-app-in-dmz.json", { loopback, others: [8080],
    change: (text) => text.replace('"egress-from": ["10.1.0.5"', '"egress-from": ["127.0.0.0/8"') });
  t.after(() => web.daemon.stop());
  await new Promise((up) => app.listen(loopback.port(8080), "127.0.0.1", up));
  t.after(() => app.close());
  const host = loopback.address("203.0.113.2");
  const get = async (target) => (await runProgram("curl", ["-sk", "-o", "/dev/null", "-w", "%{http_code}",
    `https://${host}:${loopback.port(443)}${target}`])).stdout;
  assert.equal(await get("/xphoneconnect/mobile/login"), "200");
  assert.equal(await get("/XPhoneConnect/WebClientAPI/x"), "200");
  assert.equal(await get("/xphoneconnect/admin"), "404");
  assert.equal(await get("/xphoneconnect/mobile/../admin"), "404");
  assert.deepEqual(seen, ["/xphoneconnect/mobile/login", "/XPhoneConnect/WebClientAPI/x"]);

  const out = async (target) => (await runProgram("curl", ["-s", "-o", "/dev/null", "-w", "%{http_connect}", "-p",
    "-x", `http://${loopback.address("10.1.0.2")}:${loopback.port(3128)}`, `https://${target}/`])).stdout;
  assert.equal(await out("example.org:443"), "403", "not listed");
  assert.equal(await out("127.0.0.1:22"), "403");
  assert.equal(await out("api.push.apple.com:80"), "403", "another port");
});

test("lync: partners show a certificate, a conference needs its key, and nothing else is published", {
  skip: missing("openssl", "curl"),
}, async (t) => {
  const loopback = new Loopback();
  const sip = await startPreset("lync", "sip-proxy.json", { loopback });
  t.after(() => sip.daemon.stop());
  const access = loopback.address("203.0.113.10");
  const user = await shown(access, loopback.port(443), "sip.example.com");
  assert.match(user.stdout, /Verification|subject=/);
  const partner = await shown(access, loopback.port(5061), "sip.example.com", "-tls1_2");
  assert.match(partner.stdout, /Acceptable client certificate CA names|Client Certificate Types/, "it asks for one");
  await waitFor(async () => /^sip_proxy_partners_refused_total\{why="no_certificate"\} [1-9]/m.test(await sip.daemon.metrics()),
    { what: "who shows none is refused" });

  const web = await startPreset("lync", "web-proxy.json", { loopback });
  t.after(() => web.daemon.stop());
  const get = async (name, target, ...more) => (await runProgram("curl", ["-sk", "-o", "/dev/null", "-w", "%{http_code}",
    ...more, "--http1.1", "--resolve", `${name}:${loopback.port(443)}:${loopback.address("203.0.113.20")}`,
    `https://${name}:${loopback.port(443)}${target}`])).stdout;
  const upgrade = ["-H", "Connection: Upgrade", "-H", "Upgrade: websocket", "-H", "Sec-WebSocket-Version: 13",
    "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="];
  assert.equal(await get("webconf.example.com", "/conference", ...upgrade), "401");
  assert.equal(await get("webconf.example.com", "/conference?token=a.b.c", ...upgrade), "401");
  assert.equal(await get("webconf.example.com", "/meet"), "404", "another host's path");
  assert.equal(await get("meet.example.com", "/other"), "404");
});
