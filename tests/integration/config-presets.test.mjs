// SPDX-License-Identifier: MIT
// Every preset passes --check without a warning, has a page that names it, and
// starts: with loopback in place of its addresses and free ports in place of
// its ports, all else as it stands.

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fs from "node:fs";
import path from "node:path";
import { freePort, makeCertificates, root, runDaemon, scratch, startDaemon } from "../support/edge.mjs";

const presets = path.join(root, "deploy/presets");
const daemons = ["web-proxy", "sip-proxy", "turn-server"];

/* A stand-in for /etc/edge with all that `text` names there. */
async function etcEdge(text) {
  const dir = scratch();
  const made = await makeCertificates(path.join(dir, "made"));
  const { execFileSync } = await import("node:child_process");
  for (const [, name] of text.matchAll(/\/etc\/edge\/([a-z-]+\.[a-z]+)/g)) {
    const file = path.join(dir, name);
    if (/-ca\.pem$/.test(name)) fs.copyFileSync(made.ca, file);
    else if (/^conference-key\.pem$/.test(name))
      fs.writeFileSync(file, execFileSync("openssl", ["pkey", "-in", made.key, "-pubout"]));
    else if (/fullchain\.pem$/.test(name)) fs.copyFileSync(made.cert, file);
    else if (/key\.pem$/.test(name)) fs.copyFileSync(made.key, file);
    else if (/\.(secret|key)$/.test(name)) fs.writeFileSync(file, "0123456789abcdef".repeat(2), { mode: 0o600 });
    else if (/\.users$/.test(name)) fs.writeFileSync(file, "node:some-password\n", { mode: 0o600 });
    else assert.fail(`what is ${name}?`);
  }
  return { dir, text: text.replaceAll("/etc/edge/", `${dir}/`) };
}

/* Addresses become loopback ones and ports free ones, one for one. */
async function onLoopback(text) {
  const addresses = new Map();
  const ports = new Map();
  const address = (old) => {
    if (/^127\./.test(old) || old === "0.0.0.0") return old === "0.0.0.0" ? "127.0.0.1" : old;
    if (!addresses.has(old)) addresses.set(old, `127.0.0.${addresses.size + 2}`);
    return addresses.get(old);
  };
  for (const [, port] of text.matchAll(/"(?:address": ")?(?:https|shared|redirect|tcp|tls|udp|ws|connect):(?:[0-9.]+|\[::\]):(\d+)"/g))
    if (!ports.has(port)) ports.set(port, await freePort());
  return text
    .replace(/^.*\[::\].*$/gm, (line) => line.replace(/, "[a-z]+:\[::\]:\d+"/g, ""))
    .replace(/"port": (\d+)/g, (all, port) => (ports.has(port) ? `"port": ${ports.get(port)}` : all))
    .replace(/"(https|shared|redirect|tcp|tls|udp|ws|connect):([0-9.]+):(\d+)"/g, (all, scheme, host, port) =>
      (ports.has(port) ? `"${scheme}:${address(host)}:${ports.get(port)}"` : all))
    .replace(/"relay-address": \["([0-9.]+)/g, (_, host) => `"relay-address": ["${address(host)}`);
}

for (const preset of fs.readdirSync(presets))
  describe(`preset ${preset}`, () => {
    const files = fs.readdirSync(path.join(presets, preset))
      .filter((name) => name.endsWith(".json") && daemons.some((daemon) => name.startsWith(daemon)));
    const page = fs.readFileSync(path.join(presets, preset, "README.md"), "utf8");

    test("has a page that names its files", () => {
      assert.ok(files.length > 0);
      for (const file of files) assert.ok(page.includes(`\`${file}\``), file);
    });

    for (const file of files) {
      const name = daemons.find((one) => file.startsWith(one));
      const source = fs.readFileSync(path.join(presets, preset, file), "utf8");

      test(`${file} is accepted`, async () => {
        const { dir, text } = await etcEdge(source);
        const own = path.join(dir, file);
        fs.writeFileSync(own, text);
        const done = await runDaemon(name, ["--config", own, "--check"]);
        assert.equal(done.code, 0, done.stderr);
        assert.equal(done.stderr, "", "no warning either");
      });

      test(`${file} starts`, async () => {
        const { dir, text } = await etcEdge(await onLoopback(source));
        const own = path.join(dir, file);
        fs.writeFileSync(own, text);
        const daemon = await startDaemon(name, { args: ["--config", own, "--workers", "1"] });
        const status = await daemon.status();
        assert.ok(status);
        assert.equal((await daemon.stop()).code, 0);
      });
    }
  });
