import { randomInt } from "node:crypto";
import { readFileSync } from "node:fs";
import { type CloudEvent, EventRefused, topicOf } from "./contract.js";
import { passwordChanged, verificationCode } from "./events.js";
import { Publisher } from "./publisher.js";

const USAGE = `usage: main.js password-changed MEMBER
       main.js code MEMBER LINK
       main.js check FILE...
KAFKA_BOOTSTRAP_SERVERS names the brokers.`;

function eventOf([what, member, link]: string[]) {
  if (what === "password-changed" && member) return passwordChanged(member, new Date());
  if (what === "code" && member && link) {
    return verificationCode(member, String(randomInt(1_000_000)).padStart(6, "0"), link, new Date());
  }
  return undefined;
}

/** Are these files events that could be published? For your own tests. */
function check(files: string[]) {
  for (const file of files) {
    try {
      console.log(`${file}: for ${topicOf(JSON.parse(readFileSync(file, "utf8")))}`);
    } catch (error) {
      if (!(error instanceof EventRefused)) throw error;
      console.error(`${file}: refused: ${error.message}`);
      process.exitCode = 1;
    }
  }
}

async function publish(event: CloudEvent) {
  const brokers = process.env.KAFKA_BOOTSTRAP_SERVERS ?? "127.0.0.1:9092";
  const publisher = new Publisher(brokers.split(","));
  try {
    await publisher.publish(event);
    console.log(`published ${event.type} ${event.id}`);
  } catch (error) {
    const how = error instanceof EventRefused ? "refused" : "not delivered";
    console.error(`${how}: ${error instanceof Error ? error.message : error}`);
    process.exitCode = 1;
  } finally {
    await publisher.close();
  }
}

const [what, ...rest] = process.argv.slice(2);
const event = eventOf([what ?? "", ...rest]);
if (what === "check" && rest.length) {
  check(rest);
} else if (event) {
  await publish(event);
} else {
  console.error(USAGE);
  process.exitCode = 2;
}
