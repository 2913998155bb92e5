// SPDX-License-Identifier: MIT
// SIPp with scenarios written here: a list of what is sent and received.

import { spawn } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { freePort, runProgram, scratch } from "./edge.mjs";

const cdata = (rows) => `<![CDATA[\n${rows.join("\n")}\n\n]]>`;

/** A scenario file of these steps. */
export function scenario(...steps) {
  const file = path.join(scratch(), "scenario.xml");
  fs.writeFileSync(file, `<?xml version="1.0" encoding="ISO-8859-1" ?>\n<scenario name="s">${steps.join("\n")}</scenario>\n`);
  return file;
}

export const recv = (what, extra = "") =>
  `<recv ${/^\d/.test(what) ? "response" : "request"}="${what}" ${extra}/>`;
export const optional = (status) => recv(status, 'optional="true"');

/** An answer to the last request. */
export const answer = (status, { retrans = false, headers = [] } = {}) =>
  `<send${retrans ? ' retrans="500"' : ""}>${cdata([`SIP/2.0 ${status} X`, "[last_Via:]", "[last_Record-Route:]",
    "[last_From:]", "[last_To:];tag=s[call_number]", "[last_Call-ID:]", "[last_CSeq:]", ...headers,
    "Contact: <sip:[local_ip]:[local_port]>", "Content-Length: 0"])}</send>`;

/** An answer inside the dialog, whose To has its tag. */
export const answerInside = (status, { retrans = false } = {}) =>
  answer(status, { retrans }).replace("[last_To:];tag=s[call_number]", "[last_To:]");

/** A request of the caller's; `inside` the dialog with its route set. */
export const send = (method, { cseq = 1, inside = false, branch = "[branch]", retrans = method !== "ACK" } = {}) =>
  `<send${retrans ? ' retrans="500"' : ""}>${cdata([`${method} ${inside ? "[next_url]" : "sip:bob@default"} SIP/2.0`,
    `Via: SIP/2.0/UDP [local_ip]:[local_port];branch=${branch};rport`, ...(inside ? ["[routes]"] : []), "Max-Forwards: 70",
    "From: <sip:a[call_number]@default>;tag=[call_number]", `To: <sip:bob@default>${inside ? "[peer_tag_param]" : ""}`,
    "Call-ID: [call_id]", `CSeq: ${cseq} ${method}`, "Contact: <sip:a@[local_ip]:[local_port]>", "Content-Length: 0"])}</send>`;

/** The ACK to a refusal. */
export const ackRefusal = () => `<send>${cdata(["ACK sip:bob@default SIP/2.0", "[last_Via:]", "Max-Forwards: 70",
  "From: <sip:a[call_number]@default>;tag=[call_number]", "[last_To:]", "Call-ID: [call_id]", "CSeq: 1 ACK",
  "Content-Length: 0"])}</send>`;

/** SIPp as media server; { port, stop() }. */
export async function sippServer(file, args = []) {
  const port = await freePort();
  const child = spawn("sipp", ["-sf", file, "-i", "127.0.0.1", "-p", String(port), "-nostdin", ...args],
    { cwd: scratch(), stdio: "ignore" });
  const closed = new Promise((done) => child.on("close", done));
  const onExit = () => child.kill("SIGKILL");
  process.on("exit", onExit);
  return { port, async stop() {
    child.kill("SIGKILL");
    await closed;
    process.off("exit", onExit);
  } };
}

/** SIPp as caller, to its end: { code, stdout, … }. */
export async function sippCalls(to, file, args = []) {
  return runProgram("sipp", [`127.0.0.1:${to}`, "-sf", file, "-i", "127.0.0.1", "-p", String(await freePort()), "-nostdin",
    ...args], { cwd: scratch(), timeout: 90000 });
}
