// Refusals of power cuts by the test kit, in process and as a process without root: the message gives the reason and the way on.

import { execFile } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { seeded } from '../../../../src/world/random.ts'
import { ProcessNode } from '../../../kit/process/node.ts'
import { Links } from '../../../kit/process/links.ts'
import { Proxy } from '../../../kit/process/proxy.ts'
import { root } from '../../../tidy/source.ts'

const exec = promisify(execFile)

test('the power of a cluster that was not started with powerCuts cannot be cut, and the error says what to do', async () => {
  const proxy = await Proxy.open({ name: 'namenode', links: new Links(), random: seeded('proxy'), partyOf: who => who })
  const node = new ProcessNode('namenode', {
    name: 'namenode', dirs: ['nowhere'], args: [], env: {}, proxy, random: seeded('node'), volumes: [],
  })
  await expect(node.powerCut()).rejects.toThrow('the power of namenode cannot be cut: the cluster was started without `powerCuts: true`')
  await proxy.close()
})

test('on a machine without power cuts a cluster with powerCuts does not start, and the message gives the reason', async () => {
  const kit = pathToFileURL(join(root, 'test/kit/index.ts')).href
  // As for a user other than root: no trial is made. On other systems than Linux the user is not even checked.
  const script = `process.getuid = () => 1000
    const { Cluster } = await import('${kit}')
    console.log(JSON.stringify(await Cluster.canCutPower()))
    await Cluster.start({ powerCuts: true }).catch(error => console.log(error.message))`
  const { stdout } = await exec(process.execPath, ['--input-type=module', '-e', script])
  const [ability, message] = stdout.trim().split('\n')
  expect(JSON.parse(ability!)).toEqual({ can: false, why: expect.stringMatching(/root only|Linux only/) })
  expect(message).toMatch(
    /^the power of this cluster could not be cut: (?:file systems are mounted by root only|this is ).*`powerCuts`.*mode 'sim'/,
  )
})
