package notices;

/** The event does not fit its schema: which fields, and what each breaks; never a value. */
final class EventRefused extends RuntimeException {
    private static final long serialVersionUID = 1L;

    EventRefused(String message) {
        super(message);
    }
}
