// Processes that drive detached programs, found among the children of datanodes.

import { readFileSync } from 'node:fs'
import { childrenOf } from '../kit/process/children.ts'

/** Ids of the processes that drive programs for a datanode with this process id. */
export const driversOf = (datanode: number): number[] => childrenOf(datanode).filter(isDriver)

function isDriver(pid: number): boolean {
  try {
    return /client\/driving\/main|driver\.cjs/.test(readFileSync(`/proc/${pid}/cmdline`, 'latin1'))
  } catch {
    return false // it has ended
  }
}
