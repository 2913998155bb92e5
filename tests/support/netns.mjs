// SPDX-License-Identifier: MIT
// Hosts of a test: the lab's network of namespaces, and in each host an agent
// that sends and receives packets on demand. Needs root.

import { spawn } from "node:child_process";
import { once } from "node:events";
import readline from "node:readline";
import { Network as Hosts } from "../../deploy/netlab/network.mjs";

export { noNamespaces } from "../../deploy/netlab/network.mjs";

const agentFile = new URL("./netns_agent.mjs", import.meta.url).pathname;

export class Network extends Hosts {
  constructor() {
    super();
    this.agents = new Map();
    process.on("exit", () => { for (const { child } of this.agents.values()) child.kill("SIGKILL"); });
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
    for (const { child } of this.agents?.values() ?? []) {
      child.stdin.end();
      await Promise.race([once(child, "close"), new Promise((done) => setTimeout(done, 2000))]);
      child.kill("SIGKILL");
    }
    this.agents?.clear();
    super.close();
  }
}
