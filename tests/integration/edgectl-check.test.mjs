// SPDX-License-Identifier: MIT
// `edgectl check`: nothing to complain of at a good edge, and every finding
// provoked once, by real servers where they can be so wrong.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import {
  freePort, freePortRange, makeCertificates, missing, root, runProgram, scratch, slow, startDaemon, waitFor,
} from "../support/edge.mjs";
import { check, edgectl, fakeMediaServer, fakeTurn, sendChannel, udpSocket } from "../support/check.mjs";

describe("edgectl check", () => {
  const dir = scratch();
  const closers = [];
  const port = {};
  let pki;
  let good;

  before(async () => {
    pki = await makeCertificates(path.join(dir, "pki"));
    for (const name of ["https", "plain", "all", "ws", "sip", "turn", "closed"])
      port[name] = await freePort();
    for (const [name, text] of [["secret", "north"], ["other", "south"]])
      fs.writeFileSync(path.join(dir, name), `${text}\n`, { mode: 0o600 });
    const backend = http.createServer((request, answer) => answer.end("everything")).listen(0, "127.0.0.1");
    await once(backend, "listening");
    closers.push(() => backend.close());
    const relay = await freePortRange(10);
    const media = await fakeMediaServer();
    closers.push(() => media.close());
    const daemons = [
      ["web-proxy", {
        listen: [`https:127.0.0.1:${port.https}`, `http:127.0.0.1:${port.plain}`],
        certificate: [pki.cert], key: [pki.key],
        upstream: [`sip=http://127.0.0.1:${port.ws}`],
        route: [{ path: "/wssip", upstream: "sip", websocket: "only" }, { path: "/wssip-*", upstream: "sip", websocket: "only" }],
      }],
      ["web-proxy", {
        listen: [`http:127.0.0.1:${port.all}`], upstream: [`a=http://127.0.0.1:${backend.address().port}`],
        route: [{ path: "/", upstream: "a" }],
      }],
      ["sip-proxy", {
        listen: [`ws:127.0.0.1:${port.ws}`, `udp:127.0.0.1:${port.sip}`],
        "media-server": [`default=udp:127.0.0.1:${media.address().port}`, `dead=udp:127.0.0.1:${port.closed}`],
        "probe-interval": "0",
      }],
      ["turn-server", {
        listen: [`udp:127.0.0.1:${port.turn}`, `tcp:127.0.0.1:${port.turn}`],
        certificate: pki.cert, key: pki.key, realm: "edge.test",
        "relay-address": ["127.0.0.1"], "relay-ports": `${relay}-${relay + 9}`,
        "allow-peer": [`127.0.0.1/32:${media.address().port}`],
        "secret-file": path.join(dir, "secret"),
      }],
    ];
    for (const [name, config] of daemons) {
      const daemon = await startDaemon(name, { config: { ...config, workers: 1 }, ready: name !== "sip-proxy" });
      closers.push(() => daemon.stop());
      await waitFor(() => daemon.status());
    }
    good = ["--ca", pki.ca, "--secret-file", path.join(dir, "secret"), "--websocket", "/wssip",
      "--media", `127.0.0.1:${media.address().port}`];
  });
  after(async () => {
    for (const close of closers.reverse()) await close();
  });

  test("a good edge has no findings, on every transport", async () => {
    const { code, ok, bad } = await check(...good, `https://localhost:${port.https}`,
      `turn:localhost:${port.turn}`, `turn:127.0.0.1:${port.turn}?transport=tcp`,
      `turns:localhost:${port.turn}`, `turns:localhost:${port.turn}?transport=udp`, "--address", "127.0.0.1", `stun:127.0.0.1:${port.turn}`);
    assert.deepEqual(bad, []);
    assert.equal(code, 0);
    const count = (id) => ok.filter((x) => x === id).length;
    assert.deepEqual(["WEB-TLS", "TLS-OLD", "WEB-UNLISTED", "WEB-WEBSOCKET", "SIP-WEBSOCKET", "WEB-HTTP2",
      "CLOCK-OFFSET", "TURN-TLS", "TURN-STUN", "TURN-OPEN", "TURN-ALLOCATE", "TURN-MEDIA", "TURN-FORBIDDEN"].map(count),
    [1, 2, 1, 1, 1, 1, 1, 2, 5, 4, 4, 4, 8]);
  });

  test("the relay it took is given back", async () => {
    const { bad } = await check(...good.slice(0, 4), ...Array(12).fill(`turn:127.0.0.1:${port.turn}`));
    assert.deepEqual(bad, []); // there are ten ports
  });

  /** A TURN server that is wrong, as an address; see fakeTurn(). */
  async function turn(answer, options) {
    const socket = await fakeTurn(answer, options);
    closers.push(() => socket.close());
    return `turn:127.0.0.1:${socket.address().port}`;
  }

  const allocate = 3;
  const channel = 9;
  /* One that gives a relay, and refuses what must be refused. */
  const relaying = (relayed, mapped) => ({ method, known, peer }) =>
    method === 1 ? { mapped } : !known ? { code: 401 } : method === allocate ? { relayed }
      : method === channel && /^(127\.0\.0\.1|169\.254\.169\.254):80$/.test(peer) ? { code: 403 } : {};

  /** A relay that sends from another port than it says. */
  async function remapped() {
    const [relay, other] = [await udpSocket(), await udpSocket()];
    let client;
    let mapped;
    const fake = await fakeTurn((q) => {
      if (q.method === 1) return { mapped: q.from };
      if (q.method === channel && q.peer && q.known) mapped = q.peer;
      return relaying(`127.0.0.1:${relay.address().port}`)(q);
    }, { onData: (number, data, from) => {
      client = { number, from };
      other.send(data, Number(mapped.split(":")[1]), "127.0.0.1");
    } });
    relay.on("message", (data) => { if (client) sendChannel(fake, client.number, data, client.from); });
    closers.push(() => { for (const socket of [relay, other, fake]) socket.close(); });
    return `turn:127.0.0.1:${fake.address().port}`;
  }

  async function webServer(make, answer) {
    const server = make((request, response) => answer(response)).listen(0, "127.0.0.1");
    await once(server, "listening");
    closers.push(() => server.close());
    return server.address().port;
  }

  const secret = (name) => ["--secret-file", path.join(dir, name)];
  for (const [id, args] of [
    ["WEB-CONNECT", () => [`https://127.0.0.1:${port.closed}`]],
    ["WEB-TLS", () => [`https://127.0.0.1:${port.plain}`]],
    ["TLS-TRUST", () => [`https://localhost:${port.https}`]],
    ["CERT-NAME", () => ["--ca", pki.ca, "--address", "127.0.0.1", `https://other.test:${port.https}`]],
    ["CERT-EXPIRES-SOON", () => ["--ca", pki.ca, "--days", "90", `https://localhost:${port.https}`]],
    ["WEB-UNLISTED", () => [`http://127.0.0.1:${port.all}`]],
    ["WEB-WEBSOCKET", () => ["--websocket", "/nowhere", `http://127.0.0.1:${port.plain}`]],
    ["TURN-CONNECT", () => [`turn:127.0.0.1:${port.closed}?transport=tcp`]],
    ["TURN-STUN", () => [`turn:127.0.0.1:${port.closed}`]],
    ["TURN-TLS", () => [`turns:127.0.0.1:${port.plain}`]],
    ["TURN-CREDENTIAL", () => [...secret("other"), `turn:127.0.0.1:${port.turn}`]],
    ["TURN-OPEN", async () => [await turn(({ method }) => (method === allocate ? { relayed: "192.0.2.1:9" } : {}))]],
    ["TURN-ALLOCATE", async () => [...secret("secret"),
      await turn(({ method, known }) => (method === 1 ? {} : { code: known ? 508 : 401 }))]],
    ["TURN-RELAY-ADDRESS", async () => [...secret("secret"),
      await turn(relaying("0.0.0.0:9"))]],
    ["TURN-MEDIA", () => [...secret("secret"), "--media", "127.0.0.1:9", `turn:127.0.0.1:${port.turn}`]],
    ["TURN-FORBIDDEN", async () => [...secret("secret"), "--forbidden", "127.0.0.2:80",
      await turn(relaying("192.0.2.1:9"))]],
    ["TURN-RELAY-CLOSED", async () => [...secret("secret"), await turn(relaying("127.0.0.1:9", "127.0.0.1:9"))]],
    ["WEB-PATH", () => ["--path", "/nowhere", `http://127.0.0.1:${port.plain}`]],
    ["WEB-HTTP2", async () => {
      const pem = { cert: fs.readFileSync(pki.cert), key: fs.readFileSync(pki.key) };
      const at = await webServer((answer) => https.createServer(pem, answer), (r) => r.writeHead(404).end());
      return ["--ca", pki.ca, `https://localhost:${at}`, "--address", "127.0.0.1"];
    }],
    ["CLOCK-OFFSET", async () => {
      const at = await webServer(http.createServer, (r) =>
        r.writeHead(404, { Date: new Date(Date.now() - 120000).toUTCString() }).end());
      return [`http://127.0.0.1:${at}`];
    }],
    ["SIP-WEBSOCKET", () => ["--websocket", "/wssip-dead", `http://127.0.0.1:${port.plain}`]],
  ])
    test(`${id} is found, and nothing else`, async () => {
      const { code, bad, lines } = await check(...await args());
      const twice = ["CERT-EXPIRES-SOON"]; // of the leaf and of the root
      assert.deepEqual(bad, twice.includes(id) ? [id, id] : [id], JSON.stringify(lines, null, 1));
      assert.equal(code, 1);
    });

  test("TURN-RELAY-PORT is found where a NAT changes the relay's ports", async () => {
    const { lines } = await check(...secret("secret"), await remapped());
    const [line] = lines.filter((l) => l.id === "TURN-RELAY-PORT");
    assert.equal(line?.state, "error", JSON.stringify(lines, null, 1));
  });

  test("--only prints, and lets count, what it names", async () => {
    const { code, lines } = await check("--only", "turn-open", `turn:127.0.0.1:${port.turn}`, `turn:127.0.0.1:${port.closed}`);
    assert.deepEqual([code, lines.map((l) => l.id)], [0, ["TURN-OPEN"]]);
  });

  test("TLS-OLD is found at a server that takes TLS 1.0 and 1.1", { skip: missing("openssl") }, async (t) => {
    const at = await freePort();
    const server = spawn("openssl", ["s_server", "-accept", String(at), "-cert", pki.cert, "-key", pki.key,
      "-cipher", "ALL:@SECLEVEL=0", "-www", "-quiet", "-min_protocol", "TLSv1"], { stdio: "ignore" });
    closers.push(() => server.kill());
    await waitFor(() => new Promise((done, fail) => {
      const s = net.connect(at, "127.0.0.1", () => { s.destroy(); done(true); }).on("error", fail);
    }), { what: "openssl s_server listens" });
    const probe = await runProgram("openssl", ["s_client", "-connect", `127.0.0.1:${at}`, "-tls1",
      "-cipher", "ALL:@SECLEVEL=0"], { input: "" });
    if (!/Protocol *: TLSv1\b/.test(probe.stdout)) return t.skip("this OpenSSL has no TLS 1.0");
    const { lines } = await check("--ca", pki.ca, `https://localhost:${at}`, "--address", "127.0.0.1");
    const old = lines.filter((l) => l.id === "TLS-OLD");
    assert.deepEqual(old.map((l) => l.state), ["error", "error"]);
    assert.match(old.map((l) => l.text).join(" "), /TLS 1\.0.*TLS 1\.1/);
  });

  test("a server that says nothing costs seconds, not for ever", async () => {
    const silent = net.createServer((c) => c.on("error", () => {})).listen(0, "127.0.0.1");
    await once(silent, "listening");
    const began = Date.now();
    const { bad } = await check(`https://127.0.0.1:${silent.address().port}`);
    silent.close();
    assert.equal(bad[0], "WEB-CONNECT");
    assert.ok(Date.now() - began < 15000 * slow);
  });

  test("what is no address is exit code 2 before anything is sent", async () => {
    for (const uri of ["edge.test", "https://a/b", "sips:a;transport=udp"])
      assert.equal((await runProgram(edgectl, ["check", uri])).code, 2, uri);
  });
});

test("every finding has a sentence on edgectl's page and a test that provokes it", () => {
  const finding = "(?:CERT|CLOCK|DNS|NAT|PORT|SIP|TLS|TURN|WEB|FLOW)-[A-Z0-9]+(?:-[A-Z0-9]+)*";
  const folder = path.join(root, "deploy/edgectl");
  const texts = (dir, wanted) => fs.readdirSync(dir, { recursive: true }).filter((name) => wanted.test(name))
    .map((name) => fs.readFileSync(path.join(dir, name), "utf8")).join("\n");
  const ids = (text, before, behind = before) =>
    new Set([...text.matchAll(new RegExp(`${before}(${finding})${behind}`, "g"))].map(([, id]) => id));
  const made = ids(texts(folder, /\.c$/), '"', '[":]');
  for (const [, name] of texts(folder, /ctl_cert\.h$/).matchAll(/X\((CERT_[A-Z_]+),/g)) made.add(name.replaceAll("_", "-"));
  const said = ids(fs.readFileSync(path.join(folder, "README.md"), "utf8"), "`");
  const tried = new Set([
    ...ids(texts(path.join(root, "tests/integration"), /^edgectl.*\.mjs$/), '(?:"|/|/note )', '["/:]'),
    ...ids(texts(path.join(root, "tests/unit/ctl"), /\.c$/), '"', '[":]')]);
  assert.ok(made.size >= 60, `${made.size}`);
  for (const id of made) {
    assert.ok(said.has(id), `${id} is explained`);
    assert.ok(tried.has(id), `${id} is provoked`);
  }
  for (const id of said) assert.ok(made.has(id), `${id} is a finding`);
});
