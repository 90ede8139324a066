// Child processes of a server (its executors). They end by themselves soon after their server, but their last writes (the compile cache,
// for instance) must not follow the removal of the directory.

import { readFileSync } from 'node:fs'

/** Empty where the system does not report children. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(word => word !== '').map(Number)
  } catch {
    return []
  }
}

/** Kills them with SIGKILL, together with their parent. */
export function killAll(pids: Iterable<number>): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // already ended
    }
  }
}
