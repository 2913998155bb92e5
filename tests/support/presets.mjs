// SPDX-License-Identifier: MIT
// Presets as they stand, but on loopback: the files they name are made, their
// addresses become 127.0.0.x and their ports free ones, one for one.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { freePort, makeCertificates, root, scratch, startDaemon } from "./edge.mjs";

export const presets = path.join(root, "deploy/presets");
export const daemons = ["web-proxy", "sip-proxy", "turn-server"];

const certificateNames = ["edge.example.com", "sip.example.com", "webconf.example.com", "meet.example.com",
  "web.example.com", "localhost"];

/* A stand-in for /etc/edge with all that `text` names there. */
export async function etcEdge(text) {
  const dir = scratch();
  const made = await makeCertificates(path.join(dir, "made"), { names: certificateNames });
  const other = await makeCertificates(path.join(dir, "other"), { names: ["turn.example.com"] });
  for (const [, name] of text.matchAll(/\/etc\/edge\/([a-z-]+\.[a-z]+)/g)) {
    const file = path.join(dir, name);
    if (/-ca\.pem$/.test(name)) fs.copyFileSync(made.ca, file);
    else if (/^conference-key\.pem$/.test(name))
      fs.writeFileSync(file, execFileSync("openssl", ["pkey", "-in", made.key, "-pubout"]));
    else if (name === "turn-fullchain.pem") fs.copyFileSync(other.cert, file);
    else if (name === "turn-key.pem") fs.copyFileSync(other.key, file);
    else if (/fullchain\.pem$/.test(name)) fs.copyFileSync(made.cert, file);
    else if (/key\.pem$/.test(name)) fs.copyFileSync(made.key, file);
    else if (/\.(secret|key)$/.test(name)) fs.writeFileSync(file, "0123456789abcdef".repeat(2), { mode: 0o600 });
    else if (/\.users$/.test(name)) fs.writeFileSync(file, "node:some-password\n", { mode: 0o600 });
    else assert.fail(`what is ${name}?`);
  }
  return { dir, ca: made.ca, turnCa: other.ca, text: text.replaceAll("/etc/edge/", `${dir}/`) };
}

const listener = /"(https|shared|redirect|tcp|tls|udp|ws|connect):([0-9.]+):(\d+)"/g;

/** Where the addresses and ports of a preset are on loopback; the same for all
 * files that one object has moved. */
export class Loopback {
  #addresses = new Map();
  #ports = new Map();

  address(old) {
    if (old === "0.0.0.0") return "127.0.0.1";
    if (/^127\./.test(old)) return old;
    if (!this.#addresses.has(old)) this.#addresses.set(old, `127.0.0.${this.#addresses.size + 2}`);
    return this.#addresses.get(old);
  }

  port(old) { return this.#ports.get(String(old)); }

  /** Besides: `others` are ports of servers inside that a test stands in for. */
  async move(text, others = []) {
    for (const port of [...others.map(String), ...[...text.matchAll(listener)].map((found) => found[3])])
      if (!this.#ports.has(port)) this.#ports.set(port, await freePort());
    const port = (old) => this.#ports.get(old) ?? old;
    return text
      .replace(/^.*\[::\].*$/gm, (line) => line.replace(/, "[a-z]+:\[::\]:\d+"/g, ""))
      .replace(/"port": (\d+)/g, (_, old) => `"port": ${port(old)}`)
      .replace(listener, (all, scheme, host, old) => `"${scheme}:${this.address(host)}:${port(old)}"`)
      .replace(/"url": "(tcp|http):\/\/127\.0\.0\.1:(\d+)"/g, (_, scheme, old) => `"url": "${scheme}://127.0.0.1:${port(old)}"`)
      .replace(/="?(tcp|http):\/\/([0-9.]+):(\d+)"/g, (_, scheme, host, old) => `=${scheme}://127.0.0.1:${port(old)}"`)
      .replace(/"relay-address": \["([0-9.]+)/g, (_, host) => `"relay-address": ["${this.address(host)}`);
  }
}

/** Start the daemon of a preset's file; its folder in /etc/edge's place, the
 * authorities of its certificates and where it listens. */
export async function startPreset(preset, file, { loopback = new Loopback(), others, change = (text) => text } = {}) {
  const source = fs.readFileSync(path.join(presets, preset, file), "utf8");
  const made = await etcEdge(change(await loopback.move(source, others)));
  const own = path.join(made.dir, file);
  fs.writeFileSync(own, made.text);
  const name = daemons.find((one) => file.startsWith(one));
  const daemon = await startDaemon(name, { args: ["--config", own, "--workers", "1"] });
  return { ...made, daemon, loopback };
}
