// Random files of each record format, with the records in them, and their compression and encoding; a reader of whole files.

import type { InputOptions } from '../../../../src/base/formats.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { rangeOf, readAll, type Found } from './ranges.ts'

export const values = (found: Found[]): unknown[] => found.map(({ value }) => value)

export const read = async (bytes: Buffer, input: InputOptions, { path = '/in', pieceMax = 1000 } = {}) =>
  values(await readAll([rangeOf(bytes, { path }, dice(1), pieceMax)], input))

export const utf16 = {
  utf16le: (text: string) => Buffer.from(text, 'utf16le'),
  utf16be: (text: string) => Buffer.from(text, 'utf16le').swap16(),
} as const

export interface Sample { readonly bytes: Buffer; readonly records: unknown[]; readonly input: InputOptions }
export const atoms = ['', 'a', 'rye', 'é', '磨坊', '😀', ' ', '\t', '\u0000', '0', ',', ';', '|', '\'', '\\']

export function someText(random: Dice, more: readonly string[] = []): string {
  let text = ''
  for (let k = random.below(6); k > 0; k--) text += random.pick(random.below(4) === 0 && more.length > 0 ? more : atoms)
  return text
}

/** A record's text cannot end in bytes that belong to the line end. */
export function lines(random: Dice): Sample {
  const records = Array.from({ length: random.below(40) }, () => someText(random, ['"', '\r', '\r\r']).replace(/\r$/, '!'))
  return { records: unended(records), input: { format: 'lines', encoding: 'utf8' }, bytes: joined(random, records) }
}

export function jsonl(random: Dice): Sample {
  const any = (depth: number): unknown =>
    random.pick([
      () => someText(random, ['"', '\n', '\r', '\u2028']),
      () => random.below(1000) / 8,
      () => BigInt(random.below(1e9)) * 10n ** 12n + 2n ** 60n,
      () => null, () => true,
      () => (depth > 2 ? [] : Array.from({ length: random.below(4) }, () => any(depth + 1))),
      () =>
        depth > 2
          ? {}
          : Object.fromEntries(Array.from({ length: random.below(4) }, (_, i) => [`k${i}${someText(random)}`, any(depth + 1)])),
    ])()
  const records = Array.from({ length: random.below(40) }, () => any(0))
  // Writes bigints as digits, independently of the library.
  const text = (value: unknown): string =>
    JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? `#${item}#` : item)).replaceAll(/"#(\d+)#"/g, '$1')
  const padded = records.map(record => `${random.pick(['', ' ', '\r\n', '\n'])}${text(record)}${random.pick(['', ' '])}`)
  return { records, input: { format: 'jsonl' }, bytes: joined(random, padded) }
}

export function csv(random: Dice): Sample {
  const delimiter = random.pick([',', ';', '\t', '|'])
  const header = random.below(2) === 0
  const width = 1 + random.below(4)
  const field = () => someText(random, ['"', '\n', '\r', '\r\n', '""'])
  const rows = Array.from({ length: random.below(25) }, () => Array.from({ length: width }, field))
  const names = Array.from({ length: width }, (_, i) => `n${i}${field()}`)
  const quoted = (text: string) =>
    /["\n\r]/.test(text) || text.includes(delimiter) || random.below(4) === 0 || (width === 1 && text === '')
      ? `"${text.replaceAll('"', '""')}"`
      : text
  const table = (header ? [names, ...rows] : rows).map(row => row.map(quoted).join(delimiter))
  return {
    records: header ? rows.map(row => Object.fromEntries(row.map((text, i) => [names[i]!, text]))) : rows,
    input: { format: 'csv', delimiter, header, encoding: 'utf8' }, bytes: joined(random, table),
  }
}

/** An empty record at the end of a file without a last newline does not count. */
export const unended = (records: string[]): string[] => { if (records.at(-1) === '') records[records.length - 1] = 'end'; return records }

export function joined(random: Dice, records: readonly string[]): Buffer {
  const ends = records.map((_, i) => (i < records.length - 1 || random.below(2) === 0 ? random.pick(['\n', '\n', '\r\n']) : ''))
  const marked = records.length > 0 && random.below(4) === 0
  return Buffer.from((marked ? '\ufeff' : '') + records.map((record, i) => record + ends[i]).join(''))
}

/** Compresses in one go, or in members and frames of any lengths. */
export function compressed(random: Dice, bytes: Buffer, by: (part: Buffer) => Buffer): Buffer {
  const parts: Buffer[] = []
  for (let at = 0; at < bytes.length || parts.length === 0;) {
    const to = random.below(2) === 0 ? bytes.length : Math.min(bytes.length, at + random.below(200))
    parts.push(by(bytes.subarray(at, to)))
    at = to
  }
  return Buffer.concat(parts)
}
