// JSON of values that have bigints in them: JSON.stringify throws for one. Part of every bundle. Pure.

/** Text that JSON.stringify writes as it is. Since Node 22; TypeScript's library does not declare it yet. */
export const { rawJSON } = JSON as unknown as { rawJSON(text: string): unknown }

/** For JSON.stringify: bigints with all their digits. */
export const digits = (_key: string, value: unknown): unknown => (typeof value === 'bigint' ? rawJSON(String(value)) : value)

/** Bigints with all their digits, bytes in base64; NaN and the infinities, which JSON has not, as texts; null for undefined. */
export const exactJson = (value: unknown): string => JSON.stringify(value, exact)

/** `this[name]` is the value before its toJSON (which Buffer has) was called. */
function exact(this: unknown, name: string, value: unknown): unknown {
  const given = (this as Record<string, unknown>)[name]
  if (given instanceof Uint8Array) return Buffer.from(given.buffer, given.byteOffset, given.byteLength).toString('base64')
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return value === undefined ? null : digits(name, value)
}
