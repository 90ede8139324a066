// Paths of the namespace: absolute, `/`-separated keys. They are never paths of an operating system.
// A valid path has no empty, `.` or `..` part, no NUL, and no part over 255 bytes of UTF-8.

import { GristmillError } from './errors.ts'
import { limits } from './limits.ts'

/** What the system keeps for itself; hidden from listings of `/`, writable by the system only. */
export const systemDirectory = '/.gristmill'

/** Turns what a person typed into the one spelling of a path. Relative paths start at `/`. Throws EINVAL or ENAMETOOLONG. */
export function normalise(path: string): string {
  if (typeof path !== 'string') throw new GristmillError('EINVAL', `a path is a string, not ${path === null ? 'null' : typeof path}`)
  const parts: string[] = []
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue
    if (part === '..') { parts.pop(); continue }
    parts.push(part)
  }
  const normal = `/${parts.join('/')}`
  checkPath(normal)
  return normal
}

/** A UTF-16 unit is at most three bytes of UTF-8: no name in a path this short can be too long. */
const surelyShort = Math.floor(limits.nameBytesMax / 3)
// An empty, `.` or `..` part, or a NUL.
const odd = /\/(?:\/|$|\.(?:\/|$)|\.\.(?:\/|$))|\0/

/**
 * Throws unless `path` is a normal path; servers call this on everything that arrives. `from`: a slash in it, in front of which all
 * has been checked, as part of another path. One pass: 8 KiB take some 30 µs, whatever is in them.
 */
export function checkPath(path: string, from = 0): void {
  // Nearly every path is short and plain; the slow way below finds the words for what is wrong with others.
  if (path.length <= surelyShort && path.charCodeAt(0) === 47 && (path.length === 1 || !odd.test(path))) return
  if (!path.startsWith('/'))
    throw new GristmillError('EINVAL', `"${path}" is not an absolute path; it must start with /`, { details: { path } })
  if (path === '/') return
  if (path.length * 3 > limits.pathBytesMax && Buffer.byteLength(path) > limits.pathBytesMax) {
    throw new GristmillError('ENAMETOOLONG', `the path has over ${limits.pathBytesMax} bytes: ${path.slice(0, 80)}…`)
  }
  const strange = odd.test(from === 0 ? path : path.slice(from))
  for (let start = from + 1; start <= path.length;) {
    const slash = path.indexOf('/', start)
    const end = slash < 0 ? path.length : slash
    if (strange || end - start > surelyShort) checkName(path.slice(start, end), path)
    start = end + 1
  }
}

export function checkName(name: string, path = name): void {
  if (name === '' || name === '.' || name === '..')
    throw new GristmillError('EINVAL', `"${path}" is not a normal path: it has a part "${name}"`, { details: { path } })
  if (name.includes('\0') || name.includes('/'))
    throw new GristmillError('EINVAL', `a name may not contain NUL or /: ${JSON.stringify(name)}`, { details: { path } })
  if (Buffer.byteLength(name) > limits.nameBytesMax) {
    throw new GristmillError(
      'ENAMETOOLONG',
      `the name has ${Buffer.byteLength(name)} bytes, at most ${limits.nameBytesMax} are allowed: ${name.slice(0, 60)}…`,
      { details: { path } },
    )
  }
}

/** The names along a normal path: `/a/b` → `['a', 'b']`, `/` → `[]`. */
export const namesOf = (path: string): string[] => (path === '/' ? [] : path.slice(1).split('/'))
export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf('/')) || '/'
export const nameOf = (path: string): string => path.slice(path.lastIndexOf('/') + 1)
export const join = (directory: string, name: string): string => (directory === '/' ? `/${name}` : `${directory}/${name}`)

/** Is `path` the directory itself or below it? */
export const isWithin = (path: string, directory: string): boolean =>
  directory === '/' || path === directory || path.startsWith(`${directory}/`)

/** Is one of them the other, or above it? */
export const overlap = (a: string, b: string): boolean => isWithin(a, b) || isWithin(b, a)
