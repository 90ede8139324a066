// The child processes of a server, executors all of them. They end by themselves soon after their server, but what they do in that
// moment (keep compiled code in its directory, for one) must not come after the directory was removed.

import { readFileSync } from 'node:fs'

/** None where the system does not tell. */
export function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(word => word !== '').map(Number)
  } catch {
    return []
  }
}

/** With their parent, at once. */
export function killAll(pids: Iterable<number>): void {
  for (const pid of pids) {
    try {
      process.kill(pid, 'SIGKILL')
    } catch {
      // ended meanwhile
    }
  }
}
