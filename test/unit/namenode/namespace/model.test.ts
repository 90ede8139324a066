// Random operations on the namespace against a small model, and replay of the log into the same bytes.

import { expect, test } from 'vitest'
import { Draft } from '../../../../namenode/journal/draft.ts'
import { StoreView, Memo, type View } from '../../../../namenode/journal/view.ts'
import { emptyCounters } from '../../../../namenode/journal/counters.ts'
import { seal } from '../../../../namenode/journal/codec.ts'
import { setAcl } from '../../../../namenode/namespace/acls.ts'
import { mkdir, remove, rename, touch } from '../../../../namenode/namespace/names.ts'
import { list } from '../../../../namenode/namespace/read.ts'
import { sweep } from '../../../../namenode/namespace/sweep.ts'
import { join } from '../../../../src/base/paths.ts'
import { seeded } from '../../../../src/world/random.ts'
import { MemoryStore } from '../../../kit/memory-store.ts'
import { differencesIn, openBench, replayed, root } from '../kit.ts'

type Node = Map<string, Node> | 'file'

const parts = (path: string): string[] => path.split('/').slice(1)

/** Model: POSIX in a nested map. Returns a code, or 'ok'. */
class Model {
  readonly top: Map<string, Node> = new Map()

  #parent(path: string): Map<string, Node> | string {
    let at: Node = this.top
    for (const name of parts(path).slice(0, -1)) {
      if (at === 'file') return 'ENOTDIR'
      const next: Node | undefined = at.get(name)
      if (next === undefined) return 'ENOENT'
      at = next
    }
    return at === 'file' ? 'ENOTDIR' : at
  }

  mkdir(path: string): string {
    const parent = this.#parent(path)
    if (typeof parent === 'string') return parent
    const name = parts(path).at(-1)!
    if (parent.has(name)) return 'EEXIST'
    parent.set(name, new Map())
    return 'ok'
  }

  touch(path: string): string {
    const parent = this.#parent(path)
    if (typeof parent === 'string') return parent
    const name = parts(path).at(-1)!
    if (!parent.has(name)) parent.set(name, 'file')
    return 'ok'
  }

  rm(path: string, recursive: boolean): string {
    const parent = this.#parent(path)
    if (typeof parent === 'string') return parent
    const name = parts(path).at(-1)!
    const there = parent.get(name)
    if (there === undefined) return 'ENOENT'
    if (there !== 'file' && there.size > 0 && !recursive) return 'ENOTEMPTY'
    parent.delete(name)
    return 'ok'
  }

  mv(from: string, to: string, overwrite: boolean): string {
    const source = this.#parent(from)
    if (typeof source === 'string') return source
    const name = parts(from).at(-1)!
    const node = source.get(name)
    if (node === undefined) return 'ENOENT'
    if (node !== 'file' && to.startsWith(`${from}/`)) return 'EINVAL'
    const target = this.#parent(to)
    if (typeof target === 'string') return target
    if (from === to) return 'ok'
    const other = parts(to).at(-1)!
    const there = target.get(other)
    if (there !== undefined) {
      if (!overwrite) return 'EEXIST'
      if (node !== 'file' && there === 'file') return 'ENOTDIR'
      if (node === 'file' && there !== 'file') return 'EISDIR'
      if (there !== 'file' && there.size > 0) return 'ENOTEMPTY'
    }
    source.delete(name)
    target.set(other, node)
    return 'ok'
  }

  acl(path: string, inherited: boolean): string {
    const parent = this.#parent(path)
    if (typeof parent === 'string') return parent
    const there = parent.get(parts(path).at(-1)!)
    if (there === undefined) return 'ENOENT'
    return there === 'file' && inherited ? 'EINVAL' : 'ok'
  }

  lines(at: Map<string, Node> = this.top, path = '/'): string[] {
    return [...at]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .flatMap(([name, node]) => [
        `${join(path, name)}${node === 'file' ? '' : '/'}`,
        ...(node === 'file' ? [] : this.lines(node, join(path, name))),
      ])
  }
}

function lines(view: View, path = '/'): string[] {
  return list(view, root, { path }).entries.flatMap(entry =>
    entry.type === 'file' ? [entry.path] : [`${entry.path}/`, ...lines(view, entry.path)],
  )
}

const listed = ['default:user:bob:rwx', 'user:bob:r-x'] as const

for (const seed of [1, 2, 3, 4]) {
  test(`random changes of names do what the model does, and replay into the same state (seed ${seed})`, async () => {
    const random = seeded(seed)
    const model = new Model()
    const bench = await openBench({ segmentLimits: { segmentBytes: 4000, heldBytes: 1e9, keptBytes: 1e9, keptFiles: 1e6 } })
    const path = (): string => Array.from({ length: 1 + random.below(3) }, () => `/${'abcd'[random.below(4)]}`).join('')
    for (let round = 0; round < 150; round++) {
      // Several at once: a group must behave like the operations one after the other.
      const work = Array.from({ length: 1 + random.below(5) }, () => {
        const a = path()
        const b = path()
        const flag = random.below(2) === 0
        switch (random.below(7)) {
          case 0: case 1: return { want: model.mkdir(a), got: bench.do(mkdir, { path: a }) }
          case 2: return { want: model.touch(a), got: bench.do(touch, { path: a, replication: 3, blockBytes: 4096 }) }
          case 3: return { want: model.rm(a, flag), got: bench.do(remove, { path: a, recursive: flag }) }
          case 4: return { want: model.mv(a, b, flag), got: bench.do(rename, { from: a, to: b, overwrite: flag }) }
          case 5: {
            const entries = [listed[flag ? 0 : 1]]
            return { want: model.acl(a, flag), got: bench.do(setAcl, { path: a, kind: 'modify', entries }) }
          }
          default: return { want: 'ok', got: bench.journal.submit(sweep, { limit: 1 + random.below(5) }) }
        }
      })
      const got = (await Promise.allSettled(work.map(each => each.got))).map(each =>
        each.status === 'fulfilled' ? 'ok' : (each.reason as { code: string }).code,
      )
      expect(got, `round ${round}`).toEqual(work.map(each => each.want))
      expect(lines(bench.journal.view), `round ${round}`).toEqual(model.lines())
      expect(differencesIn(bench), `round ${round}`).toEqual([])
    }
    for (let more = true; more;) more = (await bench.journal.submit(sweep, { limit: 100 })).more
    const files = model.lines().filter(line => !line.endsWith('/')).length
    expect(bench.journal.view.counters).toMatchObject({ files, directories: model.lines().length - files + 4, doomed: 0, blocks: 0 })
    await replayed(bench)
  })
}

test('a draft reads as if its edits were made, in every range', () => {
  const random = seeded(9)
  for (let round = 0; round < 200; round++) {
    const store = new MemoryStore()
    const view = new StoreView(store, emptyCounters(), new Memo(), () => {})
    const model = new Map<string, string>()
    const key = (): string => String.fromCodePoint(97 + random.below(10))
    store.transact(() => {
      for (let i = random.below(8); i > 0; i--) {
        const [k, v] = [key(), String(i)]
        model.set(k, v)
        store.table('meta').put(Buffer.from(k), seal(Buffer.from(k), Buffer.from(v)))
      }
    })
    const draft = new Draft(view)
    for (let i = random.below(8); i > 0; i--) {
      const k = key()
      if (random.below(2) === 0) {
        model.delete(k)
        draft.remove('meta', Buffer.from(k))
      } else {
        model.set(k, `n${i}`)
        draft.put('meta', Buffer.from(k), Buffer.from(`n${i}`))
      }
      expect(draft.get('meta', Buffer.from(k))?.toString()).toBe(model.get(k))
    }
    const [a, b] = [key(), key()].sort() as [string, string]
    const limit = random.below(6)
    const reverse = random.below(2) === 0
    const want = [...model].filter(([k]) => k >= a && k < b).sort(([x], [y]) => (x < y ? -1 : 1))
    if (reverse) want.reverse()
    const got = [...draft.range('meta', { start: Buffer.from(a), end: Buffer.from(b), limit, reverse })].map(row => [
      row.key.toString(), row.value.toString(),
    ])
    expect(got, `round ${round}`).toEqual(want.slice(0, limit))
  }
})
