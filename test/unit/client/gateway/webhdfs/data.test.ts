// OPEN and GETFILECHECKSUM of a file that is replaced while they look at it.

import { expect, test } from 'vitest'
import { dataOperations } from '../../../../../client/gateway/webhdfs/data.ts'
import type { Call } from '../../../../../client/gateway/webhdfs/operation.ts'

/** A client of a cluster in which each look at the file finds the next version, until there is no newer one. */
function replacing(versions: readonly string[]): Call {
  let looks = 0
  const now = (): { id: number; text: string } => {
    const id = Math.min(looks++, versions.length - 1)
    return { id, text: versions[id]! }
  }
  const mill = {
    status: async () => { const { id, text } = now(); return { type: 'file', id, length: text.length, blockBytes: 512 } },
    open: async () => {
      const { id, text } = now()
      return {
        stat: async () => ({ ino: id }),
        async *createReadStream({ start, end }: { start: number; end: number }) { yield Buffer.from(text.slice(start, end + 1)) },
      }
    },
  }
  return { mill, path: '/f', params: { data: true, 'xattr.name': [] }, signal: new AbortController().signal } as unknown as Call
}

const answer = (name: string, call: Call) => dataOperations.find(each => each.name === name)!.answer(call)

test('the length and the bytes of an answer are of one version', async () => {
  const found = await answer('OPEN', replacing(['short', 'a longer one', 'three']))
  if (found.kind !== 'data') throw new Error('no data')
  let text = ''
  for await (const bytes of found.chunks) text += String(bytes)
  expect([found.headers['content-length'], text]).toEqual([5, 'three'])
})

test('a checksum is of one version', async () => {
  const of = async (versions: string[]) => JSON.stringify(await answer('GETFILECHECKSUM', replacing(versions)))
  expect(await of(['a', 'b'.repeat(600), 'c'])).toBe(await of(['c']))
})

test('a file that is replaced at each look is an error that asks to try again', async () => {
  const versions = Array.from({ length: 100 }, (_, i) => String(i))
  await expect(Promise.resolve().then(() => answer('OPEN', replacing(versions)))).rejects.toMatchObject({ exception: 'RetriableException' })
})
