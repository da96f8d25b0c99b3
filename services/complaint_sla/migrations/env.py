from alembic import context

from services.runtime.migrations import run_online

run_online(context.config.attributes["connection"], context.config.attributes["schema"])
