// Public module `gristmill/testing`: test clusters in which each kind of failure can be caused with one line. See
// docs/guide/testing.md.

import type { Ability, Cluster as ClusterContract, StartOptions } from './contract.ts'
import { checkOptions } from './options.ts'

export type * from './contract.ts'
export { misbehaving, type Misbehaviour, type MisbehavingProgram } from './misbehave.ts'
export { failpoints, type Failpoint } from '../../src/base/failpointnames.ts'

/** A started test cluster. `await using` ends and removes it, also after a failure. */
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
   * Throws EINVAL for unknown options and invalid values.
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

  /** Checks, by a trial, that process clusters with `powerCuts` can be started on this machine. If not, `why` gives the reason. */
  async canCutPower(): Promise<Ability> {
    const { canCutPower } = await import('./process/volume.ts')
    return canCutPower()
  },
}
