package notices;

import java.time.Duration;
import java.time.Instant;
import java.util.UUID;
import tools.jackson.databind.node.JsonNodeFactory;
import tools.jackson.databind.node.ObjectNode;

/** What happened, as events of the contract; {@link Contract} checks them. */
final class Events {
    /** Who you are: one URI for your system, the same in every event. */
    private static final String SOURCE = "https://id.example.test/members";

    private static final Duration CODE_LIVES = Duration.ofMinutes(15);

    private Events() {}

    static ObjectNode passwordChanged(String member, Instant changedAt) {
        ObjectNode event = event("identity.password-changed.v1", member, changedAt);
        event.putObject("data").put("changed_at", changedAt.toString());
        return event;
    }

    /** A code by e-mail. It leaves before everything else, and not at all once it has expired. */
    static ObjectNode verificationCode(String member, String code, String link, Instant issuedAt) {
        ObjectNode event = event("identity.verification-code-issued.v1", member, issuedAt);
        event.putObject("data")
                .put("channel", "email")
                .put("code", code)
                .put("url", link)
                .put("purpose", "sign-in")
                .put("expires_at", issuedAt.plus(CODE_LIVES).toString());
        return event;
    }

    /** {@code id} and {@code time} are made once, with the fact: published again, it is the same to the last byte. */
    private static ObjectNode event(String type, String member, Instant happenedAt) {
        return JsonNodeFactory.instance.objectNode()
                .put("specversion", "1.0")
                .put("id", UUID.randomUUID().toString())
                .put("source", SOURCE)
                .put("type", type)
                .put("subject", member)
                .put("time", happenedAt.toString())
                .put("datacontenttype", "application/json");
    }
}
