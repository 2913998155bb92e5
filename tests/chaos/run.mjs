// SPDX-License-Identifier: MIT
// The whole edge under faults, one after the other, while calls go on: in the
// lab of namespaces, with its firewalls, phones in two homes behind NAT.
//
//   node tests/chaos/run.mjs [--seed N] [--only TEXT] [--callers N] [--json FILE]
//
// The seed decides the order. Ends with a report, and status 1 if a call was
// lost that the fault at hand does not carry, if the edge did not recover by
// itself, or if something is left at the end. faults.mjs says what each carries.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { parseArgs } from "node:util";
import readline from "node:readline";
import { buildDir, root, sleep, waitFor } from "../support/edge.mjs";
import { daemons, Lab } from "../support/lab.mjs";
import { noNamespaces } from "../support/netns.mjs";
import { faults } from "./faults.mjs";

const { values: options } = parseArgs({ options: {
  seed: { type: "string", default: String(Date.now() % 100000) },
  only: { type: "string" }, callers: { type: "string", default: "4" }, json: { type: "string" },
} });

const recovery = 10; // seconds after a fault that belong to it
const hold = 6000; // how long a call stands, about, ms

/** mulberry32: small, and the same everywhere. */
function generator(seed) {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

function shuffled(list, random) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/* ---- phones ------------------------------------------------------------------ */

class Home {
  constructor(lab, host, role, users) {
    this.events = [];
    const edge = Object.keys(lab.names)[0];
    const settings = { role, users, hold, url: `wss://${edge}/wssip`, realm: "edge.example.com",
      turn: lab.names["turn.example.com"], sipSecret: lab.sipSecret, turnSecret: lab.turnSecret };
    this.child = spawn("ip", ["netns", "exec", lab.hosts[host], process.execPath,
      path.join(root, "tests/chaos/phones.mjs"), JSON.stringify(settings)],
    { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NODE_EXTRA_CA_CERTS: lab.ca } });
    readline.createInterface({ input: this.child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) this.events.push(JSON.parse(line));
    });
  }

  count(what, since = 0) { return this.events.filter((e) => e.what === what && e.t >= since).length; }

  stop() {
    return new Promise((done) => { this.child.once("exit", done); this.child.kill("SIGTERM"); });
  }
}

/* ---- one fault after the other -------------------------------------------------- */

const goodCalls = (home, since) =>
  home.events.filter((e) => e.what === "call" && e.result === "good" && e.at >= since);

async function suffer(lab, callers, fault) {
  const began = Date.now();
  try {
    await fault.begin(lab);
    await sleep(fault.seconds * 1000);
  } finally {
    await fault.end?.(lab);
  }
  const over = Date.now();
  // Recovered: a call that was begun after the fault has ended well.
  const first = await waitFor(() => goodCalls(callers, over)[0], {
    timeout: ((fault.recovery ?? recovery) + 2 * hold / 1000) * 1000, every: 100, what: `calls after "${fault.name}"`,
  }).catch(() => null);
  await sleep(1000);
  return { name: fault.name, fault, began, over, until: Date.now(), back: first ? first.at + first.setup - over : null };
}

/** What happened to calls in the time of a fault that the fault does not excuse. */
function judge(record, events) {
  const mine = events.filter((e) => e.what === "call" && e.until >= record.began && e.at < record.until);
  const before = (e) => e.at + (e.setup ?? Infinity) < record.began;
  const { harms } = record.fault;
  const excused = {
    refused: harms.includes("setup"), dropped: harms.includes("calls"),
    silent: harms.includes("media"),
  };
  const count = {};
  for (const e of mine) count[e.result] = (count[e.result] ?? 0) + 1;
  const bad = mine.filter((e) => e.result !== "good" && !excused[e.result]);
  // A call that stood when it began keeps its media unless media was meant.
  const gaps = mine.filter((e) => e.setup !== undefined && (before(e) || !harms.length) && e.gap > 1500 && !harms.includes("media"));
  return { count, calls: mine.length, bad: [...bad, ...gaps],
    longest: Math.max(0, ...mine.filter((e) => e.gap !== undefined).map((e) => e.gap)) };
}

/** Calls that stood when signalling was killed, and whose caller hung up when it
 * was back, but whose callee has not heard of it. A caller that hangs up without
 * a connection tells nobody: that is the phone's, not the edge's. */
function unheard(record, callers, callees) {
  const back = (user) => callers.find((e) => e.what === "registered" && e.user === user && e.t > record.began)?.t ?? Infinity;
  const ended = new Set(callees.filter((e) => e.what === "ended").map((e) => e.call));
  const mine = callers.filter((e) => e.what === "call" && e.id && e.at + e.setup < record.began &&
    e.until > back(e.user) && e.until < record.until - 2000);
  return { told: mine.filter((e) => ended.has(e.id)).length, lost: mine.filter((e) => !ended.has(e.id)) };
}

const memory = (lab, daemon) =>
  Number(fs.readFileSync(`/proc/${lab.pid(daemon)}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]);

async function leftovers(lab) {
  const left = [];
  const empty = {
    "turn-server": (s) => s.allocations, "web-proxy": (s) => s.connections,
    "sip-proxy": (s) => (s.stats.flows ?? 0) + (s.stats.ws_open ?? 0),
  };
  for (const daemon of daemons)
    await waitFor(async () => empty[daemon](await lab.status(daemon)) === 0, { timeout: 70000, every: 500 })
      .catch(() => left.push(`${daemon} still holds sessions`));
  return left;
}

function print(record, verdict) {
  const of = Object.entries(verdict.count).map(([k, n]) => `${n} ${k}`).join(", ");
  console.log(`${verdict.bad.length || record.back === null ? "NO" : "ok"}  ${record.name}: ${of || "no call"}; ` +
    `longest silence ${verdict.longest} ms; ` +
    (record.back === null ? "did not recover" : `a new call stood ${Math.max(0, record.back)} ms after it`));
  for (const e of verdict.bad.slice(0, 5))
    console.log(`      ${e.user} ${e.result}${e.cause ? ` (${e.cause})` : ""}, silence ${e.gap ?? "-"} ms, ` +
      `${e.at - record.began} … ${e.until - record.began} ms after the beginning`);
}

async function main() {
  const without = await noNamespaces();
  if (without) { console.log(`chaos: skipped: ${without}`); return 0; }
  const lab = await Lab.up({ args: ["--netns"] });
  const etc = path.join(lab.dir, "etc");
  Object.assign(lab, { root, edgectl: path.join(buildDir, "deploy/edgectl/edgectl"),
    turnSecret: fs.readFileSync(path.join(etc, "turn.secret"), "utf8"),
    sipSecret: fs.readFileSync(path.join(etc, "demo-sip.secret"), "utf8") });
  const names = (role) => Array.from({ length: Number(options.callers) }, (_, i) => `${role}${i}`);
  const callees = new Home(lab, "bob", "callee", names("callee"));
  const callers = new Home(lab, "alice", "caller", names("caller"));
  let failed = 0;
  const records = [];
  try {
    await waitFor(() => callers.count("registered") >= names().length && callees.count("registered") >= names().length,
      { timeout: 20000, what: "all phones are registered" });
    await waitFor(() => goodCalls(callers, 0).length >= names().length, { timeout: 30000, what: "first calls" });
    const begin = { fds: daemons.map((d) => lab.fds(d)), rss: daemons.map((d) => memory(lab, d)) };
    console.log(`chaos: seed ${options.seed}, ${options.callers} calls at a time`);
    const chosen = faults.filter((f) => !options.only || f.name.includes(options.only));
    for (const fault of shuffled(chosen, generator(Number(options.seed)))) {
      const record = await suffer(lab, callers, fault);
      const verdict = judge(record, callers.events);
      print(record, verdict);
      if (fault.cutsSignalling) {
        const { told, lost } = unheard(record, callers.events, callees.events);
        console.log(`      calls of before that were hung up after it: ${told} heard by the callee, ${lost.length} not`);
        verdict.bad.push(...lost);
      }
      records.push({ ...record, fault: undefined, ...verdict });
      if (verdict.bad.length || record.back === null) failed++;
    }
    const stopped = Date.now();
    await Promise.all([callers.stop(), callees.stop()]);
    const left = await leftovers(lab);
    for (const text of left) console.log(`NO  ${text}`);
    failed += left.length;
    const all = callers.events.filter((e) => e.what === "call" && e.until < stopped);
    const good = all.filter((e) => e.result === "good").length;
    daemons.forEach((d, i) => console.log(`    ${d}: ${begin.fds[i]} → ${lab.fds(d)} descriptors, ` +
      `${begin.rss[i]} → ${memory(lab, d)} KiB`));
    console.log(`chaos: ${all.length} calls, ${good} good, ${all.length - good} harmed by the faults; ` +
      `${records.length - failed} of ${records.length} faults as they should be`);
  } finally {
    callers.child.kill("SIGKILL");
    callees.child.kill("SIGKILL");
    if (options.json) fs.writeFileSync(options.json, JSON.stringify(records, null, 2));
    await lab.down();
  }
  return failed ? 1 : 0;
}

process.exitCode = await main();
