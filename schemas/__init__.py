"""The contract: everything that crosses a process boundary. Imports pydantic only."""
