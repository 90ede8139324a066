// Access log of a gateway in the combined format of Apache and nginx, which log analysers read: one line for each request, written when its
// connection has taken the answer. Credentials in a query are masked.

/** Facts of a request that was answered, or whose client has gone. */
export interface AccessEntry {
  readonly peer: string
  readonly user: string | undefined
  readonly atMs: number
  readonly method: string
  readonly target: string
  readonly httpVersion: string
  readonly status: number
  readonly bytes: number
  readonly referer: string | undefined
  readonly agent: string | undefined
}

export type AccessLog = (entry: AccessEntry) => void

/** Longest text of a field: a header flood must not move many kept lines out of the files. */
const fieldCharsMax = 4096

const secrets = /([?&](?:delegation|token|signature|x-amz-signature|x-amz-credential|x-amz-security-token)=)[^&]*/gi

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']

/** `26/Nov/2026:21:26:05 +0000`. */
function timeOf(ms: number): string {
  const [date = '', time = ''] = new Date(ms).toISOString().slice(0, 19).split('T')
  const [year, month, day] = date.split('-')
  return `${day}/${months[Number(month) - 1]}/${year}:${time} +0000`
}

/** Text between quotes: quotes, backslashes and characters that a terminal does not show are escaped as Apache does. */
function quoted(text: string | undefined): string {
  if (text === undefined || text === '') return '"-"'
  const escaped = text.slice(0, fieldCharsMax).replaceAll(/["\\]/g, '\\$&')
    .replaceAll(/[^\x20-\x7e]/g, char => [...Buffer.from(char)].map(byte => `\\x${byte.toString(16).padStart(2, '0')}`).join(''))
  return `"${escaped}"`
}

/** A word outside of quotes: a name with a space would shift the fields behind it. */
const word = (text: string | undefined): string => (text ? text.replaceAll(/[^\x21-\x7e]/g, '_').slice(0, 255) : '-')

export function accessLine({ peer, user, atMs, method, target, httpVersion, status, bytes, referer, agent }: AccessEntry): string {
  const request = quoted(`${method} ${target.replaceAll(secrets, '$1***')} HTTP/${httpVersion}`)
  return `${word(peer)} - ${word(user)} [${timeOf(atMs)}] ${request} ${status} ${bytes || '-'} ${quoted(referer)} ${quoted(agent)}\n`
}
