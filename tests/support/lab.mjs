// SPDX-License-Identifier: MIT
// The lab that an operator starts by hand (deploy/lab), started by a test.

import fs from "node:fs";
import path from "node:path";
import { adminRequest, root, runProgram, scratch } from "./edge.mjs";

const script = path.join(root, "deploy/lab");
export const daemons = ["web-proxy", "sip-proxy", "turn-server"];

export class Lab {
  /** Bring it up on free ports; the caller calls down(). */
  static async up({ args = [], env = {} } = {}) {
    const dir = path.join(scratch("edge-lab-"), "lab");
    const words = ["up", "--detach", "--any-port", "--dir", dir, ...args];
    const done = await runProgram(script, words, { timeout: 300000, env });
    if (done.code !== 0)
      throw new Error(`deploy/lab up failed:\n${done.stdout}\n${done.stderr}`);
    return new Lab(dir, JSON.parse(fs.readFileSync(path.join(dir, "lab.json"), "utf8")));
  }

  constructor(dir, facts) {
    Object.assign(this, { dir, ...facts });
  }

  pid(name) {
    return Number(fs.readFileSync(path.join(this.run, `${name}.pid`), "utf8").split(" ")[0]);
  }

  fds(name) { return fs.readdirSync(`/proc/${this.pid(name)}/fd`).length; }

  async status(name) {
    const { body } = await adminRequest(path.join(this.run, `${name}.sock`), "/status");
    return JSON.parse(body);
  }

  log(name) { return fs.readFileSync(path.join(this.dir, "log", `${name}.log`), "utf8"); }

  async down() {
    const done = await runProgram(script, ["down", "--dir", this.dir], { timeout: 60000 });
    const left = fs.existsSync(this.dir);
    return { ...done, left };
  }
}
