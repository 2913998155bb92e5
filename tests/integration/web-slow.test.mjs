// SPDX-License-Identifier: MIT
// Clients that are slow on purpose (slowhttptest): heads and contents drop by
// drop, answers hardly read, ranges by the thousand. All are cut, and others
// are served meanwhile.

import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { freePort, missing, runProgram, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { httpServer } from "../support/web.mjs";

const dir = scratch();
let backend, proxy, port;

const get = (target) => new Promise((done) => {
  http.get({ port, path: target, agent: false, timeout: 5000 }, (answer) => {
    answer.resume();
    answer.on("end", () => done(answer.statusCode));
  }).on("error", (error) => done(error.code)).on("timeout", function late() { this.destroy(); });
});

const figure = async (name) =>
  Number(new RegExp(`^web_proxy_${name} (\\d+)$`, "m").exec((await proxy.admin("/metrics")).body)?.[1] ?? 0);

before(async () => {
  fs.writeFileSync(path.join(dir, "big.bin"), Buffer.alloc(4 * 1024 * 1024, "x"));
  backend = await httpServer((request, response) => request.resume().on("end", () => response.end("ok")));
  port = await freePort();
  const file = path.join(dir, "web-proxy.json");
  fs.writeFileSync(file, JSON.stringify({
    listen: [`http:127.0.0.1:${port}`], workers: 1, "access-log": false,
    "head-timeout": "1s", "body-timeout": "1s", "body-rate": 1000, "write-timeout": "1s", "keepalive-timeout": "1s",
    upstream: [`a=http://127.0.0.1:${backend.port}`],
    route: ["/=a", { path: "/files", root: dir }],
  }));
  proxy = await startDaemon("web-proxy", { args: ["--config", file] });
});

after(async () => {
  await proxy?.stop();
  backend?.close();
});

/** Others get answers while 200 slow clients are there, who are all gone soon. */
async function attack(target, ...args) {
  const attacker = runProgram("slowhttptest", [
    "-u", `http://127.0.0.1:${port}${target}`, "-c", "200", "-r", "200", "-l", "6", "-p", "3", ...args], { cwd: dir });
  let over = false;
  attacker.then(() => { over = true; });
  await waitFor(async () => over || (await figure("open_sessions")) > 100);
  const seen = new Set();
  while (!over) seen.add(await get("/"));
  const { stdout } = await attacker;
  seen.add(await get("/"));
  assert.deepEqual([...seen], [200]);
  await waitFor(async () => (await figure("open_sessions")) < 5);
  return stdout.replace(/\x1b\[[0-9;]*m/g, "");
}

describe("slow clients", { skip: missing("slowhttptest") }, () => {
  test("heads that never end", async () => {
    const out = await attack("/", "-H", "-i", "1");
    assert.match(out, /service available:\s+YES/);
    assert.ok((await figure("client_timeouts_total")) >= 200);
  });

  test("contents drop by drop", async () => {
    const before = await figure("client_timeouts_total");
    await attack("/", "-B", "-i", "1", "-s", "8192");
    assert.ok((await figure("client_timeouts_total")) >= before + 200);
  });

  test("answers hardly read", async () => {
    await attack("/files/big.bin", "-X", "-w", "10", "-y", "20", "-n", "5", "-z", "10", "-k", "1");
  });

  test("ranges by the thousand", async () => {
    await attack("/files/big.bin", "-R", "-a", "1", "-b", "3000");
  });
});
