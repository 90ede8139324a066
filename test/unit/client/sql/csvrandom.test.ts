// Random files of CSV: a query has all their rows with exactly their values, or refuses the file, and has the rows that a job reads. The
// oracle is the list of fields that each file is written from.

import { afterAll, expect, test } from 'vitest'
import { dice, type Dice } from '../../../kit/dice.ts'
import { read } from '../../src/record/samples.ts'
import { Local } from './kit.ts'

/** Each file is looked at by the engine in two queries. */
const seeds = 24

const on = new Local()
afterAll(() => on[Symbol.dispose]())

interface Field { readonly text: string; readonly isQuoted: boolean }

/** Values of one column: most are of one kind, and some of another that it is easily taken for. */
const kinds: ReadonlyArray<readonly string[]> = [
  ['1', '20', '-3', '', '007', '+5', '1.5', '9007199254740993', '12345678901234567890'],
  ['1.5', '0.25', '-2.0', '', '3', '007.5', '1e3', '9007199254740993', 'inf'],
  ['2024-01-31', '2023-12-01', '', 'infinity', '-infinity', 'epoch', '24-01-02', '2024-01-31 10:00:00'],
  ['2024-01-31 10:00:00', '2024-02-01 11:30:00.5', '', '2024-02-01T11:30:00+05:30', '2024-02-01 11:30:00.123456789', 'infinity', 'epoch'],
  ['2024-01-31T10:00:00Z', '2024-02-01T11:30:00+02:00', '', '2024-02-01T11:30:00.123456789Z'],
  ['10:00:00', '23:59:59.25', '', '10:00:00+02', '10:00:00.123456789', '24:00:00'],
  ['true', 'false', '', 'T', 'no', '1', '0', 'n'],
  ['rye', 'oats', '', 'a,b', 'c;d', 'e|f', `'g'`, '"', 'two\nlines', ' h ', '\\', '#i', 'NULL', 'sep=;'],
  ['x', 'y', '', `'z'`, '\\"'],
]

function fileOf(random: Dice): { readonly text: string; readonly rows: Field[][]; readonly delimiter: string; readonly end: string } {
  const delimiter = random.pick([',', ',', ';', '\t', '|'])
  const end = random.pick(['\n', '\n', '\r\n'])
  const isAllQuoted = random.below(4) === 0
  const columns = Array.from({ length: 1 + random.below(4) }, () => random.pick(kinds))
  const isQuoted = (text: string): boolean =>
    isAllQuoted || /["\n]/.test(text) || text.includes(delimiter) || (text === '' && (columns.length === 1 || random.below(3) === 0))
  const field = (text: string): Field => ({ text, isQuoted: isQuoted(text) })
  // Another kind of value in one of eight.
  const value = (kind: readonly string[]): string => kind[random.below(8) === 0 ? random.below(kind.length) : random.below(3)]!
  const header = columns.map((_, i) => field(`${random.pick(['name', 'n', 'day of'])}${i}`))
  const rows = [header, ...Array.from({ length: 1 + random.below(12) }, () => columns.map(kind => field(value(kind))))]
  const lines = rows.map(row => row.map(({ text, isQuoted }) => (isQuoted ? `"${text.replaceAll('"', '""')}"` : text)).join(delimiter))
  const spoil = random.below(6)
  // A row of another width, a line that is no row, and a title.
  if (spoil === 0) lines.splice(1 + random.below(lines.length), 0, random.pick(['Total', `9${delimiter}9`, `${lines.at(-1)!}${delimiter}`]))
  if (spoil === 1 && columns.length > 1) lines.splice(random.below(lines.length), 0, '')
  if (spoil === 2) lines.unshift(...random.pick([['# made by x'], ['My report'], ['My report', ''], ['One', 'two', 'three'], ['']]))
  return { text: lines.map(line => line + end).join(''), rows, delimiter, end }
}

/** A moment in nanoseconds, for texts that name one; without an offset in UTC. Other texts are themselves. */
function meant(text: string, type: string): string {
  const found = /^(?:(\d{4})-(\d\d)-(\d\d))?[T ]?(?:(\d\d):(\d\d):(\d\d)(?:\.(\d+))?)?(Z|[+-]\d\d(?::\d\d)?)?$/.exec(text)
  if (!found || text === '') return type === 'BOOLEAN' ? ({ t: 'true', no: 'false' }[text.toLowerCase()] ?? text) : text
  const [, year = '1970', month = '01', day = '01', hour = '00', minute = '00', second = '00', fraction = '', zone = 'Z'] = found
  const ms = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}${/^[+-]\d\d$/.test(zone) ? `${zone}:00` : zone}`)
  return `${BigInt(ms) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))}`
}

function isValue({ text, isQuoted }: Field, value: string | null, type: string): boolean {
  if (value === null) return text === '' && (!isQuoted || type !== 'VARCHAR')
  if (type === 'VARCHAR') return value === text
  if (type === 'DOUBLE') return Object.is(Number(value.replace('inf', 'Infinity')), Number(text.replace('inf', 'Infinity')))
  // Every value of the column has as many digits behind the point.
  if (type.startsWith('DECIMAL')) return /\.\d+$/.test(value) && value.replace(/\.?0+$/, '') === text.replace(/\.0*$|(\.\d*?)0+$/, '$1')
  return /TIME|DATE|BOOLEAN/.test(type) ? meant(value, type) === meant(text, type) : value === text
}

interface Result { readonly columns: ReadonlyArray<readonly [name: string, type: string]>; readonly rows: Array<Array<string | null>> }

/** Columns with their types and values as texts; undefined: the file is refused. */
async function queried(name: string): Promise<Result | undefined> {
  try {
    const columns = (await on.rows(`DESCRIBE FROM './${name}'`)).map(row => [row['column_name'], row['column_type']] as [string, string])
    const found = await on.rows(`SELECT CAST(COLUMNS(*) AS VARCHAR) FROM './${name}'`)
    return { columns, rows: found.map(row => columns.map(([column]) => row[column] as string | null)) }
  } catch (error) {
    expect(error).toMatchObject({ code: 'EINVAL' })
    return undefined
  }
}

test('a query of a random file of CSV has all its rows with exactly their values, as a job has, or an error', async () => {
  const counts = { read: 0, refused: 0 }
  for (let seed = 1; seed <= seeds; seed++) {
    const { text, rows: [header, ...rows], delimiter, end } = fileOf(dice(seed))
    const about = `seed ${seed}: ${JSON.stringify(text)}`
    const name = `${seed}.csv`
    on.write(name, text)
    const found = await queried(name)
    if (!found) {
      counts.refused++
      continue
    }
    counts.read++
    const isLines = found.columns.length === 1 && header!.length > 1
    // A file without its delimiter in a name of a file of commas may be one column: then its values are the lines.
    const lines = text.split(end).slice(0, -1).filter(line => line !== '').map(line => [{ text: line, isQuoted: false }])
    const [names, ...values] = isLines ? lines : [header!, ...rows]
    if (isLines) expect(text.includes(delimiter === ',' ? ',' : '"'), about).toBe(false)
    expect(found.columns.map(([column]) => column), about).toEqual(names!.map(each => each.text))
    expect(found.rows.length, about).toBe(values.length)
    for (const [i, row] of values.entries()) {
      for (const [j, field] of row.entries()) {
        const [value, column] = [found.rows[i]![j]!, found.columns[j]!]
        expect(isValue(field, value, column[1]), `${about}: ${JSON.stringify([field, value, column])}`).toBe(true)
      }
    }
    const job = await read(Buffer.from(text), { format: 'csv' }).catch(() => undefined)
    if (job) expect(job, about).toEqual(values.map(row => Object.fromEntries(row.map((field, j) => [names![j]!.text, field.text]))))
  }
  expect(counts.read).toBeGreaterThan(seeds / 2)
  expect(counts.refused).toBeGreaterThan(0)
})
