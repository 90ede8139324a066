// Options of frames that are joined or united: the query has those of both sides, and options that contradict each other are refused. A
// Dataset has no module of functions, and is made of no frame with one.

import { expect, test } from 'vitest'
import { frameOver } from '../../../../client/frame/dataframe.ts'
import { sql } from '../../../../client/frame/index.ts'
import type { SqlOptions } from '../../../../client/sql/query.ts'

/** A frame without the types of its rows. */
interface Frame {
  join(other: Frame, on: unknown, kind?: string): Frame
  crossJoin(other: Frame): Frame
  union(other: Frame): Frame
  intersect(other: Frame): Frame
  except(other: Frame): Frame
  limit(rows: number): Frame
  query(): unknown
  toDataset(mill: unknown): unknown
}
const frame = (options?: SqlOptions, cluster?: string): Frame => frameOver({
  query: (_, given) => given as never, print: () => {}, options, cluster,
}, './x.csv') as unknown as Frame

/** Options with which the query of a frame is run. */
const given = (source: Frame): SqlOptions =>
  Object.fromEntries(Object.entries(source.query() as SqlOptions).filter(([, value]) => value !== undefined))

const combined: Readonly<Record<string, (left: Frame, right: Frame) => Frame>> = {
  'join by name': (left, right) => left.join(right, 'x'),
  'join by condition': (left, right) => left.join(right, () => sql`true`, 'semi'),
  crossJoin: (left, right) => left.crossJoin(right),
  union: (left, right) => left.union(right), intersect: (left, right) => left.intersect(right), except: (left, right) => left.except(right),
}

test.each(Object.keys(combined))('%s has the options of both sides', name => {
  const both = combined[name]!
  const options: SqlOptions = { memoryBytes: 1 << 30, functions: 'f.ts', localFiles: false, queue: 'q', priority: 3, distribute: 'never' }
  expect(given(both(frame(), frame(options)))).toEqual(options)
  expect(given(both(frame(options), frame()))).toEqual(options)
  expect(given(both(frame(options), frame({ ...options })))).toEqual(options)
  expect(given(both(frame({ queue: 'q' }), frame({ memoryBytes: 1 << 30, queue: undefined }).limit(1)))).toEqual({
    queue: 'q', memoryBytes: 1 << 30,
  })
  expect(given(both(frame({ localFiles: true }), frame({ localFiles: false })))).toEqual({ localFiles: false })
  expect(given(both(frame({ localFiles: false }), frame({ localFiles: true })))).toEqual({ localFiles: false })
})

test('options of which a query has one are refused if they differ, and so are two modules of functions and two clusters', () => {
  const message = (left: SqlOptions, right: SqlOptions): string => {
    try {
      frame(left).join(frame(right), 'x')
    } catch (error) {
      return (error as Error).message
    }
    return 'nothing was thrown'
  }
  expect(message({ queue: 'a' }, { queue: 'b' })).toBe(
    'the two frames have different options queue: "a" and "b"; a query has one, so give both frames the same')
  expect(message({ memoryBytes: 1 << 28 }, { memoryBytes: 1 << 29 })).toContain('different options memoryBytes')
  expect(message({ functions: 'a.ts' }, { functions: 'b.ts' })).toBe('the two frames have different modules of functions: a.ts and b.ts; '
    + 'a query has one module, so give both frames one that exports the functions of both')
  expect(message({ functions: new URL('file:///a.ts') }, { functions: '/a.ts' })).toBe('nothing was thrown')
  expect(() => frame({}, 'one').union(frame({}, 'two'))).toThrow('the two frames read two clusters')
  expect(given(frame({ queue: 'a' }, 'one').union(frame({}, 'one')))).toEqual({ queue: 'a' })
})

test.each([0, 1])('the query ends by the signal of either side (%i), and tells both of its job', side => {
  const controllers = [new AbortController(), new AbortController()]
  const heard: string[] = []
  const [left, right] = controllers.map(({ signal }, i) => frame({ signal, onJob: job => heard.push(`${i} ${job.id}`) }))
  const { signal, onJob } = given(left!.union(right!))
  expect(signal!.aborted).toBe(false)
  controllers[side]!.abort()
  expect(signal!.aborted).toBe(true)
  onJob!({ id: 'job-1' } as never)
  expect(heard).toEqual(['0 job-1', '1 job-1'])
})

test('a frame with a module of functions, of either side, is refused as a Dataset, whose query would not call them', () => {
  const mill = { sql: (text: string) => text }
  const calling = frame({ functions: 'f.ts' })
  const made = [calling, calling.limit(1), ...Object.values(combined).flatMap(both => [both(calling, frame()), both(frame(), calling)])]
  for (const each of made) expect(() => each.toDataset(mill)).toThrow('leave out the option functions and call them in a step')
  expect(frame({ queue: 'q', functions: undefined }).toDataset(mill)).toBe('SELECT * FROM "./x.csv" AS t')
})

test('the query of a Dataset has the queue, the priority and the memory of the frame, or of either side', () => {
  const mill = { sql: (_text: string, _tables: unknown, options: unknown) => options }
  const options = { queue: 'q', priority: 3, memoryBytes: 1 << 30 }
  const own = frame({ ...options, distribute: 'never' })
  for (const each of [own, own.limit(1), ...Object.values(combined).flatMap(both => [both(own, frame()), both(frame(), own)])])
    expect(each.toDataset(mill)).toEqual(options)
  expect(frame().toDataset(mill)).toEqual({})
})
