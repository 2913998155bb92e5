// SPDX-License-Identifier: MIT
// Phones of others over TCP and TLS, with Kamailio as registrar: Linphone calls
// baresip. Both check our certificate where there is one.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, before, describe, test } from "node:test";
import { freePort, makeCertificates, missing, scratch, startDaemon, waitFor } from "../support/edge.mjs";
import { passwordOf, startKamailio } from "../support/kamailio.mjs";

const patience = { timeout: 30000, every: 100 };

function run(program, args, options) {
  const child = spawn(program, args, { stdio: ["pipe", "pipe", "pipe"], ...options });
  let log = "";
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding("utf8").on("data", (part) => { log += part; });
  const closed = new Promise((done) => child.on("close", done));
  const onExit = () => child.kill("SIGKILL");
  process.on("exit", onExit);
  return { log: () => log, say: (line) => child.stdin.write(`${line}\n`), async stop() {
    child.kill("SIGTERM");
    const late = setTimeout(() => child.kill("SIGKILL"), 3000);
    await closed;
    clearTimeout(late);
    process.off("exit", onExit);
  } };
}

/** baresip that answers and echoes, registered. */
async function echo(user, { port, transport, ca }) {
  const dir = scratch("baresip-");
  fs.writeFileSync(path.join(dir, "config"), ["poll_method epoll", "sip_listen 127.0.0.1:0", `sip_cafile ${ca}`,
    "sip_verify_server yes", "call_max_calls 4", "audio_player aubridge,nil", "audio_source aubridge,nil",
    "audio_alert aubridge,nil", "module_path /usr/lib/baresip/modules", "module g711.so", "module aubridge.so",
    "module_tmp account.so", "module_app echo.so", ""].join("\n"));
  fs.writeFileSync(path.join(dir, "contacts"), "");
  fs.writeFileSync(path.join(dir, "accounts"), `<sip:${user}@default;transport=${transport}>;auth_user=${user};` +
    `auth_pass=${passwordOf(user)};outbound="sip:127.0.0.1:${port};transport=${transport}";regint=60;answermode=auto\n`);
  const phone = run("baresip", ["-f", dir], { env: { ...process.env, HOME: dir } });
  await waitFor(() => phone.log().includes("200 OK"), { ...patience, what: "baresip is registered" })
    .catch((error) => { throw new Error(`${error.message}\n${phone.log()}`); });
  return phone;
}

/** Linphone, registered. */
async function linphone(user, { port, transport, ca }) {
  const dir = scratch("linphone-");
  const rc = path.join(dir, "linphonerc");
  for (const sub of [".local/share/linphone", ".config/linphone", ".cache"])
    fs.mkdirSync(path.join(dir, sub), { recursive: true });
  fs.writeFileSync(rc, ["[sip]", "default_proxy=0", "sip_port=-1", "sip_tcp_port=-1", "sip_tls_port=-1",
    `root_ca=${ca}`, "verify_server_certs=1", "verify_server_cn=1", "[rtp]", "audio_rtp_port=-1",
    "[net]", "mtu=0", "[proxy_0]", `reg_proxy=<sip:localhost:${port};transport=${transport}>`,
    `reg_route=<sip:localhost:${port};transport=${transport}>`,
    `reg_identity=<sip:${user}@default>`, "reg_expires=60", "reg_sendregister=1", "publish=0",
    "[auth_info_0]", `username=${user}`, `passwd=${passwordOf(user)}`, "realm=default", "domain=default", ""].join("\n"));
  const phone = run("linphonec", ["-c", rc, "-d", "5", "-l", path.join(dir, "log")],
    { env: { ...process.env, HOME: dir, XDG_RUNTIME_DIR: dir }, cwd: dir });
  phone.say("soundcard use files");
  // What it says by itself is little: its log has all.
  const events = () => fs.existsSync(path.join(dir, "log")) ? fs.readFileSync(path.join(dir, "log"), "utf8") : "";
  const state = (name) => waitFor(() => new RegExp(`LinphoneCall\\w*${name}|to state LinphoneCall${name}`).test(events()),
    { ...patience, what: `Linphone's call is ${name}` });
  Object.assign(phone, { state, events });
  await waitFor(() => events().includes("Register refresher [200]"), { ...patience, what: "Linphone is registered" })
    .catch((error) => { throw new Error(`${error.message}\n${events().slice(-6000)}`); });
  return phone;
}

describe("Linphone and baresip", { skip: missing("kamailio", "baresip", "linphonec") }, () => {
  let kamailio, proxy;
  const port = {};

  before(async () => {
    kamailio = await startKamailio();
    const certs = await makeCertificates(scratch());
    for (const kind of ["tcp", "tls", "udp"]) port[kind] = await freePort();
    proxy = await startDaemon("sip-proxy", { args: ["--listen", `tcp:127.0.0.1:${port.tcp},zone=external,advertise=localhost:${port.tcp}`,
      "--listen", `tls:127.0.0.1:${port.tls},advertise=localhost:${port.tls}`, "--listen", `udp:127.0.0.1:${port.udp}`, "--certificate", certs.cert,
      "--key", certs.key, "--media-server", `default=${kamailio.address}`, "--workers", "2"] });
    proxy.ca = certs.ca;
  });
  after(async () => {
    await proxy?.stop();
    await kamailio?.stop();
  });

  for (const [theirs, ours] of [["tls", "tcp"], ["tcp", "tls"]])
    test(`Linphone over ${ours} calls baresip over ${theirs}: it stands, streams run, it ends`, { timeout: 90000 }, async () => {
      const answering = await echo("1000", { port: port[theirs], transport: theirs, ca: proxy.ca });
      const calling = await linphone("1001", { port: port[ours], transport: ours, ca: proxy.ca });
      try {
        calling.say("call sip:1000@default");
        await calling.state("StreamsRunning");
        await waitFor(() => /Call established/i.test(answering.log()), { ...patience, what: "established at baresip" });
        calling.say("terminate");
        await calling.state("Released");
        await waitFor(() => /session closed|terminated|Call.*closed/i.test(answering.log()), { ...patience, what: "ended at baresip" });
      } catch (error) {
        throw new Error(`${error.message}\n${calling.events().split("\n").filter((l) => /Call|SIP\/2.0 [3-6]/.test(l)).slice(-40).join("\n")}\n${answering.log()}`, { cause: error });
      } finally {
        calling.say("quit");
        await calling.stop();
        await answering.stop();
      }
      assert.match(await proxy.metrics(), /sip_proxy_edit_failures_total 0\n/);
    });
});
