// Invalid options of the test kit are refused before anything is started, with an error that names the right option.

import { expect, test } from 'vitest'
import { Cluster } from '../../../kit/index.ts'
import { checkOptions } from '../../../kit/options.ts'

const refused: [unknown, RegExp][] = [
  [{ nodes: 3 }, /Cluster\.start has no option "nodes"; it has datanodes, racks/],
  [{ blockSize: '1MiB' }, /"blockSize" is a setting: write settings: \{ blockSize: … \}/],
  [3, /takes options, for instance \{ datanodes: 3 \}, and not 3/],
  [{ datanodes: -1 }, /datanodes is -1; it must be a whole number from 0 to 64/],
  [{ datanodes: 1.5 }, /datanodes is 1\.5/],
  [{ datanodes: '3' }, /datanodes is '3'/],
  [{ datanodes: 1000 }, /datanodes is 1000/],
  [{ disks: 0 }, /disks is 0; it must be a whole number from 1 to 16/],
  [{ seed: 'x' }, /seed is 'x'/],
  [{ mode: 'simulated' }, /mode is 'process' or 'sim', not 'simulated'/],
  [{ powerCuts: 1 }, /powerCuts is true or false, not 1/],
  [{ racks: 2 }, /racks is a list of racks' names, for instance \['\/left', '\/right'\], and not 2/],
  [{ racks: [''] }, /racks: "" is not/],
  [{ settings: { blocksize: '1MiB' } }, /settings: there is no setting "blocksize"; .* blockSize/],
  [{ settings: { blockSize: 'banana' } }, /settings: blockSize: "banana" is not a size; write for instance 128MiB/],
  [{ settings: { slots: 4 } }, /settings: slots takes texts, as the command line does: write '4' and not 4/],
  [{ settings: { port: '8620' } }, /settings: "port" is the test kit's own to set/],
  [{ settings: ['slots'] }, /settings are names and texts/],
  [{ datanodes: 2, nodeSettings: { 3: { slots: '1' } } }, /nodeSettings has 3, but datanodes are counted from 1 to 2/],
  [{ nodeSettings: { 0: { slots: '1' } } }, /counted from 1 to 3/],
  [{ nodeSettings: { 1: { slot: '1' } } }, /nodeSettings\[1\]: there is no setting "slot"/],
]

test.each(refused)('%j is refused with an explanation', async (options, message) => {
  const said = { code: 'EINVAL', message: expect.stringMatching(message) }
  expect(() => checkOptions(options as never)).toThrow(expect.objectContaining(said))
  await expect(Cluster.start(options as never)).rejects.toMatchObject(said)
})

test('valid options are accepted', () => {
  for (const fine of [
    {}, { datanodes: 0 },
    { mode: 'sim', seed: 7, disks: 2, racks: ['/a', '/b'] },
    { settings: { blockSize: '64KiB', nodeDead: '2s', profile: 'test-without-fsync' } },
    { datanodes: 2, nodeSettings: { 2: { slots: '4', rack: '/left' } } },
    { powerCuts: true },
  ])
    checkOptions(fine as never)
})
