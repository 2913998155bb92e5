// SPDX-License-Identifier: MIT
// Hosts whose clients show certificates.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { execFile } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http2 from "node:http2";
import path from "node:path";
import tls from "node:tls";
import { promisify } from "node:util";
import { freePort, makeCertificates, missing, runDaemon, runProgram, scratch, startDaemon } from "../support/edge.mjs";
import { recordingServer, statusesOf } from "../support/web.mjs";

const run = promisify(execFile);
const openssl = (...args) => run("openssl", args);

/** A certificate of this CA for a client; { cert, key } as text. */
async function makeClient(dir, ca, name) {
  const at = (ext) => path.join(dir, `${name}.${ext}`);
  await openssl("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
    "-keyout", at("key"), "-out", at("csr"), "-subj", `/O=Example/CN=${name}`);
  await openssl("x509", "-req", "-in", at("csr"), "-CA", ca.ca, "-CAkey", ca.caKey, "-CAcreateserial",
    "-days", "30", "-out", at("pem"));
  return { cert: fs.readFileSync(at("pem")), key: fs.readFileSync(at("key")), file: at("pem"), keyFile: at("key") };
}

/** A list of this CA that revokes these. */
async function makeRevoked(dir, ca, clients, dates = []) {
  const at = (name) => path.join(dir, name);
  fs.writeFileSync(at("index"), "");
  fs.writeFileSync(at("crlnumber"), "01\n");
  fs.writeFileSync(at("ca.cnf"), ["[ca]", "default_ca=d", "[d]", `database=${at("index")}`,
    `crlnumber=${at("crlnumber")}`, "default_md=sha256", "default_crl_days=30", ""].join("\n"));
  const sign = ["-config", at("ca.cnf"), "-cert", ca.ca, "-keyfile", ca.caKey];
  for (const client of clients) await openssl("ca", ...sign, "-revoke", client.file);
  await openssl("ca", ...sign, "-gencrl", ...dates, "-out", at("crl.pem"));
  return at("crl.pem");
}

describe("clients with certificates", { concurrency: false }, () => {
  const dir = scratch();
  const clients = {};
  let made, ca, port, plain, backend, web, sessions;

  before(async () => {
    made = await makeCertificates(path.join(dir, "pki"), { names: ["web.test", "*.web.test"], addresses: [] });
    ca = fs.readFileSync(made.ca);
    const inner = await makeCertificates(path.join(dir, "clients"));
    const foreign = await makeCertificates(path.join(dir, "foreign"));
    for (const name of ["alice", "mallory"]) clients[name] = await makeClient(dir, inner, name);
    clients.stranger = await makeClient(dir, foreign, "stranger");
    const crl = await makeRevoked(dir, inner, [clients.mallory]);
    fs.mkdirSync(path.join(dir, "past"));
    const past = await makeRevoked(path.join(dir, "past"), inner, [],
      ["-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z"]);
    backend = await recordingServer();
    [port, plain] = [await freePort(), await freePort()];
    web = await startDaemon("web-proxy", { config: {
      listen: [`https:127.0.0.1:${port}`, `http:127.0.0.1:${plain}`], workers: 1,
      certificate: [made.cert], key: [made.key], upstream: [`a=http://127.0.0.1:${backend.port}`],
      "client-auth": [
        { host: "api.web.test", "ca-file": inner.ca, "crl-file": crl, field: "X-Client-Subject" },
        { host: "past.web.test", "ca-file": inner.ca, "crl-file": past },
        { host: "open.web.test", "ca-file": inner.ca, mode: "optional", field: "X-Client-Subject" },
      ],
      route: ["/=a", { path: "/closed", upstream: "a", host: "open.web.test", "client-certificate": true }] } });
  });
  after(async () => {
    backend?.close();
    const how = await web?.stop();
    assert.equal(how.code, 0, web.log());
  });

  /** One request; { status, subject: what the back end was told, error }. */
  async function ask(sni, { host = sni, client, path = "/", version, session, fields = "" } = {}) {
    const socket = tls.connect({ port, host: "127.0.0.1", servername: sni, ca, session,
      cert: client?.cert, key: client?.key, ...version && { minVersion: version, maxVersion: version } });
    let text = "";
    let error;
    let resumed = false;
    backend.forget();
    socket.on("error", (e) => { error = e; });
    socket.on("secureConnect", () => { resumed = socket.isSessionReused(); });
    socket.on("session", (s) => { sessions = s; });
    socket.on("data", (part) => { text += part; });
    socket.write(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n${fields}Connection: close\r\n\r\n`);
    await new Promise((done) => socket.on("close", done));
    return { status: statusesOf(text)[0], subject: backend.requests[0]?.value("x-client-subject"),
      reached: backend.requests.length, error: error?.code, resumed };
  }

  const ok = (subject) => ({ status: 200, subject, reached: 1, error: undefined, resumed: false });

  for (const version of ["TLSv1.3", "TLSv1.2"]) {
    test(`${version}: who has a certificate gets in, and the back end learns who it is`, async () => {
      assert.deepEqual(await ask("api.web.test", { client: clients.alice, version }), ok("O=Example, CN=alice"));
      assert.deepEqual(await ask("API.web.test", { host: "api.web.test", client: clients.alice, version }),
        ok("O=Example, CN=alice"));
    });

    test(`${version}: without one, with a foreign or with a revoked one nobody gets in`, async () => {
      for (const client of [undefined, clients.stranger, clients.mallory]) {
        const { status, reached, error } = await ask("api.web.test", { client, version });
        assert.deepEqual({ status, reached }, { status: undefined, reached: 0 });
        assert.ok(error, "an alert");
      }
    });

    test(`${version}: a list of revoked ones that has ended lets nobody in`, async () => {
      const { status, reached } = await ask("past.web.test", { client: clients.alice, version });
      assert.deepEqual({ status, reached }, { status: undefined, reached: 0 });
    });

    test(`${version}: where it is optional, routes decide`, async () => {
      assert.deepEqual(await ask("open.web.test", { version }), ok(undefined));
      assert.deepEqual(await ask("open.web.test", { version, client: clients.alice }), ok("O=Example, CN=alice"));
      assert.deepEqual(await ask("open.web.test", { version, client: clients.stranger }), ok(undefined));
      assert.equal((await ask("open.web.test", { version, path: "/closed" })).status, 403);
      assert.equal((await ask("open.web.test", { version, path: "/closed", client: clients.stranger })).status, 403);
      assert.deepEqual(await ask("open.web.test", { version, path: "/closed", client: clients.alice }),
        ok("O=Example, CN=alice"));
    });

    test(`${version}: a ticket of one host opens no other`, async () => {
      sessions = undefined;
      await ask("web.test", { version });
      assert.ok(sessions, "hosts without rules give tickets");
      const session = sessions;
      assert.equal((await ask("web.test", { version, session })).resumed, true);
      const { status, reached, resumed } = await ask("api.web.test", { version, session });
      assert.deepEqual({ status, reached, resumed }, { status: undefined, reached: 0, resumed: false });
      // nor does a host with rules give any
      sessions = undefined;
      await ask("api.web.test", { version, client: clients.alice });
      const again = await ask("api.web.test", { version, client: clients.alice, session: sessions });
      assert.equal(again.resumed, false);
    });
  }

  test("421: a connection for one host asks for another", async () => {
    for (const [sni, host, client] of [
      ["web.test", "api.web.test"], ["web.test", "open.web.test"], ["open.web.test", "api.web.test", clients.alice],
      ["api.web.test", "web.test", clients.alice], ["other.web.test", "API.WEB.TEST:443"]]) {
      const { status, reached } = await ask(sni, { host, client });
      assert.deepEqual({ status, reached }, { status: 421, reached: 0 }, `${sni} → ${host}`);
    }
  });

  test("421: without TLS", async () => {
    const { stdout } = await runProgram("curl", ["-s", "-o", "/dev/null", "-w", "%{http_code}",
      "-H", "Host: api.web.test", `http://127.0.0.1:${plain}/`]);
    assert.equal(stdout, "421");
  });

  test("a client's own word about itself is dropped, on all hosts", async () => {
    const fields = "X-Client-Subject: CN=root\r\nx_client_subject: CN=root\r\n";
    assert.deepEqual(await ask("web.test", { fields }), ok(undefined));
    assert.doesNotMatch(backend.raw(), /root/);
    assert.deepEqual(await ask("api.web.test", { fields, client: clients.alice }), ok("O=Example, CN=alice"));
    assert.doesNotMatch(backend.raw(), /root/);
  });

  test("HTTP/2 streams are under the same rules", async () => {
    const session = http2.connect("https://api.web.test", { createConnection: () => tls.connect({ port, host: "127.0.0.1",
      servername: "api.web.test", ca, ALPNProtocols: ["h2"], cert: clients.alice.cert, key: clients.alice.key }) });
    const status = async (authority) => {
      const request = session.request({ ":path": "/", ":authority": authority });
      const [headers] = await once(request, "response");
      request.resume();
      return headers[":status"];
    };
    backend.forget();
    assert.equal(await status("api.web.test"), 200);
    assert.equal(backend.requests[0].value("x-client-subject"), "O=Example, CN=alice");
    assert.equal(await status("web.test"), 421);
    assert.equal(await status("open.web.test"), 421);
    session.close();
  });

  test("curl shows its certificate", { skip: missing("curl") }, async () => {
    const { stdout, stderr } = await runProgram("curl", ["-sS", "--cacert", made.ca, "--cert", clients.alice.file,
      "--key", clients.alice.keyFile, "--resolve", `api.web.test:${port}:127.0.0.1`, `https://api.web.test:${port}/`]);
    assert.equal(stdout, "ok", stderr);
  });

  test("refusals are counted", async () => {
    assert.match(await web.metrics(), /web_proxy_refused_total{reason="certificate"} [1-9]/);
  });

  test("a reload takes rules away and gives new ones", async () => {
    const file = path.join(web.dir, "web-proxy.json");
    const config = JSON.parse(fs.readFileSync(file, "utf8"));
    config["client-auth"][0].host = "web.test";
    fs.writeFileSync(file, JSON.stringify(config));
    assert.equal((await web.admin("/reload", { method: "POST" })).status, 200);
    assert.deepEqual(await ask("api.web.test"), ok(undefined));
    assert.equal((await ask("web.test")).status, undefined);
    assert.deepEqual(await ask("web.test", { client: clients.alice }), ok("O=Example, CN=alice"));
    config["client-auth"][0]["crl-file"] = made.key;
    fs.writeFileSync(file, JSON.stringify(config));
    const refused = await web.admin("/reload", { method: "POST" });
    assert.notEqual(refused.status, 200);
    assert.match(refused.body, /CRL file/);
  });
});

test("settings that cannot be are refused", async () => {
  const dir = scratch();
  const { ca } = await makeCertificates(dir);
  const base = ["--check", "--listen", "http:127.0.0.1:9000", "--upstream", "h=http://127.0.0.1:2", "--route", "/=h"];
  const cases = [
    [["--client-auth", `A.test=${ca}`], /client-auth\[0\]\.host.*not a host name in lower case/],
    [["--client-auth", `a.test=${ca}`, "--client-auth", `a.test=${ca}`], /client-auth\[1\]\.host.*is there twice/],
    [["--client-auth", `a.test=${ca},field=Host`], /client-auth\[0\]\.field.*not a field of its own/],
    [["--client-auth", `a.test=${ca},field=X-Forwarded-For`], /client-auth\[0\]\.field/],
    [["--client-auth", "a.test"], /ca-file/],
  ];
  for (const [args, expected] of cases) {
    const { code, stderr } = await runDaemon("web-proxy", [...base, ...args]);
    assert.notEqual(code, 0, args.join(" "));
    assert.match(stderr, expected, args.join(" "));
  }
});
