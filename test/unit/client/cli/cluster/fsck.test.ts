// Lines of `gristmill fsck --locations`: within the width of a terminal, and one for each block in a pipe.

import { expect, test } from 'vitest'
import { blockId } from '../../../../../src/base/ids.ts'
import { Recorder } from '../recorder.ts'
import { runFake } from '../fake.ts'

class Checked extends Recorder {
  override async *fsck(): AsyncGenerator<object> {
    const nodes = [1, 2, 3].map(n => ({ address: `datanode-${n}.example.org:8621`, rack: `/rack-${n}` }))
    yield {
      counts: {
        files: 1, directories: 0, blocks: 1, bytes: 9, replicas: 3, missing: 0, corrupt: 0, under: 0, over: 0, misplaced: 0, unread: 0,
      },
      files: [{
        path: '/a', length: 9, blocks: 1, replication: 3,
        found: [{ block: blockId(7), length: 9, health: 'healthy', live: 3, target: 3, nodes }],
      }],
    }
  }
}

test('fsck --locations fits the terminal: the places of a block are below it where its line has no room for them', async () => {
  const given = { clock: { sleep: async () => {} } }
  const words = ['fsck', '--files', '--blocks', '--locations', '/a']
  const places = [1, 2, 3].map(n => `/rack-${n}/datanode-${n}.example.org:8621`)
  const { out } = await runFake(new Checked({ '/a': 'x' }), words, { ...given, terminal: { columns: 80 } })
  const lines = out.split('\n')
  expect(Math.max(...lines.map(line => line.length))).toBeLessThanOrEqual(80)
  const at = lines.findIndex(line => line.includes('healthy (3 of 3)'))
  expect(lines.slice(at + 1, at + 3)).toEqual([`      ${places.slice(0, 2).join(' ')}`, `      ${places[2]}`])
  const wide = `healthy (3 of 3)  ${places.join(' ')}\n`
  expect((await runFake(new Checked({ '/a': 'x' }), words, { ...given, terminal: { columns: 200 } })).out).toContain(wide)
  expect((await runFake(new Checked({ '/a': 'x' }), words, given)).out).toContain(wide)
})
