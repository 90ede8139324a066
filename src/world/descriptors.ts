// Limit of open files of this process. Node raises the soft limit to the hard one when it starts, so this is the maximum; only the
// starter of the process can raise it.

import fs from 'node:fs'

/** Assumed if the system sets no limit or does not report it: the usual limit of a service. */
const unknownMax = 65_536

export function descriptorLimit(): number {
  try {
    // "Max open files 1024 4096 files": the first number is the soft limit.
    const found = /^Max open files\s+(\d+|unlimited)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))?.[1]
    if (found !== undefined) return found === 'unlimited' ? unknownMax : Number(found)
  } catch {
    // Not Linux.
  }
  // Second choice, because it takes about 40 ms.
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }
  const soft = Number(userLimits?.open_files?.soft)
  return Number.isSafeInteger(soft) && soft > 0 ? soft : unknownMax
}
