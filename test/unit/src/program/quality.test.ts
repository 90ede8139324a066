// Rules for the columns of an output: what each of them refuses, what the report counts, and rules that make no sense.

import { expect, test } from 'vitest'
import { quality, type QualityRules } from '../../../../src/program/quality.ts'

/** The reason for which rows are refused, and the counters of the report. */
async function found(rules: QualityRules, rows: readonly unknown[]): Promise<{ reason: unknown; counters: Record<string, number> }> {
  const counters: Record<string, number> = {}
  const counter = (name: string, by = 1): void => { counters[name] = (counters[name] ?? 0) + by }
  const output = { rows: async function* () { yield* rows } }
  return { reason: await quality(rules)(output as never, { counter } as never), counters }
}

const reasonOf = async (rules: QualityRules, rows: readonly unknown[]): Promise<unknown> => (await found(rules, rows)).reason

test('rows that keep all rules pass, and the report has counts, nulls, ranges and different values', async () => {
  const rules: QualityRules = {
    rows: { min: 3, max: 3 }, columns: {
      id: { unique: true, nulls: 0 }, tons: { min: -1, max: 9.5, nulls: 1 }, city: { in: ['ulm', 7, true], matches: /^[a-z\d]+$/g },
      day: { min: '2026-01-01', max: '2026-12-31' }, free: {},
    },
  }
  expect(await found(rules, [
    { id: 1, tons: -1, city: 'ulm', day: '2026-01-01', free: null }, { id: '1', tons: '9.5', city: 7, day: '2026-12-31' },
    { id: true, tons: '', city: true, day: '2026-06-30', free: { a: 1 } },
  ])).toEqual({ reason: undefined, counters: {
    'quality.rows': 3, 'quality.id.nulls': 0, 'quality.id.distinct': 3, 'quality.id.min': 1, 'quality.id.max': 1,
    'quality.tons.nulls': 1, 'quality.tons.min': -1, 'quality.tons.max': 9.5, 'quality.city.nulls': 0, 'quality.city.min': 7,
    'quality.city.max': 7, 'quality.day.nulls': 0, 'quality.free.nulls': 2,
  } })
})

test.each<[QualityRules, readonly unknown[], unknown]>([
  [{ rows: { min: 1 } }, [], 'it has 0 rows, and 1 at least are wanted'],
  [{ rows: { max: 1 } }, [{}, {}], 'it has 2 rows, and 1 at most are wanted'],
  [{ columns: { a: { nulls: 2 } } }, [{ a: 1 }, { a: null }, { a: '' }, {}], '3 of 4 rows have no "a", and 2 may have none'],
  [{ columns: { a: { max: 2 } } }, [{ a: 1 }, { a: 3 }, { a: '4' }], '2 values of "a" are above 2, first "3" in row 2'],
  [{ columns: { a: { min: 2 } } }, [{ a: 1 }, { a: 'x' }],
    '1 values of "a" are below 2, first "1" in row 1; 1 values of "a" are no number, first "x" in row 2'],
  [{ columns: { a: { max: 1 } } }, [{ a: '   ' }, { a: 'Infinity' }, { a: [1] }], '3 values of "a" are no number, first "   " in row 1'],
  [{ columns: { a: { min: 'b', max: 'd' } } }, [{ a: 'a' }, { a: 'c' }, { a: 'da' }],
    '1 values of "a" are before b, first "a" in row 1; 1 values of "a" are behind d, first "da" in row 3'],
  [{ columns: { a: { unique: true } } }, [{ a: 'x' }, { a: null }, { a: null }, { a: 'x' }, { a: 'x' }],
    '2 values of "a" are there already, first "x" in row 4'],
  [{ columns: { a: { unique: true } } }, [{ a: [1, 2] }, { a: [1, 2] }], '1 values of "a" are there already, first "[1,2]" in row 2'],
  [{ columns: { a: { in: new Set(['1', '2']) } } }, [{ a: 2 }, { a: 3 }], '1 values of "a" are none of the values that are allowed, first "3" in row 2'],
  [{ columns: { a: { matches: /^x$/g } } }, [{ a: 'x' }, { a: 'x' }, { a: 'xx' }], '1 values of "a" do not match /^x$/, first "xx" in row 3'],
  // Whole numbers beyond 2^53 keep their digits.
  [{ columns: { a: { min: 0, unique: true, in: [9007199254740993n, 1] } } }, [{ a: 9007199254740993n }, { a: 1 }], undefined],
  [{ columns: { a: { max: 9007199254740993n } } },
    [{ a: 9007199254740993n }, { a: 9007199254740994n }, { a: '+9007199254740994' }, { a: 1.5 }],
    '2 values of "a" are above 9007199254740993, first "9007199254740994" in row 2'],
  [{ columns: { a: { unique: true } } }, [{ a: { b: 9007199254740993n } }, { a: { b: 9007199254740992n } }], undefined],
  [{ columns: { toString: {} } }, [{ a: 1 }], 'no row has the column "toString"'],
  [{ columns: { a: {} } }, [['x']], expect.stringContaining('row 1 has no names of columns')],
  [{}, ['line'], expect.stringContaining('row 1 has no names of columns')],
])('%o of %o: %o', async (rules, rows, reason) => expect(await reasonOf(rules, rows)).toEqual(reason))

test.each([
  { rules: {} }, { columns: { a: { maximum: 1 } } }, { columns: { a: { nulls: -1 } } }, { columns: { a: { min: NaN } } },
  { columns: { a: { min: 1, max: '2' } } }, { columns: { a: { unique: 'no' } } }, { rows: { mni: 5 } }, { rows: { min: NaN } },
  { rows: { max: '3' } }, { columns: { a: { in: 'abc' } } }, { columns: { a: { matches: 'x' } } },
  { columns: Object.fromEntries(Array.from({ length: 41 }, (_, i) => [`c${i}`, {}])) },
])('%j are no rules', rules => { expect(() => quality(rules as never)).toThrow(TypeError) })
