// File that lists the running processes of a cluster of `gristmill up`, or of the embedded cluster. Its content may be outdated: a
// process counts as running only if its pid still belongs to the process that was recorded.

import { address, clusterId, type Address, type ClusterId } from '../src/base/ids.ts'
import type { Disk } from '../src/ports/disk.ts'
import type { Machine } from '../src/ports/machine.ts'

export interface RunningProcess {
  readonly role: 'namenode' | 'datanode'
  readonly id: string
  readonly address: Address
  readonly pid: number
  /** `Machine.born` of the process: identifies it among those that reuse its pid. */
  readonly born: string
  readonly dir: string
}

export interface Running {
  readonly format: 1
  readonly namenode: Address
  readonly cluster: ClusterId
  readonly secretFile: string
  readonly dir: string
  readonly processes: readonly RunningProcess[]
  /** The processes were told to end, by `down` or by the process that runs them: their end is expected. */
  readonly stopping?: boolean
  /** The namenode of an embedded cluster is behind, and has no datanode. */
  readonly behind?: boolean
  /** Reason why the datanode of an embedded cluster has not started. */
  readonly trouble?: string
}

/** File of `up`. */
export const clusterFile = (home: string): string => `${home}/cluster.json`
/** File of an embedded cluster's owner. */
export const embeddedFile = (dir: string): string => `${dir}/embedded.json`

/** undefined if the file does not exist or has another format: then no process is known. */
export async function readRunning(disk: Disk, path: string): Promise<Running | undefined> {
  let text: string
  try {
    text = (await disk.readFile(path)).toString('utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined
    throw error
  }
  try {
    const found = JSON.parse(text) as Running
    if (found.format !== 1 || typeof found.namenode !== 'string' || typeof found.secretFile !== 'string' || !Array.isArray(found.processes))
      return undefined
    return { ...found, namenode: address(found.namenode), cluster: clusterId(found.cluster) }
  } catch {
    return undefined
  }
}

export async function writeRunning(disk: Disk, path: string, running: Running): Promise<void> {
  await disk.writeFileDurable(path, Buffer.from(`${JSON.stringify(running, undefined, 2)}\n`))
}

export const isAlive = (machine: Machine, { pid, born }: Pick<RunningProcess, 'pid' | 'born'>): boolean => machine.born(pid) === born

/** Processes that still run. */
export const living = (machine: Machine, running: Running): RunningProcess[] => running.processes.filter(each => isAlive(machine, each))
