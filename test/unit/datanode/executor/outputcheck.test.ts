// What a check sees of the files of an output, over a fake cluster, and which verdicts let the output pass. A read that fails is never
// taken for a verdict.

import { expect, test } from 'vitest'
import { checkOutput } from '../../../../datanode/executor/outputcheck.ts'
import { GristmillError } from '../../../../src/base/errors.ts'
import type { ComputedOutput } from '../../../../src/program/definition.ts'

interface Fake { readonly files?: Readonly<Record<string, string>>; readonly version?: number; readonly unreadable?: string }

/** A cluster with these files; `version` of /out is there. */
function sessionOf({ files = {}, version, unreadable }: Fake) {
  const entries = Object.entries(files).map(([path, text], i) => ({ path, type: 'file', id: i + 1, length: Buffer.byteLength(text) }))
  return {
    setup: { namenode: 'n:1' },
    caller: {
      call: async (_: unknown, message: { name: string }, { path, after }: { path: string; after?: string }) => {
        const below = entries.filter(entry => entry.path.startsWith(`${path}/`))
        switch (message.name) {
          // One entry a page.
          case 'namespace.list': {
            const at = after === undefined ? 0 : below.findIndex(entry => entry.path === after) + 1
            return { entries: below.slice(at, at + 1), ...at + 1 < below.length && { next: below[at]!.path } }
          }
          case 'namespace.stat':
            if (path.startsWith('/out') && version === undefined) throw new GristmillError('ENOENT', 'no /out')
            return { type: 'directory', id: 77, version }
          case 'version.show': return { version: { rows: 9 } }
          default: throw new Error(message.name)
        }
      },
    },
    files: {
      locate: async (path: string) => {
        if (path === unreadable) throw new GristmillError('BLOCK_MISSING', 'no replica')
        return { status: entries.find(entry => entry.path === path)!, blocks: [] }
      },
      read: async function* ({ status }: { status: { path: string } }) { yield Buffer.from(files[status.path]!) },
    },
  } as never
}

function checking(fake: Fake, check: (output: ComputedOutput) => unknown, written: object = { format: 'jsonl' }): Promise<void> {
  const work = { staging: '/staging', input: { kind: 'output', path: '/out', rows: 3 } } as never
  return checkOutput({ session: sessionOf(fake), work, written: written as never, check, pause: () => undefined })
}

const own = {
  '/staging/output/part-0.jsonl': '{"a":1,"b":"x"}\n{"a":null}\n', '/staging/output/_SUCCESS': '',
  '/staging/output/part-1.jsonl': '{"a":[1]}\n',
}

test('a check gets rows, lines, counts and types of the output, and of the version that it will replace', async () => {
  let seen: unknown
  await checking({ files: { ...own, '/out@4/part-0.txt': 'one\ntwo\n' }, version: 4 }, async output => {
    const { previous } = output
    seen = {
      rows: await Array.fromAsync(output.rows()), lines: await Array.fromAsync(output.lines()), schema: await output.schema(),
      facts: [output.path, output.files, output.bytes, await output.count()],
      before: [previous!.path, previous!.files, await previous!.count(), await Array.fromAsync(previous!.rows()), await previous!.schema()],
    }
  })
  expect(seen).toEqual({
    rows: [{ a: 1, b: 'x' }, { a: null }, { a: [1] }], lines: ['{"a":1,"b":"x"}', '{"a":null}', '{"a":[1]}'],
    schema: { a: 'array or null or number', b: 'string' }, facts: ['/out', 2, 37, 3], before: ['/out@4', 1, 9, ['one', 'two'], {}],
  })
  await checking({ files: { '/staging/output/part-0.csv': 'a;b\n1;2\n' } }, async output => {
    seen = [await Array.fromAsync(output.rows()), output.previous]
  }, { format: 'csv', delimiter: ';' })
  expect(seen).toEqual([[{ a: '1', b: '2' }], undefined])
})

test.each<[string, (output: ComputedOutput) => unknown, string | undefined]>([
  ['nothing', () => undefined, undefined],
  ['null, later', async () => null, undefined],
  ['a reason', () => 'too few', 'too few'],
  ['an empty reason', () => '', 'it gave an empty reason'],
  ['true', () => true, 'it returned true; it returns nothing for an output that is good, or the reason why it is not, as a text'],
  ['an object', () => ({}), 'it returned an object; it returns nothing'],
  ['an error', () => { throw new RangeError('no') }, 'no'],
  ['a rejection', () => Promise.reject(new Error('later')), 'later'],
  ['a row that does not parse', output => Array.fromAsync(output.rows()), 'part-2.jsonl, byte 0'],
])('the verdict of a check that gives %s', async (_, check, reason) => {
  const files = { ...own, ...reason?.startsWith('part-2') && { '/staging/output/part-2.jsonl': '{"a":\n' } }
  const verdict = checking({ files }, check)
  if (reason === undefined) await verdict
  else await expect(verdict).rejects.toMatchObject({ name: 'CheckRefused', message: expect.stringContaining(reason) })
})

test.each<[string, (output: ComputedOutput) => unknown]>([
  ['lets it through', async output => { for await (const _ of output.rows()); }],
  ['takes it for a good output', async output => { await output.schema().catch(() => ({})) }],
  ['takes it for a reason', async output => Array.fromAsync(output.lines()).then(() => undefined, () => 'unreadable')],
])('a read that fails is a failure of the task, also if the check %s', async (_, check) => {
  await expect(checking({ files: own, unreadable: '/staging/output/part-1.jsonl' }, check)).rejects.toMatchObject({ code: 'BLOCK_MISSING' })
})
