// SPDX-License-Identifier: MIT
// Hosts of a test: network namespaces joined by virtual cables, and in each an
// agent that sends and receives packets on demand. Needs root.

import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { runProgram } from "./edge.mjs";

const agentFile = new URL("./netns_agent.mjs", import.meta.url).pathname;

async function must(program, ...args) {
  const { code, stderr } = await runProgram(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr}`);
}

/** A reason when namespaces, addresses or nftables cannot be had here, else false. */
export async function noNamespaces() {
  if (process.getuid() !== 0) return "needs root";
  const { code } = await runProgram("unshare", ["-n", "sh", "-c",
    "ip link add name v0 type veth peer name v1 && ip link add name br0 type bridge && " +
    "nft 'add table inet t; add chain inet t c; add rule inet t c ct state established accept'"])
    .catch(() => ({ code: 1 }));
  if (code !== 0) return "no network namespaces, bridges or nftables here";
  // Named ones need mounts, which not every container or chroot lets us make.
  const name = `edge${process.pid}-probe`;
  const added = await runProgram("ip", ["netns", "add", name]);
  const used = await runProgram("ip", ["-n", name, "link", "set", "lo", "up"]);
  await runProgram("ip", ["netns", "del", name]);
  return added.code === 0 && used.code === 0 ? false
    : `no named network namespaces here: ${(added.stderr || used.stderr).trim()}`;
}

export class Network {
  constructor() {
    this.tag = `edge${process.pid}`;
    this.hosts = [];
    this.agents = new Map();
    process.on("exit", () => {
      for (const { child } of this.agents.values()) child.kill("SIGKILL");
      // A test that was cut short leaves none behind either.
      for (const host of this.hosts) spawnSync("ip", ["netns", "del", this.name(host)]);
    });
  }

  name(host) { return `${this.tag}-${host}`; }

  async host(name) {
    await must("ip", "netns", "add", this.name(name));
    this.hosts.push(name);
    await this.ip(name, "link", "set", "lo", "up");
  }

  ip(host, ...args) { return must("ip", "-n", this.name(host), ...args); }

  exec(host, program, ...args) {
    return runProgram("ip", ["netns", "exec", this.name(host), program, ...args]);
  }

  async sysctl(host, key) {
    await must("ip", "netns", "exec", this.name(host), "sysctl", "-qw", key);
  }

  /** A switch, in a namespace of its own. */
  async bridge(name) {
    await this.host(name);
    await this.ip(name, "link", "add", "name", "bridge0", "type", "bridge");
    await this.ip(name, "link", "set", "bridge0", "up");
  }

  /** `host` gets `interface` with these addresses ("10.0.0.1/24"), on a switch. */
  async plug(host, port, bridge, ...addresses) {
    const far = `p${this.hosts.indexOf(host)}${port}`;
    await must("ip", "link", "add", "name", port, "netns", this.name(host), "type", "veth",
      "peer", "name", far, "netns", this.name(bridge));
    await this.ip(bridge, "link", "set", far, "master", "bridge0", "up");
    for (const address of addresses) await this.ip(host, "addr", "add", address, "dev", port);
    await this.ip(host, "link", "set", port, "up");
  }

  /** The agent of a host: call(op, {…}) → result. */
  async agent(host) {
    if (this.agents.has(host)) return this.agents.get(host);
    const child = spawn("ip", ["netns", "exec", this.name(host), process.execPath, agentFile],
      { stdio: ["pipe", "pipe", "inherit"] });
    const waiting = new Map();
    let number = 0;
    readline.createInterface({ input: child.stdout }).on("line", (line) => {
      const { id, result } = JSON.parse(line);
      waiting.get(id)(result);
      waiting.delete(id);
    });
    const agent = {
      child,
      call: (op, args = {}) => new Promise((done) => {
        waiting.set(++number, done);
        child.stdin.write(`${JSON.stringify({ id: number, op, ...args })}\n`);
      }),
    };
    this.agents.set(host, agent);
    return agent;
  }

  async close() {
    for (const { child } of this.agents.values()) {
      child.stdin.end();
      await Promise.race([once(child, "close"), new Promise((done) => setTimeout(done, 2000))]);
      child.kill("SIGKILL");
    }
    for (const host of this.hosts.splice(0))
      await runProgram("ip", ["netns", "del", this.name(host)]);
  }
}
