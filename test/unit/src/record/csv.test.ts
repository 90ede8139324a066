// CSV reading, compared with a simple model on random tables: the same rows at the same offsets in any pieces and blocks, and malformed
// rows are errors with their place.

import { describe, expect, test } from 'vitest'
import { Boundary, createScanner } from '../../../../src/record/boundary.ts'
import { newReadCounters, splittable } from '../../../../src/record/records.ts'
import { parseCsvHeader } from '../../../../src/record/rows.ts'
import { dice, type Dice } from '../../../kit/dice.ts'
import { blocksOf, rangeOf, readAll, type Found } from './ranges.ts'

const atoms = ['a', 'grain', 'é', '😀', ' ', ',', '"', '\n', '\r\n', ';', '5" disk', '']

function randomField(random: Dice): string {
  let field = ''
  for (let i = random.below(5); i > 0; i--) field += random.pick(atoms)
  return field
}

/** Quotes a field if it must, and sometimes if it need not. */
function write(field: string, random: Dice): string {
  const must = /^"|[,\n\r]/.test(field)
  return must || random.below(4) === 0 ? `"${field.replaceAll('"', '""')}"` : field
}

interface Table { readonly bytes: Buffer; readonly rows: string[][]; readonly offsets: number[] }

function randomTable(random: Dice, width: number): Table {
  let text = random.below(4) === 0 ? '\ufeff' : ''
  const rows: string[][] = []
  const offsets: number[] = []
  const count = random.below(25)
  for (let i = 0; i < count; i++) {
    if (random.below(8) === 0) text += random.pick(['\n', '\r\n'])
    const fields = Array.from({ length: width }, () => randomField(random))
    let row = fields.map(field => write(field, random)).join(',')
    if (row === '') { row = '""'; fields[0] = '' }
    rows.push(fields)
    offsets.push(Buffer.byteLength(text))
    text += row + (i === count - 1 && random.below(2) === 0 ? '' : random.pick(['\n', '\r\n']))
  }
  return { bytes: Buffer.from(text), rows, offsets }
}

const plain = (found: Found[]) => found.map(({ value, offset }) => ({ value, offset }))

describe('csv', () => {
  test('any table comes back from any pieces, rows at their offsets', async () => {
    const seed = Number(process.env['SEED'] ?? 42)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    for (let round = 0; round < 500; round++) {
      const { bytes, rows, offsets } = randomTable(random, 1 + random.below(4))
      const found = await readAll([rangeOf(bytes, {}, random, 1 + random.below(60))], { format: 'csv', header: false, delimiter: ',' })
      expect(plain(found), `round ${round}: ${JSON.stringify(bytes.toString())}`).toEqual(
        rows.map((value, i) => ({ value, offset: offsets[i] })),
      )
    }
  })

  test('blocks cut where put cuts them hold whole rows, quoted newlines and all', async () => {
    const random = dice(99)
    for (let round = 0; round < 300; round++) {
      const { bytes, rows } = randomTable(random, 3)
      const found: Found[] = []
      const blockBytes = 200 + random.below(200)
      for (let start = 0; start < bytes.length;) {
        const boundary = new Boundary('csv', { atFileStart: start === 0 })
        const limit = Math.min(start + blockBytes, bytes.length)
        for (let at = start; at < limit;) {
          const to = Math.min(limit, at + 1 + random.below(30))
          boundary.push(bytes.subarray(at, to))
          at = to
        }
        const end = limit === bytes.length ? limit : start + boundary.last
        expect(end).toBeGreaterThan(start)
        found.push(
          ...(await readAll([rangeOf(bytes.subarray(0, end), { start, end }, random)], { format: 'csv', header: false, delimiter: ',' })),
        )
        start = end
      }
      expect(found.map(({ value }) => value), `round ${round}`).toEqual(rows)
    }
  })

  test('the header names the fields, in the first block and, when given, in later ones', async () => {
    const text = '\ufeffname,"the, city",\nAda,London,1\n"Bo\nb",Oslo,2\n'
    const bytes = Buffer.from(text)
    const header = parseCsvHeader(bytes.subarray(0, 30), { path: '/f', isAll: false })!
    expect(header).toEqual(['name', 'the, city', 'column3'])
    const cut = bytes.indexOf('"Bo')
    const expected = [{ name: 'Ada', 'the, city': 'London', column3: '1' }, { name: 'Bo\nb', 'the, city': 'Oslo', column3: '2' }]
    expect((await readAll([rangeOf(bytes, {}, dice(1))], { format: 'csv' })).map(({ value }) => value)).toEqual(expected)
    const parts = [rangeOf(bytes, { end: cut }, dice(1)), rangeOf(bytes, { start: cut, header }, dice(2))]
    expect((await readAll(parts, { format: 'csv' })).map(({ value }) => value)).toEqual(expected)
  })

  test('each file of a split brings its own header', async () => {
    const found = await readAll([rangeOf(Buffer.from('a,b\n1,2'), {}, dice(1)), rangeOf(Buffer.from('b,a\n3,4'), {}, dice(1))], {
      format: 'csv',
    })
    expect(found.map(({ value }) => value)).toEqual([{ a: '1', b: '2' }, { b: '3', a: '4' }])
  })

  test('a header that does not end within the bytes given is asked for again with more', () => {
    expect(parseCsvHeader(Buffer.from('a,"b\n'), { path: '/f', isAll: false })).toBeUndefined()
    expect(parseCsvHeader(Buffer.from('a,b'), { path: '/f', isAll: true })).toEqual(['a', 'b'])
    expect(parseCsvHeader(Buffer.from(''), { path: '/f', isAll: true })).toEqual([])
    expect(() => parseCsvHeader(Buffer.from('a,a\n'), { path: '/f', isAll: true })).toThrow(/two columns are named "a"/)
    expect(() => parseCsvHeader(Buffer.from('__proto__\n'), { path: '/f', isAll: true })).toThrow(/__proto__/)
  })

  test.each([
    ['a row of another width', 'a,b\n1,2\nx\n3,4\n', /1 field, the header names 2/],
    ['text after a closing quote', 'a,b\n1,2\n"x"y,2\n3,4\n', /after the closing quote of field 1 stands "y"/],
  ])('%s is an error with its offset, or is skipped and counted without harm to its neighbours', async (_, text, message) => {
    const range = () => rangeOf(Buffer.from(text), {}, dice(1), 1000)
    const failure = await readAll([range()], { format: 'csv' }).catch((error: unknown) => error)
    expect(failure).toMatchObject({ code: 'EINVAL', details: { path: '/file', offset: 8 } })
    expect((failure as Error).message).toMatch(message)
    // A program without code has no input to set anything in.
    expect((failure as Error).message).toMatch(/; correct the row, or have a program of your own skip such rows \(badRecords: "skip" in its input\)$/)
    const counters = newReadCounters()
    const found = await readAll([range()], { format: 'csv', badRecords: 'skip' }, counters)
    expect(found.map(({ value }) => value)).toEqual([{ a: '1', b: '2' }, { a: '3', b: '4' }])
    expect(found[1]!.offset).toBe(text.indexOf('3,4'))
    expect(counters.badRecords).toBe(1)
  })

  test('a quote that is never closed is an error at the row that opens it', async () => {
    await expect(readAll([rangeOf(Buffer.from('a,b\n1,"2\n3,4\n'), {}, dice(1))], { format: 'csv' })).rejects.toMatchObject({
      code: 'EINVAL', details: { offset: 4 },
    })
  })

  test('several carriage returns before a newline are one end of a row: CSV that Windows wrote as text has them', async () => {
    const text = 'a,b\r\r\n1,"x"\r\r\n\r\r\n2,\r\r\n"3","\r"\r\r\n'
    const found = await readAll([rangeOf(Buffer.from(text), {}, dice(1), 2)], { format: 'csv' })
    expect(found.map(({ value, offset }) => [value, offset])).toEqual([
      [{ a: '1', b: 'x' }, 6], [{ a: '2', b: '' }, 17], [{ a: '3', b: '\r' }, 22],
    ])
  })

  test('other delimiters work, and impossible ones are refused', async () => {
    expect((await readAll([rangeOf(Buffer.from('a;b\n"1;x";2,3\n'), {}, dice(1))], { format: 'csv', delimiter: ';' }))[0]!.value).toEqual({
      a: '1;x', b: '2,3',
    })
    await expect(readAll([rangeOf(Buffer.from('a'), {}, dice(1))], { format: 'csv', delimiter: '"' })).rejects.toMatchObject({
      code: 'EINVAL',
    })
  })

  test('CSV is splittable only where blocks are aligned, a whole file never', () => {
    expect([
      splittable('lines', false), splittable('jsonl', false), splittable('csv', true), splittable('csv', false), splittable('whole', true),
    ]).toEqual([true, true, true, false, false])
  })
})

interface Row { readonly fields: string[]; readonly bad: boolean; readonly blank: boolean; readonly start: number; readonly end: number }

/**
 * Oracle for the rule at the head of csv.ts, by regular expressions over the rest of the text. `isAll`: false for a beginning of a text:
 * only rows whose end does not depend on what follows.
 */
function rowsOf(text: string, { isAll = true } = {}): Row[] {
  const rows: Row[] = []
  for (let start = 0, at = 0; at < text.length;) {
    const fields: string[] = []
    let bad = false
    for (;;) {
      const rest = text.slice(at)
      const quoted = /^"((?:[^"]|"")*)"(?!")/.exec(rest)
      const behind = quoted ? rest.slice(quoted[0].length) : ''
      // The run of quotes at the end stands at the start of a line or behind a comma.
      const mayOpen = quoted !== null && /^".*[,\n]"+$/s.test(quoted[0])
      if (!isAll && rest.startsWith('"') && (!quoted || behind === '' || (mayOpen && /^\r+$/.test(behind)))) return rows
      const isStray = rest.startsWith('"') && (!quoted || (mayOpen && !/^(,|\r*\n|$)/.test(behind)))
      const isClosed = quoted !== null && !isStray
      const plain = /^[^,\n]*/.exec(isClosed ? behind : rest)![0]
      const isClean = isClosed && /^(\r*\n|,|$)/.test(behind)
      bad ||= isStray || (isClosed && !isClean)
      if (isClosed) fields.push(quoted[1]!.replaceAll('""', '"'))
      at += (isClosed ? quoted[0].length : 0) + plain.length
      if (!isClean) fields.push(text[at] === '\n' ? plain.replace(/\r+$/, '') : plain)
      if (text[at] !== ',') break
      at++
    }
    if (at === text.length && !isAll) return rows
    at++
    rows.push({ fields, bad, blank: /^\r*\n$/.test(text.slice(start, at)), start, end: Math.min(at, text.length) })
    start = at
  }
  return rows
}

describe('the rule for rows', () => {
  test('parser, messages and block boundaries see the same rows as a simple model, for any text', async () => {
    const seed = Number(process.env['SEED'] ?? 106)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    const parts = ['"', '"', '"', ',', ',', '\n', '\r', '\r\n', 'a', 'b', '', '""', '"\r', '"\r\n', ',"', '\n"', ';']
    for (let round = 0; round < 3000; round++) {
      const text = Array.from({ length: random.below(30) }, () => random.pick(parts)).join('')
      const bytes = Buffer.from(text)
      const expected = rowsOf(text).filter(row => !row.blank)
      const what = `${JSON.stringify(text)}, round ${round} of seed ${seed}`
      const input = { format: 'csv', header: false, delimiter: ',', badRecords: 'skip' } as const
      const good = expected.filter(row => !row.bad).map(({ fields, start }) => ({ value: fields, offset: start }))
      const bad = expected.length - good.length
      const counters = newReadCounters()
      const found = await readAll([rangeOf(bytes, { partial: true }, random, 1 + random.below(20))], input, counters)
      expect(plain(found), what).toEqual(good)
      expect(counters.badRecords, what).toBe(bad)
      const firstBad = expected.find(row => row.bad)
      const strict = readAll([rangeOf(bytes, { partial: true }, random, 1 + random.below(20))], { ...input, badRecords: 'error' })
      if (firstBad) await expect(strict, what).rejects.toMatchObject({ details: { offset: firstBad.start } })
      else await strict
      // Every block ends at the last row that ends in it, as far as the block knows; blank lines are rows here. A block without a row end
      // is cut and marked.
      const blockBytes = 1 + random.below(20)
      const blocks = blocksOf(bytes, 'csv', { blockBytes, random })
      let origin = 0
      for (const { start, end } of blocks) {
        const limit = start + blockBytes
        const last = rowsOf(text.slice(origin, limit), { isAll: false }).map(row => origin + row.end).filter(at => at > start).at(-1)
        expect([start, end], what).toEqual([start, limit >= bytes.length ? bytes.length : last ?? limit])
        if (last !== undefined) origin = end
      }
      if (blocks.every(({ aligned }) => aligned)) {
        const sum = newReadCounters()
        const parts = blocks.map(({ start, end }) => rangeOf(bytes, { start, end, partial: true }, random, 1 + random.below(20)))
        expect([plain(await readAll(parts, input, sum)), sum.badRecords], what).toEqual([good, bad])
      }
    }
  })

  test.each([
    ['"a"\rb,c\nd\n', 'a bare carriage return'], ['"a" ,b\nd\n', 'a space'], ['x,"a"b"c\nd\n', 'a letter and a quote'],
  ])('%j: behind a closing quote stands %s, which ends no row', async text => {
    const counters = newReadCounters()
    const found = await readAll(
      [rangeOf(Buffer.from(text), { partial: true }, dice(1))],
      { format: 'csv', header: false, badRecords: 'skip' },
      counters,
    )
    expect([plain(found), counters.badRecords]).toEqual([[{ value: ['d'], offset: text.indexOf('d') }], 1])
  })
})

describe('a stray quote', () => {
  const rows = Array.from({ length: 2000 }, (_, i) => `${i},name ${i},${i % 7}\n`)
  const table = (changes: Readonly<Record<number, string>>): Buffer =>
    Buffer.from(['id,name,n\n', ...rows.map((row, i) => changes[i] ?? row)].join(''))

  test.each<[string, Record<number, string>]>([
    ['is never closed', { 300: '300,"John, Doe,25\n' }],
    ['is closed by another one', { 300: '300,"John, Doe,25\n', 1500: '1500,"Jane, Doe,25\n' }],
    ['is closed by the quote of a good field', { 300: '300,"John, Doe,25\n', 1500: '1500,"Jane",25\n' }],
    ['is followed by a good field on its line', { 300: '300,"John, Doe,"Jane"\n' }],
    ['is in the last row', { 1999: '1999,"John,25\n' }],
    ['is in each of several rows', { 300: '300,"a,1\n', 301: '301,"b,1\n', 302: '302,"c,1\n' }],
  ])('costs its own line and no other if it %s', async (_, changes) => {
    const counters = newReadCounters()
    const input = { format: 'csv', badRecords: 'skip' } as const
    const found = await readAll([rangeOf(table(changes), { partial: false }, dice(1), 5_000)], input, counters)
    const isGood = (i: number): boolean => changes[i] === undefined || changes[i] === '1500,"Jane",25\n'
    const ids = rows.map((_row, i) => i).filter(isGood)
    expect(plain(found).map(({ value }) => Number((value as unknown as { id: string }).id))).toEqual(ids)
    expect(counters.badRecords).toBe(2000 - ids.length)
  })

  test('each of thousands costs its own line', async () => {
    const counters = newReadCounters()
    const lines = Array.from({ length: 3000 }, (_, i) => (i % 3 === 0 ? '"a' : i % 3 === 1 ? '"" b' : 'c'))
    const found = await readAll(
      [rangeOf(Buffer.from(lines.join('\n')), { partial: false }, dice(1), 5_000)],
      { format: 'csv', header: false, delimiter: ',', badRecords: 'skip' },
      counters,
    )
    expect([found.length, counters.badRecords]).toEqual([1000, 2000])
  })
})

describe('a bad row', () => {
  const lenient = { format: 'csv', badRecords: 'skip', delimiter: ',' } as const
  const skim = async (text: string, named: boolean) => {
    const counters = newReadCounters()
    const found = await readAll([rangeOf(Buffer.from(text), { partial: true }, dice(1), 7)], { ...lenient, header: named }, counters)
    return { ids: found.map(({ value }) => (named ? (value as { id: string }).id : (value as string[])[0])), bad: counters.badRecords }
  }

  test.each([
    ['opened by a stray quote, before a quoted field of several lines', '0,a,z\n1,"open,z\n2,b,z\n3,"one\n77,x,9\ntwo,x",c\n4,d,z\n', '0234'],
    ['opened by a stray quote, with a quoted field of several lines', '0,a,z\n1,"open,"one\n77,x,9\ntwo"\n4,d,z\n', '04'],
    ['with a stray quote after a quoted field of several lines', '0,a,z\n1,"one\n77,x,9\ntwo","open\n3,"b",z\n4,d,z\n', '034'],
    ['with text behind a quoted field of several lines', '0,a,z\n1,"one\n77,x,9\nend" ,z\n4,d,z\n', '04'],
    ['with a stray quote that a quoted one ends', '0,a,z\n1,"open,z\n3,"""b""",z\n4,d,z\n', '034'],
  ])('%s costs no other row, and its inside is no row', async (_, text, ids) => {
    expect(await skim(text, false)).toEqual({ ids: [...ids], bad: 1 })
    expect(await skim(`id,note,val\n${text}`, true)).toEqual({ ids: [...ids], bad: 1 })
  })

  test.each([
    ['few', '1,"a comment\n77,x,9\nend"\n'], ['many', '1,"a comment\n77,x,9\nend",z,z\n'],
    ['many, after a stray quote', '1,"x,5\n2,y",6,7\n'],
  ])('of several lines and too %s fields is one bad record, and its inside is no row', async (_, row) => {
    expect(await skim(`id,note,val\n0,a,z\n${row}4,d,z\n`, true)).toEqual({ ids: ['0', '4'], bad: 1 })
  })

  test('says which quote is stray', async () => {
    const strict = (text: string) => readAll([rangeOf(Buffer.from(text), { partial: true }, dice(1))], { ...lenient, badRecords: 'error' })
    await expect(strict('a,b\n1,"2\n3,"c"\n')).rejects.toThrow(/field 2 begins with a quote that is not closed before the next one, which opens/)
    await expect(strict('a,b\n1,"2\n3,4\n')).rejects.toThrow(/field 2 begins with a quote that is never closed/)
  })

  /** Rows as a careful writer makes them, some damaged. What is readable is known from how they were made, not from a parser. */
  function damagedTable(random: Dice): { text: string; good: string[][]; bad: number } {
    const end = random.pick(['\n', '\r\n'])
    const letters = () => `${random.pick(['a', 'é', 'word', 'x y'])}${random.below(100)}`
    const inner = () => random.pick([`${end}77,x,9`, `${end}78,"",9`, ',', ' ""q"" ', `${end}${end}`, `,""r"",${end}79,x,9`, ';'])
    const middle = () => Array.from({ length: random.below(4) }, inner).join(letters())
    const quoted = () => `"${random.pick(['', '""'])}${letters()}${middle()}${letters()}"`
    const field = () => random.pick([letters, letters, () => '', () => '""', quoted])()
    const value = (raw: string) => (raw.startsWith('"') ? raw.slice(1, -1).replaceAll('""', '"') : raw)
    const good: string[][] = []
    let bad = 0
    let text = `id,note,val${end}`
    for (let id = random.below(30); id > 0; id--) {
      const damage = random.below(4) === 0
      bad += damage ? 1 : 0
      if (!damage) {
        const fields = [`${id}`, field(), field()]
        good.push(fields.map(value))
        text += fields.join(',') + end
      } else {
        text += random.pick([
          () => `${id},"${letters()},${letters()}`, () => `${id},${letters()},"${letters()}`, () => `"${id},${letters()},${letters()}`,
          () => `${id},${quoted()},"${letters()}`, () => `${id},${quoted()}`, () => `${id},${quoted()},${field()},${field()}`,
          () => `${id},${quoted()} ,${field()}`, () => `${id},${field()},${quoted()}x`, () => `${id},"${letters()},${quoted()}`,
        ])() + end
      }
    }
    return { text, good, bad }
  }

  test('costs only itself, for any damage, blocks and pieces', async () => {
    const seed = Number(process.env['SEED'] ?? 14)
    console.info(`seed ${seed}`)
    const random = dice(seed)
    for (let round = 0; round < 600; round++) {
      const { text, good, bad } = damagedTable(random)
      const bytes = Buffer.from(text)
      const blocks = blocksOf(bytes, 'csv', { blockBytes: 40 + random.below(400), random })
      const whole = [{ start: 0, end: bytes.length }]
      for (const ranges of blocks.every(({ aligned }) => aligned) ? [whole, blocks] : [whole]) {
        const counters = newReadCounters()
        const header = ['id', 'note', 'val']
        const parts = ranges.map(({ start, end }) => rangeOf(bytes, { start, end, header, partial: true }, random, 1 + random.below(60)))
        const found = await readAll(parts, lenient, counters)
        const what = `round ${round} of seed ${seed}, ${ranges.length} ranges: ${JSON.stringify(text)}`
        expect(found.map(({ value }) => Object.values(value as object)), what).toEqual(good)
        expect(counters.badRecords, what).toBe(bad)
      }
    }
  })
})

describe('at the edges', () => {
  const lenient = { format: 'csv', header: false, delimiter: ',', badRecords: 'skip' } as const
  const all = async (bytes: Buffer, range: Partial<Parameters<typeof rangeOf>[1]> = {}, pieceMax = 1) =>
    plain(await readAll([rangeOf(bytes, { partial: true, ...range }, dice(1), pieceMax)], lenient))

  test('the first of two faults in a row is reported', async () => {
    await expect(
      readAll([rangeOf(Buffer.from('"a"x,"b"y\n'), { partial: true }, dice(1))], { ...lenient, badRecords: 'error' }),
    ).rejects.toThrow(/after the closing quote of field 1 stands "x"/)
  })

  test('bytes that only begin like a byte order mark are the beginning of a field', async () => {
    const bytes = Buffer.concat([Buffer.from([0xef]), Buffer.from('"a\nb\n')])
    for (const pieceMax of [1, 2, 10])
      expect(await all(bytes, {}, pieceMax)).toEqual([
        { value: ['\ufffd"a'], offset: 0 }, { value: ['b'], offset: 4 },
      ])
  })

  test('a scanner that is given nothing knows as much as before', () => {
    const scanner = createScanner('csv', { atFileStart: false })
    for (const [text, first] of [['a,', undefined], ['', undefined], ['"x\n', undefined], ['', undefined], ['"\n', 2]] as const) {
      scanner.scan(Buffer.from(text))
      expect([text, scanner.first]).toEqual([text, first])
    }
  })

  test('a source that lacks its last byte is reported as corrupt', async () => {
    await expect(all(Buffer.from('a\nb\n'), { end: 5 })).rejects.toMatchObject({ code: 'CORRUPT' })
  })

  test('the line that names the separator counts for offsets, and is a row anywhere but at the beginning of a file', async () => {
    const bytes = Buffer.from('sep=,\na,b\nsep=,\n')
    expect(await all(bytes)).toEqual([{ value: ['a', 'b'], offset: 6 }, { value: ['sep=', ''], offset: 10 }])
    expect(await all(bytes, { start: 10 })).toEqual([{ value: ['sep=', ''], offset: 10 }])
  })

  test('only the first U+FEFF of a UTF-16 file is a mark', async () => {
    for (const pieceMax of [1, 2, 3, 50]) {
      const found = await readAll([rangeOf(Buffer.from('\ufeff\ufeffa\ufeff\nb\n', 'utf16le'), {}, dice(2), pieceMax)], {
        format: 'lines', encoding: 'utf16le',
      })
      expect(found.map(({ value }) => (value as string).length)).toEqual([3, 1])
    }
  })
})

test('a header row that is no CSV is refused, with the reason', () => {
  expect(() => parseCsvHeader(Buffer.from('"a"b,c\n1,2\n'), { path: '/f', isAll: true })).toThrow(/the header row is not CSV/)
})

test.each([
  ['{"town":"Ulm","n":1}\n{"town":"Bern","n":2}\n', ['{"town":"Ulm"', '"n":1}']],
  // Such a line would be a header without a row.
  ['{"town": "Ulm", "n": 1}\n', ['{"town": "Ulm"', ' "n": 1}']],
  ['\ufeff{"town":"Ulm"}\r\n{"town":"Bern"}\r\n', ['{"town":"Ulm"}']],
])('JSON lines that are read as CSV with a header are refused at the first line, and the message names the format: %j', async (text, fields) => {
  const names = /byte 0: the file is read as CSV, .* an object of JSON; .*format: "jsonl" in the input .* --param format=jsonl$/
  const read = (header: boolean) => readAll([rangeOf(Buffer.from(text), {}, dice(1), 1000)], { format: 'csv', delimiter: ',', header })
  await expect(read(true)).rejects.toThrow(names)
  expect(() => parseCsvHeader(Buffer.from(text), { path: '/f', isAll: true })).toThrow(names)
  if (fields.every(field => !field.startsWith('"'))) expect((await read(false))[0]!.value).toEqual(fields)
})

test('a header that begins with a brace, and JSON in a row or in a quoted name, are CSV', async () => {
  for (const text of ['{a,b}\n1,2\n', '"{""a"":1}",b}\n1,2\n', 'a,b\n{},2\n'])
    expect(await readAll([rangeOf(Buffer.from(text), {}, dice(1), 1000)], { format: 'csv' }), text).toHaveLength(1)
})
