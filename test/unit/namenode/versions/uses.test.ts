// Versions found by inode: those whose jobs have read a directory, and the present path of an output whose version a directory is.

import { expect, test } from 'vitest'
import { rename, setAttributes } from '../../../../namenode/namespace/names.ts'
import { entryAt } from '../../../../namenode/namespace/resolve.ts'
import { keepNewest, rollback } from '../../../../namenode/versions/mutations.ts'
import { outputNow, uses } from '../../../../namenode/versions/uses.ts'
import { ann, published } from '../jobs/publish/publishkit.ts'
import { mapOnly, open } from '../jobs/store/storekit.ts'
import { as, root, sweepAll } from '../kit.ts'

const opened = () => open(undefined, { versions: 10 })

test('the output of a version is found by the inode of its directory, after it was replaced, renamed and followed by another output', async () => {
  const each = await opened()
  const { bench } = each
  const { view } = bench.journal
  await published(each, mapOnly('/out'))
  const { id } = entryAt(view, root, '/out')
  expect(outputNow(view, ann, { path: '/out', id })).toBe('/out')
  await published(each, mapOnly('/out', true))
  expect(outputNow(view, ann, { path: '/out', id })).toBe('/out')
  await bench.do(rename, { from: '/out', to: '/old', ...ann })
  await published(each, mapOnly('/out'))
  expect(outputNow(view, ann, { path: '/out', id })).toBe('/old')
  // A directory that is no version, a caller who may not read the output, and a version that was freed.
  const none = { code: 'ENOENT', message: `no version that you may read is the directory with inode ${id}, which was a version of /out` }
  expect(() => outputNow(view, ann, { path: '/', id: entryAt(view, root, '/').id })).toThrow(expect.objectContaining({ code: 'ENOENT' }))
  await bench.do(setAttributes, { path: '/old', mode: 0o700, ...ann })
  expect(() => outputNow(view, as('eve'), { path: '/out', id })).toThrow(expect.objectContaining(none))
  await bench.do(keepNewest, { path: '/old', keep: 0, ...ann })
  await sweepAll(bench)
  expect(() => outputNow(view, ann, { path: '/out', id })).toThrow(expect.objectContaining(none))
})

test('a directory that is several versions after a rollback is a use under each of its numbers', async () => {
  const each = await opened()
  const { bench } = each
  const { view } = bench.journal
  await published(each, mapOnly('/in'))
  const { id } = entryAt(view, root, '/in')
  const pins = [{ path: '/in', files: 1, bytes: 5, digest: 'd', outputs: [{ path: '/in', id, version: 1 }] }]
  await published(each, mapOnly('/out', false, { origin: { key: 'k', options: {}, pins } }))
  await published(each, mapOnly('/out', true))
  await bench.do(rollback, { path: '/out', keep: 10, replacedMs: 0, ...ann })
  const found = uses(view, ann, { ids: new Set([id]) }).uses
  expect(found.map(({ path, version: { number } }) => `${path}@${number}`)).toEqual(['/out@3', '/out@1'])
})

test('versions are found by the run of the program that has published them', async () => {
  const each = await opened()
  const { view } = each.bench.journal
  for (const [step, id] of [[1, 'r1'], [2, 'r1'], [1, 'r2']] as const)
    await published(each, mapOnly(`/${id}-${step}`, false, { origin: { key: 'k', options: {}, pins: [], run: { id, step, nowMs: 1 } } }))
  const of = (run: string) => uses(view, ann, { ids: new Set(), run }).uses.map(({ path }) => path)
  expect([of('r1'), of('r2'), of('r3')]).toEqual([['/r1-1', '/r1-2'], ['/r2-1'], []])
})
