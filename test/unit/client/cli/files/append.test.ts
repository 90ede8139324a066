// Command `append` beside another writer: what is read of the old file is read while the path is reserved, and a file that was replaced
// before that is left as it is.

import { Writable } from 'node:stream'
import { expect, test } from 'vitest'
import { inodeId } from '../../../../../src/base/ids.ts'
import { MemoryDisk } from '../../../../kit/memory-disk.ts'
import { FakeMill, runFake } from '../fake.ts'

/** A cluster in which `between` happens after a writer was asked for and before it has the path. */
class Contended extends FakeMill {
  written: string | undefined
  readonly xattrs = { list: async () => new Map<string, Buffer>() }
  readonly #between: (mill: Contended) => void

  constructor(between: (mill: Contended) => void) {
    super({ '/log': 'one\n' })
    this.#between = between
  }

  createWriteStream(): Writable {
    const pieces: Buffer[] = []
    const stream = Object.assign(new Writable({
      write(chunk: Buffer, _encoding, done) { pieces.push(chunk); done() },
      final: done => { this.written = Buffer.concat(pieces).toString(); done() },
    }), { pending: true, replaced: () => this.createReadStream('/log') })
    setImmediate(() => {
      this.#between(this)
      stream.pending = false
      stream.emit('open')
    })
    return stream
  }

  replace(text: string, id: number): void {
    const node = new FakeMill({ '/log': text }).nodes.get('/log')!
    this.nodes.set('/log', { ...node, status: { ...node.status, id: inodeId(id) } })
  }
}

const append = (mill: FakeMill) => runFake(mill, ['append', '-', '/log'], { disk: new MemoryDisk(), input: 'two\n' })

test('without another writer the old content comes first', async () => {
  const mill = new Contended(() => {})
  expect(await append(mill)).toMatchObject({ code: 0, err: '' })
  expect(mill.written).toBe('one\ntwo\n')
})

test('a file that another writer has replaced before the path was reserved is not replaced again', async () => {
  const mill = new Contended(contended => contended.replace('other\n', 77))
  expect(await append(mill)).toMatchObject({ code: 1, err: 'gristmill: append: /log was replaced meanwhile; nothing was appended, try again\n' })
  expect(mill.written).toBeUndefined()
})

test('a file that was removed meanwhile is not made anew from a part', async () => {
  const mill = new Contended(contended => contended.nodes.delete('/log'))
  expect((await append(mill)).code).toBe(1)
  expect(mill.written).toBeUndefined()
})
