// SPDX-License-Identifier: MIT
// The programs of a lab: each with a log and a pid file, stopped in the
// opposite order. A daemon that ends is started again, as its systemd unit
// would do.

import { spawn } from "node:child_process";
import { once } from "node:events";
import fs from "node:fs";
import path from "node:path";

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** When a process began: a pid alone may have been given to a stranger since. */
function born(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /, "").split(" ")[19];
  } catch {
    return undefined;
  }
}

export class Processes {
  constructor(dir, say) {
    Object.assign(this, { dir, say, all: new Map(), stopping: false });
    for (const sub of ["run", "log"]) fs.mkdirSync(path.join(dir, sub), { recursive: true });
  }

  #spawn(entry) {
    const log = fs.openSync(path.join(this.dir, "log", `${entry.name}.log`), "a");
    const [program, ...args] = entry.words;
    const child = spawn(program, args, {
      stdio: ["ignore", log, log], detached: true, env: { ...process.env, ...entry.env },
    });
    fs.closeSync(log);
    entry.child = child;
    entry.ended = once(child, "exit");
    child.on("error", (error) => this.say(`${entry.name}: ${error.message}`));
    child.on("exit", (code, signal) => this.#ended(entry, code, signal));
    fs.writeFileSync(path.join(this.dir, "run", `${entry.name}.pid`), `${child.pid} ${born(child.pid)}\n`);
  }

  #ended(entry, code, signal) {
    if (this.stopping) return;
    this.say(`${entry.name} ended (${signal ?? `exit status ${code}`})` +
      (entry.restart ? "; it is started again" : ""));
    if (entry.restart) setTimeout(() => { if (!this.stopping) this.#spawn(entry); }, 200);
  }

  /** Start `words` as `name`; `restart`: again whenever it ends. */
  start(name, words, { env = {}, restart = false } = {}) {
    const entry = { name, words, env, restart };
    this.all.set(name, entry);
    fs.appendFileSync(path.join(this.dir, "run", "order"), `${name}\n`);
    this.#spawn(entry);
  }

  /** Wait until `probe` is true; a program that ended or is late is an error. */
  async ready(name, probe, seconds = 20) {
    const { child } = this.all.get(name);
    for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(100)) {
      if (await probe()) return;
      if (child.exitCode !== null) break;
    }
    throw new Error(`${name} did not get ready:\n${this.log(name).split("\n").slice(-20).join("\n")}`);
  }

  log(name) { return fs.readFileSync(path.join(this.dir, "log", `${name}.log`), "utf8"); }

  async stop() {
    this.stopping = true;
    for (const { name, child, ended } of [...this.all.values()].reverse()) {
      if (child.exitCode !== null || child.signalCode !== null) continue;
      child.kill("SIGTERM");
      // A program that was paused can only stop when it goes on.
      child.kill("SIGCONT");
      const timer = setTimeout(() => { this.say(`${name} did not stop in time: killed`); child.kill("SIGKILL"); }, 10000);
      await ended;
      clearTimeout(timer);
    }
  }
}
