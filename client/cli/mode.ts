// Parses permissions as chmod(1) does: octal, or symbolic changes (`u+rwx,go-w,a=rX,+t`).

import { GristmillError } from '../../src/base/errors.ts'

const bits: Readonly<Record<string, number>> = { r: 4, w: 2, x: 1 }

/** Returns a function from the current mode to the new one. Throws EINVAL for an invalid mode. */
export function parseMode(text: string): (mode: number, directory: boolean) => number {
  if (/^[01]?[0-7]{3}$/.test(text)) {
    const mode = Number.parseInt(text, 8)
    return () => mode
  }
  const clauses = text.split(',').map(clause => {
    const match = /^([ugoa]*)([-+=])([rwxXt]*)$/.exec(clause)
    if (!match) throw new GristmillError('EINVAL', `"${text}" is not a mode; write for instance 640 or u+rw,go-w`)
    return { who: match[1]!, operator: match[2]!, letters: match[3]! }
  })
  return (mode, directory) => clauses.reduce((now, { who, operator, letters }) => {
    const everyone = who === '' || who.includes('a')
    let three = 0
    for (const letter of letters) {
      if (letter === 'X') three |= directory || (now & 0o111) !== 0 ? 1 : 0
      else three |= bits[letter] ?? 0
    }
    let mask = 0
    if (everyone || who.includes('u')) mask |= 0o700
    if (everyone || who.includes('g')) mask |= 0o070
    if (everyone || who.includes('o')) mask |= 0o007
    const sticky = letters.includes('t') ? 0o1000 : 0
    const wanted = ((three * 0o111) & mask) | sticky
    if (operator === '+') return now | wanted
    if (operator === '-') return now & ~wanted
    return (now & ~(mask | (everyone ? 0o1000 : 0))) | wanted
  }, mode)
}
