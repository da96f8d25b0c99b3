import { randomUUID } from "node:crypto";
import type { PasswordChangedEventV1 } from "./types/identity.password-changed.v1.js";
import type { VerificationCodeIssuedEventV1 } from "./types/identity.verification-code-issued.v1.js";

/** Who you are: one URI for your system, the same in every event. */
const SOURCE = "https://id.example.test/members";

const CODE_LIVES_MS = 15 * 60_000;

export function passwordChanged(member: string, changedAt: Date): PasswordChangedEventV1 {
  return {
    ...attributes(member, changedAt),
    type: "identity.password-changed.v1",
    data: { changed_at: changedAt.toISOString() },
  };
}

/** A code by e-mail. It leaves before everything else, and not at all once it has expired. */
export function verificationCode(
  member: string,
  code: string,
  link: string,
  issuedAt: Date,
): VerificationCodeIssuedEventV1 {
  return {
    ...attributes(member, issuedAt),
    type: "identity.verification-code-issued.v1",
    data: {
      channel: "email",
      code,
      url: link,
      purpose: "sign-in",
      expires_at: new Date(issuedAt.getTime() + CODE_LIVES_MS).toISOString(),
    },
  };
}

/** `id` and `time` are made once, with the fact: an event that is published again is the same to the last byte. */
function attributes(member: string, happenedAt: Date) {
  return {
    specversion: "1.0" as const,
    id: randomUUID(),
    source: SOURCE,
    subject: member,
    time: happenedAt.toISOString(),
    datacontenttype: "application/json",
  };
}
