// Values of users in messages. Never throws: a message that cannot be made hides what it should tell.

const rawJson = (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON

/** As JSON, with bigints as their digits; what JSON cannot hold by its type. At most `max` characters and a mark. */
export function showValue(value: unknown, max = 80): string {
  const text = jsonOf(value) ?? otherwise(value)
  return text.length > max ? `${text.slice(0, max)}…` : text
}

function jsonOf(value: unknown): string | undefined {
  try {
    return JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? rawJson(String(part)) : part))
  } catch {
    return undefined
  }
}

function otherwise(value: unknown): string {
  if (typeof value === 'function') return 'a function'
  return typeof value === 'object' ? 'an object' : String(value)
}
