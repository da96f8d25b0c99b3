"""One small file a channel: takes a message, returns `Sent` or raises `ChannelError`."""
