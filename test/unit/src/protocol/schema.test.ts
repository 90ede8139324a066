// Schemas of messages and their check, compared with typebox on random values: the same schema text and the same verdict for every message
// of the protocol.

import ajvCompiler from '@fastify/ajv-compiler'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import TypeBox from 'typebox'
import { Check } from 'typebox/value'
import { expect, test } from 'vitest'
import * as admin from '../../../../src/protocol/admin.ts'
import { fits } from '../../../../src/protocol/check.ts'
import * as heartbeat from '../../../../src/protocol/heartbeat.ts'
import * as job from '../../../../src/protocol/job.ts'
import * as namespace from '../../../../src/protocol/namespace.ts'
import * as report from '../../../../src/protocol/report.ts'
import Ours, { anyName, type TSchema } from '../../../../src/protocol/schema.ts'
import * as task from '../../../../src/protocol/task.ts'
import * as transfer from '../../../../src/protocol/transfer.ts'
import * as writing from '../../../../src/protocol/writing.ts'
import { root } from '../../../tidy/source.ts'
import { seeded } from '../../../../src/world/random.ts'

/** One schema that uses everything, made by either builder. */
function everything(Type: typeof Ours): TSchema {
  const count = Type.Integer({ minimum: 0 })
  return Type.Object({
    count, maybe: Type.Optional(count), again: count,
    text: Type.String({ minLength: 1, maxLength: 4 }),
    number: Type.Optional(Type.Number()),
    flag: Type.Boolean(),
    one: Type.Union([Type.Literal('a'), Type.Literal(7), Type.Object({ kind: Type.Literal('b') })]),
    list: Type.Array(Type.Tuple([Type.Number(), Type.String()]), { maxItems: 3 }),
    map: Type.Record(Type.String({ pattern: anyName }), Type.Number()),
    any: Type.Optional(Type.Unknown()),
    nothing: Type.Object({}),
    bound: Type.Optional(Type.Union([count, Type.Null()])),
    ours: Type.Unsafe<number>(Type.Integer({ maximum: 9 })),
  })
}

test('a schema is what typebox would make of the same words', () => {
  expect(JSON.parse(JSON.stringify(everything(Ours)))).toEqual(JSON.parse(JSON.stringify(everything(TypeBox as unknown as typeof Ours))))
})

const good = { count: 1, again: 0, text: 'ü小', flag: true, one: 'a', list: [[1, 'x']], map: { k: 2 }, nothing: {}, ours: 3 }

const values: readonly unknown[] = [
  undefined, null, true, 0, -1, 1.5, 7, 1e300, '', 'a', 'abcd', 'abcde', '😀😀😀😀', '😀😀😀😀😀', [], {},
  [
    [1, 'x'], [2, 'y'], [3, 'z'], [4, 'v'],
  ],
  [[1]], [[1, 'x', 2]], { k: 'x' }, { kind: 'b' }, { kind: 'c' }, { k: 1, l: 2 },
]

test('a value fits exactly if typebox says that it does', () => {
  const theirs = everything(TypeBox as unknown as typeof Ours)
  const ours = everything(Ours)
  expect([fits(ours, good), Check(theirs as never, good)]).toEqual([true, true])
  let [fitting, other] = [0, 0]
  const names = [...Object.keys(good), 'maybe', 'number', 'any', 'unknown']
  for (const first of names) {
    for (const value of values) {
      const changed = { ...good, [first]: value } as Record<string, unknown>
      if (value === undefined) delete changed[first]
      const expected = Check(theirs as never, changed)
      expect(fits(ours, changed), `${first}: ${JSON.stringify(value)}`).toBe(expected)
      if (expected) fitting++; else other++
    }
  }
  for (const value of values) expect(fits(ours, value), JSON.stringify(value)).toBe(Check(theirs as never, value))
  // Both outcomes must occur often.
  expect([fitting > 30, other > 100]).toEqual([true, true])
})

test('every schema of the protocol can be checked, with the answers that typebox gives', () => {
  const schemas = [admin, heartbeat, job, namespace, report, task, transfer, writing]
    .flatMap(file => Object.values(file) as unknown[])
    .flatMap(one =>
      typeof one !== 'object' || one === null ? [] : 'request' in one ? [one.request, (one as unknown as { reply: unknown }).reply] : [one],
    ) as TSchema[]
  expect(schemas.length).toBeGreaterThan(60)
  const random = seeded('protocol schemas')
  const answers = { true: 0, false: 0 }
  for (const schema of schemas) {
    for (let i = 0; i < 40; i++) {
      const value = JSON.parse(JSON.stringify(sample(schema as never, random)) ?? 'null') as unknown
      const expected = Check(schema as never, value)
      expect(fits(schema, value), JSON.stringify(value)).toBe(expected)
      answers[`${expected}`]++
    }
  }
  expect([answers.true > 500, answers.false > 100]).toEqual([true, true])
})

test('every schema of the protocol is a valid JSON schema: a server does not check that', async () => {
  type Build = (schemas: object, options: object) => (route: object) => (value: unknown) => boolean
  const compile = (ajvCompiler() as unknown as Build)({}, { customOptions: {} })
  const isSchema = compile({ schema: { $ref: 'http://json-schema.org/draft-07/schema#' } })
  expect([isSchema({ type: 'strin' }), isSchema({ maxLength: '4' }), isSchema({ maxLength: 4 })]).toEqual([false, false, true])
  let count = 0
  for (const file of readdirSync(join(root, 'src/protocol'))) {
    for (const [name, one] of Object.entries(await import(join(root, 'src/protocol', file)) as Record<string, unknown>)) {
      if (typeof one !== 'object' || one === null || !('request' in one && 'reply' in one)) continue
      expect([isSchema(one.request), isSchema(one.reply)], `${file}: ${name}`).toEqual([true, true])
      count++
    }
  }
  expect(count).toBeGreaterThan(70)
})

interface Json {
  type?: string
  const?: unknown
  anyOf?: Json[]
  properties?: Record<string, Json>
  required?: string[]
  items?: Json | Json[]
  patternProperties?: Record<string, Json>
  minLength?: number
  minimum?: number
}

/** A value that mostly fits the schema, and sometimes nearly does. */
function sample(schema: Json, random: { below(n: number): number }): unknown {
  if (random.below(30) === 0) return values[random.below(values.length)]
  if (schema.anyOf) return sample(schema.anyOf[random.below(schema.anyOf.length)]!, random)
  if (schema.const !== undefined) return schema.const
  switch (schema.type) {
    case 'string':
      return 'x'.repeat((schema.minLength ?? 0) + random.below(3))
    case 'integer':
      return (schema.minimum ?? 0) + random.below(3)
    case 'number':
      return random.below(100) / 7
    case 'boolean':
      return random.below(2) === 0
    case 'array':
      return Array.isArray(schema.items)
        ? schema.items.map(item => sample(item, random))
        : Array.from({ length: random.below(3) }, () => sample(schema.items as Json, random))
    case 'object':
      return Object.fromEntries([
        ...Object.entries(schema.properties ?? {})
          .filter(([name]) => schema.required?.includes(name) || random.below(2))
          .map(([name, field]) => [name, sample(field, random)]),
        ...Object.values(schema.patternProperties ?? {}).map(field => ['k', sample(field, random)]),
      ])
    default:
      return 5
  }
}
