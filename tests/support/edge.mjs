// SPDX-License-Identifier: MIT
// What every integration test needs: free ports, certificates, a daemon that
// is up when startDaemon() returns and gone when stop() has, and waiting.

import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import dgram from "node:dgram";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";

const run = promisify(execFile);

export const root = path.resolve(new URL("../..", import.meta.url).pathname);
export const buildDir = path.resolve(
  process.env.EDGE_BUILD ?? path.join(root, "build/dev"));

/** The path of one of our programs, whether or not it has been built. */
export function binary(name) {
  return path.join(buildDir, name, name);
}

/** A private directory that disappears with the process. */
export function scratch(prefix = "edge-test-") {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), prefix));
  scratched.push(dir);
  return dir;
}

const scratched = [];
process.on("exit", () => {
  for (const dir of scratched) fs.rmSync(dir, { recursive: true, force: true });
});

/** How much longer things take here: sanitizer builds set it. */
export const slow = Number(process.env.EDGE_SLOW ?? 1);

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/**
 * Call `probe` until it gives something true, and return that. An exception
 * counts as "not yet"; the last one is part of the message in the end.
 */
export async function waitFor(probe, { timeout = 10000, every = 50, what } = {}) {
  const end = Date.now() + timeout * slow;
  let last;
  for (;;) {
    try {
      const value = await probe();
      if (value) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() >= end) {
      const name = what ?? "condition";
      throw new Error(`${name}: not within ${timeout * slow} ms`, { cause: last });
    }
    await sleep(every);
  }
}

const handedOut = new Set();

async function isFree(port, host, type) {
  if (type === "udp") {
    const socket = dgram.createSocket(net.isIPv6(host) ? "udp6" : "udp4");
    return new Promise((done) => {
      socket.once("error", () => done(false));
      socket.bind(port, host, () => socket.close(() => done(true)));
    });
  }
  const server = net.createServer();
  return new Promise((done) => {
    server.once("error", () => done(false));
    server.listen(port, host, () => server.close(() => done(true)));
  });
}

/**
 * A port nobody uses now, for UDP and TCP alike, and not given out before by
 * this process. Below those that connections going out are given, so that
 * none of them takes it before a server does.
 */
export async function freePort(host = "127.0.0.1") {
  for (;;) {
    const port = 10000 + Math.floor(Math.random() * 10000);
    if (handedOut.has(port)) continue;
    if (!(await isFree(port, host, "tcp")) || !(await isFree(port, host, "udp"))) continue;
    handedOut.add(port);
    return port;
  }
}

/** `count` neighbouring free UDP ports; returns the first. */
export async function freePortRange(count, host = "127.0.0.1") {
  for (;;) {
    const first = 20000 + Math.floor(Math.random() * 10000);
    let good = true;
    for (let port = first; good && port < first + count; port++)
      good = !handedOut.has(port) && (await isFree(port, host, "udp"));
    if (!good) continue;
    for (let port = first; port < first + count; port++) handedOut.add(port);
    return first;
  }
}

/**
 * A private CA and a leaf (ECDSA P-256) signed by it, in `dir`:
 * ca.pem, ca.key, cert.pem (leaf and CA), key.pem. Returns their paths.
 */
export async function makeCertificates(dir, {
  names = ["localhost", "edge.test", "turn.test"],
  addresses = ["127.0.0.1", "::1"],
  days = 30,
} = {}) {
  fs.mkdirSync(dir, { recursive: true });
  const at = (name) => path.join(dir, name);
  const openssl = (...args) => run("openssl", args);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"];
  const san = [...names.map((n) => `DNS:${n}`), ...addresses.map((a) => `IP:${a}`)];

  await openssl("req", "-x509", ...key, "-keyout", at("ca.key"), "-out", at("ca.pem"),
    "-days", String(days), "-subj", "/CN=Edge test CA",
    "-addext", "basicConstraints=critical,CA:TRUE",
    "-addext", "keyUsage=critical,keyCertSign,cRLSign");
  await openssl("req", "-new", ...key, "-keyout", at("key.pem"), "-out", at("leaf.csr"),
    "-subj", `/CN=${names[0]}`);
  fs.writeFileSync(at("leaf.ext"), [
    "basicConstraints=CA:FALSE",
    "keyUsage=digitalSignature",
    "extendedKeyUsage=serverAuth,clientAuth",
    `subjectAltName=${san.join(",")}`, ""].join("\n"));
  await openssl("x509", "-req", "-in", at("leaf.csr"), "-CA", at("ca.pem"),
    "-CAkey", at("ca.key"), "-CAcreateserial", "-days", String(days),
    "-extfile", at("leaf.ext"), "-out", at("leaf.pem"));
  fs.writeFileSync(at("cert.pem"),
    fs.readFileSync(at("leaf.pem"), "utf8") + fs.readFileSync(at("ca.pem"), "utf8"));
  for (const name of ["leaf.csr", "leaf.ext", "leaf.pem", "ca.srl"])
    fs.rmSync(at(name), { force: true });
  return { ca: at("ca.pem"), caKey: at("ca.key"), cert: at("cert.pem"), key: at("key.pem") };
}

/** One request to an admin socket (HTTP over a Unix socket). */
export function adminRequest(socketPath, target, { method = "GET", timeout = 5000 } = {}) {
  return new Promise((done, fail) => {
    const request = http.request(
      { socketPath, path: target, method, timeout, headers: { Host: "admin" } },
      (answer) => {
        let body = "";
        answer.setEncoding("utf8");
        answer.on("data", (part) => { body += part; });
        answer.on("end", () => done({ status: answer.statusCode, body }));
        answer.on("error", fail);
      });
    request.on("timeout", () => request.destroy(new Error("admin request timed out")));
    request.on("error", fail);
    request.end();
  });
}

const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
// The test runner ends a file that takes too long: clean up then as well.
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"])
  process.once(signal, () => process.exit(1));

/**
 * Start one of our daemons and wait until its admin socket says it is ready.
 *
 *   args    further command-line words
 *   config  an object: written as a JSON file and given with --config
 *   env     further environment
 *   ready   false: return as soon as the process runs
 *   under   words before the program: ["ip", "netns", "exec", …]
 *
 * Returns { child, pid, log(), status(), admin(target, {method}), metrics(),
 * fds(), waitLog(pattern), signal(name), stop() }. stop() sends SIGTERM, again
 * after `drain` ms, waits and returns { code, signal }; a process that needs
 * SIGKILL, or of which a sanitizer complained, is an error.
 */
export async function startDaemon(name, {
  args = [], config, env = {}, ready = true, dir = scratch(`edge-${name}-`),
  timeout = 15000, under = [],
} = {}) {
  const program = binary(name);
  if (!fs.existsSync(program))
    throw new Error(`${program} is not built (EDGE_BUILD names the build directory)`);

  const socketPath = path.join(dir, `${name}.sock`);
  const words = ["--admin-socket", socketPath];
  if (config) {
    const file = path.join(dir, `${name}.json`);
    fs.writeFileSync(file, JSON.stringify(config, null, 2));
    words.unshift("--config", file);
  }
  const [first, ...line] = [...under, program, ...words, ...args];
  const child = spawn(first, line, {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  let log = "";
  let ended = null;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8");
    stream.on("data", (part) => { log += part; });
  }
  const closed = new Promise((done) => {
    child.on("error", (error) => { ended = { error }; done(ended); });
    child.on("close", (code, signal) => {
      running.delete(child);
      ended = { code, signal };
      done(ended);
    });
  });

  const admin = (target, options) => adminRequest(socketPath, target, options);
  const daemon = {
    name, child, pid: child.pid, dir, socketPath, admin,
    log: () => log,
    ended: () => ended,
    closed,
    status: async () => JSON.parse((await admin("/status")).body),
    metrics: async () => (await admin("/metrics")).body,
    fds: () => fs.readdirSync(`/proc/${child.pid}/fd`).length,
    waitLog: (pattern, options) => waitFor(() => {
      if (ended && !log.match(pattern)) throw new Error(`${name} ended:\n${log}`);
      return log.match(pattern);
    }, { what: `${name} logs ${pattern}`, ...options }),
    signal: (which) => child.kill(which),
    async stop({ grace = 10000, drain = 3000 } = {}) {
      if (!ended) child.kill("SIGTERM");
      // Once more means at once: tests do not wait for what still goes on.
      const again = setTimeout(() => child.kill("SIGTERM"), drain);
      const late = setTimeout(() => child.kill("SIGKILL"), grace * slow);
      const how = await closed;
      clearTimeout(again);
      clearTimeout(late);
      if (how.signal === "SIGKILL")
        throw new Error(`${name} did not stop within ${grace * slow} ms:\n${log}`);
      // A leak or a race shows only in what a sanitizer printed.
      if (/Sanitizer: |runtime error: /.test(log))
        throw new Error(`${name}: a sanitizer complains:\n${log}`);
      return how;
    },
  };
  if (!ready) return daemon;

  try {
    await waitFor(async () => {
      if (ended) return true;
      return (await admin("/readyz")).status === 200;
    }, { timeout, what: `${name} is ready` });
  } catch (error) {
    child.kill("SIGKILL");
    await closed;
    throw new Error(`${error.message}\n${log}`, { cause: error });
  }
  if (ended) throw new Error(`${name} ended at start (${JSON.stringify(ended)}):\n${log}`);
  return daemon;
}

/** Run a program to its end: { code, signal, stdout, stderr }, never throws on exit codes. */
export async function runProgram(file, args = [], { timeout = 60000, input, env, cwd } = {}) {
  const child = spawn(file, args, {
    cwd, env: { ...process.env, ...env }, stdio: [input === undefined ? "ignore" : "pipe", "pipe", "pipe"],
  });
  running.add(child);
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (part) => { stdout += part; });
  child.stderr.setEncoding("utf8").on("data", (part) => { stderr += part; });
  if (input !== undefined) child.stdin.end(input);
  const timer = setTimeout(() => child.kill("SIGKILL"), timeout);
  try {
    // once() rejects when the program cannot be started.
    const [code, signal] = await once(child, "close");
    return { code, signal, stdout, stderr };
  } finally {
    clearTimeout(timer);
    running.delete(child);
  }
}

/** Run one of our daemons to its end (--check, --help, wrong options). */
export function runDaemon(name, args, options) {
  return runProgram(binary(name), args, options);
}

/** "reason" when a program is missing, else false: for the skip option of test(). */
export function missing(...programs) {
  const dirs = (process.env.PATH ?? "").split(":").concat("/usr/sbin", "/sbin");
  for (const program of programs) {
    const found = program.includes("/") ? fs.existsSync(program)
      : dirs.some((dir) => dir && fs.existsSync(path.join(dir, program)));
    if (!found) return `${program} is not installed`;
  }
  return false;
}
