// Pages of keys against a model: all keys in an array, sorted by their bytes. Random keys share prefixes, have parts that are no names, and
// characters around the slash; pages start anywhere.

import { expect, test, vi } from 'vitest'
import { actors } from '../../../../namenode/journal/actors.ts'
import { objectRoutes } from '../../../../namenode/objects/routes.ts'
import { remove } from '../../../../namenode/objects/removal.ts'
import { mkdir } from '../../../../namenode/namespace/names.ts'
import { createSnapshot } from '../../../../namenode/snapshots/mutations.ts'
import { setAttribute } from '../../../../namenode/xattrs/mutations.ts'
import type { ReplyOf, RequestOf } from '../../../../src/protocol/message.ts'
import { list } from '../../../../src/protocol/object.ts'
import { compareKeys } from '../../../../src/protocol/objectkey.ts'
import { seeded } from '../../../../src/world/random.ts'
import type { Bench } from '../kit.ts'
import { bucket, openObjects, pathOfKey, put } from './kit.ts'

type Page = ReplyOf<typeof list>

function lister({ journal, clock }: Bench) {
  const routes = objectRoutes({ journal, clock, actor: actors('grace') } as never)
  const { handler } = routes.find(each => each.message.name === list.name)!
  return (request: Partial<RequestOf<typeof list>> = {}, user = 'grace') =>
    handler({ path: bucket, prefix: '', limit: 1000, attributes: ['user.s3.etag'], ...request } as never, { user } as never) as Page
}

/** All pages; checks that each is full but the last one. */
function all(ask: ReturnType<typeof lister>, request: Partial<RequestOf<typeof list>>): string[] {
  const seen: string[] = []
  for (let after = request.after, pages = 0; ; pages++) {
    const page = ask({ ...request, ...after !== undefined && { after } })
    seen.push(...page.entries.map(({ key, rolled }) => (rolled ? `${key} *` : key)))
    if (page.next === undefined) return seen
    expect(page.entries).toHaveLength(request.limit!)
    expect(pages).toBeLessThan(10_000)
    after = page.next
  }
}

interface Asked { readonly prefix: string; readonly delimiter?: string; readonly after?: string }

function modelled(keys: readonly string[], { prefix, delimiter, after }: Asked): string[] {
  const seen = new Set<string>()
  for (const key of keys) {
    if (!key.startsWith(prefix)) continue
    const end = delimiter === undefined ? -1 : key.indexOf(delimiter, prefix.length)
    const common = end < 0 ? undefined : key.slice(0, end + delimiter!.length)
    if (after !== undefined && (compareKeys(key, after) <= 0 || common === after)) continue
    seen.add(common === undefined ? key : `${common} *`)
  }
  return [...seen]
}

const letters = ['a', 'b', '-', '.', '/', '/', '0', '!', 'é', '\u{1f33e}', '\uff5e', '%']

test.each([1, 2, 3, 4])('pages of random keys are those of the model (seed %i)', async seed => {
  const random = seeded(seed)
  const text = (max: number): string => Array.from({ length: 1 + random.below(max) }, () => letters[random.below(letters.length)]).join('')
  const bench = await openObjects()
  const keys: string[] = []
  for (let i = 0; i < 80; i++) {
    const key = text(8)
    if (key.endsWith('/')) continue
    try {
      await put(bench, pathOfKey(key))
      if (!keys.includes(key)) keys.push(key)
    } catch (error) {
      // `a` and `a/b` are not both possible.
      expect(['ENOTDIR', 'EISDIR']).toContain((error as { code: string }).code)
    }
  }
  keys.sort(compareKeys)
  expect(keys).toEqual([...keys].sort((a, b) => Buffer.from(a).compare(Buffer.from(b))))
  const ask = lister(bench)
  for (let i = 0; i < 300; i++) {
    const some = keys[random.below(keys.length)]!
    const prefix = random.below(3) === 0 ? '' : some.slice(0, random.below(some.length + 1))
    const delimiter = [undefined, '/', '/', '-', 'a/'][random.below(5)]
    const near = keys[random.below(keys.length)]!
    const after = [undefined, near, near.slice(0, random.below(near.length + 1)), `${near}${text(2)}`, text(3)][random.below(5)]
    if (!prefix.isWellFormed() || after?.isWellFormed() === false) continue
    const asked = { prefix, ...delimiter && { delimiter }, ...after && { after } }
    const wanted = modelled(keys, asked)
    expect(all(ask, { ...asked, limit: 1 + random.below(5) }), JSON.stringify(asked)).toEqual(wanted)
  }
})

test.each([1, 2, 3, 4])('pages below .snapshot are those of the model of then, whatever has changed since (seed %i)', async seed => {
  const random = seeded(seed)
  const text = (max: number): string => Array.from({ length: 1 + random.below(max) }, () => letters[random.below(letters.length)]).join('')
  const bench = await openObjects()
  let keys: string[] = []
  const change = async (): Promise<void> => {
    for (let i = 0; i < 40; i++) {
      const key = keys.length > 0 && random.below(3) === 0 ? keys[random.below(keys.length)]! : text(6)
      if (key.endsWith('/')) continue
      try {
        if (keys.includes(key) && random.below(2) === 0) {
          await bench.do(remove, { path: pathOfKey(key), keep: bucket, directory: false })
          keys = keys.filter(each => each !== key)
        } else {
          await put(bench, pathOfKey(key))
          if (!keys.includes(key)) keys.push(key)
        }
      } catch (error) {
        expect(['ENOTDIR', 'EISDIR']).toContain((error as { code: string }).code)
      }
    }
  }
  const then = new Map<string, readonly string[]>()
  for (const name of ['s1', 's2', 's3']) {
    await change()
    await bench.do(createSnapshot, { path: bucket, name, keepsEntry: true })
    then.set(name, keys.toSorted(compareKeys))
  }
  await change()
  const ask = lister(bench)
  for (let i = 0; i < 200; i++) {
    const name = `s${1 + random.below(3)}`
    const [above, known] = [`.snapshot/${name}/`, then.get(name)!.map(key => `.snapshot/${name}/${key}`)]
    const some = known[random.below(known.length)]!
    const prefix = some.slice(0, above.length + random.below(some.length - above.length + 1))
    const delimiter = [undefined, '/', '/', '-'][random.below(4)]
    const near = known[random.below(known.length)]!
    const after = [undefined, near, near.slice(0, random.below(near.length + 1)), `${above}${text(3)}`][random.below(4)]
    if (!prefix.isWellFormed() || after?.isWellFormed() === false) continue
    const asked = { prefix, ...delimiter && { delimiter }, ...after && { after } }
    // Directories that hold no key any more are keys themselves: removing the last key removed them.
    expect(all(ask, { ...asked, limit: 1 + random.below(5) }), JSON.stringify(asked)).toEqual(modelled(known, asked))
  }
  const everything = ['s1', 's2', 's3'].flatMap(name => then.get(name)!.map(key => `.snapshot/${name}/${key}`))
  expect(all(ask, { prefix: '.snapshot/', limit: 7 })).toEqual(everything)
})

test('an empty directory is a key with a slash at the end, and so is one that was stored as a key', async () => {
  const bench = await openObjects()
  for (const path of ['/empty', '/full', '/stored']) await bench.do(mkdir, { path: `${bucket}${path}`, parents: true })
  await put(bench, `${bucket}/full/f`)
  await put(bench, `${bucket}/stored/f`)
  await bench.do(setAttribute, { path: `${bucket}/stored`, name: 'user.s3.etag', value: Buffer.from('x 0').toString('base64') })
  const ask = lister(bench)
  expect(all(ask, { limit: 1 })).toEqual(['empty/', 'full/f', 'stored/', 'stored/f'])
  expect(all(ask, { limit: 1, delimiter: '/' })).toEqual(['empty/ *', 'full/ *', 'stored/ *'])
  expect(all(ask, { limit: 1, delimiter: '/', prefix: 'stored/' })).toEqual(['stored/', 'stored/f'])
  expect(all(ask, { limit: 1, delimiter: '/', prefix: 'empty/' })).toEqual(['empty/'])
  expect(all(ask, { limit: 1, delimiter: '/', prefix: 'full/' })).toEqual(['full/f'])
  expect(all(ask, { limit: 5, prefix: 'none/' })).toEqual([])
  expect(all(ask, { limit: 5, prefix: 'full/f/' })).toEqual([])
  expect(ask().entries.find(({ key }) => key === 'stored/')?.attributes).toEqual([{ name: 'user.s3.etag', value: 'eCAw' }])
})

test('the system\'s own directory is no key; a directory that the caller may not read is an error, not an omission', async () => {
  const bench = await openObjects()
  await put(bench, '/bucket/a')
  await bench.do(mkdir, { path: '/bucket/secret', mode: 0o700 })
  await put(bench, '/bucket/secret/f')
  const ask = lister(bench)
  expect(all(ask, { path: '/', limit: 7 })).toEqual(['bucket/a', 'bucket/secret/f'])
  expect(() => ask({}, 'ada')).toThrow(expect.objectContaining({ code: 'EACCES', details: { path: '/bucket/secret' } }))
  expect(ask({ delimiter: '/' }, 'ada').entries.map(({ key }) => key)).toEqual(['a', 'secret/'])
  expect(() => ask({ path: '/nothing' })).toThrow(expect.objectContaining({ code: 'ENOENT' }))
})

test('a page reads about as many entries as it returns, wherever it starts', async () => {
  const bench = await openObjects()
  for (let i = 0; i < 300; i++) await put(bench, `${bucket}/d${String(i % 10)}/f${String(i).padStart(4, '0')}`)
  const { view } = bench.journal
  const range = view.range.bind(view)
  let rows = 0
  vi.spyOn(view, 'range').mockImplementation(function* counted(...asked) {
    for (const row of range(...asked)) { rows++; yield row }
  })
  const ask = lister(bench)
  const page = ask({ limit: 10, after: 'd7/f0107' })
  expect(page.entries.map(({ key }) => key)[0]).toBe('d7/f0117')
  expect(rows).toBeLessThan(20)
})
