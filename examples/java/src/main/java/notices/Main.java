package notices;

import java.io.File;
import java.security.SecureRandom;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutionException;
import org.apache.kafka.common.KafkaException;
import tools.jackson.databind.json.JsonMapper;
import tools.jackson.databind.node.ObjectNode;

final class Main {
    private static final String USAGE = """
            usage: publisher.jar password-changed MEMBER
                   publisher.jar code MEMBER LINK
                   publisher.jar check FILE...
            KAFKA_BOOTSTRAP_SERVERS names the brokers.""";

    private Main() {}

    public static void main(String[] arguments) throws InterruptedException {
        if (arguments.length > 1 && arguments[0].equals("check")) {
            System.exit(allFit(Arrays.asList(arguments).subList(1, arguments.length)) ? 0 : 1);
        }
        ObjectNode event = eventOf(arguments);
        if (event == null) {
            System.err.println(USAGE);
            System.exit(2);
        }
        System.exit(published(event) ? 0 : 1);
    }

    private static ObjectNode eventOf(String[] arguments) {
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        if (arguments.length == 2 && arguments[0].equals("password-changed")) {
            return Events.passwordChanged(arguments[1], now);
        }
        if (arguments.length == 3 && arguments[0].equals("code")) {
            String code = "%06d".formatted(new SecureRandom().nextInt(1_000_000));
            return Events.verificationCode(arguments[1], code, arguments[2], now);
        }
        return null;
    }

    /** Are these files events that could be published? For your own tests. */
    private static boolean allFit(List<String> files) {
        Contract contract = new Contract();
        JsonMapper json = new JsonMapper();
        boolean fit = true;
        for (String file : files) {
            try {
                String topic = contract.topicOf((ObjectNode) json.readTree(new File(file)));
                System.out.printf("%s: for %s%n", file, topic);
            } catch (EventRefused error) {
                System.err.printf("%s: refused: %s%n", file, error.getMessage());
                fit = false;
            }
        }
        return fit;
    }

    private static boolean published(ObjectNode event) throws InterruptedException {
        String brokers = System.getenv().getOrDefault("KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:9092");
        try (Publisher publisher = new Publisher(brokers)) {
            publisher.publish(event);
            System.out.printf("published %s %s%n", event.get("type").asString(), event.get("id").asString());
            return true;
        } catch (EventRefused error) {
            System.err.println("refused: " + error.getMessage());
        } catch (ExecutionException error) {
            System.err.println("not delivered: " + error.getCause().getMessage());
        } catch (KafkaException error) {
            System.err.println("not delivered: " + error.getMessage());
        }
        return false;
    }
}
