package notices;

import com.networknt.schema.Error;
import com.networknt.schema.Schema;
import com.networknt.schema.SchemaRegistry;
import com.networknt.schema.dialect.Dialect;
import com.networknt.schema.dialect.Dialects;
import com.networknt.schema.keyword.NonValidationKeyword;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import tools.jackson.databind.node.ObjectNode;

/** The JSON Schemas of Member Notices, which are on the class path under {@code schemas/}. */
final class Contract {
    private static final Dialect DIALECT = Dialect.builder(Dialects.getDraft202012())
            .keyword(new NonValidationKeyword("x-topic"))
            .keyword(new NonValidationKeyword("x-secret"))
            .build();

    private final SchemaRegistry registry = SchemaRegistry.withDefaultDialect(DIALECT);
    private final Map<String, Schema> schemas = new ConcurrentHashMap<>();

    /** The topic for the event, once it fits the schema of its type. */
    String topicOf(ObjectNode event) {
        String type = event.path("type").asString();
        Schema schema = schemas.computeIfAbsent(type, this::read);
        List<Error> errors = schema.validate(
                event, context -> context.executionConfig(config -> config.formatAssertionsEnabled(true)));
        if (!errors.isEmpty()) {
            throw new EventRefused(type + ": " + why(errors));
        }
        return schema.getSchemaNode().path("x-topic").asString();
    }

    private Schema read(String type) {
        try (InputStream file = Contract.class.getResourceAsStream("/schemas/" + type + ".json")) {
            if (file == null) {
                throw new EventRefused(type + ": type is not in the contract");
            }
            return registry.getSchema(file);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    /** One complaint a field: the first, for the "or null" of the schemas only repeats it. */
    private static String why(List<Error> errors) {
        Map<String, String> told = new LinkedHashMap<>();
        for (Error error : errors) {
            String field = error.getInstanceLocation().toString().replaceFirst("^/", "").replace('/', '.');
            if (error.getProperty() != null) {
                field = field.isEmpty() ? error.getProperty() : field + "." + error.getProperty();
            }
            told.putIfAbsent(field, field + ": " + error.getMessage());
        }
        return String.join("; ", told.values());
    }
}
