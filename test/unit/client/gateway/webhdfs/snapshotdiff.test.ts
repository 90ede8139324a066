// Reports of differences between snapshots against the answers of HDFS 3.4.2 for the same changes: as one list, and in pages of three.

import { expect, test } from 'vitest'
import { gatherChanges, pageOf, reportOf } from '../../../../../client/gateway/webhdfs/snapshotdiff.ts'
import { differencesOf } from '../../files/trees.ts'

/** `x` was renamed to `z/y` after changes in it, `z/4` into it, `w` into the new directory `q`, and `ow` written again. */
const changes = () => gatherChanges(differencesOf(
  ['ow:10', 'w/:4', 'w/5:9', 'x/:1', 'x/1:5', 'x/2:6', 'x/in/:2', 'x/in/3:7', 'z/:3', 'z/4:8'],
  ['ow:13', 'q/:14', 'q/w/:4', 'q/w/5:9!', 'z/:3', 'z/y/:1', 'z/y/2:6!', 'z/y/new:11', 'z/y/in/:2', 'z/y/in/3:7', 'z/y/in/4:8',
    'z/y/in/deep:12'],
))

test('the report names everything by the older version', async () => {
  const lines = reportOf(await changes()).map(each => Object.values(each).join(' '))
  expect(lines).toEqual([
    'MODIFY ', 'CREATE ow', 'CREATE q', 'DELETE ow', 'RENAME w q/w', 'RENAME x z/y', 'MODIFY w/5', 'MODIFY x', 'CREATE x/new', 'DELETE x/1',
    'MODIFY x/2', 'MODIFY x/in', 'CREATE x/in/deep', 'MODIFY z', 'RENAME z/4 z/y/in/4',
  ])
})

test('a change of the directory itself is an entry with an empty path, once, also if there are others in it', async () => {
  const report = async (before: string[], after: string[]) => reportOf(await gatherChanges(differencesOf(before, after)))
  expect(await report(['/:0', 'a:1'], ['/:0!', 'a:1'])).toEqual([{ type: 'MODIFY', sourcePath: '' }])
  expect(await report(['/:0'], ['/:0+x', 'a:1'])).toEqual([{ type: 'MODIFY', sourcePath: '' }, { type: 'CREATE', sourcePath: 'a' }])
  const { modifyList } = pageOf(await gatherChanges(differencesOf(['/:0'], ['/:0!'])), { path: '', index: -1 }, 10)
  expect(modifyList).toEqual([{ dirId: 0, fileId: 0, isReference: true, sourcePath: '' }])
})

test('pages have the entries, the ids and the next start of HDFS, and together each entry once', async () => {
  const found = await changes()
  const pages: ReturnType<typeof pageOf>[] = []
  let start = { path: '', index: -1 }
  do {
    const page = pageOf(found, start, 3)
    pages.push(page)
    start = { path: page.lastPath, index: page.lastIndex }
  } while ((start.path !== '' || start.index !== -1) && pages.length < 10)
  const modified = (id: number, sourcePath: string, isReference = true) => ({ dirId: id, fileId: id, isReference, sourcePath })
  expect(pages.slice(0, 2)).toEqual([
    {
      modifyList: [modified(0, '')], deleteList: [], lastPath: '', lastIndex: 2,
      createList: [
        { dirId: 0, fileId: 13, isReference: false, sourcePath: 'ow' }, { dirId: 0, fileId: 14, isReference: false, sourcePath: 'q' },
      ],
    },
    {
      modifyList: [], createList: [], lastPath: 'w/5', lastIndex: -1,
      deleteList: [
        { dirId: 0, fileId: 10, isReference: false, sourcePath: 'ow' },
        { dirId: 0, fileId: 4, isReference: true, sourcePath: 'w', targetPath: 'q/w' },
        { dirId: 0, fileId: 1, isReference: true, sourcePath: 'x', targetPath: 'z/y' },
      ],
    },
  ])
  const all = <K extends 'modifyList' | 'createList' | 'deleteList'>(name: K) => pages.flatMap(page => page[name])
  expect(all('modifyList')).toEqual([
    modified(0, ''), modified(9, 'w/5', false), modified(1, 'x'), modified(6, 'x/2', false), modified(2, 'x/in'), modified(3, 'z'),
  ])
  expect(all('createList').slice(2)).toEqual([
    { dirId: 1, fileId: 11, isReference: false, sourcePath: 'x/new' }, { dirId: 2, fileId: 8, isReference: true, sourcePath: 'x/in/4' },
    { dirId: 2, fileId: 12, isReference: false, sourcePath: 'x/in/deep' }, { dirId: 3, fileId: 1, isReference: true, sourcePath: 'z/y' },
  ])
  expect(all('deleteList').slice(3)).toEqual([
    { dirId: 1, fileId: 5, isReference: false, sourcePath: 'x/1' },
    { dirId: 3, fileId: 8, isReference: true, sourcePath: 'z/4', targetPath: 'z/y/in/4' },
  ])
  expect(pages.map(({ modifyList, createList, deleteList }) => modifyList.length + createList.length + deleteList.length))
    .toEqual([3, 3, 3, 3, 3, 2])
  // One page if they fit; a start that is no longer there goes on behind it.
  expect(pageOf(found, { path: '', index: -1 }, 17)).toMatchObject({ lastPath: '', lastIndex: -1 })
  expect(pageOf(found, { path: 'x/3', index: 4 }, 17).modifyList).toEqual([modified(2, 'x/in'), modified(3, 'z')])
})

test('a directory goes before its entries, and those before its sibling of a similar name', async () => {
  const found = await gatherChanges(differencesOf(['a/:1', 'a/f:2', 'a-b/:3', 'a-b/f:4'], ['a/:1!', 'a/f:2!', 'a-b/:3!', 'a-b/f:4!']))
  expect(found.map(({ path }) => path)).toEqual(['a', 'a/f', 'a-b', 'a-b/f'])
})
