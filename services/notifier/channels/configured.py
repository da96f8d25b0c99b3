"""The channels as the settings have them."""

from services.notifier.channels.base import Channel
from services.notifier.channels.email_smtp import Relay, SmtpChannel
from services.notifier.channels.in_app import InAppChannel
from services.notifier.channels.sms_twilio import TwilioChannel
from services.notifier.recipients import IN_APP
from services.notifier.settings import NotifierSettings
from services.runtime.clock import Clock
from services.runtime.kafka import producer_of


def channels_of(settings: NotifierSettings, clock: Clock) -> dict[str, Channel]:
    """By name, with connections of their own."""
    password = settings.smtp_password.get_secret_value() if settings.smtp_password else None
    return {
        "email": SmtpChannel(
            Relay(
                host=settings.smtp_host,
                port=settings.smtp_port,
                tls=settings.smtp_tls,
                username=settings.smtp_username,
                password=password,
                send_seconds=settings.smtp_send_seconds,
            )
        ),
        "sms": TwilioChannel(
            account_sid=settings.twilio_account_sid,
            auth_token=settings.twilio_auth_token.get_secret_value(),
            sender=settings.twilio_sender,
            base_url=str(settings.twilio_api_base_url),
            send_seconds=settings.smtp_send_seconds,
            clock=clock,
        ),
        IN_APP: InAppChannel(lambda: producer_of(settings, "notifier-in-app")),
    }
