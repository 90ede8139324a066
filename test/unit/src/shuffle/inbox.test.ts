// Inbox for received segments: memory limit to the byte, number of open files, and leftovers.

import fs from 'node:fs/promises'
import { expect, test } from 'vitest'
import type { Disk, DiskReader } from '../../../../src/ports/disk.ts'
import { Inbox } from '../../../../src/shuffle/inbox.ts'
import { localDisk } from '../../../../src/world/disk.ts'
import { checked } from '../../checked.ts'
import { countingDisk } from '../../datanode/store/storekit.ts'
import { scratch } from './kit.ts'

const extentOf = (bytes: number) => ({ offset: 0, bytes, records: 1, crc: 1 })
async function* once(bytes: Uint8Array) { yield bytes }
const fetched = async (directory: string): Promise<string[]> => (await fs.readdir(directory)).sort()

test('segments are received into memory up to the last byte of the budget; a larger one goes into a file', async () => {
  const directory = await scratch()
  const inbox = checked(new Inbox({ disk: localDisk, directory, name: 'r', memoryBytes: 100 }))
  const bytes = Buffer.from(Array.from({ length: 60 }, (_, i) => i))
  const receive = (count: number) => inbox.receive(`m${count}`, extentOf(count), once(bytes.subarray(0, count)))
  const first = await receive(60)
  expect(inbox.memoryBytes).toBe(60)
  const second = await receive(41)
  expect([inbox.memoryBytes, await fetched(directory)]).toEqual([60, ['r.fetch0']])
  const third = await receive(40)
  expect([inbox.memoryBytes, await fetched(directory)]).toEqual([100, ['r.fetch0']])
  const fourth = await receive(1)
  expect([inbox.memoryBytes, await fetched(directory)]).toEqual([100, ['r.fetch0', 'r.fetch1']])
  const empty = await receive(0)
  expect(await fetched(directory)).toHaveLength(2)
  for (const segment of [first, second, third, fourth, empty]) {
    const found = Buffer.alloc(segment.bytes)
    expect(segment.source.readSync(found, segment.offset)).toBe(segment.bytes)
    expect(found.equals(bytes.subarray(0, segment.bytes))).toBe(true)
    // Announced with its present position and its own name.
    expect(segment).toMatchObject({ offset: 0, records: 1, crc: 1, name: `m${segment.bytes}` })
  }
  await inbox.close()
  expect([inbox.memoryBytes, await fetched(directory)]).toEqual([0, []])
})

test('a segment that is refused, or is aborted on its way, gives its memory back and closes its file', async () => {
  const directory = await scratch()
  const { disk, open } = countingDisk()
  const inbox = checked(new Inbox({ disk, directory, name: 'r', memoryBytes: 10 }))
  const abort = new AbortController()
  async function* two() { yield Buffer.alloc(4); abort.abort(new Error('enough')); yield Buffer.alloc(4) }
  for (const size of [8, 20]) {
    await expect(inbox.receive('m', extentOf(size), two(), abort.signal)).rejects.toThrow('enough')
    await expect(inbox.receive('m', extentOf(size), once(Buffer.alloc(size + 1)))).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining('more') as string,
    })
    await expect(inbox.receive('m', extentOf(size), once(Buffer.alloc(size - 1)))).rejects.toMatchObject({
      code: 'CORRUPT',
      message: expect.stringContaining(`with ${size - 1}`) as string,
    })
    expect([inbox.memoryBytes, open()]).toEqual([0, 0])
  }
  await inbox.close()
  expect(await fetched(directory)).toEqual([])
})

test('an inbox that is closed while a segment is being received counts nothing, also when the segment fails later', async () => {
  const inbox = checked(new Inbox({ disk: localDisk, directory: await scratch(), name: 'r', memoryBytes: 10 }))
  const gate = Promise.withResolvers<void>()
  async function* late() { await gate.promise; yield Buffer.alloc(9) }
  const receiving = inbox.receive('m', extentOf(8), late())
  receiving.catch(() => {})
  await inbox.close()
  gate.resolve()
  await expect(receiving).rejects.toMatchObject({ code: 'CORRUPT' })
  expect(inbox.memoryBytes).toBe(0)
})

test('at most so many files are open, the one opened first is closed for the next, and one that is open is not opened again', async () => {
  const directory = await scratch()
  const opened: string[] = []
  const open = new Set<string>()
  let most = 0
  const disk: Disk = {
    ...localDisk,
    openReadSync(path) {
      const name = path.split('/').at(-1)!
      opened.push(name)
      open.add(name)
      most = Math.max(most, open.size)
      const reader: DiskReader = localDisk.openReadSync(path)
      return {
        bytes: reader.bytes, readSync: reader.readSync.bind(reader), read: reader.read.bind(reader),
        async close() {
          open.delete(name)
          await reader.close()
        },
      }
    },
  }
  const inbox = checked(new Inbox({ disk, directory, name: 'r', memoryBytes: 0, openMax: 2 }))
  for (const name of ['a', 'b', 'c']) await fs.writeFile(`${directory}/${name}`, `-${name}-`)
  const segments = Object.fromEntries(
    ['a', 'b', 'c'].map(name => [name, inbox.local(`map ${name}`, `${directory}/${name}`, { offset: 1, bytes: 1, records: 1, crc: 1 })]),
  )
  const read = (names: string): string => [...names].map(name => {
    const found = Buffer.alloc(1)
    const { source, offset } = segments[name]!
    expect(source.readSync(found, offset)).toBe(1)
    inbox.checkState()
    return found.toString()
  }).join('')
  expect(segments['a']).toMatchObject({ name: 'map a', offset: 1, bytes: 1 })
  expect(read('aabbab')).toBe('aabbab')
  expect(opened).toEqual(['a', 'b'])
  expect(read('cbc')).toBe('cbc')
  expect(opened).toEqual(['a', 'b', 'c'])
  expect([...open].sort()).toEqual(['b', 'c'])
  expect(read('a')).toBe('a')
  expect([[...open].sort(), most]).toEqual([['a', 'c'], 2])
  await inbox.close()
  expect([...open]).toEqual([])
  // Files of this machine are not copied.
  expect(await fetched(directory)).toEqual(['a', 'b', 'c'])
})
