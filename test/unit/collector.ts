// Memory that a test keeps: the collector of a process that was started without `--expose-gc`.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

export function exposedCollector(): () => void {
  setFlagsFromString('--expose-gc')
  return runInNewContext('gc') as () => void
}

/** Bytes of the heap that are in use more than before, when what `make` returns is kept and all else is collected. */
export function keptBytes(make: () => unknown): number {
  const collect = exposedCollector()
  collect()
  const before = process.memoryUsage().heapUsed
  const kept = make()
  collect()
  const bytes = process.memoryUsage().heapUsed - before
  return kept === undefined ? 0 : bytes
}
