// Options of writeFile and createWriteStream on a real cluster: each has the same effect, or the same error, for a small file, which is
// written in one call, for one of a block, for one of several, and for a stream of each.

import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { connect, type Mill } from '../../client/index.ts'
import type { WriteOptions } from '../../client/files/write.ts'
import type { TestCluster } from '../kit/cluster.ts'
import { startClusterHere } from './inprocess.ts'

const lengths = [6, 6_000, 150_000]

let cluster: TestCluster
let root: Mill
let bob: Mill

beforeAll(async () => {
  cluster = await startClusterHere({ datanodes: 2, settings: {
    GRISTMILL_BLOCK_SIZE: '64KiB', GRISTMILL_REPLICATION: '1', GRISTMILL_INLINE_BYTES: '4096',
  } })
  const to = { address: cluster.namenode.address, secretFile: cluster.secretFile }
  root = await connect(to)
  bob = await connect(to, { user: 'bob' })
})

afterAll(async () => {
  for (const mill of [root, bob]) await mill?.close()
  await cluster[Symbol.asyncDispose]()
})

/** Each option by itself, with those that it needs. `there`: whether a file is at the path before. */
const cases: Readonly<Record<keyof WriteOptions, ReadonlyArray<readonly [options: WriteOptions, there: boolean]>>> = {
  overwrite: [[{ overwrite: false }, false], [{ overwrite: false }, true], [{ overwrite: true }, true]],
  flag: [[{ flag: 'wx' }, true], [{ flag: 'wx' }, false], [{ flag: 'w' }, true]],
  parents: [[{ parents: true }, false], [{ parents: false }, false]],
  mode: [[{ mode: 0o640 }, false], [{ mode: 0o640 }, true]],
  unmaskedMode: [[{ mode: 0o640, unmaskedMode: 0o666 }, false]],
  replication: [[{ replication: 2 }, false], [{ replication: 2 }, true]],
  blockSize: [[{ blockSize: 32 * 1024 }, false]],
  format: [[{ format: 'lines' }, false], [{ format: 'jsonl' }, true]],
  delimiter: [[{ format: 'csv', delimiter: ';' }, false], [{ delimiter: ';' }, true]],
  header: [[{ format: 'csv', header: false }, false], [{ format: 'lines', header: true }, true]],
  keepAttributes: [[{ keepAttributes: true }, true], [{ keepAttributes: true }, false], [{ keepAttributes: false }, true]],
  keepOwner: [
    [{ keepOwner: true }, true], [{ keepOwner: true }, false], [{ keepOwner: true, keepAttributes: true }, true],
    [{ keepOwner: true, mode: 0o600 }, true], [{ keepOwner: true, flag: 'wx' }, true],
  ],
  signal: [[{ signal: AbortSignal.abort() }, false]],
}

/** Facts about the file, or the code of the error. `name`: of a directory of the superuser's, in which bob may write if it is `open`. */
async function written(name: string, length: number, { options, there, streamed }: {
  options: WriteOptions; there: boolean; streamed: boolean
}): Promise<unknown> {
  const path = options.parents !== undefined ? `/${name}/new/f` : `/${name}/f`
  await root.mkdir(`/${name}`, { mode: 0o777 })
  await root.chmod(`/${name}`, name.startsWith('open') ? 0o777 : 0o755)
  if (there) {
    await root.writeFile(path, 'before')
    await root.chown(path, { owner: 'ada', group: 'crew' })
    await root.chmod(path, 0o666)
    await root.xattrs.set(path, 'user.kind', 'rye')
  }
  const bytes = Buffer.alloc(length, 'a;b\nc\n')
  try {
    if (streamed) await pipeline([bytes], bob.createWriteStream(path, options))
    else await bob.writeFile(path, bytes, options)
  } catch (error) {
    return (error as { code: string }).code
  }
  const { owner, group, mode, replication, blockBytes, format, delimiter, header, length: stored } = await root.status(path)
  const attributes = [...(await root.xattrs.list(path)).keys()]
  const isWhole = stored === length
  return { owner, group, mode: mode.toString(8), replication, blockBytes, format, delimiter, header, isWhole, attributes }
}

test.each(Object.entries(cases))('%s has the same effect for files of all lengths, and for streams', async (option, rows) => {
  for (const place of ['open', 'closed']) {
    for (const [i, [options, there]] of rows.entries()) {
      const found: unknown[] = []
      for (const length of lengths)
        for (const streamed of [false, true])
          found.push(await written(`${place}-${option}-${i}-${length}-${streamed}`, length, { options, there, streamed }))
      expect(found, JSON.stringify({ place, options, there })).toEqual(found.map(() => found.at(-1)))
    }
  }
})

test('a small file that keeps its owner needs the permission to write it, and not its directory', async () => {
  for (const [i, place] of ['open', 'closed'].entries())
    expect(await written(`${place}-kept`, lengths[i]!, { options: { keepOwner: true }, there: true, streamed: false }))
      .toMatchObject({ owner: 'ada', group: 'crew', mode: '666', isWhole: true, attributes: [] })
  expect(await written('open-none', 6, { options: { keepOwner: true }, there: false, streamed: false })).toBe('ENOENT')
})

test('what put says about a file is kept if it is compressed, has no clear delimiter or another name, and by copies and imports', async () => {
  const texts = { 'a.csv.gz': gzipSync('x;1\ny;2\n'), 'b.tsv': 'x\t1\ny\t2\n', 'c.csv': 'a,b;c,d;e\n', 'd.csv': 'x;1\n' }
  await root.mkdir('/said')
  for (const [name, text] of Object.entries(texts)) {
    await writeFile(join(cluster.dir, name), text)
    const delimiter = name === 'c.csv' ? [] : ['--delimiter', name === 'b.tsv' ? '\t' : ';']
    await cluster.ok(['put', '--header', 'no', ...delimiter, join(cluster.dir, name), '/said/'])
    await root.cp(`/said/${name}`, `/said/copy-${name}`)
    const writer = await root.objects.open({ format: 'bytes', header: false, delimiter: ';' })
    await writer.write(Buffer.from(text))
    await writer.publish(`/said/published-${name}`)
  }
  const said = async (path: string): Promise<unknown> => {
    const { header, delimiter } = await root.status(`/said/${path}`)
    return [header, delimiter]
  }
  for (const name of Object.keys(texts)) {
    const delimiter = name === 'b.tsv' ? '\t' : name === 'c.csv' ? undefined : ';'
    expect(await Promise.all([name, `copy-${name}`, `published-${name}`].map(said)), name)
      .toEqual([[false, delimiter], [false, delimiter], [false, ';']])
  }
  expect(await cluster.ok(['stat', '/said/a.csv.gz'])).toContain('without a row of names')
})
