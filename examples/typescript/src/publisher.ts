import { setTimeout as after } from "node:timers/promises";
import { compatibilityPartitioner, Producer, stringSerializers } from "@platformatic/kafka";
import { type CloudEvent, topicOf } from "./contract.js";

const DELIVERY_MS = 30_000;
const RETRY_EVERY_MS = 500;

/** Publishes what fits the contract; `publish` returns when every in-sync replica has the event. */
export class Publisher {
  readonly #producer: Producer<string, string, string, string>;

  constructor(bootstrapBrokers: string[]) {
    this.#producer = new Producer({
      clientId: "id-example",
      bootstrapBrokers,
      idempotent: true, // and with it acks from all in-sync replicas
      retries: DELIVERY_MS / RETRY_EVERY_MS,
      retryDelay: RETRY_EVERY_MS,
      // Java's. The default of this client puts half of all keys elsewhere, and a member's events lose their order.
      partitioner: compatibilityPartitioner,
      serializers: stringSerializers,
    });
  }

  /** Throws EventRefused before anything is sent. On any other error publish the same event again: its id says so. */
  async publish(event: CloudEvent): Promise<void> {
    const topic = topicOf(event);
    const headers = {
      "content-type": "application/cloudevents+json; charset=UTF-8",
      ce_id: event.id,
      ce_type: event.type,
    };
    const messages = [{ topic, key: event.subject, value: JSON.stringify(event), headers }];
    const delivered = new AbortController();
    const late = after(DELIVERY_MS, undefined, { signal: delivered.signal }).then(() => {
      throw new Error(`no acknowledgement for ${topic} within ${DELIVERY_MS / 1000} s`);
    });
    late.catch(() => {}); // aborted: it was delivered
    try {
      await Promise.race([this.#producer.send({ messages }), late]);
    } finally {
      delivered.abort();
    }
  }

  async close(): Promise<void> {
    await this.#producer.close(true);
  }
}
