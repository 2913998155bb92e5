// SPDX-License-Identifier: MIT
// The two kinds of credentials of the demo, and a command for the programs of
// the demo LAN that need them:
//
//   DEMO_SIP_SECRET=… DEMO_TURN_SECRET_FILE=… node credentials.mjs echo 86400
//
// prints the SIP password, the TURN user name and the TURN password, a line
// each; the TURN ones are good for so many seconds.

import crypto from "node:crypto";
import fs from "node:fs";

export function sipPassword(secret, user) {
  return crypto.createHash("sha256").update(`${secret}:${user}`).digest("hex");
}

/** TURN REST: the user name carries the expiry, the password is its HMAC. */
export function turnCredential(secret, user, seconds) {
  const username = `${Math.floor(Date.now() / 1000) + seconds}:${user}`;
  const credential = crypto.createHmac("sha1", secret).update(username).digest("base64");
  return { username, credential };
}

export function turnSecret(file) {
  return file ? fs.readFileSync(file, "utf8").trim() : "";
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  const [user, seconds] = process.argv.slice(2);
  const secret = turnSecret(process.env.DEMO_TURN_SECRET_FILE);
  const turn = turnCredential(secret, user, Number(seconds));
  console.log(sipPassword(process.env.DEMO_SIP_SECRET, user));
  console.log(turn.username);
  console.log(turn.credential);
}
