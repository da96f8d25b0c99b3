"""What goes wrong with an embedded part, said to the person at the keyboard."""


class EmbeddedError(RuntimeError):
    """One sentence with the cause and, where there is one, the command to type."""
