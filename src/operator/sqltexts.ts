// Values as texts from which the engine casts them, with all their digits. Pure.

/** Digits of a second behind the point. */
export type SecondDigits = 0 | 3 | 6 | 9

export const floatText = (value: number): string => (Object.is(value, -0) ? '-0.0' : String(value).replace('Infinity', 'inf').toLowerCase())

export const bytesText = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex').replaceAll(/../g, byte => `\\x${byte}`)

export function decimalText(units: bigint, scale: number): string {
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0')
  return `${units < 0n ? '-' : ''}${digits.slice(0, digits.length - scale)}${scale > 0 ? `.${digits.slice(-scale)}` : ''}`
}

/** Date of the proleptic Gregorian calendar, by days since 1970. Years before 1 are those before Christ. */
export function dateText(days: bigint): string {
  // Days since the first of March of the year 0, in eras of 400 years.
  const day = days + 719_468n
  const era = (day >= 0n ? day : day - 146_096n) / 146_097n
  const ofEra = day - era * 146_097n
  const yearOfEra = (ofEra - ofEra / 1460n + ofEra / 36_524n - ofEra / 146_096n) / 365n
  const ofYear = ofEra - (365n * yearOfEra + yearOfEra / 4n - yearOfEra / 100n)
  const month = (5n * ofYear + 2n) / 153n
  const [ofMonth, real] = [ofYear - (153n * month + 2n) / 5n + 1n, month < 10n ? month + 3n : month - 9n]
  const year = yearOfEra + era * 400n + (real <= 2n ? 1n : 0n)
  const two = (value: bigint): string => String(value).padStart(2, '0')
  return `${String(year > 0n ? year : 1n - year).padStart(4, '0')}-${two(real)}-${two(ofMonth)}${year > 0n ? '' : ' (BC)'}`
}

/** A time of day in units of so many digits behind the second. */
export function clockText(value: bigint, digits: SecondDigits): string {
  const unit = 10n ** BigInt(digits)
  const seconds = value / unit
  const two = (each: bigint): string => String(each).padStart(2, '0')
  const part = digits > 0 ? `.${String(value % unit).padStart(digits, '0')}` : ''
  return `${two(seconds / 3600n)}:${two(seconds / 60n % 60n)}:${two(seconds % 60n)}${part}`
}

export function instantText(value: bigint, digits: SecondDigits, isZoned: boolean): string {
  const day = 86_400n * 10n ** BigInt(digits)
  const days = (value - (((value % day) + day) % day)) / day
  return `${dateText(days)} ${clockText(value - days * day, digits)}${isZoned ? '+00' : ''}`
}
