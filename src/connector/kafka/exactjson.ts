// JSON of values that have bigints and bytes in them. Pure.

/** Bigints with all their digits, bytes in base64. */
export function exactJson(value: unknown): string {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Uint8Array) return JSON.stringify(Buffer.from(value).toString('base64'))
  if (value instanceof Date) return JSON.stringify(value)
  // JSON has no NaN and no infinities.
  if (typeof value === 'number') return Number.isFinite(value) ? String(value) : JSON.stringify(String(value))
  if (Array.isArray(value)) return `[${value.map(exactJson).join(',')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value).map(([name, each]) => `${JSON.stringify(name)}:${exactJson(each)}`).join(',')}}`
  return JSON.stringify(value ?? null)
}
