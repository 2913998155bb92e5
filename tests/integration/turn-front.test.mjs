// SPDX-License-Identifier: MIT
// turn-server behind HAProxy, which names the clients (PROXY protocol).

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import net from "node:net";
import path from "node:path";
import { freePort, makeCertificates, missing, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { message, parse } from "../support/turn_client.mjs";

const BINDING = 0x0001;

/** Ask through TCP; the answer's XOR-MAPPED-ADDRESS as "ip:port", and ours. */
async function ask(port, before = "") {
  const socket = net.connect({ port, host: "127.0.0.1", localAddress: "127.0.0.3" });
  await once(socket, "connect");
  socket.write(Buffer.concat([Buffer.from(before), message(BINDING, Buffer.alloc(12, 5), [])]));
  const [data] = await Promise.race([once(socket, "data"), once(socket, "close")]);
  const mine = `127.0.0.3:${socket.localPort}`;
  socket.destroy();
  if (!Buffer.isBuffer(data)) return { closed: true };
  const value = parse(data).attrs.get(0x0020);
  const ip = [0x21, 0x12, 0xa4, 0x42].map((b, i) => b ^ value[4 + i]).join(".");
  return { mine, seen: `${ip}:${value.readUInt16BE(2) ^ 0x2112}` };
}

describe("behind HAProxy", { skip: missing("haproxy"), concurrency: false }, () => {
  const dir = scratch();
  const fronts = {};
  let port;
  let turn;
  let haproxy;

  before(async () => {
    const made = await makeCertificates(path.join(dir, "pki"));
    port = await freePort();
    for (const name of ["send-proxy", "send-proxy-v2", "plain"]) fronts[name] = await freePort();
    turn = await startDaemon("turn-server", {
      config: {
        listen: [`tcp:127.0.0.1:${port}`], "relay-address": ["127.0.0.1"],
        certificate: made.cert, key: made.key, "proxy-from": ["127.0.0.2/32"], workers: 1,
      },
    });
    const file = path.join(dir, "haproxy.cfg");
    fs.writeFileSync(file, ["defaults", " mode tcp", " timeout connect 5s", " timeout client 5s", " timeout server 5s",
      ...Object.entries(fronts).flatMap(([name, front]) => [
        `listen ${name}`, ` bind 127.0.0.1:${front}`,
        ` server turn 127.0.0.1:${port} source 127.0.0.2 ${name === "plain" ? "" : name}`]), ""].join("\n"));
    haproxy = spawn("haproxy", ["-f", file], { stdio: "ignore" });
    await waitFor(() => new Promise((done) => {
      const probe = net.connect(fronts.plain, "127.0.0.1", () => { probe.destroy(); done(true); });
      probe.on("error", () => done(false));
    }), { what: "HAProxy listens" });
  });
  after(async () => {
    haproxy.kill("SIGKILL");
    const how = await turn.stop();
    assert.equal(how.code, 0, turn.log());
  });

  for (const name of ["send-proxy", "send-proxy-v2"])
    test(`${name} tells the client's own address`, async () => {
      const { mine, seen } = await ask(fronts[name]);
      assert.equal(seen, mine);
    });

  test("a front end without a header is sent away", async () => {
    assert.deepEqual(await ask(fronts.plain), { closed: true });
  });

  test("others are taken for what they are", async () => {
    const { mine, seen } = await ask(port);
    assert.equal(seen, mine);
    assert.deepEqual(await ask(port, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), { closed: true });
  });
});
