// Objects on a namenode's state in memory: published as a gateway does, under their keys.

import { prepare, publish } from '../../../../namenode/objects/mutations.ts'
import { create } from '../../../../namenode/writing/mutations.ts'
import type { FileStatus } from '../../../../src/protocol/namespace.ts'
import { uploadsDirectory } from '../../../../src/protocol/object.ts'
import { namesOfKey } from '../../../../src/protocol/objectkey.ts'
import { file, openBench, root, type Bench } from '../kit.ts'

export const bucket = '/bucket'

export const pathOfKey = (key: string): string => `${bucket}/${namesOfKey(key).join('/')}`

export async function openObjects(): Promise<Bench> {
  const bench = await openBench()
  await bench.do(prepare, {})
  return bench
}

let uploads = 0

/** A lease with so many blocks, below the directory of uploads. */
export async function upload(bench: Bench, blocks = 1, actor = root, path = `${uploadsDirectory}/u${++uploads}`) {
  const made = await bench.do(create, { ...file(path), blocks, ...actor })
  return { lease: made.lease, blocks: made.blocks.map(id => ({ id, length: 10, crc: id, aligned: false })) }
}

type Publishing = Partial<Omit<Parameters<typeof publish.mutate>[1], 'lease' | 'blocks'>>

/** Writes an object of `blocks` blocks of 10 bytes. */
export async function put(bench: Bench, to: string, { blocks = 1, ...more }: Publishing & { blocks?: number } = {}): Promise<FileStatus> {
  const written = await upload(bench, blocks, more.user === undefined ? root : { user: more.user, root: more.root ?? false })
  return (await bench.do(publish, { ...written, to, parents: true, ...more })).status
}
