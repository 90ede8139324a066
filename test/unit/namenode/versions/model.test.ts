// Random publishing, rollbacks, tags, renames, deletions, snapshots, changes of outputs and slow writers, compared with a plain model after
// every step:
// each version reads as the model says, what the namenode counts is what a recount finds, and at the end nothing is left over.

import { expect, test } from 'vitest'
import { readId } from '../../../../namenode/journal/keys.ts'
import { mkdir, remove, rename } from '../../../../namenode/namespace/names.ts'
import { list, stat } from '../../../../namenode/namespace/read.ts'
import { entryAt } from '../../../../namenode/namespace/resolve.ts'
import { createSnapshot, removeSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { items } from '../../../../namenode/trash/items.ts'
import { discard, purge, restore } from '../../../../namenode/trash/mutations.ts'
import { versionsOf } from '../../../../namenode/versions/lookup.ts'
import { expire, keepNewest, remove as removeVersion, rollback, setTag } from '../../../../namenode/versions/mutations.ts'
import { abandon, complete, create } from '../../../../namenode/writing/mutations.ts'
import type { BlockId, LeaseId } from '../../../../src/base/ids.ts'
import type { Random } from '../../../../src/ports/random.ts'
import { seeded } from '../../../../src/world/random.ts'
import { published, type Opened } from '../jobs/publish/publishkit.ts'
import { mapOnly, open, write } from '../jobs/store/storekit.ts'
import { differencesIn, limitUsage, replayed, root, sweepAll } from '../kit.ts'

const keep = 3

/** A directory that a job has published. `changes`: number of times that its names were changed. */
interface Directory { files: Map<string, number>; changes: number }
/** `frozen`: contents, and number of changes, when a rollback gave the directory another number. */
interface Version { number: number; directory: Directory; frozen?: { files: Map<string, number>; changes: number }; tag?: string }
/** The newest version comes first. */
type Output = Version[]

/** A file that is being written. */
interface OpenFile { name: string; directory: Directory; lease: LeaseId; block: BlockId }

class Model {
  /** By directory and name of the snapshot: outputs, versions, contents. */
  readonly snapshots = new Map<string, ReturnType<Model['snapshot']>>()
  readonly open: OpenFile[] = []
  readonly outputs = new Map<string, Output>()
  readonly trash = new Map<string, Output>()

  publish(path: string, files: Map<string, number>): void {
    const output = this.outputs.get(path) ?? []
    output.unshift({ number: (output[0]?.number ?? 0) + 1, directory: { files, changes: 0 } })
    this.outputs.set(path, output)
    this.free(output, keep)
  }

  /** The version that becomes the head; undefined if that is refused. */
  rollback(path: string, to: number | undefined): Version | undefined {
    const output = this.outputs.get(path)!
    const target = to === undefined ? output[1] : output.find(each => each.number === to)
    if (!target || target.directory === output[0]!.directory) return undefined
    if (target.frozen && target.frozen.changes !== target.directory.changes) return undefined
    const { directory } = target
    for (const each of output)
      if (each.directory === directory) each.frozen ??= { files: new Map(directory.files), changes: directory.changes }
    output.unshift({ number: output[0]!.number + 1, directory })
    this.free(output, keep)
    return target
  }

  free(output: Output, count: number): void {
    const rest = output.slice(1).filter(({ tag }) => tag === undefined).slice(count)
    // One operation frees five.
    for (const each of rest.slice(-5)) output.splice(output.indexOf(each), 1)
  }

  expire(): void {
    for (const output of [...this.outputs.values(), ...this.trash.values()])
      output.splice(0, Infinity, ...output.filter(({ tag }, i) => i === 0 || tag !== undefined))
  }

  change(path: string, change: (files: Map<string, number>) => void): void { this.changeIn(this.outputs.get(path)![0]!.directory, change) }

  changeIn(directory: Directory, change: (files: Map<string, number>) => void): void {
    change(directory.files)
    directory.changes++
  }

  /** Outputs below a directory, and their versions, as they are. */
  snapshot(directory: string): Map<string, Map<number, Map<string, number>>> {
    const found = new Map<string, Map<number, Map<string, number>>>()
    const above = directory === '/' ? '/' : `${directory}/`
    for (const [path, output] of this.outputs) {
      if (!path.startsWith(above)) continue
      const versions = output.map(({ number, directory: at, frozen }) => [number, new Map((frozen ?? at).files)] as const)
      found.set(path.slice(above.length), new Map(versions))
    }
    return found
  }

  isHead = (directory: Directory): boolean => [...this.outputs.values()].some(output => output[0]!.directory === directory)

  /**
   * Files with blocks in a directory of some version, or in a view of it. What was added to a directory after a view stays as long as the
   * directory, also if the number under which it was read was freed.
   */
  files(): Set<number> {
    const found = new Set<number>()
    for (const output of [...this.outputs.values(), ...this.trash.values()])
      for (const { directory, frozen } of output)
        for (const [name, id] of [...directory.files, ...frozen?.files ?? []]) if (name !== '_SUCCESS') found.add(id)
    return found
  }
}

const namesIn = ({ bench }: Opened, path: string): Map<string, number> =>
  new Map(list(bench.journal.view, root, { path }).entries.map(({ path: at, id }) => [at.slice(at.lastIndexOf('/') + 1), id]))

function compare(opened: Opened, model: Model): void {
  const { view } = opened.bench.journal
  for (const [path, output] of model.outputs) {
    const found = versionsOf(view, entryAt(view, root, path))
    expect(found.map(({ number, isHead }) => [number.number, number.tag, isHead]))
      .toEqual(output.map(({ number, tag }, i) => [number, tag, i === 0]))
    for (const { number, directory, frozen } of output) expect(namesIn(opened, `${path}@${number}`)).toEqual((frozen ?? directory).files)
    expect(namesIn(opened, path)).toEqual(output[0]!.directory.files)
  }
  for (const [key, outputs] of model.snapshots) {
    const [directory, name] = key.split(':') as [string, string]
    for (const [output, versions] of outputs) {
      const path = `${directory === '/' ? '' : directory}/.snapshot/${name}/${output}`
      const newest = Math.max(...versions.keys())
      expect(stat(view, root, path).version).toBe(newest)
      expect(namesIn(opened, path)).toEqual(versions.get(newest))
      for (let number = 1; number < newest + 3; number++) {
        const files = versions.get(number)
        if (files) expect(namesIn(opened, `${path}@${number}`)).toEqual(files)
        else expect(() => stat(view, root, `${path}@${number}`)).toThrow(expect.objectContaining({ code: 'ENOENT' }))
      }
    }
  }
  expect(differencesIn(opened.bench)).toEqual([])
}

const filesWithBlocks = ({ bench }: Opened): number[] =>
  [...bench.journal.view.range('files', {})].map(({ key }) => readId(key)).sort((a, b) => a - b)

const places = ['/a/x', '/a/y', '/b/x', '/top']

async function step(opened: Opened, model: Model, random: Random, count: number): Promise<string> {
  const { bench } = opened
  const { view } = bench.journal
  const pick = <T>(from: readonly T[]): T | undefined => from[random.below(Math.max(1, from.length))]
  const path = pick(places)!
  const output = model.outputs.get(path)
  const snapshots = new Set(model.snapshots.keys())
  switch (random.below(20)) {
    case 0: case 1: case 2: case 3:
      await published(opened, mapOnly(path, output !== undefined, { force: true }))
      model.publish(path, namesIn(opened, path))
      return `publish ${path}`
    case 4: case 5: case 6: {
      if (!output) return ''
      const to = random.below(3) === 0 ? undefined : pick(output)!.number
      const expected = model.rollback(path, to)
      const done = bench.do(rollback, { path, ...to !== undefined && { to: String(to) }, keep, replacedMs: 0 })
      if (expected) expect((await done).from).toBe(expected.number)
      else await expect(done).rejects.toMatchObject({ code: 'EINVAL' })
      return `roll ${path} back to ${to}`
    }
    case 7: {
      const to = pick(places)!
      if (!output || model.outputs.has(to)) return ''
      await bench.do(rename, { from: path, to })
      model.outputs.delete(path)
      model.outputs.set(to, output)
      return `rename ${path} to ${to}`
    }
    case 8: {
      if (!output) return ''
      const name = await bench.do(discard, { path, recursive: true })
      model.outputs.delete(path)
      model.trash.set(name, output)
      return `discard ${path}`
    }
    case 9: {
      const item = pick([...model.trash.keys()])
      if (item === undefined || output) return ''
      await bench.do(restore, { item, to: path })
      model.outputs.set(path, model.trash.get(item)!)
      model.trash.delete(item)
      return `restore ${path}`
    }
    case 10: {
      if (!output) return ''
      const removed = random.below(2) === 0 ? pick([...output[0]!.directory.files.keys()]) : undefined
      if (removed === undefined) {
        const { inode } = await write(bench, `${path}/extra-${count}`)
        model.change(path, files => files.set(`extra-${count}`, inode))
      } else {
        await bench.do(remove, { path: `${path}/${removed}` })
        model.change(path, files => files.delete(removed))
      }
      return `change ${path}`
    }
    case 11: {
      if (!output) return ''
      const version = pick(output)!
      const tag = version.tag === undefined ? `t${count}` : undefined
      await bench.do(setTag, { path, version: String(version.number), ...tag !== undefined && { tag } })
      if (tag === undefined) delete version.tag
      else version.tag = tag
      return `tag ${path}@${version.number}`
    }
    case 12: {
      const directory = pick(['/a', '/b', '/'])!
      const name = `${directory}:${count}`
      if (snapshots.size > 2) {
        const [oldest] = snapshots
        await bench.do(removeSnapshot, { path: oldest!.split(':')[0]!, name: oldest!.split(':')[1]! })
        model.snapshots.delete(oldest!)
      } else {
        await bench.do(createSnapshot, { path: directory, name: String(count) })
        model.snapshots.set(name, model.snapshot(directory))
      }
      return `snapshot ${name}`
    }
    case 13: {
      if (!output) return ''
      const name = `slow-${count}`
      const { lease, blocks } = await bench.do(create, { path: `${path}/${name}`, replication: 1, blockBytes: 4096, blocks: 1 })
      model.open.push({ name, directory: output[0]!.directory, lease, block: blocks[0]! })
      return `open ${path}/${name}`
    }
    case 14: case 15: return endWrite(opened, model, random.below(4) === 0)
    case 16:
      if (!output) return ''
      await bench.do(remove, { path, recursive: true })
      model.outputs.delete(path)
      return `remove ${path}`
    case 17:
      if (random.below(3) > 0) return ''
      while (await bench.journal.submit(expire, { beforeMs: Number.MAX_SAFE_INTEGER }));
      model.expire()
      return 'expire all'
    case 18: {
      if (!output) return ''
      const version = pick(output)!
      const done = bench.do(removeVersion, { path, version: String(version.number) })
      if (version === output[0] || version.tag !== undefined) await expect(done).rejects.toMatchObject({ code: 'EINVAL' })
      else {
        await done
        output.splice(output.indexOf(version), 1)
      }
      return `free ${path}@${version.number}`
    }
    default: {
      if (!output) return ''
      await bench.do(keepNewest, { path, keep: 1 })
      model.free(output, 1)
      if (view.counters.doomed > 0) await sweepAll(bench, 3)
      return `keep one of ${path}`
    }
  }
}

/** Completes or abandons the oldest open file. */
async function endWrite({ bench }: Opened, model: Model, gaveUp: boolean): Promise<string> {
  const file = model.open.shift()
  if (!file) return ''
  const { name, directory, lease, block } = file
  const done = gaveUp ? undefined : bench.do(complete, { lease, blocks: [{ id: block, length: 5, crc: 1, aligned: true }] })
  if (done && model.isHead(directory)) {
    const { status } = await done
    model.changeIn(directory, files => files.set(name, status.id))
    return `complete ${name}`
  }
  // Its directory is a version now, or in the trash, or was freed.
  if (done) await expect(done).rejects.toMatchObject({ code: 'ENOENT' })
  await bench.do(abandon, { lease })
  return `abandon ${name}`
}

test.each([1, 2, 3, 114, 361])('random histories of outputs read as a plain model says (seed %i)', async seed => {
  const random = seeded(seed)
  const opened = await open(undefined, { versions: keep })
  const { bench } = opened
  const { view } = bench.journal
  for (const path of ['/a', '/b']) await bench.do(mkdir, { path, mode: 0o1777 })
  await limitUsage(bench, '/a', { names: 1_000_000 })
  const model = new Model()
  const steps: string[] = []
  try {
    for (let i = 0; i < 120; i++) {
      const done = await step(opened, model, random, i)
      if (done === '') continue
      steps.push(done)
      compare(opened, model)
    }
    while (model.open.length > 0) await endWrite(opened, model, true)
    for (const name of model.snapshots.keys()) await bench.do(removeSnapshot, { path: name.split(':')[0]!, name: name.split(':')[1]! })
    await sweepAll(bench, 5)
    // Frozen versions keep files that were removed from the head.
    expect(filesWithBlocks(opened)).toEqual([...model.files()].sort((a, b) => a - b))
    for (const path of model.outputs.keys()) await bench.do(remove, { path, recursive: true })
    await bench.journal.submit(purge, { beforeMs: Number.MAX_SAFE_INTEGER, limit: 1000 })
    await sweepAll(bench, 5)
    expect([...items(view, {})]).toEqual([])
    expect(view.counters).toMatchObject({ versions: 0, expiries: 0, snapshots: 0, history: 0, blocks: 0, leases: 0 })
    await replayed(bench)
  } catch (error) {
    console.log(`seed ${seed}: ${steps.slice(-12).join('; ')}`)
    throw error
  }
})
