"""What any process needs to run, whatever it does. A file is here only if two services use it."""
