// Addresses with a scheme, such as s3://BUCKET/KEY: their form for messages, which hides secrets, and the error for one that stands where a
// path belongs. As a path, `s3://logs/x` would be the name /s3:/logs/x, which a caller who means it writes with its leading slash.

import { GristmillError } from './errors.ts'

/** True for texts that name a place by a scheme. */
export const isUrl = (text: string): boolean => /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.test(text)

/**
 * The address without user, password, query and fragment: any of them may be a secret. A password with a `/`, `?` or `#` in it makes the
 * text one that is no address; everything before its last `@` is left out then.
 */
export function shownUrl(text: string): string {
  const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:\/\//.exec(text)?.[0] ?? ''
  const rest = text.slice(scheme.length)
  const authority = scheme !== '' && URL.canParse(text) ? /^[^/?#]*/.exec(rest)![0] : scheme === '' ? '' : rest
  const bare = `${scheme}${rest.slice(authority.lastIndexOf('@') + 1).replace(/[?#][\s\S]*$/, '')}`
  return bare === text || bare.length > 0 ? bare : '(address)'
}

const importing = 'gristmill import (mill.import in a program) copies from there'
const exporting = 'gristmill export (mill.export) copies files of the cluster to there'
const putting = 'gristmill put (mill.put in a program) copies it into the cluster'

/** Error for an address where a path of the cluster belongs, or one of this machine; names the command or the path that is meant. */
export function notPath(text: string, where: 'cluster' | 'local'): GristmillError {
  const address = shownUrl(text)
  const scheme = /^[^:]*/.exec(text)![0].toLowerCase()
  // Behind the host; of file:/// there is none.
  const plain = /^[^:]*:\/\/[^/]*(\/[\s\S]*)$/.exec(address)?.[1] ?? '/'
  const found = `${address} is an address, not a path ${where === 'cluster' ? 'of the cluster' : 'of this machine'}`
  return new GristmillError('EINVAL', `${found}; ${advice(scheme, { where, plain })}`, { details: { url: address } })
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
