// A process of the cluster as `up` sees it: started by it, or still running from an earlier `up`.

import { waitUntil } from '../../src/base/retry.ts'
import type { Clock } from '../../src/ports/clock.ts'
import type { Machine } from '../../src/ports/machine.ts'
import { logDirectory } from '../discovery/remembered.ts'
import { isAlive, nameOf, type RunningProcess } from '../discovery/running.ts'

export interface ClusterMember {
  /** `namenode`, `datanode2`. */
  readonly name: string
  readonly log: string
  readonly process: RunningProcess
  /** Resolves at the end of the process with a description of its end. */
  readonly ended: Promise<string>
}

const lookMs = 500

/** A process that this one did not start; its end is detected by polling. `ended` never resolves after `signal`. */
export function livingMember(
  { clock, machine }: { clock: Clock; machine: Machine },
  process: RunningProcess, dir: string, signal: AbortSignal,
): ClusterMember {
  const name = nameOf(process)
  const ended = async (): Promise<string> => {
    await waitUntil(() => !isAlive(machine, process), { clock, pauseMs: lookMs, signal })
    return 'it was started by an earlier "up", and its log says why'
  }
  return { name, log: `${logDirectory(dir)}/${name}.log`, process, ended: ended().catch(() => new Promise<string>(() => {})) }
}
