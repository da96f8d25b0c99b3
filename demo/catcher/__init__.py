"""Catches mail and SMS for the demo and the tests, shows them, and misbehaves to order.

    async with Catcher() as catcher:
        ...                                             # send to catcher.smtp_port and catcher.twilio_url
        mails = await catcher.wait_for(lambda: catcher.mails_to("a@example.test"), "the mail to a")

Standalone: `python -m demo.catcher --smtp-port 0 --http-port 0` prints one JSON line with its addresses when ready.
"""

from demo.catcher.catcher import Catcher
from demo.catcher.faults import Fault
from demo.catcher.messages import Mail, Segments, Text, count_segments
from demo.catcher.smtp import SmtpPolicy

__all__ = ["Catcher", "Fault", "Mail", "Segments", "SmtpPolicy", "Text", "count_segments"]
