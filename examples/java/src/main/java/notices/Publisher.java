package notices;

import static java.nio.charset.StandardCharsets.UTF_8;

import java.util.Map;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.Producer;
import org.apache.kafka.clients.producer.ProducerConfig;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;
import tools.jackson.databind.node.ObjectNode;

/** Publishes what fits the contract; {@code publish} returns when every in-sync replica has the event. */
final class Publisher implements AutoCloseable {
    private final Contract contract = new Contract();
    private final Producer<String, String> producer;

    Publisher(String bootstrapServers) {
        producer = new KafkaProducer<>(
                Map.of(
                        ProducerConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrapServers,
                        ProducerConfig.ACKS_CONFIG, "all",
                        ProducerConfig.ENABLE_IDEMPOTENCE_CONFIG, true,
                        ProducerConfig.MAX_BLOCK_MS_CONFIG, 30_000,
                        ProducerConfig.REQUEST_TIMEOUT_MS_CONFIG, 10_000,
                        ProducerConfig.DELIVERY_TIMEOUT_MS_CONFIG, 30_000),
                new StringSerializer(),
                new StringSerializer());
    }

    /**
     * @throws EventRefused before anything is sent
     * @throws ExecutionException not delivered as far as is known: publish the same event again, its id says so
     */
    void publish(ObjectNode event) throws ExecutionException, InterruptedException {
        String topic = contract.topicOf(event);
        var record = new ProducerRecord<>(topic, event.get("subject").asString(), event.toString());
        record.headers()
                .add("content-type", "application/cloudevents+json; charset=UTF-8".getBytes(UTF_8))
                .add("ce_id", event.get("id").asString().getBytes(UTF_8))
                .add("ce_type", event.get("type").asString().getBytes(UTF_8));
        producer.send(record).get();
    }

    @Override
    public void close() {
        producer.close();
    }
}
