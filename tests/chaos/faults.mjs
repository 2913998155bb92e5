// SPDX-License-Identifier: MIT
// What the chaos run does to the lab. Each fault:
//
//   name      what is done
//   seconds   how long it lasts
//   harms     what it may do to calls while it lasts and shortly after:
//     setup     a new call may fail
//     media     a call may fall silent for longer than a second
//     calls     a call that stands may be lost for good
//   cutsSignalling  clients lose their WebSockets, and callees must hear all the
//             same when a call of before is hung up
//   begin(lab), end(lab)

import fs from "node:fs";
import path from "node:path";
import { spawn } from "node:child_process";
import { buildDir, runProgram } from "../support/edge.mjs";

const daemons = ["web-proxy", "sip-proxy", "turn-server"];
const on = (lab, host, ...words) => runProgram("ip", ["netns", "exec", lab.hosts[host], ...words]);

async function must(result) {
  const { code, stdout, stderr } = await result;
  if (code !== 0) throw new Error(`${stdout}${stderr}`);
}

const kill = (daemon) => ({
  name: `kill -9 ${daemon}`, seconds: 1,
  // Media goes through turn-server alone; signalling through the two others.
  harms: daemon === "turn-server" ? ["setup", "media", "calls"] : ["setup"],
  cutsSignalling: daemon !== "turn-server",
  begin: (lab) => process.kill(lab.pid(daemon), "SIGKILL"),
});

const pause = (daemon) => ({
  name: `pause ${daemon} for 4 s`, seconds: 4,
  harms: daemon === "turn-server" ? ["setup", "media"] : ["setup"],
  begin: (lab) => process.kill(lab.pid(daemon), "SIGSTOP"),
  end: (lab) => process.kill(lab.pid(daemon), "SIGCONT"),
});

/** Packets that cross this router are lost, so many of a hundred. */
const loss = (name, router, percent, harms, seconds = 6) => ({
  name, seconds, harms,
  begin: (lab) => must(on(lab, router, "nft", `table inet chaos { chain forward {
    type filter hook forward priority -10;
    ${percent === 100 ? "" : `numgen random mod 100 < ${percent}`} drop; }; }`)),
  end: (lab) => must(on(lab, router, "nft", "delete", "table", "inet", "chaos")),
});

const cut = (name, router, harms) => loss(`cut ${name} for 4 s`, router, 100, harms, 4);

/** The cable of a router to the internet becomes a slow one. */
const delay = (name, router, [ms, jitter], harms) => ({
  name, seconds: 6, harms,
  async begin(lab) {
    this.sw = (...words) => must(on(lab, "sw-internet", ...words));
    this.port = `p${Object.keys(lab.hosts).indexOf(router)}wan`;
    await this.sw("ip", "link", "add", "slow0", "type", "veth", "peer", "name", "slow1");
    await this.sw("ip", "link", "set", "slow0", "master", "bridge0", "up");
    await this.sw("ip", "link", "set", "slow1", "up");
    await this.sw("ip", "link", "set", this.port, "nomaster");
    this.cable = spawn("ip", ["netns", "exec", lab.hosts["sw-internet"],
      path.join(buildDir, "tests/link_delay"), "slow1", this.port, String(ms), String(jitter)], { stdio: "inherit" });
  },
  async end() {
    this.cable.kill();
    await this.sw("ip", "link", "set", this.port, "master", "bridge0");
    await this.sw("ip", "link", "del", "slow0");
  },
});

const reload = (lab, daemon) => runProgram(lab.edgectl, ["reload", "--dir", lab.run, daemon]);

const settingsFile = (lab, daemon) => path.join(lab.dir, "etc", `${daemon}.json`);

const breakSettings = (daemon) => ({
  name: `broken settings, then reload ${daemon}`, seconds: 1, harms: [],
  async begin(lab) {
    const file = settingsFile(lab, daemon);
    this.good = fs.readFileSync(file);
    fs.writeFileSync(file, "{ \"listen\": [\"udp:nowhere\"], \"nonsense\": 1 ");
    const { code } = await reload(lab, daemon);
    if (code === 0) throw new Error(`${daemon} took settings that are broken`);
  },
  async end(lab) {
    fs.writeFileSync(settingsFile(lab, daemon), this.good);
    await must(reload(lab, daemon));
  },
});

const swapCertificate = {
  name: "an expired certificate, then a new one", seconds: 3, harms: [],
  async begin(lab) {
    const etc = path.join(lab.dir, "etc");
    const dir = path.join(etc, "expired");
    await must(runProgram(path.join(lab.root, "deploy/demo/certificates"), [dir, ...Object.keys(lab.names)]));
    const at = (name) => path.join(dir, name);
    await must(runProgram("openssl", ["req", "-new", "-key", at("key.pem"), "-subj", "/CN=edge.example.com", "-out", at("csr")]));
    await must(runProgram("openssl", ["x509", "-req", "-in", at("csr"), "-signkey", at("key.pem"), "-days", "-1",
      "-out", at("cert.pem")]));
    for (const [from, to] of [["cert.pem", "fullchain.pem"], ["key.pem", "key.pem"]])
      fs.copyFileSync(path.join(dir, from), path.join(etc, to));
    // Taken or refused, nobody who talks may notice.
    for (const daemon of ["web-proxy", "turn-server"]) await reload(lab, daemon);
  },
  async end(lab) {
    const etc = path.join(lab.dir, "etc");
    for (const [from, to] of [["cert.pem", "fullchain.pem"], ["key.pem", "key.pem"]])
      fs.copyFileSync(path.join(etc, "outside", from), path.join(etc, to));
    for (const daemon of ["web-proxy", "turn-server"]) await must(reload(lab, daemon));
  },
};

/** So few descriptors are left that nothing new can be opened. */
const descriptors = (daemon) => ({
  name: `no descriptors left for ${daemon}`, seconds: 4, harms: ["setup"],
  async begin(lab) {
    const pid = lab.pid(daemon);
    this.before = fs.readFileSync(`/proc/${pid}/limits`, "utf8").match(/Max open files\s+(\d+)\s+(\d+)/).slice(1).join(":");
    await must(runProgram("prlimit", ["--pid", String(pid), `--nofile=${lab.fds(daemon)}:${this.before.split(":")[1]}`]));
  },
  end(lab) {
    return must(runProgram("prlimit", ["--pid", String(lab.pid(daemon)), `--nofile=${this.before}`]));
  },
});

const fillPool = {
  name: "500 allocations of one user and more connections than one address may have", seconds: 6, harms: [],
  async begin(lab) {
    this.running = [
      on(lab, "cafe", "timeout", "-s", "KILL", "8", "turnutils_uclient", "-W", lab.turnSecret, "-u", "greedy", "-m", "500", "-n", "50", "-y", lab.names["turn.example.com"]),
      on(lab, "cafe", "timeout", "-s", "KILL", "8", "wrk", "-t", "1", "-c", "400", "-d", "5", lab.url),
    ];
  },
  async end() { await Promise.all(this.running); },
};

const restartServers = {
  name: "restart the media servers", seconds: 2, harms: ["setup"],
  // The demo registrar forgets who was registered: clients come back within
  // their registration's time.
  recovery: 25,
  begin(lab) {
    for (const name of ["registrar-main", "registrar-mds1", "registrar-mds2"]) process.kill(lab.pid(name), "SIGKILL");
  },
};

const reloadAll = {
  name: "reload everything five times", seconds: 3, harms: [],
  async begin(lab) {
    for (let i = 0; i < 5; i++)
      for (const daemon of daemons) await must(reload(lab, daemon));
  },
};

export const faults = [
  ...daemons.map(kill),
  ...daemons.map(pause),
  cut("the LAN off", "inner", ["setup"]),
  cut("a home off", "nat-alice", ["setup", "media"]),
  delay("100 ± 20 ms each way to a home", "nat-alice", [100, 20], []),
  loss("2 % loss on the way to the LAN", "inner", 2, []),
  loss("30 % loss on the way to the LAN", "inner", 30, ["setup"]),
  loss("2 % loss to a home", "nat-bob", 2, []),
  loss("30 % loss to a home", "nat-bob", 30, ["setup"]),
  ...daemons.map(descriptors),
  fillPool,
  swapCertificate,
  ...daemons.map(breakSettings),
  restartServers,
  reloadAll,
];
