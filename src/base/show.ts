// Formats values of users for messages. Never throws: a failure here would hide the message.

import { rawJSON } from './exactjson.ts'

/** The value as JSON, bigints as digits; if JSON cannot represent it, its type. At most `max` characters and an ellipsis. */
export function showValue(value: unknown, max = 80): string {
  const text = jsonOf(value) ?? otherwise(value)
  return text.length > max ? `${text.slice(0, max)}…` : text
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? rawJSON(String(part)) : part))
  } catch {
    return undefined
  }
}

function otherwise(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' ? 'an object' : String(value)
}
