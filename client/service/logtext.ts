// Text of a line of a server's log, for people.

import { showText } from '../../src/base/quote.ts'
import type { ServerLogLine } from './servers.ts'

/** Fields that are the same in all lines of a log. */
const own = new Set(['name', 'pid', 'node'])

/** One line, whatever the message holds. */
export function logLineText({ time, level, message, fields }: ServerLogLine): string {
  const rest = Object.entries(fields).filter(([name]) => !own.has(name)).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  return [time, level.toUpperCase().padEnd(5), showText(message), ...rest].filter(part => part !== '').join(' ')
}
