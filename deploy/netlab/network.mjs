// SPDX-License-Identifier: MIT
// Hosts, switches and cables: network namespaces joined by virtual Ethernet.
// Needs root. Every name of a namespace begins with the network's tag, so two
// networks can stand side by side.

import { execFile, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";

/** Run a program to its end; → {code, stdout, stderr}, never throws. */
function run(program, args) {
  return new Promise((done) => execFile(program, args, { maxBuffer: 1 << 24 },
    (error, stdout, stderr) => done({
      code: error ? (typeof error.code === "number" ? error.code : 1) : 0,
      stdout, stderr: stderr || (error ? String(error.message) : ""),
    })));
}

export async function must(program, ...args) {
  const { code, stdout, stderr } = await run(program, args);
  if (code !== 0) throw new Error(`${program} ${args.join(" ")}: ${stderr.trim()}`);
  return stdout;
}

/** A reason when namespaces, addresses or nftables cannot be had here, else false. */
export async function noNamespaces() {
  if (process.getuid() !== 0) return "needs root";
  const { code } = await run("unshare", ["-n", "sh", "-c",
    "ip link add name v0 type veth peer name v1 && ip link add name br0 type bridge && " +
    "nft 'add table inet t; add chain inet t c; add rule inet t c ct state established accept'"]);
  if (code !== 0) return "no network namespaces, bridges or nftables here";
  // Named ones need mounts, which not every container or chroot lets us make.
  const name = `edge${process.pid}-probe`;
  const added = await run("ip", ["netns", "add", name]);
  const used = await run("ip", ["netns", "exec", name, "ip", "link", "set", "lo", "up"]);
  await run("ip", ["netns", "del", name]);
  return added.code === 0 && used.code === 0 ? false
    : `no named network namespaces here: ${(added.stderr || used.stderr).trim()}`;
}

/** What `ip netns exec` shows a host instead of the machine's own /etc. */
const etc = "/etc/netns";

/** Take down namespaces by their full names, and what runs in them. */
export function dismantle(names) {
  for (const name of names) {
    const { stdout } = spawnSync("ip", ["netns", "pids", name], { encoding: "utf8" });
    for (const pid of (stdout ?? "").split("\n").filter(Boolean))
      try { process.kill(Number(pid), "SIGKILL"); } catch { /* it has just ended */ }
    spawnSync("ip", ["netns", "del", name]);
    fs.rmSync(path.join(etc, name), { recursive: true, force: true });
  }
  try { fs.rmdirSync(etc); } catch { /* somebody else's files are there, or it never was */ }
}

export class Network {
  constructor(tag = `edge${process.pid}`) {
    this.tag = tag;
    this.hosts = [];
    // A run that was cut short leaves none behind either.
    process.on("exit", () => this.close());
  }

  name(host) { return `${this.tag}-${host}`; }

  async host(name) {
    await must("ip", "netns", "add", this.name(name));
    this.hosts.push(name);
    await this.ip(name, "link", "set", "lo", "up");
    // Addresses are ours alone: no waiting until IPv6 is sure of that.
    await this.sysctl(name, "net.ipv6.conf.default.accept_dad=0");
  }

  ip(host, ...args) { return must("ip", "-n", this.name(host), ...args); }

  /** The words that run a program on a host. */
  on(host, ...words) { return ["ip", "netns", "exec", this.name(host), ...words]; }

  exec(host, program, ...args) {
    return run("ip", ["netns", "exec", this.name(host), program, ...args]);
  }

  async sysctl(host, key) {
    await must(...this.on(host, "sysctl", "-qw", key));
  }

  async forward(host) {
    await this.sysctl(host, "net.ipv4.ip_forward=1");
    await this.sysctl(host, "net.ipv6.conf.all.forwarding=1");
  }

  async nft(host, rules) {
    await must(...this.on(host, "nft", rules));
  }

  /** A switch, in a namespace of its own. */
  async bridge(name) {
    await this.host(name);
    await this.ip(name, "link", "add", "name", "bridge0", "type", "bridge");
    await this.ip(name, "link", "set", "bridge0", "up");
  }

  /** `host` gets `port` with these addresses ("10.0.0.1/24"), on a switch. */
  async plug(host, port, bridge, ...addresses) {
    const far = `p${this.hosts.indexOf(host)}${port}`;
    await must("ip", "link", "add", "name", port, "netns", this.name(host), "type", "veth",
      "peer", "name", far, "netns", this.name(bridge));
    await this.ip(bridge, "link", "set", far, "master", "bridge0", "up");
    for (const address of addresses) await this.ip(host, "addr", "add", address, "dev", port);
    await this.ip(host, "link", "set", port, "up");
  }

  /** The names that programs on `host` can look up: [[address, name]…]. */
  async names(host, pairs) {
    const dir = path.join(etc, this.name(host));
    fs.mkdirSync(dir, { recursive: true });
    const own = [["127.0.0.1", "localhost"], ["::1", "localhost"], ...pairs];
    fs.writeFileSync(path.join(dir, "hosts"), own.map((p) => `${p.join(" ")}\n`).join(""));
    fs.writeFileSync(path.join(dir, "resolv.conf"), "");
  }

  close() {
    dismantle(this.hosts.splice(0).map((host) => this.name(host)));
  }
}
