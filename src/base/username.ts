// Rule for names of users and groups: a name that is empty, or that a terminal shows as empty or as another one, is refused when a caller
// or a new owner is named. Names that files already have are still read.

import { showText } from './quote.ts'

/** Longest name of a user, in characters. */
const userCharsMax = 255

/**
 * Fault of the name of a user who is added: HTTP Basic and lists of rights end a name at a colon or a comma, and addresses at a slash.
 * Names that the cluster has already are still taken.
 */
export function faultOfNewName(name: string): string | undefined {
  const [odd] = /[\s:,/]/u.exec(name) ?? []
  return faultOfName(name) ?? (odd === undefined ? undefined
    : `it has ${odd === ' ' ? 'a space' : odd.trim() === '' ? 'white space' : `the character ${odd}`} in it; use letters, digits, - . _ or @`)
}

/** Fault of a name of a user or a group, as the end of a sentence about it; undefined if it is valid. */
export function faultOfName(name: string): string | undefined {
  if (name === '') return 'it is empty'
  if (name.length > userCharsMax) return `it has ${name.length} characters, and at most ${userCharsMax} are allowed`
  if (name.trim() !== name) return 'it begins or ends with white space'
  if (!name.isWellFormed()) return 'it has half of a surrogate pair'
  const shown = showText(name)
  if (shown !== name) return `it has a character that a terminal does not show: ${shown}`
  return undefined
}
