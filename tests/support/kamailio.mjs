// SPDX-License-Identifier: MIT
// The demo LAN's Kamailio (deploy/demo/kamailio.cfg) as registrar and media
// server of a test.

import { spawn } from "node:child_process";
import crypto from "node:crypto";
import dgram from "node:dgram";
import fs from "node:fs";
import path from "node:path";
import { freePort, root, scratch, waitFor } from "./edge.mjs";

const secret = "test";

/** The SIP password the demo Kamailio expects of a user. */
export const passwordOf = (user) =>
  crypto.createHash("sha256").update(`${secret}:${user}`).digest("hex");

/** Does a SIP program on UDP answer OPTIONS? */
export function answersOptions(port, host) {
  return new Promise((done) => {
    const socket = dgram.createSocket("udp4");
    const end = (value) => {
      clearTimeout(timer);
      socket.close();
      done(value);
    };
    const timer = setTimeout(() => end(false), 300);
    socket.on("message", () => end(true));
    socket.on("error", () => {});
    socket.bind(0, host, () => {
      const me = `${host}:${socket.address().port}`;
      socket.send(`OPTIONS sip:127.0.0.1:${port} SIP/2.0\r\nVia: SIP/2.0/UDP ${me};branch=z9hG4bKup\r\n` +
        `From: <sip:${me}>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: ${port}\r\nCSeq: 1 OPTIONS\r\n` +
        "Max-Forwards: 5\r\nContent-Length: 0\r\n\r\n", port, host);
    });
  });
}

/**
 * Run it with its files in `dir`, wait until `isReady()` holds, and return
 * { pid, log(), stop() }.
 */
export async function runKamailio(args, dir, isReady, { env = process.env, memory = 32 } = {}) {
  const child = spawn("kamailio", [...args, "-DD", "-E", "-m", String(memory), "-M", "8", "-Y", dir, "-w", dir],
    { env, stdio: ["ignore", "pipe", "pipe"], detached: true });
  let log = "";
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (part) => { log += part; });
  const closed = new Promise((done) => child.on("close", done));
  // Its own process group: the workers must go, too, whatever happens.
  const kill = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // gone already
    }
  };
  const onExit = () => kill("SIGKILL");
  process.on("exit", onExit);
  const kamailio = { pid: child.pid, log: () => log, async stop() {
    kill("SIGTERM");
    const late = setTimeout(() => kill("SIGKILL"), 3000);
    await closed;
    clearTimeout(late);
    process.off("exit", onExit);
  } };
  try {
    await waitFor(isReady, { what: "kamailio answers" });
  } catch (error) {
    await kamailio.stop();
    throw new Error(`${error.message}\n${log}`);
  }
  return kamailio;
}

export async function startKamailio({ config = "deploy/demo/kamailio.cfg", host = "127.0.0.1", port, tcp = false } = {}) {
  port ??= await freePort(host);
  const dir = scratch("kamailio-");
  let file = path.join(root, config);
  if (tcp) {
    const text = fs.readFileSync(file, "utf8").replace("disable_tcp=yes", "disable_tcp=no");
    file = path.join(dir, "kamailio.cfg");
    fs.writeFileSync(file, text);
  }
  const args = ["-f", file, "-l", `udp:${host}:${port}`, ...(tcp ? ["-l", `tcp:${host}:${port}`] : [])];
  const program = await runKamailio(args, dir, () => answersOptions(port, host),
    { env: { ...process.env, DEMO_SIP_SECRET: secret } });
  return { port, address: `udp:${host}:${port}`, ...program };
}
