// What `import { Cluster } from 'gristmill/testing'` gives: clusters whose every failure a test can cause with a line. See
// docs/guide/testing.md.

import type { Ability, Cluster as ClusterContract, StartOptions } from './contract.ts'
import { checkOptions } from './options.ts'

export type * from './contract.ts'
export { misbehaving, type Misbehaviour, type MisbehavingProgram } from './misbehave.ts'
export { failpoints, type Failpoint } from '../../src/base/failpoints.ts'

/** A cluster in the hand of a test. `await using` ends and removes it, also after a failure. */
export type Cluster = ClusterContract

export const Cluster = {
  /**
   * Starts a cluster and waits until it serves: real processes, sockets and disks (`mode: 'process'`, the default), or everything in
   * this process on virtual time, from a seed (`mode: 'sim'`).
   *
   *     await using cluster = await Cluster.start({ datanodes: 3 })
   *     await cluster.mill.writeFile('/hello.txt', 'hello\n')
   *     await cluster.datanodes[0].kill()
   *
   * Throws EINVAL for options that do not exist or cannot be.
   */
  async start(options: StartOptions = {}): Promise<Cluster> {
    checkOptions(options)
    if (options.mode === 'sim') {
      const { startSim } = await import('./sim/cluster.ts')
      return startSim(options)
    }
    const { ProcessCluster } = await import('./process/cluster.ts')
    return ProcessCluster.start(options)
  },

  /**
   * Whether clusters of processes can be started with `powerCuts` on this machine; tried out, not guessed. If not, `why` says so in words.
   */
  async canCutPower(): Promise<Ability> {
    const { canCutPower } = await import('./process/volume.ts')
    return canCutPower()
  },
}
