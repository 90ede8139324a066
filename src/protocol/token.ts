// Messages about delegation tokens, client → namenode. A token is proof that its bearer may act as its owner, until a day that the
// renewer puts off. The namenode stores the SHA-256 of its secret, and gateways present the digest of the secret that a request carries.

import Type, { type Static } from './schema.ts'
import { count, instant, requestId, text } from './fields.ts'
import { message } from './message.ts'
import { userNameBytesMax } from './user.ts'

const userName = Type.String({ minLength: 1, maxLength: userNameBytesMax })
/** SHA-256 in base64url. */
const digest = Type.String({ minLength: 43, maxLength: 43, pattern: '^[A-Za-z0-9_-]{43}$' })

/** A token as its bearer shows it: what the namenode has issued, and the digest of the secret. */
const shownToken = Type.Object({
  owner: userName,
  /** Unique in the cluster. */
  number: count,
  renewer: text(userNameBytesMax),
  /** User who asked for the token in the owner's name; empty: the owner. */
  realUser: text(userNameBytesMax),
  issuedMs: instant,
  /** No renewal goes beyond. */
  maxMs: instant,
  digest,
})
export type ShownToken = Static<typeof shownToken>

/** Issues a token of the caller. EINVAL for a renewer that no user can be, and for so many tokens. */
export const issue = message('token.issue', {
  callers: 'user',
  audit: ({ renewer, realUser }) => ({ renewer, ...realUser !== undefined && { realUser } }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, renewer: userName, realUser: Type.Optional(userName), digest }),
  reply: Type.Object({ number: count, issuedMs: instant, maxMs: instant, untilMs: instant }),
})

/** Puts off the day on which the token ends. Requires the renewer. ENOENT for an unknown or expired token, EACCES. */
export const renew = message('token.renew', {
  callers: 'user',
  audit: ({ token: { owner, number } }) => ({ owner, number }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, token: shownToken }),
  reply: Type.Object({ untilMs: instant }),
})

/** Ends a token. Requires the owner, the renewer or the superuser. ENOENT, EACCES. */
export const cancel = message('token.cancel', {
  callers: 'user',
  audit: ({ token: { owner, number } }) => ({ owner, number }),
  mutation: true, paths: 'unchecked',
  request: Type.Object({ requestId, token: shownToken }),
  reply: Type.Object({}),
})

/** Whether a token is valid now, for gateways. ENOENT if it is not. */
export const find = message('token.find', {
  callers: 'node',
  request: Type.Object({ token: shownToken }),
  reply: Type.Object({ untilMs: instant }),
})
