// Lineage: a namenode's record of its past starts, beyond the list of the last ones.

import { expect, test } from 'vitest'
import { seenIn, seenName } from '../../../../namenode/succession/seen.ts'
import type { Draft } from '../../../../namenode/journal/draft.ts'
import { idKey } from '../../../../namenode/journal/keys.ts'
import { ancestorOf, earliestOf, endSeqOf, latestOf, noteAncestor, sumOf } from '../../../../namenode/succession/lineage.ts'
import { becameSure, started, startsOf } from '../../../../namenode/succession/starts.ts'
import { Succession } from '../../../../namenode/succession/succession.ts'
import { nodeId } from '../../../../src/base/ids.ts'
import { silent } from '../../../../src/ports/log.ts'
import type { Seen } from '../../../../src/protocol/position.ts'
import { systemRandom } from '../../../../src/world/random.ts'
import { openBench, type Bench } from '../kit.ts'

const dir = '/nn'
const n1 = nodeId('n1')
/** More than the list of the last starts holds, and more than one row of the lineage. */
const many = 300

/**
 * A directory whose namenodes had these incarnations, from epoch 2 on, and changed something in each. `lineage: false`: a version without
 * lineage.
 */
async function directory(
  incarnations: readonly string[],
  { lineage = true, bench }: { lineage?: boolean; bench?: Bench } = {},
): Promise<Bench> {
  const { journal } = (bench ??= await openBench())
  for (const incarnation of incarnations) {
    await journal.submit(started, { incarnation, nowMs: 1, ...(lineage && { lineage }) })
    await journal.submit(becameSure, { nowMs: 1 })
  }
  return bench
}

interface Start { readonly succession: Succession; readonly behind: () => string | undefined; readonly sure: () => number }

async function start({ journal, clock, disk }: Bench, beside?: Seen): Promise<Start> {
  const world = { clock, disk, log: silent, random: systemRandom() }
  let sure = 0
  const succession = await (
    await Succession.begin({ world, journal, dir, beside })
  )({
    awake: clock, witnesses: [n1], hadNodes: true, nodeDeadMs: 1e9,
  })
  succession.listen({ sure: async () => { sure++ } })
  return { succession, behind: () => succession.behind?.message, sure: () => sure }
}

const epochOf = ({ journal }: Bench): number => journal.view.counters.epoch
const stale = (why: string): object => ({ code: 'STALE_EPOCH', message: expect.stringContaining(why) })

test.each<[string, Seen, string]>([
  ['in a later epoch', { epoch: 4, incarnation: 'c', seq: 9, nextBlock: 1 }, 'incarnation c'],
  ['later in the same epoch', { epoch: 3, incarnation: 'b', seq: 9, nextBlock: 1 }, 'operation 9 has happened'],
])(
  'an old copy is found out however often it was started before a datanode came that had seen another one %s, and stays so',
  async (_, seen, why) => {
    const copy = await directory(['a', 'b'])
    for (let starts = 0; starts < many; starts++) expect((await start(copy)).behind()).toBeUndefined()
    const found = await start(copy)
    await expect(found.succession.meet(n1, seen)).rejects.toMatchObject(stale(why))
    expect(await seenIn(copy.disk, dir)).toEqual(seen)
    const [epoch, { appliedSeq }] = [epochOf(copy), copy.journal.view.counters]
    for (let starts = 0; starts < 70; starts++) {
      const { behind, succession } = await start(copy)
      expect(behind()).toContain('namenode recover')
      await succession.look()
      await expect(succession.meet(n1, undefined)).rejects.toMatchObject({ code: 'STALE_EPOCH' })
    }
    // The start was refused, and the note is unchanged.
    expect([epochOf(copy), copy.journal.view.counters.appliedSeq]).toEqual([epoch, appliedSeq])
    expect(await seenIn(copy.disk, dir)).toEqual(seen)
  },
)

test('a datanode that was there in the last epoch in which anything changed is believed after any number of starts', async () => {
  const home = await directory(['a', 'b'])
  const { appliedSeq, nextBlock } = home.journal.view.counters
  for (let starts = 0; starts < many; starts++) await start(home)
  const { succession, sure } = await start(home, { epoch: 3, incarnation: 'b', seq: appliedSeq, nextBlock })
  expect(succession.doubt?.code).toBe('SAFE_MODE')
  await succession.meet(n1, { epoch: 3, incarnation: 'b', seq: appliedSeq, nextBlock })
  expect([succession.doubt, sure()]).toEqual([undefined, 1])
})

test('a state of a version without a lineage keeps what it knows of its last starts, and a datanode from before them is taken in', async () => {
  const names = Array.from({ length: 100 }, (_, i) => `i${i + 2}`)
  const old = await directory(names, { lineage: false })
  for (let starts = 0; starts < many; starts++) await start(old)
  const { view } = old.journal
  expect([earliestOf(view), latestOf(view)]).toEqual([38, 101 + many])
  await expect((await start(old)).succession.meet(n1, { epoch: 90, incarnation: 'x', seq: 1, nextBlock: 1 })).rejects.toMatchObject(
    stale('incarnation x'),
  )
  await old.disk.remove(`${dir}/${seenName}`)
  for (const seen of [{ epoch: 90, incarnation: 'i90', seq: 1, nextBlock: 1 }, { epoch: 20, incarnation: 'i20', seq: 1, nextBlock: 1 }]) {
    const { succession } = await start(old)
    await succession.meet(n1, seen)
    expect(succession.doubt).toBeUndefined()
  }
})

test('a datanode that has seen a namenode of which no start is noted is not taken in before an operator says so, or others know better', async () => {
  const gap = await directory(['a'])
  await directory(
    Array.from({ length: 100 }, (_, i) => `i${i + 3}`),
    { lineage: false, bench: gap },
  )
  const seen = { epoch: 20, incarnation: 'i20', seq: 1, nextBlock: 1 }
  const { succession, behind, sure } = await start(gap)
  for (let times = 0; times < 2; times++)
    await expect(succession.meet(n1, seen)).rejects.toMatchObject({
      code: 'SAFE_MODE', message: expect.stringMatching(/n1.* no record/), details: {},
    })
  expect([behind(), sure()]).toEqual([undefined, 0])
  succession.believe()
  await succession.look()
  await succession.meet(n1, seen)
  expect(sure()).toBe(1)
  // An embedded namenode has no other datanode to ask.
  expect((await start(gap, seen)).behind()).toContain('does not include the namenode of epoch 20')
})

test('a datanode beside the namenode is asked before the epoch is raised', async () => {
  const copy = await directory(['a', 'b'])
  const { epoch, appliedSeq, nextBlock } = copy.journal.view.counters
  const own = { epoch, incarnation: 'b', seq: appliedSeq, nextBlock }
  expect((await start(copy, own)).behind()).toBeUndefined()
  expect((await start(copy, { epoch: 0, seq: 0, nextBlock: 0 })).behind()).toBeUndefined()
  const raised = epochOf(copy)
  for (const seen of [
    { ...own, seq: appliedSeq + 9 }, { ...own, incarnation: 'c' }, { ...own, nextBlock: nextBlock + 1 }, { ...own, epoch: raised + 1 },
  ]) {
    const { behind, succession } = await start(copy, seen)
    expect(behind()).toContain('as the datanode beside it has seen')
    expect(succession.behind).toMatchObject({ code: 'SAFE_MODE', details: { final: true } })
    expect(await seenIn(copy.disk, dir)).toEqual(seen)
    expect(epochOf(copy)).toBe(raised)
    await copy.disk.remove(`${dir}/${seenName}`)
  }
  // A new cluster beside a datanode of another one: that datanode refuses it.
  expect((await start(await openBench(), own)).behind()).toBeUndefined()
})

test('a note goes only when the history shows what it says; one that cannot be read stays', async () => {
  const home = await directory(['a', 'b'])
  const { appliedSeq, nextBlock } = home.journal.view.counters
  const own = { epoch: 3, incarnation: 'b', seq: appliedSeq, nextBlock }
  for (const [text, goes] of [
    ['{"epoch"', false], ['{"epoch":1}', false],
    [JSON.stringify({ ...own, incarnation: 'a' }), false],
    [JSON.stringify(own), true],
  ] as const) {
    await home.disk.writeFileDurable(`${dir}/${seenName}`, Buffer.from(text))
    expect((await start(home)).behind() === undefined, text).toBe(goes)
    expect((await home.disk.stat(`${dir}/${seenName}`)) === undefined, text).toBe(goes)
  }
})

test('operations of versions that kept no lineage do what they did', async () => {
  const { journal: { view } } = await directory(['a', 'b'], { lineage: false })
  expect(startsOf(view).last).toMatchObject([{ epoch: 2, incarnation: 'a' }, { epoch: 3, incarnation: 'b' }])
  expect(earliestOf(view)).toBeUndefined()
})

test('the oldest row of a full lineage is dropped, and the state records it', () => {
  const prefix = Buffer.from('lineage')
  const rows: { key: Buffer; value: Buffer }[] = Array.from({ length: 1_024 }, (_, i) => ({
    key: Buffer.concat([prefix, idKey(1 + 256 * i)]), value: Buffer.alloc(2_560),
  }))
  const draft = {
    *range(
      _: string,
      { start, end, limit = Infinity, reverse = false }: { start: Buffer; end: Buffer; limit?: number; reverse?: boolean },
    ) {
      const found = rows.filter(({ key }) => key.compare(start) >= 0 && key.compare(end) < 0).sort((a, b) => a.key.compare(b.key))
      yield* (reverse ? found.reverse() : found).slice(0, limit)
    },
    put: (_: string, key: Buffer, value: Buffer) => {
      draft.remove(_, key)
      rows.push({ key, value })
    },
    remove: (_: string, key: Buffer) => {
      const at = rows.findIndex(row => row.key.equals(key))
      if (at >= 0) rows.splice(at, 1)
    },
  }
  const view = draft as unknown as Draft
  const next = 1_024 * 256 + 1
  expect(latestOf(view)).toBe(next - 1)
  expect(noteAncestor(view, { epoch: next, incarnation: 'x', seq: 2 ** 40 + 7 })).toBe(true)
  expect(noteAncestor(view, { epoch: next + 1, incarnation: 'y', seq: 2 ** 40 + 9 })).toBe(false)
  expect([rows.length, earliestOf(view), latestOf(view)]).toEqual([1_024, 257, next + 1])
  expect(ancestorOf(view, next)).toEqual({ sum: sumOf('x'), seq: 2 ** 40 + 7 })
  expect([endSeqOf(view, next), endSeqOf(view, next + 1), endSeqOf(view, next - 1)]).toEqual([2 ** 40 + 9, undefined, 2 ** 40 + 7])
  expect([ancestorOf(view, 256), ancestorOf(view, next + 2)]).toEqual([undefined, undefined])
})
