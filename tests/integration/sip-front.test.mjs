// SPDX-License-Identifier: MIT
// sip-proxy behind HAProxy, which names the clients (PROXY protocol).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { freePort, makeCertificates, missing, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { FakeAsterisk } from "../support/fake-asterisk.mjs";
import { SipStream, request, token } from "../support/sip.mjs";

const CLIENT = "127.0.0.3";

describe("behind HAProxy", { skip: missing("haproxy"), concurrency: false }, () => {
  const dir = scratch();
  const ports = {};
  const fronts = {};
  let certs, asterisk, proxy, haproxy;

  before(async () => {
    certs = await makeCertificates(path.join(dir, "pki"), {});
    asterisk = await FakeAsterisk.start();
    for (const name of ["tcp", "tls", "inside", "udp"]) ports[name] = await freePort();
    proxy = await startDaemon("sip-proxy", { args: [
      "--listen", `tcp:127.0.0.1:${ports.tcp},zone=external`, "--listen", `tls:127.0.0.1:${ports.tls},zone=external`,
      "--listen", `tcp:127.0.0.1:${ports.inside},zone=internal`, "--listen", `udp:127.0.0.1:${ports.udp},zone=internal`,
      "--certificate", certs.cert, "--key", certs.key, "--proxy-from", "127.0.0.2/32",
      "--media-server", `default=${asterisk.address}`, "--workers", "1"] });
    const lines = ["defaults", " mode tcp", " timeout connect 5s", " timeout client 5s", " timeout server 5s"];
    for (const [name, port, how] of [["tcp", ports.tcp, "send-proxy-v2"], ["v1", ports.tcp, "send-proxy"],
      ["tls", ports.tls, "send-proxy-v2"], ["plain", ports.tcp, ""], ["inside", ports.inside, "send-proxy-v2"]]) {
      fronts[name] = await freePort();
      lines.push(`listen ${name}`, ` bind 127.0.0.1:${fronts[name]}`,
        ` server sip 127.0.0.1:${port} source 127.0.0.2 ${how}`);
    }
    const file = path.join(dir, "haproxy.cfg");
    fs.writeFileSync(file, [...lines, ""].join("\n"));
    haproxy = spawn("haproxy", ["-f", file], { stdio: "ignore" });
    await waitFor(() => new Promise((done) => {
      const probe = net.connect(fronts.plain, "127.0.0.1", () => { probe.destroy(); done(true); });
      probe.on("error", () => done(false));
    }), { what: "HAProxy listens" });
  });
  after(async () => {
    haproxy?.kill("SIGKILL");
    await proxy?.stop();
    asterisk?.stop();
  });

  /** Register; the received= of the answer's Via, or "closed". */
  async function register(port, secure = false) {
    const options = { port, host: "127.0.0.1", localAddress: CLIENT };
    const socket = secure
      ? tls.connect({ ...options, ca: fs.readFileSync(certs.ca), servername: "edge.test" })
      : net.connect(options);
    await once(socket, secure ? "secureConnect" : "connect");
    const phone = new SipStream(socket);
    const transport = secure ? "TLS" : "TCP";
    phone.send(request("REGISTER", "sip:default", { via: `SIP/2.0/${transport} 192.0.2.9:5060;rport`,
      contact: `<sip:u@192.0.2.9;transport=${transport}>;expires=60`,
      from: `<sip:u@default>;tag=${token(4)}`, to: "<sip:u@default>" }));
    const got = await Promise.race([phone.final("1 REGISTER"), phone.closed.then(() => "closed")]);
    const mine = socket.localPort;
    socket.destroy();
    if (got === "closed") return got;
    const via = got.all("via")[0];
    return { status: got.status, received: via.match(/;received=([^;]+)/)?.[1],
      own: Number(via.match(/;rport=(\d+)/)?.[1]) === mine };
  }

  for (const name of ["tcp", "v1", "tls"])
    test(`${name}: the client's own address and port are seen`, async () => {
      assert.deepEqual(await register(fronts[name], name === "tls"), { status: 200, received: CLIENT, own: true });
    });

  test("a front end without a header is sent away", async () => {
    assert.equal(await register(fronts.plain), "closed");
  });

  test("others are taken for what they are", async () => {
    assert.deepEqual(await register(ports.tcp), { status: 200, received: CLIENT, own: true });
  });

  test("nobody is named on internal listeners", async () => {
    assert.equal(await register(fronts.inside), "closed");
  });
});
