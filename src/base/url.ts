// Addresses with a scheme, such as s3://BUCKET/KEY: their form for messages, which hides secrets, and the error for one that stands where a
// path belongs. As a path, `s3://logs/x` would be the name /s3:/logs/x, which a caller who means it writes with its leading slash.

import { GristmillError } from './errors.ts'

/** True for texts that name a place by a scheme. */
export const isUrl = (text: string): boolean => schemeOf(text) !== ''

/**
 * The address without user, password, query and fragment: any of them may be a secret, and a password may have any character. All before
 * the last `@` is left out, with a `…` in its place if a path may be in it. Of an address with a `?` or `#` before an `@` only the scheme
 * is shown, because the rest may be a password, or a query.
 */
export function shownUrl(text: string): string {
  const scheme = schemeOf(text)
  const rest = text.slice(scheme.length)
  const host = rest.lastIndexOf('@') + 1
  const user = rest.slice(0, host)
  if (/[?#]/.test(user)) return `${scheme}…`
  const place = rest.slice(host).replace(/[?#][\s\S]*$/, '')
  return `${scheme}${user.includes('/') ? '…@' : ''}${place}` || '(address)'
}

const schemeOf = (text: string): string => /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0] ?? ''

const importing = 'gristmill import (mill.import in a program) copies from there'
const exporting = 'gristmill export (mill.export) copies files of the cluster to there'
const putting = 'gristmill put (mill.put in a program) copies it into the cluster'

/** Error for an address where a path of the cluster belongs, or one of this machine; names the command or the path that is meant. */
export function notPath(text: string, where: 'cluster' | 'local'): GristmillError {
  const address = shownUrl(text)
  const scheme = /^[^:]*/.exec(text)![0].toLowerCase()
  const plain = plainPath(scheme, text)
  const found = `${address} is an address, not a path ${where === 'cluster' ? 'of the cluster' : 'of this machine'}`
  return new GristmillError('EINVAL', `${found}; ${advice(scheme, { where, plain })}`, { details: { url: address } })
}

/** The path of an address of a file system, behind the host; of file:/// there is none. `?` and `#` are characters of it, but for HTTP. */
function plainPath(scheme: string, text: string): string {
  const path = /^\/\/[^/]*(\/[\s\S]*)$/.exec(text.slice(scheme.length + 1))?.[1] ?? '/'
  // A password may have a slash.
  if (path.includes('@')) return '/PATH'
  return scheme.endsWith('webhdfs') ? path.replace(/[?#][\s\S]*$/, '') : path
}

function advice(scheme: string, { where, plain }: { readonly where: 'cluster' | 'local'; readonly plain: string }): string {
  switch (scheme) {
    case 'hdfs': case 'webhdfs': case 'swebhdfs': case 'viewfs': case 'gristmill':
      return where === 'cluster' ? `a path is written without scheme and host: ${plain}` : `in the cluster it is ${plain}`
    case 'file': return where === 'cluster' ? `${putting}: ${plain}` : `write ${plain}`
    case 's3': case 's3a': case 'postgres': case 'postgresql': case 'kafka': return `${importing}, ${exporting}`
    case 'http': case 'https': return importing
    default: return `${scheme}: is not supported; a copy on this machine goes into the cluster by gristmill put (mill.put)`
  }
}
