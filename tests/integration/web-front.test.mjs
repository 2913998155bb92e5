// SPDX-License-Identifier: MIT
// web-proxy behind HAProxy, which names the clients (PROXY protocol).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import tls from "node:tls";
import { freePort, makeCertificates, missing, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { recordingServer, statusesOf } from "../support/web.mjs";

const CLIENT = "127.0.0.3";

describe("behind HAProxy", { skip: missing("haproxy"), concurrency: false }, () => {
  const dir = scratch();
  const fronts = {};
  let made, backend, proxy, haproxy, http, https;

  /** One request; what the back end was told about the client, or how it ended. */
  async function ask(port, { secure = false, before = "" } = {}) {
    const options = { port, host: "127.0.0.1", localAddress: CLIENT };
    const socket = secure
      ? tls.connect({ ...options, ca: fs.readFileSync(made.ca), servername: "localhost" })
      : net.connect(options);
    let text = "";
    backend.forget();
    socket.on("error", () => {});
    socket.on("data", (part) => { text += part; });
    socket.write(`${before}GET /x HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 9.9.9.9\r\nConnection: close\r\n\r\n`);
    await once(socket, "close");
    return { status: statusesOf(text)[0], client: backend.requests[0]?.value("x-forwarded-for") };
  }

  before(async () => {
    made = await makeCertificates(path.join(dir, "pki"));
    backend = await recordingServer();
    [http, https] = [await freePort(), await freePort()];
    proxy = await startDaemon("web-proxy", {
      config: {
        listen: [`http:127.0.0.1:${http}`, `https:127.0.0.1:${https}`], "proxy-from": ["127.0.0.2/32"],
        certificate: made.cert, key: made.key, workers: 1,
        upstream: [`a=http://127.0.0.1:${backend.port}`], route: ["/=a"],
      },
    });
    const lines = ["defaults", " mode tcp", " timeout connect 5s", " timeout client 5s", " timeout server 5s"];
    for (const [name, port, how] of [["v1", http, "send-proxy"], ["v2", http, "send-proxy-v2"],
      ["tls", https, "send-proxy-v2"], ["plain", http, ""]]) {
      fronts[name] = await freePort();
      lines.push(`listen ${name}`, ` bind 127.0.0.1:${fronts[name]}`,
        ` server web 127.0.0.1:${port} source 127.0.0.2 ${how}`);
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
    backend?.close();
    await proxy?.stop();
  });

  for (const name of ["v1", "v2"])
    test(`a header of ${name} tells the client's own address`, async () => {
      assert.deepEqual(await ask(fronts[name]), { status: 200, client: CLIENT });
    });

  test("the header stands before TLS", async () => {
    assert.deepEqual(await ask(fronts.tls, { secure: true }), { status: 200, client: CLIENT });
  });

  test("a front end without a header is sent away", async () => {
    const sessions = async () => (await proxy.metrics()).match(/_sessions_total (\d+)/)[1];
    const before = await sessions();
    assert.deepEqual(await ask(fronts.plain), { status: undefined, client: undefined });
    assert.equal(await sessions(), before);
  });

  test("others are taken for what they are", async () => {
    assert.deepEqual(await ask(http), { status: 200, client: CLIENT });
    const before = "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n";
    assert.deepEqual(await ask(http, { before }), { status: 501, client: undefined });
  });
});
