// SPDX-License-Identifier: MIT
// The documented installation for real, on one machine: every host of a
// topology in a network namespace of its own, the firewalls between them with
// the rules that edgectl makes of the settings, the internet with homes behind
// NAT, and a demo LAN. Called by `deploy/lab up --netns`; see there.
//
//   node main.mjs up FOLDER BUILD DIR NAT     until it is told to stop
//   node main.mjs clean DIR                   what a killed one left behind

import { spawnSync } from "node:child_process";
import crypto from "node:crypto";
import fs from "node:fs";
import http from "node:http";
import path from "node:path";
import { labText, readPlan } from "./plan.mjs";
import { dismantle, must, Network, noNamespaces } from "./network.mjs";
import { Processes } from "./processes.mjs";
import { sipPassword, turnCredential } from "../demo/credentials.mjs";

const demo = new URL("../demo/", import.meta.url).pathname;
const say = (text) => console.log(`lab: ${text}`);
const secret = (bytes) => crypto.randomBytes(bytes).toString("hex");

const masquerade = { preserving: "", symmetric: "fully-random" };

/* ---- the network ---------------------------------------------------------- */

const wire = (zone) => `sw-${zone}`;

async function addRoutes(network, host, list) {
  for (const [net, via] of list)
    await network.ip(host, ...(via.includes(":") ? ["-6"] : []), "route", "replace", net, "via", via);
}

async function buildHomes(network, plan, nat) {
  for (const home of plan.homes) {
    await network.bridge(wire(home.name));
    for (const host of [home.router, home.name]) await network.host(host);
    await network.plug(home.router, "wan", wire("internet"), home.public);
    await network.plug(home.router, "lan", wire(home.name), `${home.net}.1/24`);
    await network.plug(home.name, "eth0", wire(home.name), `${home.net}.2/24`);
    await network.forward(home.router);
    await addRoutes(network, home.router, [["default", plan.internet.gateway]]);
    await addRoutes(network, home.name, [["default", `${home.net}.1`]]);
    await network.nft(home.router, `table ip home { chain out { type nat hook postrouting priority 100;
      oifname "wan" masquerade ${masquerade[nat]}; }; }`);
    await network.names(home.name, plan.internet.names);
  }
}

async function buildRouters(network, plan) {
  for (const router of plan.routers) {
    await network.host(router.name);
    for (const { zone, port, addresses } of router.interfaces)
      await network.plug(router.name, port, wire(zone), ...addresses.map(([net, a]) => `${a}/${net.prefix}`));
    await network.forward(router.name);
  }
  for (const router of plan.routers) await addRoutes(network, router.name, router.routes);
  const outer = plan.routers.find((r) => r.interfaces.some((i) => i.zone === "internet"));
  const { port } = outer.interfaces.find((i) => i.zone === "internet");
  for (const [shown, real] of plan.translated)
    await network.nft(outer.name, `table ip published { chain in { type nat hook prerouting priority -100;
      iifname "${port}" ip daddr ${shown} dnat to ${real}; }; }`);
}

async function buildNetwork(network, plan, nat) {
  for (const zone of plan.zones) await network.bridge(wire(zone));
  await buildRouters(network, plan);
  for (const host of plan.hosts) {
    await network.host(host.name);
    await network.plug(host.name, "eth0", wire(host.zone), ...host.addresses);
    await addRoutes(network, host.name, host.routes);
    await network.names(host.name, host.names);
  }
  await network.host("cafe");
  await network.plug("cafe", "eth0", wire("internet"), plan.internet.cafe);
  await addRoutes(network, "cafe", [["default", plan.internet.gateway]]);
  await network.names("cafe", plan.internet.names);
  await buildHomes(network, plan, nat);
}

/* ---- what is on the hosts --------------------------------------------------- */

const options = { "web-proxy": "--web", "sip-proxy": "--sip", "turn-server": "--turn" };

class Lab {
  constructor(folder, build, dir) {
    this.plan = readPlan(folder);
    Object.assign(this, { build, dir, network: new Network(), run: path.join(dir, "run") });
    this.processes = new Processes(dir, say);
    fs.writeFileSync(path.join(this.run, "netns"),
      JSON.stringify({ pid: process.pid, tag: this.network.tag }));
    this.secrets = { sip: secret(16), password: `demo-${secret(3)}`, turn: secret(32), token: secret(32) };
  }

  binary(name) { return path.join(this.build, name === "edgectl" ? "deploy/edgectl" : name, name); }
  host(name) { return this.plan.hosts.find((h) => h.name === name); }
  settings(name) { return path.join(this.dir, "etc", `${name}.json`); }
  in(file) { return path.join(this.dir, "etc", file); }

  /** The settings as they are, but for the folder that is /etc/edge there. */
  async writeSettings() {
    fs.mkdirSync(path.join(this.dir, "etc"), { recursive: true });
    const script = path.join(demo, "certificates");
    await must(script, this.in("outside"), ...Object.keys(this.plan.lab.names));
    await must(script, this.in("inside"), ...this.plan.lab["inside-names"]);
    fs.writeFileSync(this.in("demo-sip.secret"), this.secrets.sip);
    const all = { ...this.plan.files, topology: path.join(this.plan.folder, "topology.json") };
    for (const [name, file] of Object.entries(all)) {
      const text = labText(file);
      for (const [, wanted] of text.matchAll(/"\/etc\/edge\/([^"/]+)"/g)) this.#provide(wanted);
      fs.writeFileSync(this.settings(name), text.replaceAll("/etc/edge/", `${this.dir}/etc/`));
    }
  }

  /** A file that settings ask for: what it is for is in its name. */
  #provide(name) {
    const certificates = /inside|partner/.test(name) ? "inside" : "outside";
    if (name.endsWith("ca.pem")) fs.copyFileSync(this.in("inside/ca.pem"), this.in(name));
    // Who signs tokens is inside; here is the public half of a key.
    else if (name === "conference-key.pem")
      fs.writeFileSync(this.in(name), crypto.createPublicKey(fs.readFileSync(this.in("inside/key.pem")))
        .export({ type: "spki", format: "pem" }));
    else if (name.endsWith("key.pem")) fs.copyFileSync(this.in(`${certificates}/key.pem`), this.in(name));
    else if (name.endsWith(".pem")) fs.copyFileSync(this.in(`${certificates}/cert.pem`), this.in(name));
    else if (name === "turn.secret") fs.writeFileSync(this.in(name), this.secrets.turn);
    else if (name === "turn.users") fs.writeFileSync(this.in(name), `demo:${this.secrets.turn}\n`);
    else fs.writeFileSync(this.in(name), this.secrets.token);
  }

  /** Load what edgectl makes of the settings: on our hosts and between them. */
  async raiseFirewalls() {
    const out = path.join(this.dir, "firewall");
    fs.mkdirSync(out);
    const given = Object.keys(this.plan.files).flatMap((daemon) => [options[daemon], this.settings(daemon)]);
    await must(this.binary("edgectl"), "firewall", "--topology", this.settings("topology"), ...given, "--out", out);
    for (const name of fs.readdirSync(out).filter((f) => f.endsWith(".nft")))
      await must(...this.network.on(path.basename(name, ".nft"), "nft", "-f", path.join(out, name)));
  }

  async startLan() {
    const { registrar = [], application, echo } = this.plan.lab;
    const env = { DEMO_SIP_SECRET: this.secrets.sip };
    for (const name of registrar) {
      const state = path.join(this.run, `registrar-${name}`);
      fs.mkdirSync(state);
      this.processes.start(`registrar-${name}`, this.network.on(name, "kamailio", "-DD", "-E", "-f",
        path.join(demo, "kamailio.cfg"), "-l", `udp:${this.host(name).address}:5060`,
        "-m", "32", "-M", "4", "-w", state, "-Y", state), { env, restart: true });
    }
    if (!application) return;
    const turn = Object.keys(this.plan.lab.names).at(-1);
    const uris = this.plan.lab.turn ?? [`turn:${turn}:3478?transport=udp`, `turn:${turn}:3478?transport=tcp`,
      `turns:${turn}:3478?transport=tcp`];
    this.processes.start("application", this.network.on(application, "node", path.join(demo, "server.mjs")), {
      restart: true,
      env: { ...env, DEMO_LISTEN: `${this.host(application).address}:443`, DEMO_PASSWORD: this.secrets.password,
        DEMO_CERTIFICATE: this.in("inside/cert.pem"), DEMO_KEY: this.in("inside/key.pem"),
        DEMO_TURN_SECRET_FILE: this.in("turn.secret"), DEMO_ECHO: echo ? "echo" : "",
        DEMO_TURN_URLS: uris.join(",") },
    });
  }

  async startEcho() {
    const { registrar, echo } = this.plan.lab;
    if (!echo) return;
    const { address } = this.host(echo);
    const server = this.host(registrar[0]).address;
    const turn = this.plan.hosts.find((h) => h.runs.includes("turn-server")).address;
    const { username, credential } = turnCredential(this.secrets.turn, "echo", 2592000);
    const dir = path.join(this.run, "echo");
    fs.mkdirSync(dir);
    fs.writeFileSync(path.join(dir, "config"), fs.readFileSync(path.join(demo, "echo.conf"), "utf8")
      .replace(/^sip_listen.*$/m, `sip_listen ${address}:0\nrtp_ports 10000-20000`));
    fs.writeFileSync(path.join(dir, "contacts"), "");
    fs.writeFileSync(path.join(dir, "accounts"),
      `"Echo" <sip:echo@default;transport=udp>;auth_user=echo;auth_pass=${sipPassword(this.secrets.sip, "echo")}` +
      `;outbound="sip:${server}:5060;transport=udp";regint=60;mediaenc=dtls_srtp;medianat=ice` +
      `;stunserver="turn:${turn}:3478";stunuser="${username}";stunpass="${credential}"` +
      ";answermode=auto;audio_codecs=opus/48000/2\n");
    this.processes.start("echo", this.network.on(echo, "baresip", "-f", dir), { restart: true });
    await this.processes.ready("echo", () => this.processes.log("echo").includes("200 OK"));
  }

  async startEdge() {
    for (const host of this.plan.hosts)
      for (const daemon of host.runs)
        this.processes.start(daemon, this.network.on(host.name, this.binary(daemon),
          "--config", this.settings(daemon), "--admin-socket", path.join(this.run, `${daemon}.sock`),
          "--drain-time", "1s"), { restart: true });
    for (const daemon of this.plan.hosts.flatMap((h) => h.runs))
      await this.processes.ready(daemon, () => this.isReady(daemon));
  }

  isReady(daemon) {
    return new Promise((done) => {
      http.get({ socketPath: path.join(this.run, `${daemon}.sock`), path: "/readyz" }, (answer) => {
        answer.resume();
        done(answer.statusCode === 200);
      }).on("error", () => done(false));
    });
  }

  async up(nat) {
    await this.writeSettings();
    await buildNetwork(this.network, this.plan, nat);
    await this.raiseFirewalls();
    await this.startLan();
    await this.startEdge();
    await this.startEcho();
    this.describe(nat);
  }

  describe(nat) {
    const { plan, network } = this;
    const [edge] = Object.keys(plan.lab.names);
    const facts = {
      url: `https://${edge}/${plan.lab.application ? "ucassistant/" : ""}`, password: this.secrets.password, ca: this.in("outside/ca.pem"),
      run: this.run, nat, names: plan.lab.names, processes: [...this.processes.all.keys()],
      hosts: Object.fromEntries(network.hosts.map((host) => [host, network.name(host)])),
      addresses: Object.fromEntries(plan.hosts.map((h) => [h.name, h.address])),
    };
    fs.writeFileSync(path.join(this.dir, "lab.json"), JSON.stringify(facts, null, 2));
    say(`${plan.hosts.length} hosts, ${plan.routers.length} firewalls, two homes behind ${nat} NAT`);
    for (const host of plan.hosts)
      say(`  ${host.zone.padEnd(9)} ${host.name.padEnd(10)} ${host.addresses.join(" ").padEnd(18)} ${host.runs.join(" ")}`);
    if (!plan.lab.application) return;
    say(`${facts.url}, users alice, bob, carol, password ${facts.password}; seen from a home:`);
    say(`  ip netns exec ${network.name("alice")} curl --cacert ${facts.ca} ${facts.url}`);
  }

  /** `keep`: the logs of one that did not come up. */
  async down(keep) {
    await this.processes.stop();
    this.network.close();
    fs.rmSync(keep ? path.join(this.run, "netns") : this.dir, { recursive: true, force: true });
  }
}

/* ---- commands ------------------------------------------------------------------ */

async function up(folder, build, dir, nat) {
  const without = await noNamespaces();
  if (without) throw new Error(without);
  const lab = new Lab(folder, build, dir);
  let ending;
  const end = (status) => {
    ending ??= lab.down(status !== 0).then(() => process.exit(status));
    return ending;
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => end(0));
  try {
    await lab.up(nat);
  } catch (error) {
    if (!ending) console.error(`lab: ${error.message}; logs are in ${path.join(dir, "log")}`);
    await end(1);
  }
  setInterval(() => {}, 1 << 30);
}

function clean(dir) {
  const { tag } = JSON.parse(fs.readFileSync(path.join(dir, "run/netns"), "utf8"));
  const { stdout } = spawnSync("ip", ["netns", "list"], { encoding: "utf8" });
  dismantle(stdout.split("\n").map((line) => line.split(" ")[0]).filter((name) => name.startsWith(`${tag}-`)));
  fs.rmSync(dir, { recursive: true, force: true });
}

const [command, ...args] = process.argv.slice(2);
if (command === "clean") clean(...args);
else await up(...args).catch((error) => { console.error(`lab: ${error.message}`); process.exitCode = 1; });
