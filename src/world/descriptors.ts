// How many files this process may have open. Node raises the soft limit to the hard one when it starts, so what is found here is
// all there is: only whoever starts the process can give it more.

import fs from 'node:fs'

/** Where the system sets no bound, or does not tell: what most systems give a service. */
const unknownMax = 65_536

export function descriptorLimit(): number {
  try {
    // "Max open files            1024                 4096                 files": the first number is the one that holds.
    const found = /^Max open files\s+(\d+|unlimited)/m.exec(fs.readFileSync('/proc/self/limits', 'latin1'))?.[1]
    if (found !== undefined) return found === 'unlimited' ? unknownMax : Number(found)
  } catch {
    // Not Linux.
  }
  // Takes some 40 ms, so it is the second choice.
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: unknown } } }
  const soft = Number(userLimits?.open_files?.soft)
  return Number.isSafeInteger(soft) && soft > 0 ? soft : unknownMax
}
