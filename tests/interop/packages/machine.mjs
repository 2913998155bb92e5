// SPDX-License-Identifier: MIT
// Small machines with a plain Debian and its systemd (see boot), and packages to
// install there.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { root, scratch, waitFor } from "../../support/edge.mjs";

const here = path.join(root, "tests/interop/packages");

export function must(file, args, options) {
  const done = spawnSync(file, args, { encoding: "utf8", maxBuffer: 1 << 26, ...options });
  if (done.status !== 0)
    throw new Error(`${file} ${args.join(" ")}: ${done.status}\n${done.stdout}${done.stderr}`);
  return done.stdout;
}

/**
 * A machine that runs one Debian: inside() runs a command there and gives its
 * whole result back; must() the same, and it has to succeed.
 */
export async function boot(release) {
  const dir = scratch(`edge-debian${release}-`);
  const child = spawn(path.join(here, "boot"),
    [path.join(root, "build/interop", `debian${release}`), dir], { stdio: "inherit", detached: true });
  const ended = new Promise((done) => child.once("exit", done));
  /* Its own group of processes; the machine goes with the one that waits for it. */
  const kill = () => { try { process.kill(-child.pid, "SIGKILL"); } catch { /* gone */ } };
  process.on("exit", kill);
  const pid = Number(await waitFor(() => fs.readFileSync(path.join(dir, "pid"), "utf8").trim())
    .catch((error) => { kill(); throw error; }));
  const enter = ["-t", String(pid), "-a", "-r", "-w"];
  const inside = (command, { input } = {}) => {
    const done = spawnSync("nsenter", [...enter, "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
      "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "sh", "-c", command],
    { encoding: "utf8", input: input ?? "", timeout: 180000 });
    return { code: done.status, out: done.stdout + done.stderr };
  };
  const machine = {
    pid,
    inside,
    must(command, options) {
      const done = inside(command, options);
      assert.equal(done.code, 0, `${command}\n${done.out}`);
      return done.out;
    },
    write(file, text, mode = "640") {
      machine.must(`cat >${file} && chown root:edge ${file} && chmod ${mode} ${file}`, { input: text });
    },
    copy(from, to) {
      must("nsenter", [...enter, "sh", "-c", `cat >${to}`], { input: fs.readFileSync(from) });
    },
    /* A program of this machine's in the other's network. */
    outside: (file, args) => spawn("nsenter", ["-t", String(pid), "-n", file, ...args],
      { stdio: ["ignore", "pipe", "inherit"] }),
    async off() {
      process.kill(pid, "SIGKILL"); /* then boot tidies up and ends */
      await ended;
    },
  };
  await waitFor(() => ["running", "degraded"].includes(inside("systemctl is-system-running").out.trim()),
    { timeout: 30000, what: `Debian ${release} is up` })
    .catch((error) => { kill(); throw error; });
  return machine;
}

/** Build the packages as each of these versions; folders by version. */
export function buildPackages(versions) {
  const packages = new Map();
  for (const version of versions) {
    must(path.join(root, "deploy/packages/build"), ["--version", version],
      { env: { ...process.env, EDGE_PACKAGES: path.join(root, "build/interop/packages") } });
    const out = path.join(root, "build/interop/packages/out");
    const kept = scratch(`edge-packages-${version}-`);
    for (const file of fs.readdirSync(out).filter((name) => name.endsWith(".deb")))
      fs.copyFileSync(path.join(out, file), path.join(kept, file));
    packages.set(version, kept);
  }
  return packages;
}
