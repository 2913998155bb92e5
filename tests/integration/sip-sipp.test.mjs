// SPDX-License-Identifier: MIT
// SIPp on both UDP sides: an external caller, the edge, a media server.

import assert from "node:assert/strict";
import path from "node:path";
import { spawn } from "node:child_process";
import { after, describe, test } from "node:test";
import { freePort, missing, root, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";

const scenarios = path.join(root, "tests/bench/sip");
after(() => setTimeout(() => process.exit(), 500).unref());

function startServer(port, file, extra = []) {
  const child = spawn("sipp", ["-sf", path.join(scenarios, file), "-i", "127.0.0.1", "-p", String(port),
    "-nostdin", ...extra], { cwd: scratch(), stdio: "ignore" });
  const closed = new Promise((done) => child.on("close", done));
  process.on("exit", () => child.kill("SIGKILL"));
  return { async stop() {
    child.kill("SIGKILL");
    await closed;
  } };
}

async function calls(port, args, file = "uac.xml") {
  const local = await freePort();
  return runProgram("sipp", [`127.0.0.1:${port}`, "-sf", path.join(scenarios, file), "-i", "127.0.0.1",
    "-p", String(local), "-nostdin", ...args], { cwd: scratch(), timeout: 60000 });
}

describe("SIPp", { skip: missing("sipp") }, () => {
  test("500 calls, none fails, nothing is left", async () => {
    const server = await freePort(), out = await freePort(), inner = await freePort();
    const uas = startServer(server, "uas.xml");
    const proxy = await startDaemon("sip-proxy", { args: ["--listen", `udp:127.0.0.1:${out},zone=external`,
      "--listen", `udp:127.0.0.1:${inner}`, "--media-server", `default=udp:127.0.0.1:${server}`,
      "--probe-interval", "0", "--workers", "2"] });
    const run = await calls(out, ["-m", "500", "-r", "250"]);
    assert.equal(run.code, 0, run.stdout.slice(-3000));
    const metrics = await proxy.metrics();
    const figure = (name) => Number(metrics.match(new RegExp(`sip_proxy_${name} (\\d+)`))[1]);
    assert.equal(figure("answers_total"), 500);
    assert.equal(figure("stray_acks_total"), 0);
    await proxy.stop();
    await uas.stop();
  });

  test("with a tenth of all datagrams lost every registration succeeds", async () => {
    const server = await freePort(), out = await freePort(), inner = await freePort();
    const uas = startServer(server, "registrar.xml", ["-lost", "10", "-d", "40000"]);
    const proxy = await startDaemon("sip-proxy", { args: ["--listen", `udp:127.0.0.1:${out},zone=external`,
      "--listen", `udp:127.0.0.1:${inner}`, "--media-server", `default=udp:127.0.0.1:${server}`,
      "--probe-interval", "0"] });
    const run = await calls(out, ["-m", "100", "-r", "100", "-lost", "10", "-timeout", "40s"], "register.xml");
    assert.equal(run.code, 0, run.stdout.slice(-3000));
    await waitFor(async () => /retransmissions_total [1-9]/.test(await proxy.metrics()));
    assert.match(await proxy.metrics(), /sip_proxy_registrations_total 100\n/);
    await proxy.stop();
    await uas.stop();
  });
});
