// `gristmill status`: processes and state of a cluster, from its namenode and from the file of `up`. Starts nothing. A cluster of
// `up` whose namenode does not answer is described by its processes.

import { GristmillError, hasCode } from '../../src/base/errors.ts'
import type { Settings } from '../../src/base/settings.ts'
import { loadSecrets } from '../../src/home/secret.ts'
import type { Machine } from '../../src/ports/machine.ts'
import type { World } from '../../src/ports/world.ts'
import { status, type ClusterStatus } from '../../src/protocol/admin.ts'
import { connectTo } from '../connect.ts'
import { endedNamenode, locate, type ClusterLocation } from '../discovery/locate.ts'
import { logDirectory } from '../discovery/remembered.ts'
import { isAlive, readOwner, type Running } from '../discovery/running.ts'

interface ProcessState {
  readonly role: 'namenode' | 'datanode' | 'gateway'
  readonly id: string
  readonly address: string
  readonly pid: number
  readonly dir: string
  /** `gone`: the process of `up` has ended. All other states of datanodes are the namenode's. */
  readonly state: 'live' | 'stale' | 'dead' | 'left' | 'away' | 'gone'
  /** A gateway that runs has a URL for each dialect, by its name. */
  readonly endpoints?: Readonly<Record<string, string>>
}

interface StatusReport {
  readonly kind: 'cluster' | 'embedded'
  /** Data directory of the embedded cluster, or of the cluster of `up` in this home. */
  readonly dir: string | undefined
  /** Log directory of the processes of `up`. */
  readonly logs?: string | undefined
  readonly processes: readonly ProcessState[]
  /** State reported by the namenode. undefined: no process runs, or the namenode does not answer. */
  readonly cluster: ClusterStatus | undefined
  /** Reason why the namenode does not answer although processes of its cluster run. */
  readonly failure?: GristmillError | undefined
}

interface StatusDeps {
  readonly settings: Settings
  readonly world: World
  readonly machine: Machine
  readonly signal: AbortSignal
}

/** Throws UNAVAILABLE if a cluster that was named explicitly, and is not of `up`, does not answer. */
export async function clusterStatus(options: StatusDeps): Promise<StatusReport> {
  const { settings, world, machine } = options
  const place = await locate({ disk: world.disk, machine }, settings)
  if (place.kind === 'stopped') return { kind: 'cluster', dir: place.dir, logs: logDirectory(place.dir), processes: [], cluster: undefined }
  const running = await runningAt(options, place)
  const dir = place.kind === 'embedded' ? place.dir : running?.dir
  const logs = place.kind === 'cluster' && dir !== undefined ? logDirectory(dir) : undefined
  if (place.kind === 'embedded' && !running) return { kind: 'embedded', dir, processes: [], cluster: undefined }
  const namenode = place.kind === 'cluster' ? place.namenode : running!.namenode
  try {
    const ended = place.kind === 'cluster' ? endedNamenode(machine, running, settings.cluster !== undefined) : undefined
    const secrets = await loadSecrets(world.disk, place.kind === 'cluster' ? place.secretFile : running!.secretFile)
    const { caller } = await connectTo(world, { namenode, ...secrets, user: settings.user ?? machine.user, signal: options.signal, ended })
    const found = await caller.call(namenode, status, {}, { signal: options.signal, peer: 'namenode' })
    return { kind: place.kind, dir, logs, processes: processesOf(found, running, machine), cluster: found }
  } catch (error) {
    // The owner of an embedded cluster may have ended just now.
    if (place.kind === 'embedded' && hasCode(error, 'UNAVAILABLE') && !(await runningAt(options, place)))
      return { kind: 'embedded', dir, processes: [], cluster: undefined }
    if (place.kind !== 'cluster' || !running || !hasCode(error, 'UNAVAILABLE', 'TIMEOUT')) throw error
    const processes = running.processes.map(one => ({
      role: one.role, id: one.id, address: one.address, pid: one.pid, dir: one.dir,
      state: isAlive(machine, one) ? ('live' as const) : ('gone' as const),
    }))
    return { kind: 'cluster', dir, logs, processes, cluster: undefined, failure: error }
  }
}

async function runningAt(
  { world, machine }: StatusDeps,
  place: Exclude<ClusterLocation, { kind: 'stopped' }>,
): Promise<Running | undefined> {
  if (place.kind === 'cluster') return place.running
  const running = await readOwner(world.disk, place.dir)
  return running && !running.stopping && running.processes.some(process => isAlive(machine, process)) ? running : undefined
}

/** Processes known to the namenode, corrected by the file of `up`: a process may have died before the namenode noticed. */
function processesOf(found: ClusterStatus, running: Running | undefined, machine: Machine): ProcessState[] {
  const namenode = running?.processes.find(process => process.role === 'namenode')
  const processes: ProcessState[] = [
    { role: 'namenode', id: found.id ?? namenode?.id ?? '', address: found.address, pid: found.pid, dir: found.dir, state: 'live' },
    ...found.nodes.map(({ node, address, pid, storages, state }) => {
      const started = running?.processes.find(process => process.id === node && process.pid === pid)
      const gone = started !== undefined && !isAlive(machine, started)
      return {
        role: 'datanode' as const, id: node, address, pid, dir: started?.dir ?? storages[0]?.dir ?? '',
        state: gone ? ('gone' as const) : state,
      }
    }),
  ]
  for (const one of running?.processes ?? []) {
    if (processes.some(known => known.id === one.id) || one.role === 'namenode') continue
    const alive = isAlive(machine, one)
    processes.push({
      role: one.role, id: one.id, address: one.address, pid: one.pid, dir: one.dir, state: alive ? 'live' : 'gone',
      ...alive && one.endpoints && { endpoints: one.endpoints },
    })
  }
  return processes
}
