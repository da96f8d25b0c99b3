"""May this row still leave, and if not, why? Conditions on `notifications n`, in SQL; `$4` is the process's now."""

LATE = "n.hand_over_by <= $4"
EARLY = "n.not_before > $4"
NEWER = """
EXISTS (SELECT FROM notifier.supersede_groups g
        WHERE g.member_id = n.member_id AND g.supersede_group = n.supersede_group
          AND (g.newest_time, g.newest_id COLLATE "C") > (n.event_time, n.event_id COLLATE "C"))
"""
IS_MEMBERS = "n.event_type NOT LIKE 'complaints.%'"
"""Its `member_id` is a member's; a complaint event's is the complaint's, which may look like one."""
FORGOTTEN = f"""
(n.notice <> 'account-deleted' AND {IS_MEMBERS}
 AND EXISTS (SELECT FROM notifier.contacts c
             WHERE c.member_id = n.member_id AND c.data IS NULL AND c.time >= n.event_time))
"""
"""Forgotten while it was accepted or handed over; what was not, the tombstone suppressed itself."""
_BY_CAUSE = """
FROM notifier.cancelled_letters c
WHERE c.complaint = n.member_id AND c.source = n.event_source AND c.id = n.event_id
"""
CANCELLED = f"""
(n.cancelled_from IS NOT NULL
 AND (EXISTS (SELECT {_BY_CAUSE})
      OR EXISTS (SELECT FROM notifier.letter_ranks r
                 WHERE r.complaint = n.member_id AND r.rank >= n.cancelled_from AND r.newest_time >= n.event_time)))
"""  # noqa: S608 (constants of this module)
"""By its cause, or by a letter that ranks higher and is not older."""
CANCELLED_BECAUSE = f"coalesce((SELECT c.reason {_BY_CAUSE}), 'higher-letter')"
_SUPPRESSIONS = """
FROM notifier.suppressions s
WHERE s.address_hash = n.address_hash AND s.channel = n.channel AND s.lifted_at IS NULL
  AND (s.reason = 'opted-out' OR n.lane IN ('security', 'general'))
"""
SUPPRESSED = f"EXISTS (SELECT {_SUPPRESSIONS})"
"""Its address was suppressed after it was accepted (`suppressions.BOUNCE_STOPS`)."""
SUPPRESSED_BECAUSE = f"(SELECT s.reason {_SUPPRESSIONS})"
LATE_BECAUSE = "CASE WHEN n.attempts > 0 THEN 'late-after-attempts' ELSE 'late' END"
