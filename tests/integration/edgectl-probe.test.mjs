// SPDX-License-Identifier: MIT
// `edgectl probe` against the real relay: a good path, a lossy one, and what
// it says when it cannot measure.

import assert from "node:assert/strict";
import dgram from "node:dgram";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { buildDir, freePort, freePortRange, runProgram, scratch, startDaemon } from "../support/edge.mjs";

const probe = (...args) => runProgram(path.join(buildDir, "deploy/edgectl/edgectl"), ["probe", ...args]);

describe("edgectl probe", () => {
  const dir = scratch();
  const secret = path.join(dir, "secret");
  let server, port;
  before(async () => {
    fs.writeFileSync(secret, "a shared secret of the relay");
    port = await freePort();
    const first = await freePortRange(20);
    server = await startDaemon("turn-server", { args: ["--listen", `udp:127.0.0.1:${port}`,
      "--realm", "edge.test", "--secret-file", secret, "--relay-address", "127.0.0.1",
      "--relay-ports", `${first}-${first + 19}`, "--allow-peer", "127.0.0.0/8"] });
  });
  after(() => server?.stop());

  test("a path is measured as STUN and through the relay, and drawn", async () => {
    const svg = path.join(dir, "path.svg");
    const { stdout, stderr } = await probe(`turn:127.0.0.1:${port}`, "--secret-file", secret,
      "--seconds", "2", "--json", "--svg", svg);
    const [direct, relay] = JSON.parse(stdout || `"${stderr}"`);
    assert.equal(direct.received, direct.sent);
    assert.equal(relay.sent, 100);
    assert.equal(relay.received, 100);
    assert.equal(relay.limits.find((l) => l.name === "DSCP kept").kept, true, "the relay copies the mark");
    assert.match(fs.readFileSync(svg, "utf8"), /^<svg[\s\S]*<circle[\s\S]*<\/svg>\n$/);
  });

  test("a path that loses packets is called bad, with exit code 1", async () => {
    // Every fifth packet to the server is dropped.
    const lossy = dgram.createSocket("udp4");
    const backs = new Map();
    let n = 0;
    lossy.on("message", (bytes, from) => {
      const key = `${from.port}`;
      if (!backs.has(key)) {
        const up = dgram.createSocket("udp4");
        up.on("message", (answer) => lossy.send(answer, from.port, from.address));
        up.connect(port, "127.0.0.1");
        backs.set(key, new Promise((done) => up.once("connect", () => done(up))));
      }
      if (++n % 5 !== 0) backs.get(key).then((up) => up.send(bytes));
    });
    await new Promise((done) => lossy.bind(0, "127.0.0.1", done));
    const { code, stdout } = await probe(`turn:127.0.0.1:${lossy.address().port}`, "--secret-file", secret, "--seconds", "2");
    lossy.close();
    for (const up of backs.values()) (await up).close();
    assert.equal(code, 1);
    assert.match(stdout, /relay: [\s\S]*NO {2}loss/);
  });

  test("what cannot be measured is said", async () => {
    const wrong = path.join(dir, "wrong");
    fs.writeFileSync(wrong, "not the secret");
    const refused = await probe(`turn:127.0.0.1:${port}`, "--secret-file", wrong, "--seconds", "1");
    assert.equal(refused.code, 3);
    assert.match(refused.stderr, /an allocation was refused, code 401/);
    const nobody = await probe(`turn:127.0.0.1:${await freePort()}`, "--secret-file", secret, "--seconds", "1");
    assert.equal(nobody.code, 3);
    const tcp = await probe(`turn:127.0.0.1:${port}?transport=tcp`, "--secret-file", secret);
    assert.equal(tcp.code, 2);
    assert.match(tcp.stderr, /voice goes over UDP/);
    assert.equal((await probe(`turn:127.0.0.1:${port}`)).code, 2);
  });
});
