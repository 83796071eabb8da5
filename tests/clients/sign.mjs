// Signs a body with GitHub's own library. stdin: {"secret", "body"}; stdout: the headers as JSON.

import { readFileSync } from "node:fs";
import { sign } from "@octokit/webhooks-methods";

const { secret, body } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify({ "X-Hub-Signature-256": await sign(secret, body) }));
