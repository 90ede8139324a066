// Requests that delete many objects: what their answer says, and that other requests are answered while they are worked on, of whatever the
// document is made.

import { expect, test } from 'vitest'
import type { S3Call } from '../../../../../client/gateway/s3/operation.ts'
import { Pace } from '../../../../../client/gateway/s3/pace.ts'
import { removingOperations } from '../../../../../client/gateway/s3/removing.ts'
import { elementsOf, parse, parseInSlices, textOf } from '../../../../../client/gateway/s3/xmlreader.ts'
import { GristmillError } from '../../../../../src/base/errors.ts'

async function deleted(objects: readonly string[], quiet = false): Promise<{ xml: string; pauses: number; removed: string[] }> {
  const body = `<Delete>${quiet ? '<Quiet>true</Quiet>' : ''}${objects.map(object => `<Object>${object}</Object>`).join('')}</Delete>`
  const removed: string[] = []
  let pauses = 0
  const rm = async (path: string) => {
    removed.push(path)
    if (path.endsWith('closed')) throw new GristmillError('EACCES', 'not yours')
    return {}
  }
  const call = {
    mill: { status: async () => ({ type: 'directory' }), objects: { rm } }, user: 'ada', bucket: 'grain', key: '', root: '/', headers: {},
    signal: new AbortController().signal, payload: () => ({ hasDigest: true, text: async () => body }),
    forKey(_: object, work: (mill: object) => Promise<unknown>) { return work(call.mill) }, pause: async () => { pauses++ },
  }
  const operation = removingOperations.find(each => each.name === 'DeleteObjects')!
  return { xml: (await operation.answer(call as unknown as S3Call)).xml!, pauses, removed }
}

test('the answer has what was deleted, then what was not; a quiet one has only that', async () => {
  const objects = ['<Key>rye</Key>', '<Key>closed</Key>', '<Key>a&amp;b</Key>', '']
  const begin = '<?xml version="1.0" encoding="UTF-8"?>\n<DeleteResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'
  const errors = '<Error><Key>closed</Key><Code>AccessDenied</Code><Message>not yours</Message></Error>' +
    '<Error><Code>MalformedXML</Code><Message>An object without a key</Message></Error></DeleteResult>'
  const { xml, removed } = await deleted(objects)
  expect(xml).toBe(`${begin}><Deleted><Key>rye</Key></Deleted><Deleted><Key>a&amp;b</Key></Deleted>${errors}`)
  expect(removed.sort()).toEqual(['/grain/a&b', '/grain/closed', '/grain/rye'])
  expect((await deleted(objects, true)).xml).toBe(`${begin}>${errors}`)
  const none = parse((await deleted(['<Key>rye</Key>'], true)).xml, 'DeleteResult', { elementsMax: 1 })
  expect(none).toMatchObject({ children: [], text: [] })
})

test.each([
  ['keys of escapes that are too long', '&amp;'.repeat(1620), 'KeyTooLongError'],
  ['keys of letters that are too long', 'k'.repeat(8100), 'KeyTooLongError'],
  ['keys with a part that is too long', 'k'.repeat(800), 'KeyTooLongError'], ['no keys', '', 'MalformedXML'],
])('other requests are answered while a thousand keys are refused: %s', async (_, key, code) => {
  const objects = Array.from({ length: 1000 }, () => `<Key>${key}</Key>`)
  const { xml, pauses, removed } = await deleted(objects)
  const errors = elementsOf(parse(xml, 'DeleteResult', { elementsMax: 5000 }), 'Error')
  expect(errors.map(error => textOf(error, 'Code'))).toEqual(Array.from({ length: 1000 }, () => code))
  // A key that cannot exist is not repeated in full.
  for (const error of errors) expect(textOf(error, 'Key')?.length ?? 0).toBeLessThanOrEqual(1024)
  expect(removed).toEqual([])
  // At most 32 keys, or 64 Ki characters, between two pauses.
  expect(pauses).toBeGreaterThanOrEqual(Math.max(1000 / 32, 1000 * key.length / 65_536))
})

test('a document of sections and comments is read in pieces too, and no text has very many', async () => {
  for (const each of ['<![CDATA[]]>', '<!---->', '<?a?>']) {
    let pauses = 0
    const found = await parseInSlices(`<D><K>${each.repeat(100_000)}</K></D>`, 'D', { elementsMax: 2 }, async () => { pauses++ })
    expect([each, pauses]).toEqual([each, 50])
    if (each.startsWith('<![')) expect(() => textOf(found, 'K')).toThrow('too long')
  }
})

test('workers of one request share its pieces: after a pause one of them fills the next piece, and the others wait again', async () => {
  const open: (() => void)[] = []
  const pace = new Pace(() => new Promise(resolve => { open.push(resolve) }))
  const passed: number[] = []
  const work = async (name: number): Promise<void> => {
    await pace.spend(64 * 1024)
    passed.push(name)
  }
  const turn = () => new Promise(resolve => { setImmediate(resolve) })
  const done = Promise.all([work(1), work(2), work(3)])
  for (const expected of [[1], [1, 2], [1, 2, 3]]) {
    await turn()
    expect(passed).toEqual(expected)
    expect(open.length).toBe(expected.length < 3 ? 1 : 0)
    open.shift()?.()
  }
  await done
})
